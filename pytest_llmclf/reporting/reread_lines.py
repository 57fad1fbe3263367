"""What another reader made of the same answers, as lines of text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.values.text import noun, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.analysis.rereading import Reread
    from pytest_llmclf.reporting.style import Line, Style
    from pytest_llmclf.values.outcome import Outcome

_SHOWN: Final = 10
_WIDTH: Final = 60


def rereading_lines(done: Sequence[Reread], style: Style) -> Iterator[Line]:
    """Counts before and after of each report, and what is read differently, in order of number."""
    for text in _texts(done):
        yield style.line(text)


def _texts(done: Sequence[Reread]) -> Iterator[str]:
    for one in done:
        before, after = one.before.ledger, one.after.ledger
        count = len(one.changed)
        yield ""
        yield (
            f"{one.after.evaluation} on {one.after.configuration}: {count} "
            f"{noun(count, 'answer is', 'answers are')} read differently"
        )
        yield (
            f"  correct {before.correct} -> {after.correct}, "
            f"misclassified {before.misclassified} -> {after.misclassified}, "
            f"unparsed {before.unparsed} -> {after.unparsed}"
        )
        kinds = Counter((_said(old), _said(new)) for old, new in one.changed)
        for (old, new), count in kinds.most_common(_SHOWN):
            case, answer = _example(one.changed, old, new)
            yield f"  {count:>5}  {old} -> {new}  {case}  {answer}"
        if len(kinds) > _SHOWN:
            yield f"  and {plural(len(kinds) - _SHOWN, 'more kind')}"


def _said(outcome: Outcome) -> str:
    return f"{' or '.join(outcome.labels)}: {outcome.predicted or outcome.reason or outcome.kind}"


def _example(changed: Sequence[tuple[Outcome, Outcome]], old: str, new: str) -> tuple[str, str]:
    found = next(pair[1] for pair in changed if (_said(pair[0]), _said(pair[1])) == (old, new))
    text = "" if found.answer is None else found.answer.text
    return found.case, shorten(text, _WIDTH)
