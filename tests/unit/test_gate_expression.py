"""How gates are written, and what is said of those that cannot be read."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.expression import parse, split_address
from pytest_llmclf.gates.gate import Gate, parse_addressed
from pytest_llmclf.gates.threshold import COMPARISONS, Threshold
from pytest_llmclf.metrics.metric_table import METRICS

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
shares = st.floats(0.001, 0.999)


def threshold(metric: str, sign: str, number: float, **more: object) -> Threshold:
    """Short for the table below."""
    return Threshold(metric=metric, sign=sign, number=number, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy>=0.75", [threshold("accuracy", ">=", 0.75)]),
        (" accuracy  >=  .75 ", [threshold("accuracy", ">=", 0.75)]),
        (
            "recall[7] >= 0.6, unparsed_rate <= 0.02",
            [threshold("recall", ">=", 0.6, label="7"), threshold("unparsed_rate", "<=", 0.02)],
        ),
        ("precision[ white, king ] > 0", [threshold("precision", ">", 0, label="white, king")]),
        ('f1["a ]b\\" "] > 0', [threshold("f1", ">", 0, label='a ]b" ')]),
        ("recall[{a}=>=1] >= 1", [threshold("recall", ">=", 1, label="{a}=>=1")]),
        ("recall[*] >= 0.5", [threshold("recall", ">=", 0.5, label="*")]),
        ("error_rate < 1e-2", [threshold("error_rate", "<", 0.01)]),
        (
            "accuracy{style=photo} >= 0.5",
            [threshold("accuracy", ">=", 0.5, where=(("style", "photo"),))],
        ),
        (
            'recall[cat]{ style = line art , source="a, b=c" }>=0.4',
            [
                threshold(
                    "recall",
                    ">=",
                    0.4,
                    label="cat",
                    where=(("style", "line art"), ("source", "a, b=c")),
                )
            ],
        ),
        ("accuracy@coverage0.8 >= 0.9", [threshold("accuracy", ">=", 0.9, coverage=0.8)]),
        ("accuracy@coverage1{a=b}>=.9", [
            threshold("accuracy", ">=", 0.9, coverage=1.0, where=(("a", "b"),))
        ]),
        ("ece <= 0.1, brier <= 1.2", [threshold("ece", "<=", 0.1), threshold("brier", "<=", 1.2)]),
    ],
)  # fmt: skip
def test_thresholds_are_read(text: str, expected: list[Threshold]) -> None:
    """Blanks do not matter, labels may hold commas and signs, several stand behind each other."""
    assert parse(text).thresholds == tuple(expected)
    assert parse(text).confidence is None


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("accuracy >= 0.8 with 95% confidence", 0.95),
        ("accuracy >= 0.8 with 0.95 confidence ", 0.95),
        ("accuracy >= 0.8, recall[a with 90% confidence] >= 0.1 with 99.9% confidence", 0.999),
        ("recall[a with 90% confidence] >= 0.1", None),
    ],
)
def test_confidence_is_of_the_whole_gate(text: str, confidence: float | None) -> None:
    """It stands at the end, in per cent or as a share, and not in a label."""
    assert parse(text).confidence == confidence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "gate '': not of the form accuracy>=0.75 or recall[LABEL]>=0.6"),
        ("accuracy", "gate 'accuracy': not of the form accuracy>=0.75"),
        ("accuracy == 1", "gate 'accuracy == 1': '==' is not one of >=, <=, >, <; did you mean"),
        ("accuracy => 1", "'=>' is not one of >=, <=, >, <; did you mean '>='?"),
        ("accuracy != 1", "'!=' is not one of >=, <=, >, <"),
        ("accuracy >= 0.7,", "gate 'accuracy >= 0.7,', '': not of the form"),
        ("acuracy >= 0.7", "'acuracy' is not one of accuracy, "),
        ("acuracy >= 0.7", "; did you mean 'accuracy'?"),
        ("recall >= 0.7", "recall is of one class: write recall[LABEL], recall[*] for each class"),
        ("accuracy[7] >= 0.7", "accuracy is of all classes together: drop [7]"),
        ("recall[ ] >= 0.7", "recall[] names no class"),
        ("recall[7 >= 0.7", "gate 'recall[7 >= 0.7': ']' is missing"),
        ('recall["7] >= 0.7', "a quote is missing"),
        ('recall["\\d"] >= 0.7', '"\\d" is no text in quotes: write \\\\ for a backslash'),
        ("accuracy >= high", "gate 'accuracy >= high': 'high' is not a number from 0 to 1"),
        ("accuracy >= 75%", "'75%' is not a number from 0 to 1; for 75% write 0.75"),
        ("accuracy >= 75", "75 is not from 0 to 1; for 75 per cent write 0.75"),
        ("brier <= 75", "75 is not from 0 to 2"),
        ("accuracy >= -1", "-1 is not from 0 to 1"),
        ("accuracy >= nan", "nan is not from 0 to 1"),
        ("accuracy > 1", "no value is > 1: write >= 1"),
        ("unparsed_rate < 0", "no value is < 0: write <= 0"),
        ("accuracy@0.8 >= 0.7", "@0.8 is not of the form accuracy@coverage0.8"),
        ("accuracy@coverage80 >= 0.7", "@coverage80 is not of the form accuracy@coverage0.8"),
        ("macro_f1@coverage0.8 >= 0.7", "is not of the form accuracy@coverage0.8"),
        ("accuracy{photo} >= 0.7", "{photo} is not of the form {tag=value, tag=value}"),
        ("accuracy{} >= 0.7", "{} is not of the form {tag=value, tag=value}"),
        ("accuracy{a=b, a=c} >= 0.7", "names 'a' twice"),
        ("accuracy >= 0.7 with 95 confidence", "95 is not between 50% and 100%; for 95 per cent"),
        ("accuracy >= 0.7 with 50% confidence", "50% is not between 50% and 100%"),
        ("accuracy >= 0.7 with 100% confidence", "100% is not between 50% and 100%"),
        ("accuracy >= 0.7 with some confidence", "'some' is no confidence; write 95% or 0.95"),
        ("accuracy >= 0.7 with 95%", "'with 95%' is not read; write 'with 95% confidence'"),
        (
            "accuracy >= 0.7 with 95% confidence, recall[7] >= 0.5",
            "'with 95% confidence' stands once, at the end",
        ),
        ("ece <= 0.1 with 95% confidence", "give 'ece <= 0.1' a gate of its own without it"),
        ("brier <= 0.1 with 95% confidence", "brier has no reading with confidence"),
        ("error_rate <= 0 with 95% confidence", "any error makes a gate INCONCLUSIVE as it is"),
        (
            "accuracy >= 0.5, f1 >= 0.5",
            "gate 'accuracy >= 0.5, f1 >= 0.5', ' f1 >= 0.5': f1 is of one class",
        ),
    ],
)
def test_a_slip_names_value_place_and_remedy(text: str, message: str) -> None:
    """A gate that does not parse is refused where it is declared."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        _ = Gate(text).parsed


@given(st.text(max_size=40))
def test_nothing_but_a_settings_error_comes_of_any_text(text: str) -> None:
    """A gate is read or refused; it never breaks."""
    with contextlib.suppress(SettingsError):
        assert parse(text).thresholds


@given(
    metric=st.sampled_from(list(METRICS)),
    label=texts,
    where=st.dictionaries(texts, texts, max_size=2),
    sign=st.sampled_from(list(COMPARISONS)),
    number=shares,
    coverage=st.none() | shares.map(lambda share: round(share, 4)),
)
def test_what_is_written_is_read(
    *,
    metric: str,
    label: str,
    where: dict[str, str],
    sign: str,
    number: float,
    coverage: float | None,
) -> None:
    """The text of any threshold parses to that threshold, whatever its labels and tags hold."""
    written = Threshold(
        metric=metric,
        sign=sign,
        number=number,
        label=label if METRICS[metric].by_class else None,
        where=tuple(where.items()),
        coverage=coverage if metric == "accuracy" and coverage else None,
    )
    assert parse(written.text).thresholds == (written,)
    assert parse(f"{written.text}, accuracy >= 0").thresholds[0] == written


@pytest.mark.parametrize(
    ("text", "name", "gate"),
    [
        ("mnist: accuracy>=0.75, recall[7]>=0.6", "mnist", "accuracy>=0.75, recall[7]>=0.6"),
        ("*: accuracy >= 0.5 with 95% confidence", "*", "accuracy >= 0.5 with 95% confidence"),
        ("data: v2 : recall[a: b>=1]>=0.5", "data: v2", "recall[a: b>=1]>=0.5"),
        ("m[ab]*:accuracy{s=t: u}>=1", "m[ab]*", "accuracy{s=t: u}>=1"),
    ],
)
def test_a_gate_may_say_what_it_is_for(text: str, name: str, gate: str) -> None:
    """A name or pattern first; colons in names, labels and values do no harm."""
    assert parse_addressed(text) == (name, Gate(gate))


@pytest.mark.parametrize("text", ["accuracy >= 0.5", ": accuracy >= 0.5", "mnist:", ""])
def test_a_gate_for_nobody_is_refused(text: str) -> None:
    """The message shows both forms, for one evaluation and for all."""
    with pytest.raises(
        SettingsError, match=r"names no evaluation or no gate.*'\*: accuracy>=0.75'"
    ):
        parse_addressed(text)


def test_a_slip_behind_a_name_is_the_gates() -> None:
    """What is wrong is said of the gate, not of the name."""
    with pytest.raises(SettingsError, match=r"gate 'acuracy>=0.5': 'acuracy' is not one"):
        _ = parse_addressed("mnist: acuracy>=0.5")[1].parsed
    with pytest.raises(SettingsError, match="gate 'accuracy': not of the form"):
        parse_addressed("mnist: accuracy")


@pytest.mark.parametrize("blank", [" ", "\n", "\t "])
@pytest.mark.parametrize("form", ["recall[cat] >= 60%{}where", "accuracy{}>= 0.5", "x:{}a >= 1"])
def test_a_gate_of_a_hundred_thousand_blanks_is_refused(form: str, blank: str) -> None:
    """By its length: patterns would go over the blanks again from each of them."""
    for read in (parse, split_address):
        with pytest.raises(SettingsError, match=r"characters, more than 10000: make several"):
            read(form.format(blank * 100_000))


GAPS = (
    '_accuracy_@_coverage0.8_{_t_=_"v"_,_u_=_w_}_>=_0.5_,_recall[_7_]_>_0.1_ with_95%_ confidence_'
)
"""With an underscore where blanks may stand."""


@pytest.mark.parametrize("gap", range(GAPS.count("_")))
@pytest.mark.parametrize("ending", ["", " x"])
def test_a_row_of_blanks_is_read_in_one_way(gap: int, ending: str) -> None:
    """Wherever it stands: split in all ways it would be read for hours where the end is wrong."""
    pieces = GAPS.split("_")
    long = "".join(
        piece + (" " * 5000 if number == gap else " " if piece.endswith("with") else "")
        for number, piece in enumerate(pieces)
    )
    if not ending:
        assert parse(long) == parse(GAPS.replace("with_", "with ").replace("_", ""))
    else:
        with pytest.raises(SettingsError):
            parse(long.rstrip() + ending)
