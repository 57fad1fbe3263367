"""The published tables, cell by cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sklearn import metrics as sklearn_metrics

from pytest_llmclf import reference
from pytest_llmclf.reference import __main__ as command
from pytest_llmclf.reporting import terminal
from pytest_llmclf.reporting.style import Style

NAMES = ("mnist", "animals", "chess")
PUBLISHED = {
    "mnist": {
        "accuracy": "0.792000",
        "3": ("0.434783", "1.000000", "0.606061"),
        "macro avg": ("0.857410", "0.792000", "0.804210"),
        "weighted avg": ("0.857410", "0.792000", "0.804210"),
    },
    "animals": {
        "accuracy": "0.774000",
        "cat": ("0.306748", "1.000000", "0.469484"),
        "macro avg": ("0.930675", "0.774000", "0.775512"),
    },
    "chess": {
        "accuracy": "0.165591",
        "weighted avg": ("0.192235", "0.165591", "0.133493"),
    },
}


def printed(name: str) -> dict[str, list[str]]:
    """The figures that the terminal prints, by the name of their row."""
    lines = [
        line.text
        for line in terminal.score_lines(reference.published(name), Style(width=80, digits=6))
    ]
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines[1:] if line]
    return {name: [figure.split()[0] for figure in figures] for name, *figures in cells}


def answers(name: str) -> tuple[list[str], list[str]]:
    """Expected and predicted labels, one an image."""
    outcomes = reference.published(name).outcomes
    return [one.expected for one in outcomes], [str(one.predicted) for one in outcomes]


def test_three_datasets_are_published() -> None:
    """There are reference results for the three datasets."""
    assert reference.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_printed_cell_equals_sklearn(name: str) -> None:
    """Each figure of the table is scikit-learn's, to all six digits."""
    actual, predicted = answers(name)
    theirs = sklearn_metrics.classification_report(actual, predicted, output_dict=True)
    rows = printed(name)
    accuracy = theirs.pop("accuracy")
    assert rows.pop("accuracy")[0] == f"{accuracy:.6f}"
    assert rows == {
        label: [
            *(f"{row[figure]:.6f}" for figure in ("precision", "recall", "f1-score")),
            f"{row['support']:.0f}",
        ]
        for label, row in theirs.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_published_figures_are_printed(name: str) -> None:
    """The figures that were published come out as they were published."""
    rows = printed(name)
    for row, figures in PUBLISHED[name].items():
        expected = [figures] if isinstance(figures, str) else list(figures)
        assert rows[row][: len(expected)] == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_matrix_is_the_published_one(name: str) -> None:
    """Counts are scikit-learn's, every image is in them, and the ledger is complete."""
    actual, predicted = answers(name)
    found = reference.published(name)
    theirs = sklearn_metrics.confusion_matrix(actual, predicted, labels=found.confusion.labels)
    assert [list(row) for row in found.confusion.counts] == theirs.tolist()
    assert found.ledger.complete
    assert found.ledger.collected == found.dataset.cases_in_dataset == len(actual)


def test_the_command_prints_all_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments all three tables are printed to six digits."""
    assert command.main([]) == 0
    found = capsys.readouterr().out
    for figure in ("0.857410", "0.434783", "0.804210", "0.775512", "0.133493"):
        assert figure in found


def test_the_command_prints_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A named dataset is printed alone, with the digits asked for."""
    assert command.main(["chess", "--digits", "3"]) == 0
    found = capsys.readouterr().out
    assert found.startswith("chess")
    assert "mnist" not in found
    assert "0.133" in found
    assert "0.133493" not in found


def test_a_page_quotes_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """Every finding shown of the published counts is one of the program's, in full."""
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    (block,) = re.findall(
        r"On the counts published for LLaVA it says:\n\n```text\n(.*?)```", page, re.DOTALL
    )
    quotes = re.findall(r"^(\w+)  +(.*(?:\n {2,}.*)*)", block, re.MULTILINE)
    assert [name for name, _ in quotes] == ["animals", "chess"]
    for name, quote in quotes:
        assert command.main([name]) == 0
        printed_text = " ".join(capsys.readouterr().out.split())
        assert f"- {' '.join(quote.split())}" in printed_text


def test_the_command_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown dataset is refused with the known ones."""
    with pytest.raises(SystemExit):
        command.main(["cifar"])
    assert "'cifar'; there are mnist, animals, chess" in capsys.readouterr().err


def test_there_is_no_result_for_others() -> None:
    """A dataset without published results is a `KeyError`."""
    with pytest.raises(KeyError):
        reference.published("cifar")
