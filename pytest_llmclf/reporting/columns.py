"""Outcomes as a flat table: the columns of `outcomes.csv`, `outcomes.parquet` and data frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_llmclf.metrics.calibration.answers import confidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

SCHEMA: Final = 1
"""Raised when a field of a run's files changes its meaning or goes away; new fields do not."""

Holds = Literal["text", "category", "label", "count", "number", "flag"]
"""What a column holds: any text; one of few texts; a label of the dataset; a whole number; a
number; true or false."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        holds: What is in it; every kind may be missing.
        about: What it means, for the documentation.
    """

    name: str
    holds: Holds
    about: str


COLUMNS: Final = (
    Column("schema", "count", "version of the table"),
    Column("evaluation", "category", "name of the evaluation"),
    Column("model", "category", "model as people write it, such as `ollama:llava:7b`"),
    Column("variant", "category", "name of the evaluation's variant; none for it as declared"),
    Column("model_digest", "category", "digest of the model that answered"),
    Column("case", "text", "id of the image: its path in the dataset"),
    Column("repeat", "count", "which asking of the same question; 0 is the one that counts"),
    Column("sha256", "text", "SHA-256 of the image's file"),
    Column("expected", "label", "label of the image"),
    Column("predicted", "label", "label that the answer names; none unless there is one"),
    Column(
        "kind",
        "category",
        "`correct`, `misclassified`, `unparsed` (an answer, but no label in it), `error` (no "
        "answer), `not_needed` (the gates were already decided), `not_run` (the session "
        "stopped before) or `lost` (never reported)",
    ),
    Column("reason", "category", "why there is no label, or no answer"),
    Column("message", "text", "message of an error, with its remedy"),
    Column("answer", "text", "what the model said"),
    Column(
        "thinking", "text", "what the model thought before its answer; never read as the answer"
    ),
    Column("finish", "category", "why the answer ended: `stop`, `length`, `filtered` or `other`"),
    Column("prompt_tokens", "count", "tokens read, the image's included"),
    Column("answer_tokens", "count", "tokens written, thinking included"),
    Column(
        "thinking_tokens", "count", "how many of these went into thinking, where the server tells"
    ),
    Column("server_s", "number", "seconds that the server says it spent, its queue included"),
    Column("load_s", "number", "seconds of these spent on loading the model"),
    Column("wall_s", "number", "seconds from sending to receiving"),
    Column("cached", "flag", "whether the answer came from the cache"),
    Column("attempts", "count", "requests sent in this run"),
    Column("request_digest", "text", "SHA-256 over everything that was sent"),
    Column(
        "confidence",
        "number",
        "probability of the predicted label among the labels; 0 for an answer without a label "
        "that came with probabilities",
    ),
    Column("label_mass", "number", "what the labels had together before they were normalised"),
    Column("also", "text", "further right labels, with `|` between them"),
    Column("original", "text", "right labels before people decided about them, likewise"),
    Column(
        "review",
        "category",
        "what people decided about the label: `confirmed`, `corrected`, `unsure` or `disputed`",
    ),
)
"""Followed by one column ``tag:NAME`` a tag."""

COLUMN_NAMES: Final = tuple(column.name for column in COLUMNS)
TAG: Final = "tag:"
"""Before the name of a tag in the name of its column."""

_SAID: Final = (
    "finish", "prompt_tokens", "answer_tokens", "thinking_tokens", "server_s", "load_s", "wall_s"
)  # fmt: skip


def outcomes_of(report: Report) -> tuple[Outcome, ...]:
    """The rows of a report: every image, then the repeats of those that were asked again."""
    return (*report.outcomes, *report.repeats)


def tags_of(reports: Iterable[Report]) -> list[str]:
    """Names of all tags in any of the reports, sorted."""
    return sorted({tag for report in reports for tag in report.tags})


def row(outcome: Outcome) -> dict[str, Any]:
    """One value a column of `COLUMNS`, as JSON built-ins; ``None`` where there is none."""
    answer, review = outcome.answer, outcome.review
    said = {name: None if answer is None else getattr(answer, name) for name in _SAID}
    return {
        **{name: getattr(outcome, name, None) for name in COLUMN_NAMES},
        **said,
        "schema": SCHEMA,
        "variant": outcome.variant or None,
        "answer": None if answer is None else answer.text,
        "thinking": None if answer is None else answer.thinking or None,
        "confidence": confidence(outcome),
        "also": "|".join(outcome.also) or None,
        "original": None if review is None else "|".join(review.original),
        "review": None if review is None else review.status,
    }
