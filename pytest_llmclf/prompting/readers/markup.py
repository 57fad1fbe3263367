"""What surrounds an answer by a template's or a format's rule: control tokens, fences, boxes, tags.

None of it is a word of the answer. What a box or an answer tag holds is what the model declares to
be its answer.
"""

from __future__ import annotations

import re
from typing import Final

# A model that does not stop goes on with a turn of its own making; the answer ends before it.
_END_OF_TURN: Final = re.compile(
    r"<\|(?:im_end|eot_id|end|endoftext|end_of_text|eom_id|return|assistant_end)\|>"
    r"|</s>|<eos>|<end_of_turn>|<\uff5cend\u2581of\u2581sentence\uff5c>"
)
# The header of a turn, with the role that it names.
_HEADER: Final = re.compile(
    r"<\|start_header_id\|>\s{0,9}\w{1,20}\s{0,9}<\|end_header_id\|>"
    r"|<\|im_start\|>\s{0,9}(?:assistant|model)?|<start_of_turn>\s{0,9}(?:assistant|model)?"
    r"|<\|[\w/ -]{1,40}\|>|<\uff5c[^<>\uff5c]{1,40}\uff5c>|\[/?INST\]|</?s>|<[be]os>|<pad>",
    re.IGNORECASE,
)
_ROLE: Final = re.compile(
    r"\s{0,9}(?:#{1,4}\s{0,3})?(?:assistant|model|response|output|ai|gpt)\s{0,3}:\s", re.IGNORECASE
)
_BOXED: Final = re.compile(r"\\boxed\s{0,3}\{((?:[^{}]|\{[^{}]{0,200}\}){0,200})\}")
_TEXT_IN_BOX: Final = re.compile(r"\\(?:text|textbf|mathrm|mathbf|texttt)\s{0,3}\{([^{}]{0,200})\}")
_TAG: Final = re.compile(
    r"<(answer|label|class|output|final_answer|result|conclusion)>(.{0,400}?)</\1>",
    re.IGNORECASE | re.DOTALL,
)
_FIELD: Final = re.compile(
    r"<(\w{1,30})(?:\s[^<>]{0,100})?>\s{0,20}([^<>]{1,200}?)\s{0,20}</\1\s?>"
)
_ANY_TAG: Final = re.compile(r"</?\w{1,30}(?:\s[^<>]{0,100})?/?>|<\?xml[^<>]{0,100}>")
# At the end of a line: what the model says of its own sureness.
_SURENESS: Final = re.compile(
    r"[ \t,;(\[*_-]{0,9}(?:\b(?:my |overall |estimated )?(?:confidence|certainty|probability)"
    r"(?: level| score| rating)?[*_]{0,3}(?:\s?[:=]| is| of|\s)[*_]{0,3}\s{0,3}"
    r"\d{1,3}(?:[.,]\d{1,6})?(?:\s?%|\s?/\s?\d{1,3}| percent| out of \d{1,3})?"
    r"|(?<![\d.,])\d{1,3}(?:\s?/\s?| out of )\d{1,3} (?:confiden(?:t|ce)|sure|certain(?:ty)?))"
    r"[ \t.)\]*_]{0,9}$",
    re.IGNORECASE | re.MULTILINE,
)
_ESCAPE: Final = re.compile(r"\\(?=[_*`#~>().!-])")
_EMPHASIS: Final = re.compile(r"</?(?:b|i|em|strong|u|p|span|code|mark)>|<br ?/?>", re.IGNORECASE)
_FENCE: Final = "```"


def without_control_tokens(text: str) -> str:
    """`text` without the tokens and role names that a chat template puts around a turn.

    The answer ends at the first end of turn that anything stands before.
    """
    if "<" not in text and "[" not in text and ":" not in text:
        return text
    for end in _END_OF_TURN.finditer(text):
        if _HEADER.sub("", text[: end.start()]).strip():
            text = text[: end.start()]
            break
    bare = _HEADER.sub(" ", text)
    role = _ROLE.match(bare)
    return bare if role is None else bare[role.end() :]


def without_emphasis(text: str) -> str:
    """`text` without Markdown's backslashes, and without HTML that only decorates."""
    bare = _EMPHASIS.sub("", text) if "<" in text else text
    return _ESCAPE.sub("", bare) if "\\" in bare else bare


def declared(text: str) -> tuple[str, ...]:
    r"""What stands in ``\boxed{}`` or in a tag such as ``<answer>``, in order; usually nothing."""
    found = [_TEXT_IN_BOX.sub(r"\1", match[1]) for match in _BOXED.finditer(text)]
    return tuple(part.strip() for part in (*found, *(match[2] for match in _TAG.finditer(text))))


def xml_fields(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The tags of an answer that hold text alone, with it, and what stands outside of them."""
    if "</" not in text:
        return (), text
    fields = tuple((match[1], match[2]) for match in _FIELD.finditer(text))
    return fields, _ANY_TAG.sub(" ", _FIELD.sub(" ", text))


def without_sureness(text: str) -> str:
    """`text` without what its lines end with of how sure the model is ("Confidence: 8/10")."""
    return _SURENESS.sub("", text)


def unfenced(text: str) -> str:
    """What stands in the code fence that is the whole of `text`, or `text` itself."""
    body = text.strip()
    opening, line_end, inside = body.partition("\n")
    language = opening[len(_FENCE) :].strip()
    fenced = opening.startswith(_FENCE) and (not language or language.isalnum())
    if fenced and line_end and inside.endswith(_FENCE) and inside.count(_FENCE) == 1:
        return inside[: -len(_FENCE)]
    return text
