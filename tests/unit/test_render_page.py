"""What stands in a page's file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.paired_comparison import Comparison, compare_reports
from pytest_llmclf.metrics.cost import latency
from pytest_llmclf.reporting.html.document import embedded, embedded_pieces, page_pieces, write_page
from pytest_llmclf.reporting.html.page import Page, Pair, page_of, section
from pytest_llmclf.reporting.html.page_data import page_json
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import BASE_DIGEST, ModelIdentity
from tests.pages import HOSTILE, LABELS, answers, built, demo, hostile, images, outcome

if TYPE_CHECKING:
    from pathlib import Path


MARKUP_MAKERS = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "DOMParser",
    "srcdoc",
    "createContextualFragment",
    "eval(",
    "Function(",
)


class Parsed(HTMLParser):
    """A page as a parser of HTML sees it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self.open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open = tag if tag in self.texts else self.open
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self.open = "" if tag == self.open else self.open

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open][-1] += data

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.texts["script"][0])
        return found


def page_html(page: Page) -> str:
    """A page as a whole."""
    return "".join(page_pieces(page))


def shape(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """Its elements but for those that hold images."""
    return [(tag, attrs) for tag, attrs in Parsed(html).tags if attrs.get("class") != "images"]


def test_elements_are_always_the_same(tmp_path: Path) -> None:
    """Whatever a page shows, its file has the same elements with the same attributes."""
    assert shape(page_html(hostile())) == shape(page_html(demo(tmp_path)))


def test_policy_names_this_script_and_this_style() -> None:
    """The policy's hashes are those of the one script that runs and the one style."""
    parsed = Parsed(page_html(Page(title="x", sections=())))
    policy = next(attrs["content"] for _, attrs in parsed.tags if attrs.get("http-equiv"))
    assert policy is not None
    (style,) = parsed.texts["style"]
    for directive, text in (("script", parsed.texts["script"][-1]), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    kinds = [attrs.get("type") for tag, attrs in parsed.tags if tag == "script"]
    assert kinds == ["application/json", None]


def test_page_refers_to_nothing_outside() -> None:
    """No address of another file or host is in a page without data."""
    html = page_html(Page(title="x", sections=()))
    addresses = set(re.findall(r"""(?:https?:)?//[^\s"'<>]+""", re.sub(r"(?m)^ *//.*$", "", html)))
    assert {address for address in addresses if "." in address} <= {"http://www.w3.org/2000/svg"}


def test_scripts_make_no_markup() -> None:
    """The page's script has no call that makes elements or code from a text."""
    script = Parsed(page_html(Page(title="x", sections=()))).texts["script"][-1]
    for word in MARKUP_MAKERS:
        assert word not in script


def test_hostile_texts_come_through_as_they_are() -> None:
    """Labels, ids, tags and the title are in the data unchanged, null bytes and halves included."""
    data = Parsed(page_html(hostile())).data
    assert data["title"] == HOSTILE[1]
    found = data["sections"][0]
    assert found["labels"] == list(dict.fromkeys(HOSTILE))
    assert set(found["labels"]) == set(HOSTILE)
    assert [verdict["text"] for verdict in found["verdicts"]] == list(HOSTILE)
    assert {f"{text}/{place}.png" for place, text in enumerate(HOSTILE)} <= set(
        found["cases"]["id"]
    )


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_embedded_data_are_ascii_without_markup(text: str) -> None:
    """Any text becomes ASCII without a sign of markup, and comes back equal."""
    made = embedded({text: [text]})
    assert made.isascii()
    assert not set(made) & set("<>&\u2028")
    assert json.loads(made) == {text: [text]}


def test_large_answers_are_cut_and_say_so() -> None:
    """A megabyte of answer leaves its beginning and its length, and a small page."""
    one = outcome("a.png", "cat", None, answer=Answer(text="x" * 1_000_000))
    data = Parsed(page_html(page_of([built([one])]))).data
    text = data["texts"][data["sections"][0]["cases"]["answer"][0]]
    assert text == "x" * 4000 + "… (1,000,000 characters; the whole is in outcomes.jsonl)"
    assert data["sections"][0]["cases"]["signs"] == [1_000_000]


def test_the_same_answer_stands_once() -> None:
    """Ten thousand equal answers add one text."""
    many = [outcome(f"{place}.png", "cat", "cat") for place in range(10_000)]
    data = Parsed(page_html(page_of([built(many)]))).data
    assert data["texts"].count("cat") == 1
    assert len(set(data["sections"][0]["cases"]["answer"])) == 1


def test_numbers_are_those_of_the_report(tmp_path: Path) -> None:
    """Counts, scores and intervals are the report's, and what is unknown is null or a dash."""
    found = built(answers(images(tmp_path, 30), 1))
    data = Parsed(page_html(page_of([found]))).data["sections"][0]
    cells = [[0] * len(found.confusion.labels) for _ in found.confusion.labels]
    for row, flat in zip(cells, data["confusion"]["cells"], strict=True):
        for column, count in zip(flat[::2], flat[1::2], strict=True):
            row[column] = count
    assert cells == [list(row) for row in found.confusion.counts]
    assert data["numbers"]["accuracy"]["hits"] == found.accuracy.hits
    assert data["numbers"]["accuracy"]["interval"].startswith("95% interval ")
    assert data["ledger"]["collected"] == 30
    (half, said), (most, too) = data["took"]
    assert [half, most] == [latency(found, share).value for share in (0.5, 0.95)]
    assert f"half within {said}, 95% within {too}" in dict(data["facts"])["Cost"]
    nothing = Parsed(page_html(page_of([built([])]))).data["sections"][0]
    assert nothing["numbers"]["accuracy"]["value"] is None
    assert nothing["numbers"]["accuracy"]["text"] == "–"


def test_stopped_runs_have_no_interval(tmp_path: Path) -> None:
    """A run that stopped early shows estimates without intervals, and its order."""
    early = Parsed(page_html(demo(tmp_path))).data["sections"][2]
    assert early["numbers"]["accuracy"]["low"] is None
    assert len(early["path"]["order"]) == 60
    assert early["path"]["bounds"] == [0.75]


def test_images_without_a_comparison_are_named(tmp_path: Path) -> None:
    """An image that one side has no answer to is apart, not unchanged."""
    pair = Parsed(page_html(demo(tmp_path))).data["pairs"][0]
    assert len(pair["apart"]) == 1
    assert pair["before"] == -1
    assert pair["now"] == 0
    kinds = {kind for _, kind, _, _ in pair["changes"]}
    assert {"broken", "fixed"} <= kinds


def test_a_comparison_of_what_is_not_shown_is_refused(tmp_path: Path) -> None:
    """Both sides of a comparison are on the page."""
    first, other = (built(answers(images(tmp_path, 6), seed)) for seed in (1, 2))
    pair = Pair(
        names=("A", "B"), what="runs", comparison=compare_reports(first, other), before=first,
        now=other,
    )  # fmt: skip
    Page(title="x", sections=(section(first, name="A"), section(other, name="B")), pairs=(pair,))
    with pytest.raises(ValueError, match="A and B are compared"):
        Page(title="x", sections=(section(first),), pairs=(pair,))


@pytest.mark.parametrize(
    ("comparison", "shown"),
    [
        (Comparison(cases=("a",), correct=1, changes=()), ("McNemar p = 1.000", "same answers")),
        (Comparison(cases=(), correct=0, changes=()), ("McNemar p = 1.000", "undecided")),
        (
            Comparison(cases=("a", "b"), correct=2, changes=(), not_asked=("c",)),
            ("p = 1.000 by a test that holds however the run was stopped", "same answers"),
        ),
        (
            Comparison(cases=("a", "b"), correct=2, changes=(), clusters=("s", "s"), group="scene"),
            ("p = 1.000 by a permutation test of 2 in 1 scene", "same answers"),
        ),
        (
            Comparison(
                cases=("a", "b"), correct=2, changes=(), clusters=("s", "s"), group="scene",
                not_asked=("c",),
            ),
            ("no test holds for 2 in 1 scene when a run stopped early", "same answers"),
        ),
    ],
)  # fmt: skip
def test_a_comparison_names_its_test(comparison: Comparison, shown: tuple[str, str]) -> None:
    """Nor is nothing in common called the same."""
    now = built([])
    pair = Pair(names=("A", "B"), what="baseline", comparison=comparison, before=None, now=now)
    (found,) = page_json(Page(title="x", sections=(section(now),), pairs=(pair,)), {})["pairs"]
    assert (found["p"], found["word"]) == shown


def test_one_digest_is_one_fact() -> None:
    """A model has weights beside itself only where it was derived of another."""
    plain = ModelIdentity(backend="x", name="m", digest="abc", server="")
    derived = replace(plain, backend="ollama", details={BASE_DIGEST: "def"})
    for identity in (derived, plain):
        page = Page(title="x", sections=(section(built([], identity=identity)),))
        facts = dict(page_json(page, {})["sections"][0]["facts"])
        assert ("Weights digest" in facts) is (identity is derived)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    ),
    st.integers(0, 5),
)
def test_pieces_are_the_whole(value: object, depth: int) -> None:
    """JSON in pieces, however small they are, is the same as at once."""
    assert "".join(embedded_pieces(value, depth)) == embedded(value)


def test_pages_are_written_whole(tmp_path: Path) -> None:
    """Writing replaces the old page and leaves nothing beside it."""
    path = tmp_path / "deep" / "page.html"
    path.parent.mkdir()
    path.write_text("old")
    assert write_page(path, Page(title="x", sections=())) == path
    assert path.read_bytes() == page_html(Page(title="x", sections=())).encode()
    assert list(path.parent.iterdir()) == [path]


def test_the_same_page_is_the_same_file(tmp_path: Path) -> None:
    """Nothing in a page depends on when or in which order it was made."""
    page = demo(tmp_path)
    assert page_html(page) == page_html(page)


def test_images_that_cannot_be_shown_say_why(tmp_path: Path) -> None:
    """A file that is gone or has changed leaves its reason in place of an image."""
    data = Parsed(page_html(demo(tmp_path))).data
    reasons = [reason for reason in data["without"] if reason is not None]
    assert sorted(reasons) == [
        "its file has changed since the run",
        "its file is not there any more",
    ]


def test_importing_it_costs_no_image_library() -> None:
    """Pillow is loaded when the first image is made, not before."""
    code = "import sys, pytest_llmclf.reporting.html.document; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def test_labels_are_places(tmp_path: Path) -> None:
    """Expected and predicted classes are places in the list of labels; none is -1."""
    cases = Parsed(page_html(demo(tmp_path))).data["sections"][0]["cases"]
    assert set(cases["expected"]) == set(range(len(LABELS)))
    for kind, predicted in zip(cases["kind"], cases["predicted"], strict=True):
        assert (predicted == -1) == (kind in {"unparsed", "error"})


def test_a_class_without_an_answer_has_answered_images_and_others() -> None:
    """The table counts answered ones and says so; the matrix has the others in a column."""
    lost = [
        outcome(f"{one}/1", one, None, kind="error", reason="timed-out", answer=None, message="x")
        for one in LABELS
    ]
    html = page_html(page_of([built(lost)]))
    shown = Parsed(html).data["sections"][0]
    assert [one["support"] for one in shown["classes"]] == [0] * len(LABELS)
    assert sum(shown["confusion"]["error"]) == len(LABELS)
    assert "Answered: how many of its images have an answer." in html
    assert "Images: (one) => one.support" not in html
