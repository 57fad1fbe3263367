"""What a reader does with the page, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.analysis.leaderboard.difficulty import difficulty
from pytest_llmclf.analysis.leaderboard.ranking import leaderboard
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.html.document import write_page
from pytest_llmclf.reporting.html.page import page_of
from pytest_llmclf.values.outcome import Outcome
from tests.pages import LABELS, answers, built, images, outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page as Tab

    from pytest_llmclf.metrics.report import Report

    Open = Callable[..., Tab]

MANY = 400
"""Classes of which the matrix shows a tenth, and the table a quarter."""
NO_OVERFLOW = "document.documentElement.scrollWidth <= window.innerWidth"
# Texts that stand outside of what holds them, or are cut without an ellipsis.
SPILLS = """() => [...document.querySelectorAll("button, th, td, dd, dt, li, h2, h3, p, select")]
  .filter((node) => node.offsetParent && !node.closest(".scroll, .card, .bar, pre, .hidden-text"))
  .filter((node) => node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0
    && getComputedStyle(node).display !== "inline")
  .map((node) => `${node.tagName}: ${node.textContent.slice(0, 60)}`)"""


def found(tab: Tab) -> int:
    """How many images fit the filters, as the page tells it."""
    match = re.match(r"[\d,]+", tab.inner_text("#found"))
    assert match is not None
    return int(match[0].replace(",", ""))


def cell(row: int | None, column: int | None) -> str:
    """A cell or head of the matrix."""
    wanted = "" if row is None else f"[data-row='{row}']"
    wanted += "" if column is None else f"[data-column='{column}']"
    head = "td" if row is not None and column is not None else "th"
    return f".matrix {head}{wanted}"


def test_a_cell_shows_its_images(opened: Open, demo_page: Path) -> None:
    """Choosing a cell leaves exactly the images that it counts."""
    tab = opened(demo_page)
    assert found(tab) == 60
    for column in range(len(LABELS)):
        count = int(tab.inner_text(cell(0, column)) or 0)
        if not count:
            continue
        tab.click(cell(0, column))
        assert found(tab) == count
        assert tab.locator(".matrix [aria-selected=true]").count() == 1
    assert tab.evaluate("document.activeElement.id") == "images-head"


def test_heads_show_a_class_and_an_answer(opened: Open, demo_page: Path) -> None:
    """Choosing a row's name leaves its class, a column's what was answered so."""
    tab = opened(demo_page)
    tab.click(cell(1, None))
    assert found(tab) == 20
    tab.click(cell(None, 3))
    assert found(tab) == sum(int(tab.text_content(cell(row, 3)) or 0) for row in range(3))
    assert "unparsed" in tab.inner_text("#found")
    tab.click("#clear")
    assert found(tab) == 60


def test_filters_combine(opened: Open, demo_page: Path) -> None:
    """Class, slice, outcome and search each leave fewer images, and all hold at once."""
    tab = opened(demo_page)
    tab.select_option("#filter-expected", label="dog")
    tab.select_option("#filter-tag-0", label="photo (30)")
    assert found(tab) == 10
    tab.click(".chip[data-kind=correct]")
    correct = found(tab)
    assert 0 < correct < 10
    tab.click(".chip[data-kind=misclassified]")
    tab.click(".chip[data-kind=unparsed]")
    assert found(tab) == 10
    tab.click(".chip[data-kind=misclassified]")
    tab.click(".chip[data-kind=unparsed]")
    tab.fill("#search", "IS a dog 0")
    assert found(tab) == correct
    cards = tab.locator(".card")
    assert cards.count() == correct
    assert all("dog" in text for text in cards.all_inner_texts())
    tab.fill("#search", "no such thing")
    assert found(tab) == 0
    assert "No image fits" in tab.inner_text(".found")


def test_state_survives_reload_and_travels(opened: Open, demo_page: Path) -> None:
    """The address holds what is chosen: it survives a reload and works in another window."""
    tab = opened(demo_page)
    tab.select_option("#section-select", label="pets · ollama:llava:13b")
    tab.click(cell(0, 0))
    tab.select_option("#filter-tag-0", label=re.sub(r"$", " (30)", "drawing"))
    tab.fill("#search", "cat")
    tab.select_option("#filter-sort", "slow")
    tab.click(".switch:not([aria-pressed=true])")
    before = tab.inner_text("#images"), tab.inner_text("#confusion table")
    other = opened(demo_page, tab.url.partition("#")[1] + tab.url.partition("#")[2])
    tab.reload()
    tab.wait_for_selector("html[data-images=ready]", state="attached")
    for one in (tab, other):
        assert (one.inner_text("#images"), one.inner_text("#confusion table")) == before
        assert one.input_value("#search") == "cat"
        assert one.input_value("#filter-sort") == "slow"


def test_back_undoes_a_choice(opened: Open, demo_page: Path) -> None:
    """The browser's back button goes back one choice, and closes the dialog."""
    tab = opened(demo_page)
    tab.click(cell(0, None))
    assert found(tab) == 20
    tab.locator(".card button").first.click()
    assert tab.locator("dialog[open]").count() == 1
    tab.go_back()
    assert tab.locator("dialog[open]").count() == 0
    tab.go_back()
    assert found(tab) == 60


@pytest.mark.parametrize(
    "state",
    [
        "#report=99&expected=x",
        "#compare=7&flip=broken&finding=3",
        "#image=nope&tag.x=y&sort=z",
        "#%E0%A4%A",
        "#predicted=9&outcome=a,b",
    ],
)
def test_a_broken_address_is_no_broken_page(opened: Open, demo_page: Path, state: str) -> None:
    """Whatever the address says, the page shows something."""
    assert opened(demo_page, state).inner_text("#verdict-head") == "pets on ollama:llava:7b"


def test_a_image_tells_everything(opened: Open, demo_page: Path) -> None:
    """The dialog has the answer, probabilities, digests and what the other model said."""
    tab = opened(demo_page, "#report=1&image=dog%2F005-dog.png")
    text = tab.inner_text("dialog[open]")
    for wanted in (
        "dog/005-dog.png", "Answer", "Probabilities", "Side by side", "pets · ollama:llava:7b",
        "Asked again", "Duration", "style", "ab" * 32, "Image SHA-256",
    ):  # fmt: skip
        assert wanted in text
    image = tab.locator("dialog img")
    assert image.get_attribute("alt") == "dog/005-dog.png, shows dog"
    assert tab.evaluate("document.querySelector('dialog img').naturalWidth") > 48
    tab.keyboard.press("Escape")
    assert tab.locator("dialog[open]").count() == 0
    assert "image=" not in tab.url


def drawn(tab: Tab) -> None:
    """Wait until the list has been drawn, which it is once a frame."""
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def test_keys_reach_everything(opened: Open, demo_page: Path) -> None:
    """Arrow keys walk the matrix and the images, Enter opens, arrows step, Escape returns."""
    tab = opened(demo_page)
    tab.focus(".matrix [tabindex='0']")
    for key in ("Home", "ArrowUp", "ArrowRight", "ArrowDown", "ArrowRight"):
        tab.keyboard.press(key)
    here = "[document.activeElement.dataset.row, document.activeElement.dataset.column]"
    assert tab.evaluate(here) == ["1", "1"]
    assert tab.locator(".matrix [tabindex='0']").count() == 1
    tab.keyboard.press("Enter")
    assert found(tab) == int(tab.inner_text(cell(1, 1)))
    tab.click("#clear")
    drawn(tab)
    tab.focus(".card [tabindex='0']")
    drawn(tab)
    place = "Number(document.activeElement.closest('li').getAttribute('aria-posinset'))"
    tab.keyboard.press("ArrowRight")
    drawn(tab)
    assert tab.evaluate(place) == 2
    tab.keyboard.press("End")
    drawn(tab)
    assert tab.evaluate(place) == 60
    tab.keyboard.press("Home")
    tab.keyboard.press("Enter")
    first = tab.inner_text("#detail-head")
    tab.keyboard.press("ArrowRight")
    second = tab.inner_text("#detail-head")
    assert first != second
    tab.keyboard.press("Escape")
    assert tab.evaluate(place) == 2
    assert second in tab.evaluate("document.activeElement.textContent")


def test_compared_images_stand_first(opened: Open, demo_page: Path) -> None:
    """Compare mode shows what broke, then what was fixed, with both answers."""
    tab = opened(demo_page)
    broken = int(tab.locator(".pair .flip-broken .count").first.inner_text())
    tab.select_option("#filter-pair", "0")
    tab.set_viewport_size({"width": 1280, "height": 3000})
    tab.wait_for_timeout(100)
    flips = [text.split()[1].strip(",") for text in tab.locator(".card .flip").all_inner_texts()]
    assert flips[: broken + 1] == ["broken"] * broken + ["fixed"]
    assert flips == sorted(flips, key=["broken", "fixed", "changed", "answer"].index)
    tab.click(".pair .flip-broken")
    assert found(tab) == broken
    assert all("was" in text for text in tab.locator(".card .flip").all_inner_texts())
    tab.locator(".card button").first.click()
    assert "committed predictions" in tab.inner_text("dialog .sides")


def test_per_cent_of_the_row(opened: Open, demo_page: Path) -> None:
    """Cells switch between counts and per cent of their row, which add up to about 100."""
    tab = opened(demo_page)
    counts = [int(tab.text_content(cell(0, column)) or 0) for column in range(5)]
    tab.click("text=% of row")
    shares = [int(tab.text_content(cell(0, column)) or 0) for column in range(5)]
    assert shares == [round(100 * count / sum(counts)) for count in counts]
    assert tab.evaluate("document.activeElement.textContent") == "% of row"


def test_images_that_are_missing_say_why(opened: Open, demo_page: Path) -> None:
    """An image whose file changed is not shown; its place says so."""
    tab = opened(demo_page, "#search=001-cow")
    assert tab.inner_text(".card .missing") == "its file has changed since the run"


WIDTHS = (360, 480, 768, 1024, 1280, 1600)


@pytest.mark.parametrize(
    "state", ["", "#report=2", "#report=1&compare=1", "#image=dog%2F005-dog.png"]
)
def test_it_fits_every_width(opened: Open, demo_page: Path, state: str) -> None:
    """Nothing sticks out of the page or of its box, from a phone to a wide screen."""
    tab = opened(demo_page, state)
    inside = "(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))"
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.wait_for_timeout(50)
        assert tab.evaluate(NO_OVERFLOW), width
        assert tab.evaluate(SPILLS) == [], width
        assert tab.evaluate(inside), width


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const color = rgb(getComputedStyle(one).backgroundColor);
      if (color[3] > 250) return color;
    }
    return [255, 255, 255, 255];
  };
  const low = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (!own || !node.checkVisibility() || node.closest(".none, :disabled, svg, option")) continue;
    const [one, two] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) low.push([ratio, node.className, node.textContent.slice(0, 30)]);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened: Open, demo_page: Path, scheme: str) -> None:
    """All text, the heat map's included, has the contrast that WCAG 2.2 asks for (AA, 4.5)."""
    for state in ("", "#report=1&compare=1&outcome=correct", "#image=dog%2F005-dog.png"):
        tab = opened(demo_page, state, scheme=scheme)
        assert tab.evaluate(CONTRASTS) == []


def test_dark_and_light_differ(opened: Open, demo_page: Path) -> None:
    """The page follows the reader's choice of dark or light."""
    back = "getComputedStyle(document.body).backgroundColor"
    shades = {opened(demo_page, scheme=scheme).evaluate(back) for scheme in ("light", "dark")}
    assert len(shades) == 2


def test_it_says_what_things_are(opened: Open, demo_page: Path) -> None:
    """Landmarks, heads with a scope, names for every control and texts for every image."""
    tab = opened(demo_page)
    nameless = """() => [...document.querySelectorAll("button, select, input, img, svg, dialog")]
      .filter((node) => node.checkVisibility())
      .filter((node) => !(node.textContent.trim() || node.getAttribute("aria-label") || node.alt
        || node.labels?.length)).map((node) => node.outerHTML.slice(0, 80))"""
    assert tab.evaluate(nameless) == []
    for landmark in ("banner", "main", "navigation", "search"):
        assert tab.get_by_role(landmark).count() == 1
    for name in ("Confusion matrix", "Classes", "Charts", "Facts", "Images"):
        assert tab.get_by_role("region", name=name, exact=True).count() >= 1
    assert tab.locator("table:not(.matrix) thead th:not([scope])").count() == 0
    assert tab.get_attribute("#found", "aria-live") == "polite"
    assert tab.locator("html[lang=en]").count() == 1
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))


def test_printing_lists_images(opened: Open, demo_page: Path) -> None:
    """On paper the first 60 images are listed, in order, without controls."""
    tab = opened(demo_page, scheme="dark")
    tab.emulate_media(media="print")
    tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.locator(".card").count() == 60
    assert not tab.is_visible(".filters")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.pdf().startswith(b"%PDF")


def test_ten_thousand_images_stay_a_screenful(opened: Open, tmp_path: Path) -> None:
    """Only what is in sight exists as elements, wherever one is in the list."""
    many = [
        outcome(f"{LABELS[place % 3]}/{place:05}.png", LABELS[place % 3], LABELS[place % 2])
        for place in range(10_000)
    ]
    tab = opened(write_page(tmp_path / "page.html", page_of([built(many)])))
    assert found(tab) == 10_000
    for part in (0, 0.5, 1):
        tab.evaluate(f"window.scrollTo(0, {part} * document.documentElement.scrollHeight)")
        tab.wait_for_timeout(50)
        assert 4 <= tab.locator(".card").count() < 150
    last = tab.locator(".card").last
    assert last.get_attribute("aria-posinset") == "10000"
    tab.fill("#search", "09999")
    assert found(tab) == 1


def test_a_hundred_classes_fit(opened: Open, tmp_path: Path) -> None:
    """A matrix of a hundred classes scrolls in its own box and each cell can be chosen."""
    labels = tuple(f"class number {place}" for place in range(100))
    many = [
        Outcome(
            evaluation="pets", model="ollama:llava:7b", model_digest="", case=f"{place}.png",
            sha256="", expected=labels[place % 100], kind="misclassified",
            predicted=labels[(place + 1) % 100],
        )
        for place in range(300)
    ]  # fmt: skip
    facts: Any = built([]).dataset
    wide = built(many, dataset=type(facts)(name="pets", content_hash="", labels=labels))
    tab = opened(write_page(tmp_path / "page.html", page_of([wide])), width=900)
    assert tab.evaluate(NO_OVERFLOW)
    tab.click(cell(98, 99))
    assert found(tab) == 3


def test_hundreds_of_classes_are_cut_and_can_be_used(opened: Open, tmp_path: Path) -> None:
    """Clusters with most mistakes, a column of others, a table that is cut; each says so."""
    labels = tuple(f"class number {place}" for place in range(MANY))
    again = [7, 7, 7, *range(100, 200)]
    asked = [*enumerate([*range(MANY), *again])]
    many = [
        Outcome(
            evaluation="pets", model="ollama:llava:7b", model_digest="", case=f"{place}.png",
            sha256="", expected=labels[actual],
            kind="correct" if (said := answered_as(place, actual)) == actual else "misclassified",
            predicted=labels[said],
        )
        for place, actual in asked
    ]  # fmt: skip
    facts: Any = built([]).dataset
    wide = built(many, dataset=type(facts)(name="pets", content_hash="", labels=labels))
    tab = opened(write_page(tmp_path / "page.html", page_of([wide])), width=900)
    assert tab.evaluate(NO_OVERFLOW)
    assert tab.locator(".matrix tbody tr").count() == 40
    assert "The 40 of 400 classes with most mistakes" in tab.inner_text("#confusion")
    assert tab.inner_text(".matrix tbody tr:first-child th") == "class number 7"
    assert tab.locator(".class-table").first.locator("tbody tr").count() == 100
    tab.click(cell(0, 1))
    assert found(tab) == 3
    tab.click(cell(0, 40))
    assert found(tab) == 1
    tab.get_by_role("button", name="List all classes").click()
    assert tab.locator(".class-table").first.locator("tbody tr").count() == MANY


def answered_as(place: int, actual: int) -> int:
    """Class 7 is called 390 thrice and 350 once; fifty pairs are confused twice; all else right."""
    if actual == 7:
        return 390 if place > actual else 350
    return actual + (100 <= actual < 200 and actual % 2 == 0)


def test_nothing_to_show_is_said(opened: Open, tmp_path: Path) -> None:
    """A page without evaluations, and one whose evaluation has no image, both open."""
    tab = opened_plain(opened, tmp_path, page_of([]))
    assert "No evaluation was run" in tab.inner_text("main")
    tab = opened_plain(opened, tmp_path, page_of([built([], identity=None, duration_s=None)]))
    assert found(tab) == 0


def opened_plain(opened: Open, folder: Path, page: Any) -> Tab:
    return opened(write_page(folder / "page.html", page))


def test_answers_of_runs_stand_side_by_side(opened: Open, tmp_path: Path) -> None:
    """Two models' answers to the same image are shown next to each other."""
    files = images(tmp_path, 12)
    reports = [built(answers(files, seed, model=f"m:{seed}")) for seed in (1, 2, 3)]
    tab = opened_plain(opened, tmp_path, page_of(reports))
    tab.locator(".card button").first.click()
    rows = tab.locator("dialog .sides tr").all_inner_texts()
    assert len(rows) == 3
    assert rows[1].startswith("pets · m:2")


def many_tasks(folder: Path) -> list[Report]:
    """Six models, of which one has no answer to two images."""
    files = images(folder, 30)
    reports = [built(answers(files, seed, model=f"m:{seed}")) for seed in range(6)]
    silent = [
        outcome(one.case, one.expected, None, model="m:6", kind="error", answer=None)
        if place in (3, 8)
        else one
        for place, one in enumerate(answers(files, 6, model="m:6"))
    ]
    return [*reports, built(silent)]


def test_any_two_tasks_can_be_compared(opened: Open, tmp_path: Path) -> None:
    """Whichever two are chosen, from either side: what the page counts is what Python counts."""
    reports = many_tasks(tmp_path)
    board = leaderboard(reports)
    assert board is not None
    tab = opened_plain(opened, tmp_path, page_of(reports))
    for here, there in ((5, 2), (2, 5), (0, 6), (1, 3)):
        tab.select_option("#section-select", str(here))
        tab.select_option("#beside", str(there))
        assert tab.locator(".pair").count() == 1
        alone = compare_reports(reports[there], reports[here], among=frozenset(board.images.cases))
        heads = tab.inner_text(".pair h3")
        # The card stands as the pair is stored, the filter as one looks at it.
        stored = alone.broken, alone.fixed, alone.changed
        if heads.startswith(f"m:{here}"):
            stored = stored[1], stored[0], stored[2]
        counts = [int(text) for text in tab.locator(".pair .count").all_inner_texts()]
        assert counts == [len(cases) for cases in stored]
        p_value = numbers.p_value(board.p_value(reports[here], reports[there]) or 0.0)
        shown = tab.inner_text(".pair")
        assert p_value in shown
        assert "model changed: " in shown
        answers = alone.answers[:1]
        assert all(f'"{one.said}" ' in shown for one in answers)
        tab.select_option("#filter-pair", label=f"m:{there}")
        for kind, cases in zip(
            ("broken", "fixed", "changed"),
            (alone.broken, alone.fixed, alone.changed),
            strict=True,
        ):
            tab.select_option("#filter-flip", kind)
            assert found(tab) == len(cases)
        tab.select_option("#filter-flip", "")
    tab.reload()
    assert tab.input_value("#beside") == "3"


def test_hard_images_can_be_filtered(opened: Open, tmp_path: Path) -> None:
    """Each kind shows the images that it counts; those without an answer are of no kind."""
    reports = many_tasks(tmp_path)
    board = leaderboard(reports)
    assert board is not None
    counts = difficulty(board.images).counts()
    tab = opened_plain(opened, tmp_path, page_of(reports))
    assert sum(counts.values()) == 28
    for kind, count in counts.items():
        tab.select_option("#filter-right", kind)
        assert found(tab) == count
    tab.click("#clear")
    assert found(tab) == 30
    assert tab.locator("#leaderboard tbody tr").count() == 7
    assert "m:6 lacks 2" in tab.inner_text("#leaderboard")
    tab.locator("#leaderboard .chip:enabled").first.click()
    assert found(tab) == next(count for count in counts.values() if count)
    tab.locator("#leaderboard .findings button").first.click()
    assert tab.locator("dialog[open] .sides tr").count() == 7


def test_a_stopped_run_says_so(opened: Open, demo_page: Path) -> None:
    """Its tiles, its classes, its diagnosis and its row among all; another one's do not."""
    tab = opened(demo_page, "#report=2")
    assert tab.inner_text(".tiles").count("when the run stopped") == 3
    assert "No intervals: the run stopped early." in tab.inner_text("#classes")
    assert "Nothing was tested: the run stopped early" in tab.inner_text("#verdict")
    assert "21 of 60" in tab.inner_text("#overview .chosen")
    tab = opened(demo_page)
    assert re.search(r"\d+ right of \d+ answered images", tab.inner_text(".tiles"))
    assert "when the run stopped" not in tab.inner_text(".tiles")
    assert "Bars: 95% intervals" in tab.inner_text("#classes")
