"""The answer store as seen from other processes: one keeper has the file, the others ask it.

SQLite's files are safe between the processes of one machine only, and workers may be elsewhere.
"""

from __future__ import annotations

import threading
from contextlib import suppress
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


class Keeper(AnswerStore):
    """Has the store open; a Ray actor.

    Args:
        path: The answer store.
    """

    def __init__(self, path: str) -> None:
        super().__init__(Path(path))

    def put_all(
        self,
        answers: Sequence[tuple[tuple[Any, ...], dict[str, Any]]],
        images: Sequence[tuple[str, SentImage]],
    ) -> str | None:
        """Keep answers and images; what people should know of the store, or ``None``.

        Args:
            answers: The arguments of `put`, those with a name last.
            images: The arguments of `keep_image`.
        """
        for given, named in answers:
            self.put(*given, **named)
        for source, sent in images:
            self.keep_image(source, sent)
        return self.notice


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
        self._answers: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._images: list[tuple[str, SentImage]] = []
        self._ended = threading.Event()
        with suppress(RuntimeError, MemoryError):  # without a thread lots go when they are full
            threading.Thread(target=self._flush_often, name="llmclf keeper", daemon=True).start()

    def get(self, digest: str, *, fresh_in: str = "") -> Answer | None:
        """The answer that the keeper has, or ``None``."""
        answer: Answer | None = _result(self._keeper.get.remote(digest, fresh_in=fresh_in))
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

    def put(self, *given: Any, **named: Any) -> None:
        """Hand an answer on, with the next lot; takes what `AnswerStore.put` takes."""
        with self._adding:
            self._answers.append((given, named))

    def flush(self) -> None:
        """Wait until every answer that was put is stored."""
        # Whoever comes while a lot is under way waits for it: it may hold his answers.
        with self._sending:
            with self._adding:
                answers, self._answers = self._answers, []
                images, self._images = self._images, []
            if answers or images:
                self.notice = _result(self._keeper.put_all.remote(answers, images)) or self.notice

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
