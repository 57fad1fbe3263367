"""The answer store as seen from other processes: one keeper has the file, the others ask it.

SQLite's files are safe between the processes of one machine only, and workers may be elsewhere.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.runner.answer_cache import AnswerStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.data.image import SentImage
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.request import ModelIdentity

FLUSH_S: Final = 1.0
"""Longest time that an answer waits in a worker before it is stored."""
_LONGEST_S: Final = 600.0
"""Longest wait for the keeper, which every worker asks; what is dead is told at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """One answer on its way to the keeper; the arguments of `AnswerStore.put`."""

    digest: str
    identity: ModelIdentity
    answer: Answer
    replace: bool
    fresh_in: str
    image: tuple[str, SentImage] | None


class Keeper:
    """Has the store open; a Ray actor.

    Args:
        path: The answer store.
    """

    def __init__(self, path: str) -> None:
        self._store = AnswerStore(Path(path))

    def get(self, digest: str, fresh_in: str) -> Answer | None:
        """The stored answer, or ``None``."""
        return self._store.get(digest, fresh_in=fresh_in)

    def sent_image(self, source: str) -> SentImage | None:
        """What an image is sent as, or ``None``."""
        return self._store.sent_image(source)

    def remember(self, endpoint_key: str, identity: ModelIdentity) -> None:
        """Keep who answered; see `AnswerStore.remember`."""
        self._store.remember(endpoint_key, identity)

    def remembered(self, endpoint_key: str) -> tuple[ModelIdentity, float] | None:
        """Who answered when it was last known; see `AnswerStore.remembered`."""
        return self._store.remembered(endpoint_key)

    def put(self, answers: Sequence[Put], images: Sequence[tuple[str, SentImage]]) -> str | None:
        """Keep answers and images; what people should know of the store, or ``None``."""
        for each in answers:
            self._store.put(
                each.digest,
                each.identity,
                each.answer,
                replace=each.replace,
                fresh_in=each.fresh_in,
                image=each.image,
            )
        for source, sent in images:
            self._store.keep_image(source, sent)
        return self._store.notice


class KeptStore(AnswerStore):
    """The keeper's store, for an engine in another process.

    Answers are sent on in lots, at the latest after `FLUSH_S`; call `flush` before saying that
    one is stored. Claims and choices are for this process alone.

    Args:
        keeper: Handle of the `Keeper` actor.
    """

    def __init__(self, keeper: Any) -> None:
        super().__init__(None)
        self._keeper = keeper
        self._adding = threading.Lock()
        self._sending = threading.Lock()
        self._answers: list[Put] = []
        self._images: list[tuple[str, SentImage]] = []
        self._ended = threading.Event()
        with suppress(RuntimeError, MemoryError):  # without a thread lots go when they are full
            threading.Thread(target=self._flush_often, name="llmclf keeper", daemon=True).start()

    def get(self, digest: str, *, fresh_in: str = "") -> Answer | None:
        """The answer that the keeper has, or ``None``."""
        answer: Answer | None = _result(self._keeper.get.remote(digest, fresh_in))
        return answer

    def sent_image(self, source: str) -> SentImage | None:
        """What an image is sent as, or ``None``."""
        sent: SentImage | None = _result(self._keeper.sent_image.remote(source))
        return sent

    def remember(self, endpoint_key: str, identity: ModelIdentity) -> None:
        """Let the keeper keep who answered."""
        _result(self._keeper.remember.remote(endpoint_key, identity))

    def remembered(self, endpoint_key: str) -> tuple[ModelIdentity, float] | None:
        """Who answered, as far as the keeper knows."""
        found: tuple[ModelIdentity, float] | None = _result(
            self._keeper.remembered.remote(endpoint_key)
        )
        return found

    def keep_image(self, source: str, sent: SentImage) -> None:
        """Hand on what an image is sent as, with the next lot."""
        with self._adding:
            self._images.append((source, sent))

    def put(
        self,
        digest: str,
        identity: ModelIdentity,
        answer: Answer,
        *,
        replace: bool = False,
        fresh_in: str = "",
        image: tuple[str, SentImage] | None = None,
    ) -> None:
        """Hand an answer on, with the next lot."""
        put = Put(
            digest=digest,
            identity=identity,
            answer=answer,
            replace=replace,
            fresh_in=fresh_in,
            image=image,
        )
        with self._adding:
            self._answers.append(put)

    def flush(self) -> None:
        """Wait until every answer that was put is stored."""
        # Whoever comes while a lot is under way waits for it: it may hold his answers.
        with self._sending:
            with self._adding:
                answers, self._answers = self._answers, []
                images, self._images = self._images, []
            if answers or images:
                self.notice = _result(self._keeper.put.remote(answers, images)) or self.notice

    def close(self) -> None:
        """Hand on what is left."""
        self._ended.set()
        self.flush()
        super().close()

    def _flush_often(self) -> None:
        while not self._ended.wait(FLUSH_S):
            self.flush()


def _result(reference: Any) -> Any:
    import ray

    return ray.get(reference, timeout=_LONGEST_S)
