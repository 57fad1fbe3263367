"""Committed predictions are read back as they were written, whatever the names."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.baseline import compare
from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions, predictions_text
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.outcome import Outcome

odd = st.sampled_from(
    ["a -> b", "a  b", "  ", "# evaluation: x", "x a.png  cat -> cat", "->", "a  repeat 1",
     "\\u0020", "(error: x)", '"', "a\nb", "a\r\u2028b", " cat", "cat ", "? b", "\u00e4", "->  ->"]
)  # fmt: skip
names = odd | st.text(min_size=1, max_size=12)


@st.composite
def outcomes(draw: st.DrawFn) -> list[Outcome]:
    """Outcomes of distinct cases with whatever names and labels."""
    labels = draw(st.lists(names, min_size=2, max_size=3, unique=True))
    cases = draw(st.lists(names, max_size=5, unique=True))
    found = []
    for case in cases:
        expected, said = draw(st.sampled_from(labels)), draw(st.sampled_from([*labels, None]))
        found.append(
            Outcome(
                evaluation="pets -> beasts",
                model="ollama:llava",
                model_digest="",
                case=case,
                sha256="",
                expected=expected,
                kind="unparsed"
                if said is None
                else "correct"
                if said == expected
                else "misclassified",
                predicted=said,
                reason=draw(names) if said is None else None,
            )
        )
    return found


def written(found: list[Outcome]) -> str:
    """Their committed text."""
    labels = {outcome.expected for outcome in found}
    labels |= {outcome.predicted for outcome in found if outcome.predicted is not None}
    facts = DatasetFacts(name="pets  1", content_hash="abc", labels=tuple(sorted(labels)))
    return predictions_text(
        reports.build(
            evaluation="pets -> beasts", model="ollama:llava", dataset=facts, outcomes=found
        )
    )


@given(outcomes())
def test_every_case_is_read_back(found: list[Outcome]) -> None:
    """One prediction a case, correct where it was, in order; and the heads are told apart."""
    record = parse_predictions(written(found))
    ordered = sorted(found, key=lambda outcome: outcome.case)
    assert [one.correct for one in record.predictions.values()] == [
        outcome.kind == "correct" for outcome in ordered
    ]
    assert record.head["model"] == "ollama:llava"
    assert record.head["format"] == "1"


@given(outcomes())
def test_a_text_is_identical_to_itself(found: list[Outcome]) -> None:
    """And every line is printable, so that a review sees all of it."""
    text = written(found)
    same = compare(text, text)
    assert (*same.changes, *same.new, *same.missing, *same.unanswered) == ()
    assert all(line.isprintable() for line in text.split("\n"))


@given(outcomes(), st.data())
def test_a_change_is_seen_on_its_case(found: list[Outcome], data: st.DataObject) -> None:
    """Losing one correct answer breaks that one image and nothing else."""
    right = [outcome for outcome in found if outcome.kind == "correct"]
    if not right:
        return
    chosen = data.draw(st.sampled_from(right))
    changed = replace(chosen, kind="unparsed", predicted=None, reason="refusal")
    now = [changed if outcome is chosen else outcome for outcome in found]
    comparison = compare(written(now), written(found))
    assert len(comparison.broken) == 1
    assert comparison.fixed == comparison.changed == comparison.new == comparison.missing == ()
