"""Nothing that a model, a file name or a label says runs, or becomes an element."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.reporting.html.document import write_page
from tests.pages import HOSTILE, hostile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page as Tab

    Open = Callable[..., Tab]

ELEMENTS = """() => {
  const names = new Set();
  const handlers = [];
  const links = [];
  for (const node of document.querySelectorAll("*")) {
    names.add(node.localName);
    for (const one of node.attributes) {
      if (one.name.startsWith("on")) handlers.push(`${node.localName} ${one.name}`);
      if (["href", "src", "action", "formaction"].includes(one.name)) links.push(one.value);
    }
  }
  const own = /^(#|data:(image\\/webp;|,))/;
  return [[...names].sort(), handlers, links.filter((one) => !own.test(one))];
}"""


OPEN = """(id) => {
  location.hash = new URLSearchParams({ image: JSON.stringify(id).slice(1, -1) });
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("hostile") / "page.html", hostile())


def elements(tab: Tab) -> set[str]:
    """Names of all elements; there is no handler and no address among their attributes."""
    names, handlers, links = tab.evaluate(ELEMENTS)
    assert handlers == []
    assert links == []
    return set(names)


def test_hostile_texts_are_texts(opened: Open, page: Path, demo_page: Path) -> None:
    """A page full of hostile texts has no element that a harmless one has not, and runs nothing."""
    known = elements(opened(demo_page)) | elements(opened(demo_page, "#image=dog%2F005-dog.png"))
    tab = opened(page)
    assert elements(tab) <= known
    for case in json.loads(tab.text_content("#data") or "")["sections"][0]["cases"]["id"]:
        tab.evaluate(OPEN, case)
        tab.wait_for_selector("dialog[open]")
        assert elements(tab) <= known
        assert tab.evaluate("window.__pwned") is None
    for row in range(len(set(HOSTILE))):
        tab.evaluate("(row) => { location.hash = `expected=${row}` }", row)
        tab.wait_for_selector(f".matrix th[data-row='{row}'][aria-selected]")
        assert elements(tab) <= known
    assert tab.evaluate("window.__pwned") is None


def test_what_cannot_be_seen_is_written_out(opened: Open, page: Path) -> None:
    """Null bytes, escapes, direction marks and halves of surrogate pairs are shown as escapes."""
    text = opened(page).inner_text("#verdict")
    for escape in ("\\u0000", "\\u001b", "\\u202e", "\\u2069", "\\ud83d", "\\udc00", "\\u2028"):
        assert escape in text
    for sign in ("\0", "\x1b", "\N{RIGHT-TO-LEFT OVERRIDE}", "\u2028"):
        assert sign not in text


def test_hostile_filters_survive_a_reload(opened: Open, page: Path) -> None:
    """Any search text and any tag value is kept by the address, signs of markup included."""
    tab = opened(page)
    for text in (HOSTILE[0], HOSTILE[4], 'a&b=c#d+e %f% "quote" \\ back %'):
        tab.fill("#search", text)
        before = tab.inner_text("#found")
        tab.reload()
        tab.wait_for_selector("html[data-images=ready]", state="attached")
        assert tab.input_value("#search") == text
        assert tab.inner_text("#found") == before


def test_large_answers_do_not_slow_the_page(opened: Open, page: Path) -> None:
    """A megabyte of answer is cut in the file, and shown as text with its length."""
    assert page.stat().st_size < 500_000
    tab = opened(page, "#image=x0")
    assert "1,000,000 characters" in tab.inner_text("dialog")
    assert tab.inner_text("dialog .raw").startswith("<script>")


def test_policy_forbids_what_the_page_does_not_need(
    opened: Open, demo_page: Path, trouble: list[str]
) -> None:
    """Even the page's own script can make no markup, run no text and fetch nothing."""
    tab = opened(demo_page)
    for attempt in (
        "() => { document.body.innerHTML = '<b>x</b>' }",
        "() => { document.createElement('script').text = 'window.__pwned = 1' }",
    ):
        with pytest.raises(Exception, match=r"Trusted(HTML|Script)"):
            tab.evaluate(attempt)
    assert tab.evaluate("window.__pwned") is None
    assert len(trouble) == 2
    trouble.clear()
    policy = tab.get_attribute("meta[http-equiv]", "content") or ""
    assert "connect-src" not in policy
    assert policy.startswith("default-src 'none'")
