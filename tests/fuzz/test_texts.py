"""Whatever is written where people write settings, it is read or refused with a message."""

# ruff: noqa: PT017, RUF001 -- most inputs raise nothing; look-alikes are what is tested

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions
from pytest_llmclf.analysis.comparison.tolerance import parse_tolerance
from pytest_llmclf.errors import LlmclfError, ModelfileError, SettingsError
from pytest_llmclf.gates import expression as gates
from pytest_llmclf.gates.gate import parse_addressed
from pytest_llmclf.models.http.address import parse_addresses
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting import modelfile
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.readers import read_label
from pytest_llmclf.values.outcome import UnparsedReason
from tests.fuzz.effort import assert_says, effort

anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=80)


def pieces(*known: str) -> st.SearchStrategy[str]:
    """Texts made of what means something, and of anything else."""
    part = st.sampled_from(known) | st.text(st.characters(exclude_categories=()), max_size=6)
    return st.lists(part, max_size=14).map("".join)


modelfiles = pieces(
    *modelfile.PARAMETERS[:6], "FROM ", "from\t", "PARAMETER ", "SYSTEM ", "TEMPLATE ", "MESSAGE ",
    "MESSAGE user ", "LICENSE ", "ADAPTER ", "REQUIRES ", "DRAFT ", "llava", '"', '"""', "\n",
    "\r", "\r\n", "\u2028", "\x85", "\x0b", " ", "#", "stop ", "1e999", "-0.0", "9" * 20,
    "٣", "1_000", "0.14.0", "true", "./a.gguf", "\\", "\0", "﻿",
)  # fmt: skip


@effort(200)
@given(modelfiles)
@example("FROM a\nPARAMETER temperature 1e-400\n")
@example('FROM x\nSYSTEM "a\x0b"\n')
@example('FROM x\nSYSTEM """\n"""\n')
@example("FROM " + "a" * 100_000)
@example('FROM x\nLICENSE """' + "\n" * 50_000)
def test_modelfile_text(text: str) -> None:
    """A Modelfile is refused with its place, or read: the same again, whatever its line ends."""
    try:
        found = modelfile.parse(text, "m.Modelfile")
    except ModelfileError as error:
        assert_says(error)
        assert str(error).startswith(f"m.Modelfile:{error.line}:{error.column}: ")
        assert error.line >= 1
        assert error.column >= 1
        return
    again = modelfile.parse(text.replace("\r\n", "\n"), "m.Modelfile")
    assert again == found
    assert again.digest() == found.digest()


gate_texts = pieces(
    "accuracy", "recall", "precision", "f1", "macro_f1", "unparsed_rate", "ece", "brier", "[7]",
    "[*]", "[", "]", '"', "\\", '["a]b"]', "{", "}", "{style=photo}", "=", ",", " >= ", "<", "<=",
    "0.5", "1e5", "nan", "inf", "-1", "95%", " with ", " confidence", "0.95", "@coverage0.8", "@",
    ":", "*", "\n", "\t", "٥", "²", "9" * 5000,
)  # fmt: skip


@effort(200)
@given(gate_texts)
@example("accuracy >= 0.5 with " + "9" * 6000 + "% confidence")
@example("accuracy@coverage" + "1" * 400 + " >= 0.5")
@example("accuracy >= " + "1" * 400)
@example("accuracy >= ٠")
@example('recall["' + "\\" * 4000)
@example("recall[" * 3000)
@example("accuracy{" + "a=b," * 3000)
@example(" " * 20_000 + "with x confidence")
@example("x : " * 3000)
@example('recall["' + '\\"' * 30 + "] >= 0.5")
def test_gate(text: str) -> None:
    """A gate is read the same from what it says of itself, or refused."""
    try:
        found = gates.parse(text)
    except SettingsError as error:
        assert_says(error)
    else:
        for threshold in found.thresholds:
            assert gates.parse(threshold.text).thresholds == (threshold,)
    try:
        parse_addressed(text)
    except SettingsError as error:
        assert_says(error)


spec_texts = pieces(
    "auto", "ollama", "openai", "llamacpp", "replay", "micro-llava", ":", "@", "#", "+", "/", "//",
    "http://", "https://", "ftp://", "127.0.0.1", "[::1]", "::", "localhost", "user:pass@", ":80",
    ":0", ":99999", "/v1", "?a=b", ".gguf", "a", "%", "%41", "0.0.0.0", ",", " ", "\n", "\0",  # noqa: S104
    "１２７.0.0.1", "xn--", "%25eth0", "٨٠", "_", "²",
)  # fmt: skip


@effort(200)
@given(spec_texts)
@example("openai:m@http://user:pa/ss@h/v1")
@example("http://a:²")
@example("http://[::1%²]")
@example("http://１２７.0.0.1:1")
@example("openai:a" + "@" * 5000)
@example("http://\u2100.com")
def test_models_and_addresses(text: str) -> None:
    """A model or address is read, and again from its own text, or refused."""
    try:
        spec = parse_spec(text)
    except SettingsError as error:
        assert_says(error)
    else:
        assert parse_spec(str(spec)).backend == spec.backend
    try:
        addresses = parse_addresses(text)
    except SettingsError as error:
        assert_says(error)
    else:
        for address in addresses:
            assert address.url.isprintable()
            assert 1 <= address.port <= 65535
            if address.user is None:
                assert parse_addresses(address.url) == (address,)


@effort(50)
@given(pieces("1", "2%", "%", ".", "e", "-", "nan", "inf", "9" * 400, " ", "²", "٣") | anything)
@example("9" * 5000)
@example("9" * 5000 + "%")
@example("1e400%")
def test_tolerance(text: str) -> None:
    """A tolerance is read or refused."""
    try:
        parse_tolerance(text)
    except SettingsError as error:
        assert_says(error)


PETS = LabelSet(
    labels=(
        Label("cat", synonyms=("♔", "kitty")),
        *map(Label, ("dog", "a", "1", "10", "Maine Coon")),
    )
)
answers = pieces(
    "cat", "dog", "Maine Coon", "10", "1", "not ", "a ", "It is a ", "{", "}", '"label"', ":", '"',
    "```", "```json\n", "\n", "[", "]", "null", "NaN", "1e999", "\\ud800", "\ud800", "**", "- ",
    "\u0345" * 50, "ﬁ", "ß", "İ", ".", ",", "\u202e", "\u200b", "#", "sorry",
)  # fmt: skip


@effort(300)
@given(answers, st.sampled_from(["stop", "length", "other"]))
@example("[" * 20_000, "stop")
@example("{" * 20_000, "stop")
@example('{"a":' * 4000, "length")
@example('{"label":' + "9" * 5000 + "}", "stop")
@example('{"label": "\\ud800"}', "stop")
@example("- " * 9000, "stop")
@example("i can't " * 2500, "stop")
@example("a\u0301" * 9000 + "\u0345" * 900, "stop")
@example("(" * 19_999, "stop")
def test_answer(text: str, finish: str) -> None:
    """Any answer names one label or has a reason why not, never both, and the same every time."""
    reading = read_label(text, PETS, finish)  # type: ignore[arg-type]
    assert (reading.label is None) != (reading.reason is None)
    assert reading.label is None or reading.label in PETS.names
    assert reading.reason is None or reading.reason in UnparsedReason.__args__  # type: ignore[attr-defined]
    assert read_label(text, PETS, finish) == reading  # type: ignore[arg-type]


@effort(75)
@given(st.lists(anything | st.sampled_from(["cat", "Cat", "ca\u0074", " cat", "ｃat"]), max_size=5))
@example(["cat", "Cat"])
@example(["\u0345", "\u0345\u0345"])
def test_labels(names: list[str]) -> None:
    """A set of labels reads each of its names as that label, or is refused."""
    try:
        labels = LabelSet.of(names)
    except SettingsError as error:
        assert_says(error)
        return
    for name in names:
        assert labels.find(name) == name


predictions = pieces(
    "# predictions, format 1\n", "# evaluation: pets\n", "# model: a\n", "# dataset: b\n", "  ",
    "x ", "? ", "! ", "- ", " -> ", "cat", "dog", "a.png", '"', '"a"', "(unparsed: empty)",
    "(error)", "\n", "\r", "\u2028", "\\ud800", "[" * 50, ": ", "#", "# ",
)  # fmt: skip


@effort(150)
@given(predictions)
@example('  "' + "[" * 100 + "  cat -> cat")
@example('  a  "' + '" -> "')
@example("\n".join(f"  {n}  cat -> cat" for n in range(2000)))
def test_predictions(text: str) -> None:
    """Committed predictions are read, or refused with the line."""
    try:
        found = parse_predictions(text)
    except ValueError as error:
        assert "line" in str(error) or "format" in str(error)
        assert_says(error)
        return
    assert all(isinstance(case, str) for case in found.predictions)


def test_refusals_are_of_one_family() -> None:
    """Everything that these parsers raise on purpose can be caught as one kind."""
    assert issubclass(ModelfileError, LlmclfError)
    assert issubclass(SettingsError, LlmclfError)
