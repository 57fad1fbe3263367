"""What is decided on the page for reviewing is kept: by the browser, in files, and across runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.data.decisions import decisions_in, decisions_of
from tests.browser.desk import begun, decided, desk, downloaded, pets, press, queued
from tests.pages import answers, built, images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

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
    assert tab.inner_text("#progress").startswith("image 5 of 9")
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
    keys = "Object.keys(localStorage).filter((key) => key.startsWith('llmclf-review:'))"
    kept = tab.evaluate(keys)
    # What fits here moved to this page; the one about the image that changed stays where it was.
    assert [key.split(":")[1][:8] for key in sorted(kept)] == ["20260101", "20260202", "20260202"]
    press(tab, "z")
    assert decided(tab) == 1
    tab.reload()
    assert decided(tab) == 1
    later = desk(tmp_path, [built(listed)], applied=decisions)
    later.write_text(later.read_text("utf-8").replace("20260101-", "20260303-"), "utf-8")
    tab.goto(later.as_uri())
    tab.wait_for_selector("html[data-images=ready]", state="attached")
    # The undone one was in a file: the line that takes it back is not applied yet.
    assert (decided(tab), len(tab.evaluate(keys))) == (0, 1)


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
