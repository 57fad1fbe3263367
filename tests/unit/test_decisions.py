"""Decisions about labels: one line each, refused with its place, and the same in any order."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.data.decisions import (
    DECISION_KINDS,
    Decision,
    append_decisions,
    decisions_in,
    decisions_of,
    read_decisions,
    settle,
)
from pytest_llmclf.errors import DatasetError
from tests.forkserver import fresh_or_forked

if TYPE_CHECKING:
    from pathlib import Path

SHA = "ab" * 32
AT = datetime(2026, 2, 28, 9, 30, tzinfo=UTC)
LINE: dict[str, Any] = {
    "format": 1,
    "image": "cat/1.png",
    "sha256": SHA,
    "was": ["cat"],
    "decision": "relabel",
    "labels": ["dog"],
    "by": "anna",
    "at": "2026-02-28T09:30:00Z",
}


def decided(kind: str = "relabel", **more: Any) -> Decision:
    """A decision about one image."""
    labels = {"accept": ("cat",), "relabel": ("dog",), "also": ("cat", "dog")}.get(kind, ())
    fields: dict[str, Any] = {
        "image": "cat/1.png",
        "sha256": SHA,
        "was": ("cat",),
        "kind": kind,
        "labels": labels,
        "by": "anna",
        "at": AT,
    }
    return Decision(**{**fields, **more})


def wrong_with(**changes: Any) -> list[str]:
    """What is said of a line with changes; ``None`` takes a name away."""
    data = {name: value for name, value in {**LINE, **changes}.items() if value is not None}
    problems: list[str] = []
    found = decisions_in(json.dumps(data) + "\n", "d.jsonl", problems)
    assert bool(problems) != bool(found)
    return problems


texts = st.text(min_size=1, max_size=8).filter(str.strip)
moments = st.integers(0, 3).map(lambda seconds: AT + timedelta(seconds=seconds))
decisions = st.builds(
    lambda kind, image, by, at, of: decided(
        kind, image=image, by=by, at=at, of=of if kind == "take-back" else ""
    ),
    st.sampled_from(DECISION_KINDS),
    st.sampled_from(("a", "b")),
    st.sampled_from(("anna", "ben", "cy")),
    moments,
    st.sampled_from(("", "anna", "ben")),
)


class TestLines:
    """What a file holds."""

    @given(
        st.builds(
            decided,
            st.sampled_from(DECISION_KINDS),
            image=texts,
            by=texts,
            at=st.timedeltas(timedelta(-9999), timedelta(9999)).map(lambda since: AT + since),
            why=st.text(max_size=8),
            followed=st.dictionaries(texts, texts, max_size=2),
            control=st.booleans(),
        )
    )
    def test_are_read_as_they_were_written(self, one: Decision) -> None:
        """Whatever a file, a person or a label is called."""
        problems: list[str] = []
        text = f"{one.line}\n".encode("utf-8", "backslashreplace").decode()
        assert decisions_in(text, "d", problems) == [one]
        assert problems == []

    def test_are_short(self) -> None:
        """What is not said does not stand there, so that a change is read in git."""
        assert json.loads(decided().line) == LINE

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"format": 2}, "format 2, this version reads 1: update pytest-llmclf"),
            ({"lables": []}, "unknown name 'lables'; did you mean 'labels'?"),
            ({"by": None}, "no by: fill it in"),
            ({"by": " "}, "by is empty: write who decided"),
            ({"image": ""}, "image is empty"),
            ({"was": "cat"}, "was is 'cat': write a list of texts"),
            ({"was": []}, "was is empty"),
            ({"sha256": "AB"}, "sha256 is 'AB': write the file's 64 hexadecimal digits"),
            ({"at": "2026-02-28"}, "at is '2026-02-28': write date, time and zone"),
            ({"at": "2026-02-28T09:30:00"}, "write date, time and zone"),
            ({"decision": "relable"}, "; did you mean 'relabel'?"),
            ({"labels": []}, "but relabel takes ['cat'] away: write the right ones"),
            ({"labels": ["dog", "dog"]}, "labels is ['dog', 'dog']: write each label once"),
            ({"labels": ["cat", "dog"]}, "but relabel takes ['cat'] away"),
            ({"decision": "also"}, "but also adds to ['cat']: write those and the further ones"),
            ({"decision": "accept"}, "but accept keeps ['cat']"),
            ({"decision": "leave-out"}, "but leave-out gives no label: remove them"),
            ({"of": "ben"}, "of is 'ben', which belongs to take-back alone"),
            ({"control": 1}, "control is 1: write true or false"),
            ({"followed": ["x"]}, "followed is ['x']: write an object of texts"),
        ],
    )
    def test_that_are_none_are_told(self, changes: dict[str, Any], said: str) -> None:
        """With the value, the line and what to write."""
        (problem, *more) = wrong_with(**changes)
        assert problem.startswith("d.jsonl:1: ")
        assert said in problem
        assert more == []

    def test_the_error_lists_all_of_them(self, tmp_path: Path) -> None:
        """A file with one bad line is read as none: what it meant is not guessed."""
        path = tmp_path / "decisions.jsonl"
        path.write_text(f"{decided().line}\nnope\n{decided().line}\n[]\n", "utf-8")
        with pytest.raises(DatasetError) as caught:
            read_decisions([path])
        assert "decisions.jsonl:2: not JSON" in str(caught.value)
        assert "decisions.jsonl:4: no decision, which is an object" in str(caught.value)

    @pytest.mark.parametrize("line", ["[]", "null", "5", "[1,", "x", '{"a": 1, "a": 1}'])
    def test_only_what_began_as_a_decision_was_cut(self, line: str) -> None:
        """A last line that is something else is told as what it is."""
        problems: list[str] = []
        assert not decisions_in(line, "d.jsonl", problems)
        assert len(problems) == 1
        assert "was cut" not in problems[0]
        if line in {"[]", "null", "5"}:
            assert problems == ["d.jsonl:1: no decision, which is an object in braces: remove it"]

    def test_a_line_that_was_cut_is_told_as_such(self, tmp_path: Path) -> None:
        """Nothing is added behind it before somebody looked, and nothing is lost."""
        path = tmp_path / "decisions.jsonl"
        path.write_text(decided().line + "\n" + decided(by="ben").line[:50], "utf-8")
        with pytest.raises(DatasetError, match=r"decisions.jsonl:2: the line was cut"):
            read_decisions([path])
        before = path.read_bytes()
        with pytest.raises(DatasetError, match="nothing was added"):
            append_decisions(path, [decided(by="cy")])
        assert path.read_bytes() == before


class TestFiles:
    """Several people, several files."""

    @given(st.lists(decisions, max_size=8), st.randoms())
    def test_any_order_gives_the_same(self, found: list[Decision], random: Any) -> None:
        """However often and in whatever order lines come together."""
        shuffled = [*found, *random.sample(found, len(found) // 2)]
        random.shuffle(shuffled)
        assert decisions_of(shuffled) == decisions_of(found)
        for image, kept in decisions_of(found).items():
            assert settle(random.sample(kept, len(kept))) == settle(kept), image

    def test_files_are_merged_whatever_their_order(self, tmp_path: Path) -> None:
        """A line that stands in both counts once."""
        anna, ben = tmp_path / "decisions.jsonl", tmp_path / "decisions-ben.jsonl"
        append_decisions(anna, [decided()])
        append_decisions(ben, [decided("accept", by="ben"), decided()])
        merged = read_decisions([anna, ben])
        assert merged == read_decisions([ben, anna])
        assert len(merged) == 2
        assert [one.place for one in merged] == ["decisions-ben.jsonl:1", "decisions-ben.jsonl:2"]

    def test_what_is_there_already_is_not_added(self, tmp_path: Path) -> None:
        """So that a file can be applied twice."""
        path = tmp_path / "new" / "decisions.jsonl"
        assert append_decisions(path, [decided(), decided("accept", by="ben")]) == 2
        before = path.read_bytes()
        assert append_decisions(path, [decided(), decided("accept", by="ben")]) == 0
        assert path.read_bytes() == before

    def test_a_file_without_a_last_line_end_is_kept_whole(self, tmp_path: Path) -> None:
        """As editors leave them."""
        path = tmp_path / "decisions.jsonl"
        path.write_text(decided().line, "utf-8")
        append_decisions(path, [decided(by="ben")])
        assert len(read_decisions([path])) == 2

    def test_what_cannot_be_written_leaves_the_file_as_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk costs what was to be added and nothing else."""
        path = tmp_path / "decisions.jsonl"
        append_decisions(path, [decided()])
        before = path.read_bytes()
        whole = __import__("os").write

        def full(file: int, content: bytes) -> int:
            if len(content) < 20:
                raise OSError(28, "No space left on device")
            return int(whole(file, content[:20]))

        monkeypatch.setattr("os.write", full)
        with pytest.raises(OSError, match="No space left"):
            append_decisions(path, [decided(by="ben")])
        assert path.read_bytes() == before

    def test_several_processes_add_at_once(self, tmp_path: Path) -> None:
        """None loses what another one adds, and no line stands there twice."""
        path = tmp_path / "decisions.jsonl"
        script = (
            "import sys; from pathlib import Path\n"
            "from pytest_llmclf.data.decisions import append_decisions, decisions_in\n"
            "from dataclasses import replace\n"
            "one, = decisions_in(sys.argv[3], '', [])\n"
            "for number in range(20):\n"
            "    append_decisions(Path(sys.argv[1]), [replace(one, by='all', why=str(number)),"
            " replace(one, by=sys.argv[2], why=str(number))])"
        )
        running = [
            subprocess.Popen([fresh_or_forked(), "-c", script, str(path), name, decided().line])  # noqa: S603
            for name in ("anna", "ben", "cy")
        ]
        assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
        assert len(path.read_text("utf-8").splitlines()) == 4 * 20
        assert len(read_decisions([path])) == 4 * 20

    def test_whoever_is_killed_loses_nothing_that_was_added(self, tmp_path: Path) -> None:
        """Each decision is on the disk when it is said to be, and the file can be read on."""
        path = tmp_path / "decisions.jsonl"
        script = (
            "import sys; from pathlib import Path; from dataclasses import replace\n"
            "from pytest_llmclf.data.decisions import append_decisions, decisions_in\n"
            "one, = decisions_in(sys.argv[2], '', [])\n"
            "for number in range(100_000):\n"
            "    append_decisions(Path(sys.argv[1]), [replace(one, why=str(number))])\n"
            "    print(number, flush=True)"
        )
        with subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", script, str(path), decided().line],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(20)]
            process.kill()
        said = {one.why for one in read_decisions([path])}
        assert {line.strip() for line in told} <= said
        assert append_decisions(path, [decided(by="ben")]) == 1
        assert len(read_decisions([path])) == len(said) + 1


class TestSettling:
    """What the decisions about one image come to."""

    def test_the_last_of_a_person_counts(self) -> None:
        """Whoever thinks again is not two people."""
        later = decided("accept", at=AT + timedelta(seconds=1))
        found = settle([later, decided()])
        assert found is not None
        assert (found.kind, found.labels, found.decisions) == ("accept", ("cat",), (later,))

    def test_people_who_disagree_decide_nothing(self) -> None:
        """Both are kept, for whoever looks again."""
        found = settle([decided(), decided("accept", by="ben")])
        assert found is not None
        assert (found.kind, found.labels, len(found.decisions)) == ("disputed", (), 2)

    def test_people_agree_on_the_right_labels(self) -> None:
        """Whichever word they used for it, and in whichever order."""
        two = decided("relabel", labels=("dog", "fox"))
        other = replace(two, by="ben", labels=("fox", "dog"), at=AT + timedelta(seconds=1))
        found = settle([other, two])
        assert found is not None
        assert (found.kind, found.labels) == ("relabel", ("dog", "fox"))

    def test_who_is_unsure_leaves_it_to_the_others(self) -> None:
        """And nobody else is asked where all are."""
        unsure = decided("unsure", by="ben")
        found = settle([unsure, decided()])
        assert found is not None
        assert (found.kind, len(found.decisions)) == ("relabel", 1)
        alone = settle([unsure])
        assert alone is not None
        assert alone.kind == "unsure"

    def test_nothing_is_nothing(self) -> None:
        """No decision leaves a label as it is."""
        assert settle([]) is None

    def test_taken_back_is_what_came_before(self) -> None:
        """Of everybody or of one; what is decided afterwards stands."""
        before = (decided(), decided("accept", by="ben"))
        all_of = decided("take-back", by="cy")
        assert decisions_of([*before, all_of]) == {}
        assert decisions_of([*before, replace(all_of, of="anna")]) == {"cat/1.png": (before[1],)}
        after = decided(at=AT + timedelta(microseconds=1))
        assert decisions_of([after, all_of, *before]) == {"cat/1.png": (after,)}
