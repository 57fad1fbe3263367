"""The report that tests and notebooks get: the plain one, with what looks down on everything."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import Report, reference, right_by
from pytest_llmclf.api import PublicReport, public, read_run
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.plugin.stopped_report import guarded
from pytest_llmclf.reporting.artifacts import write_run
from tests.unit.ended import ended
from tests.unit.test_comparison import report

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report as Plain


def plain() -> Plain:
    """A report as it is counted, before anybody gets it."""
    return build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="abc", labels=("cat", "cow", "dog")),
        outcomes=[
            ended("a", "correct", tags={"style": "photo"}),
            ended("b", "misclassified", tags={"style": "drawing"}),
        ],
    )


def test_it_holds_what_was_counted_and_nothing_else() -> None:
    """Same fields, same values, and the same list of what tests judged."""
    counted = plain()
    found = public(counted)
    assert [one.name for one in fields(found)] == [one.name for one in fields(counted)]
    assert all(getattr(found, one.name) == getattr(counted, one.name) for one in fields(found))
    assert repr(found) == repr(counted)
    assert found.judged is counted.judged


def test_it_is_made_once() -> None:
    """What is worked out of a report is kept with it, so a second copy would lose that."""
    found = public(plain())
    assert public(found) is found
    assert guarded(found) is found


def test_it_is_a_value() -> None:
    """Equal to one of the same content, whole after pickling, and replaced by its like."""
    found = public(plain())
    assert found == public(plain())
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own bytes
    assert type(replace(found, notes=("x",))) is PublicReport
    assert replace(found, notes=("x",)) != found


def test_hard_images_are_tags_of_another_report() -> None:
    """Slices and gates know them; images that not all answered have no such tag."""
    earlier = [report(signs, f"m{n}") for n, signs in enumerate(("++x!", "+xx+"))]
    hard = right_by(earlier)
    assert hard == {"00.png": "all", "01.png": "one", "02.png": "none"}
    new = public(report("+x+x", "new"))
    found = new.tagged("right_by", hard)
    assert {value: str(one.accuracy.hits) for value, one in found.by_tag("right_by").items()} == {
        "": "0", "all": "1", "none": "1", "one": "0",
    }  # fmt: skip
    assert found.meets("accuracy{right_by=none} >= 1")
    assert not found.meets("accuracy{right_by=one} >= 1")
    assert new.tags == ()
    with pytest.raises(SettingsError, match="have a tag 'right_by' already"):
        found.tagged("right_by", hard)


def test_reports_of_other_images_make_no_hard_ones() -> None:
    """What does not fit is named rather than left out in silence."""
    with pytest.raises(SettingsError, match="1 report of pets on m have no answered image"):
        right_by([report("+", "m")])
    other = report("+++", "other", content="else", hashed=False)
    with pytest.raises(SettingsError, match=r"pets on other does not fit .* image sets"):
        right_by([report("+++", "a"), report("+++", "b"), other])


def test_a_part_of_it_does_the_same() -> None:
    """`where` and `one_each` give a report that can be judged and shown, too."""
    found = public(plain())
    photos = found.where({"style": "photo"})
    assert photos.meets("accuracy >= 1")
    assert not found.meets("accuracy >= 1")
    assert len(photos.to_frame()) == 1
    assert isinstance(found.one_each(), PublicReport)


def test_whoever_gets_a_report_gets_this_one(tmp_path: Path) -> None:
    """A gate test, a reader of a run's folder and of published results, by the public name."""
    assert Report is PublicReport
    stopped = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=plain().dataset,
        outcomes=[*plain().outcomes, ended("c", "not_needed")],
    )
    write_run(tmp_path, [plain()], settings={}, environment={})
    run = read_run(tmp_path)
    (back,) = run.reports
    assert repr(run) == f"RunFolder({str(tmp_path)!r}, 1 report)"
    assert str(run) == f"run {tmp_path}\n{back}"
    given = [guarded(plain()), guarded(stopped), reference.published("chess"), back]
    assert all(isinstance(one, Report) for one in given)
