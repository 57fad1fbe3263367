"""An evaluation whose answers name no label: it measures nothing, whatever its gates say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.wording import FROM_ELSEWHERE, UNFORCED, WITHHELD
from pytest_llmclf.values.outcome import NAMES_OTHER

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

_THINK_OFF: Final = "turn thinking off, Evaluation(think=False) or --llmclf-think off; where that "
_ONE_LABEL: Final = 'have the server force one of the labels, Evaluation(answer="enum"), or ask '
_ONE_LABEL_END: Final = "in the prompt for a label and nothing else"
REMEDIES: Final[dict[str, str]] = {
    "empty": "ask the model by hand whether it answers at all",
    "refusal": "word the prompt so that the model does not decline",
    "several-labels": _ONE_LABEL + _ONE_LABEL_END,
    "outside-the-list": _ONE_LABEL + _ONE_LABEL_END,
    "content-filter": WITHHELD,
    "cut-off": "raise num_predict in a Modelfile or in Evaluation(options=...)",
    "cut-off-in-thinking": _THINK_OFF
    + "does not help, raise num_predict until thinking and answer fit",
    "thinking-only": _THINK_OFF
    + "does not help, see in the page whether the answer stands in the thinking, which is never "
    "read: the server's template for this model is at fault then",
}
"""By the reason why an answer names no label, `outcome.UnparsedReason`."""


def why_unread(report: Report) -> str | None:
    """Why a report is none, in one line with the remedy; ``None`` where an answer was read."""
    ledger = report.ledger
    if not ledger.unread or not ledger.unparsed:
        return None
    reasons = Counter(outcome.reason or "" for outcome in report.of_kind("unparsed"))
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    most = reasons.most_common(1)[0][0]
    remedy = REMEDIES.get(most, REMEDIES["outside-the-list"])
    told = report.full_instructions
    if told is not None and told.answer == "enum" and most in NAMES_OTHER:
        remedy = UNFORCED
    if report.told_nothing:
        remedy = FROM_ELSEWHERE
    return f"no answer could be read: none of {ledger.unparsed} names a label ({counted}); {remedy}"
