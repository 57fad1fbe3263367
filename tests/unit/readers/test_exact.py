"""The reader ``exact`` tells upper from lower case, and nothing else changes for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.entry import SourceOptions
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.prompting.label_probabilities import class_probabilities
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.readers import EXACT, read_label
from pytest_llmclf.values.answer import Answer, TokenLogprob
from tests.unit.test_dataset import image, problems, put

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = LabelSet(
    labels=(Label("A"), Label("a"), Label("B", synonyms=("capital B",))), case_matters=True
)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A", "A"), ("a", "a"), (" a.\n", "a"), ("**A**", "A"), ('"a"', "a"), ("(A)", "A"),
        ('{"label": "a"}', "a"), ('{"class": "A", "why": "x"}', "A"), ("```\na\n```", "a"),
        (r"\boxed{A}", "A"), ("<answer>a</answer>", "a"), ("capital B", "B"), ("B", "B"),
        ("<think>A or a? A</think>\na", "a"), ("a<|im_end|>", "a"),
        ("b", None), ("Capital b", None), ("It is A", None), ("A a", None), ("", None),
        ('{"label": "A", "answer": "a"}', None), ('{"label": 1}', None), ("A, not a", None),
    ],
)  # fmt: skip
def test_whole_answers(text: str, label: str | None) -> None:
    """The whole answer is the label as it is written, or nothing is read."""
    assert read_label(text, LETTERS, reader=EXACT).label == label


def test_what_was_cut_is_not_read() -> None:
    """More could have come."""
    found = read_label("A", LETTERS, "length", reader=EXACT)
    assert (found.label, found.reason) == (None, "cut-off")


def test_other_readers_never_confuse_them() -> None:
    """To them such labels are unreadable; the others are read as ever."""
    for reader in ("strict", "first", "last", "contains"):
        for text in ("A", "a", "It is A.", "the letter a"):
            found = read_label(text, LETTERS, reader=reader).label
            assert found in {None, text}, (reader, text)
        assert read_label("b", LETTERS, reader="contains").label == "B"


def test_no_probabilities_by_letters_without_case() -> None:
    """Alternatives of tokens are compared without case; none is better than a wrong one."""
    text = "A"
    one = TokenLogprob(token=text, logprob=-0.1, top=(("A", -0.1), ("a", -2.0)))
    answer = Answer(text=text, finish="stop", logprobs=(one,))
    assert class_probabilities(answer, LETTERS, "A") is None


def test_without_it_they_are_refused(tmp_path: Path) -> None:
    """By labels and by dataset, and both messages name the reader that would do."""
    with pytest.raises(SettingsError, match='say reader="exact", to which case matters'):
        LabelSet.of(["A", "a"])
    with pytest.raises(SettingsError, match="means both"):
        LabelSet(labels=(Label("A"), Label("A")), case_matters=True)
    put(tmp_path, {"A/1.bmp": image(0), "a/2.bmp": image(1)})
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("one folder on this file system")
    (problem,) = problems(tmp_path)
    assert problem.startswith("labels 'A' and 'a' differ in upper and lower case only and are the ")
    assert problem.endswith(': rename one, or say reader="exact"')
    options = SourceOptions(case_matters=True)
    assert load(tmp_path, options=options).labels == ("A", "a")
    put(tmp_path, {"a/1.bmp": image(2)})
    assert len(load(tmp_path, options=options).cases) == 3
    put(tmp_path, {"a./1.bmp": image(3)})
    assert "'a.' are the same to a reader" in problems(tmp_path, options=options)[0]
