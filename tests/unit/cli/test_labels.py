"""``llmclf labels``: decisions applied, taken back, shown and counted."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.decision_files import decision_files
from pytest_llmclf.data.decisions import append_decisions, read_decisions
from pytest_llmclf.errors import DatasetError
from tests.unit.test_dataset import image, pets, put
from tests.unit.test_mending import about

if TYPE_CHECKING:
    from pathlib import Path


class Command:
    """The command in a project with `pets`, and what it printed last."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.pets = pets(root / "fixtures" / "pets")
        self.own = self.pets / "decisions.jsonl"
        self._capsys = capsys

    def __call__(self, *arguments: object) -> int:
        code = main(["labels", *map(str, arguments)])
        written = self._capsys.readouterr()
        self.printed = written.out
        self.out, self.err = " ".join(written.out.split()), " ".join(written.err.split())
        return code

    def labels(self) -> dict[str, tuple[str, ...]]:
        found = load(self.pets, decisions=decision_files(self.own))
        return {case.id: case.labels for case in found.cases}

    def file(self, name: str, *decisions: object) -> Path:
        path = self.root / name
        append_decisions(path, decisions)  # type: ignore[arg-type]
        return path


@pytest.fixture
def labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    (tmp_path / "modelfiles").mkdir()
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path, capsys)


def test_what_is_refused_is_taken_back_by_the_command_in_the_message(labels: Command) -> None:
    """As it is printed, whatever the file is called and of whichever part it is."""
    part = labels.root / "fixtures" / "two pets" / "test"
    put(part, {"a b/1.bmp": image(1), "c/2.bmp": image(2)})
    given = replace(about("cat/1", 7), image="a b/1.bmp", was=("a b",), labels=("c",))
    append_decisions(part / "decisions.jsonl", [given])
    whole = ("two pets", "--split", "test")
    with pytest.raises(DatasetError) as stopped:
        load(part, decisions=decision_files(part / "decisions.jsonl"))
    said = str(stopped.value).partition("take it back: ")[2].splitlines()[0]
    assert shlex.split(said) == ["llmclf", "labels", "revert", str(part), "a b/1.bmp"]
    assert labels("diff", *whole) == 1
    told = labels.out.rpartition("take it back: ")[2]
    assert told == 'llmclf labels revert "two pets" "a b/1.bmp" --split test'
    assert main(shlex.split(told)[1:]) == 0
    assert labels("diff", *whole) == 0
    assert labels("revert", "pets", "cat/1.bmp") == 2
    assert main(shlex.split(labels.err.rpartition("what is: ")[2])[1:]) == 0


def test_apply_and_revert(labels: Command) -> None:
    """What is applied is in force; what is taken back is not, and no line goes away."""
    before = labels.labels()
    given = labels.file("anna.jsonl", about("cat/1.bmp", 0), about("cat/2.bmp", 1, "also"))
    assert labels("apply", given, "pets") == 0
    assert labels.out.startswith(f"added 2 decisions to {labels.own}".replace("\n", ""))
    assert labels.labels()["cat/1.bmp"] == ("dog",)
    assert labels("apply", given, "pets") == 0
    assert "added 0 decisions" in labels.out
    assert labels.out.endswith("2 there already")
    assert labels("revert", "pets", "cat/1.bmp", "--by", "ben") == 0
    assert labels.labels()["cat/1.bmp"] == ("cat",)
    assert labels.labels()["cat/2.bmp"] == ("cat", "dog")
    # Applied once more, what was taken back stays so.
    assert labels("apply", given, "pets") == 0
    assert "2 there already 1 of them was taken back later" in labels.out
    assert labels.labels()["cat/1.bmp"] == ("cat",)
    assert labels("revert", "pets", "--all", "--of", "anna") == 0
    assert labels.labels() == before
    assert len(read_decisions([labels.own])) == 4


def test_any_order_gives_the_same(labels: Command) -> None:
    """Files of several people and what was taken back, whoever comes first."""
    given = [
        labels.file("a.jsonl", about("cat/1.bmp", 0), about("dog/1.bmp", 3)),
        labels.file("b.jsonl", about("cat/1.bmp", 0, "accept", by="ben")),
        labels.file("c.jsonl", about("dog/1.bmp", 3, "take-back", by="cy")),
        labels.file("d.jsonl", about("cat/2.bmp", 1, "leave-out", by="dan")),
    ]
    found = set()
    for order in list(itertools.permutations(given))[::4]:
        labels.own.unlink(missing_ok=True)
        assert all(labels("apply", one, "pets") == 0 for one in order)
        found.add(tuple(labels.labels().items()))
    assert found == {
        (
            ("cat/1.bmp", ("cat",)),  # they disagree
            ("cat/10.bmp", ("cat",)),
            ("dog/1.bmp", ("dog",)),
            ("dog/b/2.bmp", ("dog",)),
        )
    }


def test_refused_is_what_is_about_something_else(labels: Command) -> None:
    """By image and place; the rest is applied."""
    given = labels.file(
        "x.jsonl", about("cat/1.bmp", 7), about("cat/9.bmp", 99), about("cat/2.bmp", 1)
    )
    assert labels("apply", given, "pets") == 1
    assert "cat/1.bmp is refused: the file changed since" in labels.out
    assert "cat/9.bmp is refused: the dataset has no such image" in labels.out
    assert labels.labels()["cat/2.bmp"] == ("dog",)
    assert len(read_decisions([labels.own])) == 1
    put(labels.pets, {"cat/2.bmp": image(50)})
    assert labels("stats", "pets") == 1
    assert "the file has changed since" in labels.out
    assert labels("revert", "pets", "cat/2.bmp") == 0
    assert labels("stats", "pets") == 0


def test_without_an_action_there_is_help(labels: Command) -> None:
    """As for the command itself."""
    assert labels() == 0
    assert "candidates" in labels.out


def test_diff(labels: Command) -> None:
    """From the dataset as it is, or from what was decided so far."""
    assert labels("diff", "pets") == 0
    assert labels.out == "no label differs"
    append_decisions(labels.own, [about("cat/1.bmp", 0, why="it barks")])
    more = labels.file("m.jsonl", about("cat/10.bmp", 2, "leave-out", by="ben"))
    assert labels("diff", "pets") == 0
    assert labels.out == "cat/1.bmp cat -> dog by anna: it barks"
    assert labels("diff", "pets", more) == 0
    assert labels.out == "cat/10.bmp cat -> left out by ben"


def test_stats(labels: Command) -> None:
    """Who decided how often, where people disagree, and the images drawn at random."""
    append_decisions(
        labels.own,
        [
            about("cat/1.bmp", 0, control=True),
            about("cat/1.bmp", 0, "accept", by="ben"),
            about("cat/2.bmp", 1, "accept", control=True),
            about("cat/10.bmp", 2, "unsure", by="ben"),
        ],
    )
    assert labels("stats", "pets") == 0
    for text in (
        "5 images, decisions about 3",
        "anna: 1 accept, 1 relabel",
        "ben: 1 accept, 1 unsure",
        "decided about by several people: 1, the same way: 0",
        "1 confirmed, 0 corrected, 0 left out, 1 unsure, 1 disputed",
        "since reviewers disagree: cat/1.bmp",
        "of 1 image drawn at random for review 0 labels were wrong: 0.000, 95% interval 0.000",
    ):
        assert text in labels.out, text


def test_an_evaluation_names_its_dataset(labels: Command) -> None:
    """Also where a function gives the images, which have no other name."""
    (labels.root / "evals").mkdir()
    (labels.root / "evals" / "test_pets.py").write_text(
        "from pathlib import Path\n"
        "from pytest_llmclf import Evaluation\n"
        "def source():\n"
        "    for path in sorted(Path('fixtures/pets').rglob('*.bmp')):\n"
        "        yield path, path.parts[2]\n"
        "given = Evaluation(dataset=source, modelfile='m', prompt='?', name='given')\n"
    )
    one = replace(about("cat/1.bmp", 0), image="fixtures/pets/cat/1.bmp")
    assert labels("apply", labels.file("x.jsonl", one), "evals/test_pets.py") == 0
    assert (labels.root / "decisions" / "given.jsonl").is_file()
    assert labels("diff", "evals/test_pets.py::given") == 0
    assert labels.out == "fixtures/pets/cat/1.bmp cat -> dog by anna"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("apply", "none.jsonl", "pets"), "none.jsonl is not there: name the file that the review"),
        (("stats", "pest"), "there is no dataset 'pest'; did you mean 'pets'?"),
        (("revert", "pets"), "name the images whose decisions are taken back, or say --all"),
        (("revert", "pets", "cat/1"), "nothing is decided about 'cat/1'; did you mean 'cat/1.bmp'"),
        (("revert", "pets", "cat/1.bmp", "--of", "ben"), "nothing is decided by 'ben' about"),
        (("diff", "pets", "bad.jsonl"), "bad.jsonl:1: not JSON"),
    ],
)
def test_slips_are_told(labels: Command, arguments: tuple[str, ...], said: str) -> None:
    """With what was meant, and nothing is written."""
    append_decisions(labels.own, [about("cat/1.bmp", 0)])
    (labels.root / "bad.jsonl").write_text("{\n", "utf-8")
    before = labels.own.read_bytes()
    assert labels(*arguments) == 2
    assert said in labels.err, labels.err
    assert labels.own.read_bytes() == before


def test_hostile_names_stay_text(labels: Command) -> None:
    """What a decision says never moves the cursor."""
    append_decisions(labels.own, [about("cat/1.bmp", 0, by="an\x1b[2Jna", why="a\nb\r\x07")])
    for action in ("diff", "stats"):
        assert labels(action, "pets") == 0
        assert not set(labels.printed) & {"\x1b", "\r", "\x07"}
