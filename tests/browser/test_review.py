"""What a person does on the page for reviewing labels, by keys alone, in a real browser."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.html.document import write_page
from pytest_llmclf.reporting.html.page import page_of
from tests.browser.desk import begun, decided, desk, downloaded, pets, press, queued
from tests.browser.test_page import NO_OVERFLOW, SPILLS
from tests.browser.test_page_security import ELEMENTS
from tests.pages import HOSTILE, LABELS, answers, built, images, outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page as Tab

    Open = Callable[..., Tab]


def test_every_kind_of_decision_by_keys(opened: Open, tmp_path: Path) -> None:
    """Each becomes the line that a dataset reads, in the very form that it is written in."""
    tab = begun(opened, pets(tmp_path))
    listed = queued(tab)
    others = [[name for name in ("cat", "cow", "dog") if [name] != one["was"]] for one in listed]
    press(tab, "a")
    press(tab, "r", *others[1][0], "Enter")
    press(tab, str(["cat", "cow", "dog"].index(others[2][1]) + 1))
    press(tab, "b", *others[3][0], "Enter")
    press(tab, "w")
    tab.keyboard.type("a \"toy\" \\ 'é'")
    press(tab, "Enter", "x", "u")
    assert decided(tab) == 6
    name, found = downloaded(tab)
    assert name == "decisions-anna.jsonl"
    assert [(one.kind, one.labels) for one in found] == [
        ("accept", tuple(listed[0]["was"])),
        ("relabel", (others[1][0],)),
        ("relabel", (others[2][1],)),
        ("also", (*listed[3]["was"], others[3][0])),
        ("leave-out", ()),
        ("unsure", ()),
    ]
    for one, image in zip(found, listed, strict=False):
        assert (one.image, one.sha256, one.by) == (image["image"], image["sha256"], "anna")
        assert (list(one.was), one.control) == (image["was"], image["control"])
        assert one.proposal == "; ".join(image["reasons"])
        assert dict(one.followed) == dict(image["followed"])
    assert found[4].why == "a \"toy\" \\ 'é'"


def test_a_hundred_images_are_accepted_by_a_hundred_keys(opened: Open, tmp_path: Path) -> None:
    """One key an image; the end says what was decided, and what comes next."""
    tab = begun(opened, pets(tmp_path, 100))
    press(tab, *"a" * 99)
    assert decided(tab) == 99
    assert tab.locator("#finished").count() == 0
    press(tab, "a")
    assert decided(tab) == 100
    assert "llmclf labels apply decisions-anna.jsonl pets" in tab.inner_text("#finished")
    assert "Of 5 images drawn at random 0 had a wrong label." in tab.inner_text("#finished")


def test_a_thousand_images_stay_one_page(opened: Open, tmp_path: Path) -> None:
    """Each can be reached and decided about; few of them are read at a time."""
    files = {}
    for place in range(1000):
        image = tmp_path / f"{place}.png"
        Image.new("RGB", (16, 16), (place % 256, place // 256, 9)).save(image)
        digest = hashlib.sha256(image.read_bytes()).hexdigest()
        files[f"{LABELS[place % 3]}/{image.name}"] = (image, digest)
    path = desk(tmp_path, [built(answers(files, 1))])
    assert path.stat().st_size < 2_000_000
    tab = begun(opened, path)
    press(tab, "End", "a")
    assert tab.inner_text("#progress") == "image 1 of 1,000, 1 decided"
    for _ in range(3):
        press(tab, "ArrowLeft", "x", "End")
        assert tab.locator("#image img").evaluate("one => one.complete && one.naturalWidth > 0")
    assert tab.inner_text("#progress") == "image 1,000 of 1,000, 3 decided"
    tab.reload()
    assert decided(tab) == 3


@pytest.mark.parametrize(("width", "scheme"), [(1200, "dark"), (320, "light")])
def test_nothing_stands_outside(opened: Open, tmp_path: Path, width: int, scheme: str) -> None:
    """At any width, in each dialog."""
    tab = opened(pets(tmp_path, 3), width=width, scheme=scheme)
    tab.keyboard.type("anna")
    press(tab, "Enter")
    for keys in ((), ("?",), ("Escape", "r"), ("Escape", "w"), ("Escape", *"aaa")):
        press(tab, *keys)
        assert tab.evaluate(NO_OVERFLOW)
        assert tab.evaluate(SPILLS) == []


def test_no_answer_of_a_model_is_one_key_away(opened: Open, tmp_path: Path) -> None:
    """Where a label is asked for, none is chosen; Enter alone decides nothing."""
    tab = begun(opened, pets(tmp_path))
    for key in ("Enter", " ", "r"):
        press(tab, key)
    press(tab, "Enter", "Enter")
    assert tab.locator("#choice .sure").count() == 0
    tab.keyboard.type("c")
    press(tab, "Enter")
    assert "2 labels begin so" in tab.inner_text("#choice")
    press(tab, "Escape")
    assert decided(tab) == 0


def test_labels_that_are_digits_are_not_numbered(opened: Open, tmp_path: Path) -> None:
    """The key 3 is the label 3, not the third one."""
    labels = tuple("0123456789")
    found = [
        outcome(f"{one}.png", one, one, sha256=f"{place:064}") for place, one in enumerate(labels)
    ]
    facts = DatasetFacts(name="digits", content_hash="cd" * 32, labels=labels)
    report = built(found, dataset=facts)
    tab = begun(opened, desk(tmp_path, [report], control=0))
    wrong = queued(tab)[0]["was"] == ["3"]
    press(tab, "4" if wrong else "3")
    assert downloaded(tab)[1][0].labels == ("4" if wrong else "3",)


def test_what_each_model_said_is_shown(opened: Open, tmp_path: Path) -> None:
    """However an image ended: with its confidence if there is one, or why there is no label."""
    ends: dict[str, dict[str, Any]] = {
        "misclassified": {
            "predicted": "dog",
            "probabilities": {"cat": 0.2, "cow": 0.1, "dog": 0.7},
        },
        "correct": {"predicted": "cat"},
        "unparsed": {"predicted": None, "reason": "refusal"},
        "error": {"predicted": None, "reason": "timeout", "answer": None},
        "not_needed": {"predicted": None, "reason": None, "answer": None},
        "lost": {"predicted": None, "reason": None, "answer": None},
    }
    found = [
        outcome(f"{kind}.png", "cat", "cat", kind=kind, sha256=f"{place:064}",
                **{"reason": None, **more})
        for place, (kind, more) in enumerate(ends.items())
    ]  # fmt: skip
    tab = begun(opened, desk(tmp_path, [built(found)], control=0))
    texts = {}
    for _ in found:
        row = " ".join(tab.inner_text("#question tbody tr").split())
        texts[tab.inner_text("#image figcaption")] = row.removeprefix("ollama:llava:7b ")
        press(tab, "ArrowRight")
    assert texts == {
        "misclassified.png": "dog “cat” 0.700",
        "correct.png": "cat –",
        "unparsed.png": "no label (refusal) “cat” –",
        "error.png": "no answer (timeout) –",
        "not_needed.png": "not asked –",
        "lost.png": "not asked –",
    }
    assert "No image: its file is not found" in tab.inner_text("#image")


def test_several_right_labels(opened: Open, tmp_path: Path) -> None:
    """All of them are accepted by one key; one of them alone is another decision."""
    found = [
        outcome(f"{place}.png", "cat", "cat", also=("cow",), sha256=f"{place:064}")
        for place in range(3)
    ]
    tab = begun(opened, desk(tmp_path, [built(found)], control=3))
    assert "Labelled cat or cow" in tab.inner_text("#question")
    press(tab, "a", "2", "b", "d", "Enter")
    assert [(one.kind, one.labels) for one in downloaded(tab)[1]] == [
        ("accept", ("cat", "cow")), ("relabel", ("cow",)), ("also", ("cat", "cow", "dog")),
    ]  # fmt: skip


def test_a_run_s_page_leads_to_the_desk(opened: Open, tmp_path: Path) -> None:
    """By the name of the file beside it, or by the command that writes one."""
    reports = [built([*answers(images(tmp_path, 24), 1)])]
    for desk_name, text in (
        ("", "llmclf review latest"),
        ("review.html", "the page for reviewing"),
    ):
        tab = opened(write_page(tmp_path / "page.html", page_of(reports, desk=desk_name)))
        tab.click(".doubts summary")
        assert text in tab.inner_text(".doubts")
        links = tab.locator(".doubts a").evaluate_all("all => all.map(one => one.href)")
        assert links == ([(tmp_path / desk_name).as_uri()] if desk_name else [])


def test_hostile_texts_are_texts(opened: Open, tmp_path: Path) -> None:
    """Names of files, labels and models, and answers: nothing runs, nothing becomes an element."""
    labels = tuple(dict.fromkeys(text for text in HOSTILE if text.strip()))
    found = [
        outcome(
            f"{text}/{place}.png", text, labels[place - 1], sha256=f"{place:064}", model=HOSTILE[0]
        )
        for place, text in enumerate(labels)
    ]
    facts = DatasetFacts(name=HOSTILE[1], content_hash="cd" * 32, labels=labels)
    report = built(found, dataset=facts)
    harmless = begun(opened, pets(tmp_path, 3))
    press(harmless, "?", "Escape", *"aaa", "r", "Escape")
    known = set(harmless.evaluate(ELEMENTS)[0])
    tab = begun(opened, desk(tmp_path, [report], control=0), HOSTILE[0])
    press(tab, "?", "Escape")
    for place in range(len(labels)):
        press(tab, "r", *str(place + 1), "Enter")
        names, handlers, links = tab.evaluate(ELEMENTS)
        assert set(names) <= known
        assert (handlers, links) == ([], [])
    assert decided(tab) == len(labels)
    assert tab.evaluate("window.__pwned") is None
    _, decisions = downloaded(tab)
    assert {one.image for one in decisions} == {one.case for one in found}
    assert {one.by for one in decisions} == {HOSTILE[0]}
