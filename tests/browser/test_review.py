"""What a person does on the page for reviewing labels, by keys alone, in a real browser."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from pytest_llmclf.analysis.label_review.review import review_labels
from pytest_llmclf.analysis.label_review.review_queue import review_queue
from pytest_llmclf.data.decisions import decisions_in, decisions_of
from pytest_llmclf.metrics.report import DatasetFacts
from pytest_llmclf.reporting.html.document import write_page
from pytest_llmclf.reporting.html.page import page_of
from pytest_llmclf.reporting.html.review_page import ReviewPage, write_review_page
from tests.browser.test_page import NO_OVERFLOW, SPILLS
from tests.browser.test_page_security import ELEMENTS
from tests.pages import HOSTILE, LABELS, answers, built, images, outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

    from pytest_llmclf.data.decisions import Decision
    from pytest_llmclf.metrics.report import Report

    Open = Callable[..., Tab]

PICKER = """
window.saved = {text: "", writes: 0};
window.showSaveFilePicker = async () => ({
  name: "mine.jsonl",
  getFile: async () => new Blob([window.saved.text]),
  createWritable: async () => ({
    write: async (text) => { window.saved.text = text; window.saved.writes += 1; },
    close: async () => {},
  }),
});
"""


def desk(folder: Path, reports: list[Report], **more: Any) -> Path:
    """The page of everything that a run has."""
    (review,) = review_labels(reports)
    given: dict[str, Any] = {"control": 5, "seed": 1, "everything": True, **more}
    queue = review_queue(review, reports, **given)
    files = {path.name: path for path in folder.glob("*.png")}
    page = ReviewPage(
        run="20260101-000000-abcdef", review=review, queue=queue, reports=reports, target="pets",
        images=lambda _, case: files.get(case.rpartition("/")[2]),
    )  # fmt: skip
    return write_review_page(folder / "review.html", page)


def pets(folder: Path, count: int = 24) -> Path:
    files = images(folder, count)
    return desk(folder, [built(answers(files, 1)), built(answers(files, 2, model="ollama:other"))])


def begun(opened: Open, path: Path, name: str = "anna") -> Tab:
    """The page, whose first question is answered."""
    tab = opened(path)
    tab.keyboard.type(name)
    tab.keyboard.press("Enter")
    return tab


def press(tab: Tab, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)


def decided(tab: Tab) -> int:
    """How many images are decided, as the page tells it."""
    return int(tab.inner_text("#progress").rpartition(", ")[2].removesuffix(" decided"))


def downloaded(tab: Tab) -> tuple[str, list[Decision]]:
    """The file, and its decisions as a dataset reads them."""
    with tab.expect_download() as found:
        press(tab, "d")
    text = found.value.path().read_text("utf-8")
    problems: list[str] = []
    decisions = decisions_in(text, found.value.suggested_filename, problems)
    assert problems == []
    own = "".join(f"{one.line}\n" for one in decisions)
    assert text.encode() == own.encode("utf-8", "backslashreplace")
    return found.value.suggested_filename, decisions


def queued(tab: Tab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(tab.text_content("#data") or "")["images"]
    return found


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


@pytest.mark.parametrize(("width", "scheme"), [(1200, "dark"), (500, "light"), (320, "light")])
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


def test_undo_goes_back_one_decision_at_a_time(opened: Open, tmp_path: Path) -> None:
    """A line that no file has is removed, one that a file has is taken back by another."""
    tab = begun(opened, pets(tmp_path))
    first = tab.inner_text("#image figcaption")
    press(tab, "a", "x", "z")
    assert (decided(tab), len(downloaded(tab)[1])) == (1, 1)
    press(tab, "z")
    assert (decided(tab), tab.inner_text("#image figcaption")) == (0, first)
    _, found = downloaded(tab)
    assert [(one.kind, one.of) for one in found] == [("accept", ""), ("take-back", "anna")]
    press(tab, "z")
    assert "nothing to undo" in tab.inner_text("#told")
    press(tab, "u")
    assert [one.kind for one in downloaded(tab)[1]] == ["accept", "take-back", "unsure"]


def test_what_was_decided_survives_a_killed_tab(browser: Browser, tmp_path: Path) -> None:
    """The tab's process dies without a word; a new one goes on where it was."""
    context = browser.new_context()
    path = pets(tmp_path)

    def new() -> Tab:
        found = context.new_page()
        found.goto(path.as_uri())
        found.wait_for_selector("html[data-images=ready]", state="attached")
        return found

    tab = new()
    tab.keyboard.type("anna")
    press(tab, "Enter", "a", "x", "u", "a")
    with tab.expect_event("crash"), pytest.raises(Exception, match=r"crash|closed"):
        tab.goto("chrome://crash")
    tab = new()
    assert not tab.locator("#name").is_visible()
    assert decided(tab) == 4
    assert tab.inner_text("#progress").startswith("image 5 of 24")
    assert [one.kind for one in downloaded(tab)[1]] == ["accept", "leave-out", "unsure", "accept"]
    other = new()  # a second tab sees what the first one decides
    press(tab, "a")
    other.locator("#progress", has_text="5 decided").wait_for()
    context.close()


def test_an_older_run_s_decisions_count_for_the_same_images(opened: Open, tmp_path: Path) -> None:
    """Known by their bytes and labels; not those about an image that changed."""
    files = images(tmp_path, 6)
    tab = begun(opened, desk(tmp_path, [built(answers(files, 1))]))
    press(tab, "a", "x", "a")
    decisions = downloaded(tab)[1]
    other = replace(built(answers(files, 3)), duration_s=1.0)
    old = {one.case: one for one in other.outcomes}
    changed = decisions[0].image
    listed = [replace(one, sha256="0" * 64) if one.case == changed else one for one in old.values()]
    path = desk(tmp_path, [built(listed)])
    path.write_text(path.read_text("utf-8").replace("20260101-000000", "20260202-000000"), "utf-8")
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-images=ready]", state="attached")
    assert decided(tab) == 2
    assert "2 decisions about these images taken over" in tab.inner_text("#told")
    press(tab, "z")
    assert decided(tab) == 1
    tab.reload()
    assert decided(tab) == 1


def test_a_file_is_read_back_elsewhere(opened: Open, tmp_path: Path) -> None:
    """In another browser, with another person's lines, which stay and do not count as one's own."""
    path = pets(tmp_path)
    tab = begun(opened, path)
    press(tab, "a", "x", "u")
    name, found = downloaded(tab)
    ben = replace(found[0], by="ben", kind="unsure", labels=())
    kept = tmp_path / name
    lines = [*(one.line for one in found), ben.line, '{"format": 1, "image": "x"}', "{", ""]
    kept.write_text("\n".join(lines), "utf-8")
    other = begun(opened, path)
    assert decided(other) == 0
    other.set_input_files("#file", kept)
    other.locator("#told", has_text="taken from").wait_for()
    told = other.inner_text("#told")
    assert "4 decisions taken from decisions-anna.jsonl" in told
    assert "line 5 is no decision: it has no sha256; line 6 is no decision" in told
    assert decided(other) == 3
    press(other, "a")
    assert {one.by for one in downloaded(other)[1]} == {"anna", "ben"}
    assert len(downloaded(other)[1]) == 5


def test_two_people_at_one_browser(opened: Open, tmp_path: Path) -> None:
    """Each decides about every image; nothing of the other counts, and nothing of it is lost."""
    tab = begun(opened, pets(tmp_path))
    press(tab, "a", "a", "?")
    tab.click("text=Somebody else decides")
    tab.keyboard.type("ben")
    press(tab, "Enter")
    assert decided(tab) == 0
    press(tab, "x")
    name, found = downloaded(tab)
    assert name == "decisions-ben.jsonl"
    assert [(one.by, one.kind) for one in found] == [
        ("anna", "accept"), ("anna", "accept"), ("ben", "leave-out"),
    ]  # fmt: skip


def test_a_file_is_kept_in_step_where_the_browser_can(opened: Open, tmp_path: Path) -> None:
    """What stands in it stays; each decision and each undo is written at once."""
    tab = begun(opened, pets(tmp_path))
    tab.evaluate(PICKER)
    press(tab, "a")
    line = downloaded(tab)[1][0]
    tab.evaluate("(text) => { window.saved.text = text }", replace(line, by="ben").line + "\n")
    press(tab, "s")
    tab.locator("#told", has_text="every decision is written to mine.jsonl").wait_for()
    press(tab, "x", "u", "z")
    tab.locator("#kept", has_text="written to mine.jsonl").wait_for()
    problems: list[str] = []
    found = decisions_in(tab.evaluate("window.saved.text"), "mine.jsonl", problems)
    in_force = [(one.by, one.kind) for kept in decisions_of(found).values() for one in kept]
    assert in_force == [("anna", "accept"), ("ben", "accept"), ("anna", "leave-out")]
    tab.evaluate("window.saved.text = 'no decision'")
    press(tab, "s")
    tab.locator("#told", has_text="left as it is").wait_for()
    assert tab.evaluate("window.saved.text") == "no decision"


def test_a_browser_that_keeps_nothing_is_told(browser: Browser, tmp_path: Path) -> None:
    """In sight, with what to do; decisions and their file work all the same."""
    context = browser.new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', "
        "{get() { throw new DOMException('no', 'SecurityError') }});"
    )
    tab = context.new_page()
    tab.goto(pets(tmp_path).as_uri())
    tab.keyboard.type("anna")
    press(tab, "Enter", "a")
    assert "This browser keeps nothing for this page (SecurityError)" in tab.inner_text("#warning")
    assert len(downloaded(tab)[1]) == 1
    context.close()


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


def test_the_page_refuses_the_lines_that_a_dataset_does(opened: Open, tmp_path: Path) -> None:
    """Else one of them would spoil the file that is saved next."""
    tab = begun(opened, pets(tmp_path, 3))
    press(tab, "2" if queued(tab)[0]["was"] != ["cow"] else "1")
    good = json.loads(downloaded(tab)[1][0].line)
    changes: list[dict[str, Any]] = [
            {"why": "fine"}, {"format": 2}, {"image": ""}, {"sha256": "AB"}, {"was": []},
            {"was": ["cat", "cat"]}, {"decision": "keep"}, {"labels": []},
            {"labels": good["was"]}, {"decision": "also"}, {"decision": "unsure"}, {"by": " "},
            {"decision": "accept"}, {"at": "2026-02-28T09:30:00"}, {"at": "yesterday Z"},
            {"followed": []}, {"followed": {"a": 1}}, {"control": 1}, {"of": "ben"}, {"more": 1},
            {"at": "2026-02-28T09:30:00.5+01:00"}, {"decision": "accept", "labels": good["was"]},
            {"decision": "take-back", "labels": [], "of": "anna"},
    ]  # fmt: skip
    lines: list[Any] = [*({**good, **change} for change in changes), [], None, 7]
    text = "".join(f"{json.dumps(one)}\n" for one in lines) + '{"cut": '
    problems: list[str] = []
    decisions_in(text, "line", problems)
    refused = {int(one.split(":")[1]) for one in problems}
    assert len(refused) == 23
    file = tmp_path / "some.jsonl"
    file.write_text(text, "utf-8")
    tab.set_input_files("#file", file)
    tab.locator("#told", has_text="taken from").wait_for()
    told = tab.inner_text("#told")
    assert {int(one) for one in re.findall(r"line (\d+) is no decision", told)} == refused


def test_a_run_s_page_leads_to_the_desk(opened: Open, tmp_path: Path) -> None:
    """By the name of the file beside it, or by the command that writes one."""
    reports = [built([*answers(images(tmp_path, 60), 1)])]
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
    harmless = begun(opened, pets(tmp_path))
    press(harmless, "?", "Escape", *"a" * 24, "r", "Escape")
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
