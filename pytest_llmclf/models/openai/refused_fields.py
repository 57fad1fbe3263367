"""Fields of a request that a server does not take: learnt from its refusals, and left out then.

Servers of one protocol differ in the fields that they know, and say so only when they are asked.
What a server refuses is left out from the next request on, or sent under its other name; the
answers say what they were asked without. A field that a server knows and whose value it finds
wrong is a mistake of the user's, and stays an error.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.models.http.http_errors import cut, unwrap

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

EFFORT: Final = "reasoning_effort"
SWITCH: Final = "chat_template_kwargs"
THINK_WORD: Final = "think"
"""What the user calls both."""

_SAID_AS: Final = {
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), "num_predict"),
    "logprobs": "top_logprobs",
    **dict.fromkeys((EFFORT, SWITCH), THINK_WORD),
}
"""What the user calls a field, where that is another word than the field's name."""
_OTHER_NAMES: Final = {"max_tokens": "max_completion_tokens"}
"""The name to try next for a field that is refused under its first one."""
_TOGETHER: Final = frozenset(("logprobs", "top_logprobs"))
"""Where one of these is refused, all of them are left out."""
_NEEDED: Final = frozenset(("model", "messages", "response_format"))
"""Never left out: an answer in another form than the prompt asks for is no answer to it."""
_STATUSES: Final = frozenset({200, 400, 403, 404, 405, 422, 501})
"""What a refusal of a field comes with; 200 where a gateway puts errors into answers."""
_REFUSES: Final = re.compile(
    r"unsupported|(?:not|n't) (?:\w{1,12} )?(?:support|allow|permit|availab|enabled|accepted"
    r"|implemented|recogni[sz]ed)|unrecogni[sz]ed|unknown|unexpected|forbidden"
    r"|extra[ _](?:input|field|forbidden)|additional propert|no such (?:field|param)"
    r"|cannot find field|deprecated|cannot (?:both )?be (?:used|specified|set|combined)"
    r"|only .{0,40}?(?:is|are) (?:allowed|supported)"
)
_LIMITED: Final = re.compile(r"max(?:imum)? allowed|at most|must be|greater than|exceed")
"""What servers say of more log-probabilities than they give; any number of them is a wish."""
_SENTENCE_END: Final = re.compile(r"(?<=[.!?;])\s+|\n")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS: Final = frozenset({"stop", "seed", "n", "user", "think", "format"})
"""Fields whose names are words of any sentence: they count where they are marked as names only."""


class RefusedFields:
    """What one server does not take. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: frozenset[str] = frozenset()

    def fitted(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """A body as this server takes it, and the user's words for what is left out of it.

        A word is left out where nothing that stands for it is sent any more.
        """
        refused = self._refused
        if not refused:
            return dict(body), ()
        sent: dict[str, Any] = {}
        dropped: list[str] = []
        for field, value in body.items():
            name: str | None = field
            while name is not None and name in refused:
                name = _OTHER_NAMES.get(name)
            if name is None:
                dropped.append(_word(field))
            else:
                sent[name] = value
        said = {_word(field) for field in sent}
        return sent, tuple(word for word in dict.fromkeys(dropped) if word not in said)

    def learn(self, status: int, told: Any, sent: Mapping[str, Any]) -> bool:
        """Note the fields that an answer refuses; whether there are any, and asking again helps.

        Args:
            status: HTTP status of the answer.
            told: The answer's JSON, or its text.
            sent: The body that it answers, as `fitted` gave it.
        """
        if status not in _STATUSES or (status == 200 and not _is_error(told)):  # noqa: PLR2004
            return False
        found = refused_in(told, [field for field in sent if field not in _NEEDED])
        if not _TOGETHER.isdisjoint(found):
            found |= _TOGETHER
        with self._lock:
            self._refused |= found
        return bool(found)

    def leave_out(self, fields: Collection[str]) -> None:
        """Note fields that were found to be refused though no error named them."""
        with self._lock:
            self._refused |= frozenset(fields)

    def blamed(self, told: Any, sent: Mapping[str, Any]) -> tuple[str, ...]:
        """The user's words for all that an error names of what was sent."""
        message = _HUMP.sub("_", cut(unwrap(told))).lower()
        fields = (field for field in sent if field not in _NEEDED and field != "stream")
        return tuple(dict.fromkeys(_word(f) for f in fields if _names(message, f)))


def _word(field: str) -> str:
    """What the user calls a field."""
    return _SAID_AS.get(field, field)


def refused_in(told: Any, fields: Sequence[str]) -> set[str]:
    """The fields among `fields` that an error says are not taken.

    Args:
        told: The error as the server sent it: parsed JSON, or text.
        fields: The fields that were sent and might be left out.
    """
    error = told.get("error") if isinstance(told, dict) else None
    error = error if isinstance(error, dict) else told if isinstance(told, dict) else {}
    message = _HUMP.sub("_", cut(unwrap(told))).lower()
    named = [name for name in (error.get("param"),) if isinstance(name, str)]
    by_param = [field for field in fields if any(_last(name) == field for name in named)]
    code = " ".join(str(error.get(key, ""))[:100] for key in ("code", "type")).replace("_", " ")
    if by_param and (_REFUSES.search(message) or _REFUSES.search(code.lower())):
        return set(by_param)
    found: set[str] = set()
    for sentence in _SENTENCE_END.split(message):
        here = [field for field in fields if _names(sentence, field)]
        refuses = _REFUSES.search(sentence)
        if refuses is None:
            here = [field for field in here if "logprobs" in field and _LIMITED.search(sentence)]
        # Of two that exclude each other one is left out: the later, which the user thought of last.
        both = refuses is not None and "both" in sentence
        found.update(here[-1:] if both else here)
    return found


def _is_error(told: Any) -> bool:
    return isinstance(told, dict) and bool(told.get("error") or told.get("object") == "error")


def _last(path: str) -> str:
    return _HUMP.sub("_", re.split(r"[.\[/]", path)[-1]).lower()


def _names(sentence: str, field: str) -> bool:
    """Whether a sentence names a field; one that is an ordinary word must be marked as a name."""
    name = re.escape(field.lower())
    if field not in _WORDS:
        return re.search(rf"(?<!\w){name}(?!\w)", sentence) is not None
    marked = (
        rf"[\"'`]{name}[\"'`]"
        rf"|(?:parameters?|arguments?|fields?|propert(?:y|ies)|options?)\s+{name}(?!\w)"
        rf"|:\s*(?:\w{{1,40}},\s*){{0,20}}{name}\s*(?:,|\.?$)"
        rf"|^{name}:"
    )
    return re.search(marked, sentence) is not None
