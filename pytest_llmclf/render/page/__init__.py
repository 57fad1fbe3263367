"""A run as one page for a browser: a single file that needs no network and runs nothing foreign.

Everything that comes from a model, a file name or a label travels as JSON in a script element that
no browser runs, and reaches the page as text nodes alone. A Content-Security-Policy allows this
page's own script and style by their SHA-256 and pictures out of the file, and nothing else; Trusted
Types forbid to make markup from text even to the page's own script.

The charts are plain SVG that the page's script makes, element by element. A chart library would
be several times the size of everything else, would have to be trusted with the same foreign
text, and the charts here are lines, bars and dots; Python would write them as markup, and could not
redraw them when another model is chosen.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.calibration import calibration
from pytest_llmclf.comparison.models import compare_models
from pytest_llmclf.diagnosis import diagnose
from pytest_llmclf.render.page.data import page_json, pictured
from pytest_llmclf.render.page.thumbnails import PictureBudget, Thumbnail, thumbnails
from pytest_llmclf.render.progress import Progress, silent
from pytest_llmclf.render.whole_file import write_whole
from pytest_llmclf.stability import stability

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.calibration import Calibration
    from pytest_llmclf.comparison import Comparison
    from pytest_llmclf.diagnosis.finding import Finding
    from pytest_llmclf.gate import Gate
    from pytest_llmclf.report import Report, Verdict
    from pytest_llmclf.stability import Stability

_SCRIPTS: Final = (
    "dom.js",
    "model.js",
    "overview.js",
    "matrix.js",
    "classes.js",
    "charts.js",
    "filters.js",
    "gallery.js",
    "detail.js",
    "main.js",
)
"""In this order they are the page's script."""
_BATCH: Final = 250
"""Pictures in one element: the page reads them piece by piece, once it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One evaluation on one model, with everything that is said about it.

    Attributes:
        name: What it is called where one chooses among several; each name once a page.
        report: The report.
        verdicts: What its gates came to.
        findings: What is wrong with the model.
        calibration: What its confidence is worth; ``None`` where there is none.
        stability: How often it agrees with itself; ``None`` where it was asked once.
        gates: Those that a run that may stop early was watched with.
    """

    name: str
    report: Report
    verdicts: tuple[Verdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    calibration: Calibration | None = None
    stability: Stability | None = None
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A paired comparison.

    Attributes:
        names: What both sides are called, the one held against first.
        what: What is compared: ``baseline``, ``models`` or ``runs``.
        comparison: The comparison.
        now: Report of the second side; one on the page.
        before: Report of the first side, on the page too; ``None`` where only its predictions are
            known, as of a committed baseline.
        p_value: Of the comparison together with others; default: its own.
        tests: How many comparisons that p-value is for.
    """

    names: tuple[str, str]
    what: str
    comparison: Comparison
    now: Report
    before: Report | None = None
    p_value: float | None = None
    tests: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows.

    Attributes:
        title: Of the page.
        sections: One an evaluation and model.
        pairs: What is compared with what.
        settings: What was asked for, as JSON built-ins; must hold no secret.
        environment: What ran it, as JSON built-ins; must hold no secret.
        pictures: Files of pictures by evaluation and case id; may lack some.
        budget: How much of the page they may take.
    """

    title: str
    sections: tuple[Section, ...]
    pairs: tuple[Pair, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    budget: PictureBudget = field(default_factory=PictureBudget)

    def __post_init__(self) -> None:
        """Refuse a comparison of what is not on the page."""
        shown = {id(section.report) for section in self.sections}
        for pair in self.pairs:
            sides = [side for side in (pair.before, pair.now) if side is not None]
            if any(id(side) not in shown for side in sides):
                raise ValueError(
                    f"{pair.names[0]} and {pair.names[1]} are compared, but the report of one of "
                    "them is not among the page's sections: add it"
                )


def page_of(
    reports: Sequence[Report],
    verdicts: Sequence[Verdict] = (),
    *,
    title: str = "Image classification by LLMs",
    baselines: Mapping[tuple[str, str], Comparison] | None = None,
    gates: Mapping[str, Sequence[Gate]] | None = None,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    pictures: Mapping[tuple[str, str], Path] | None = None,
    budget: PictureBudget | None = None,
) -> Page:
    """The page of a run: diagnosis, calibration, stability and models compared are worked out here.

    Args:
        reports: What was found, one an evaluation and model.
        verdicts: What the gates came to.
        title: Of the page.
        baselines: By evaluation and model, the committed predictions against the run.
        gates: By evaluation, those that a run that may stop early was watched with.
        settings: What was asked for; must hold no secret.
        environment: What ran it; must hold no secret.
        pictures: Files of pictures by evaluation and case id.
        budget: How much of the page they may take.
    """
    by_key = {(report.evaluation, report.model): report for report in reports}
    committed = [
        Pair(
            names=("committed predictions", "this run"),
            what="baseline",
            comparison=comparison,
            now=by_key[key],
        )
        for key, comparison in (baselines or {}).items()
        if key in by_key
    ]
    models = [
        Pair(
            names=(pair.first.model, pair.second.model),
            what="models",
            comparison=pair.comparison,
            before=pair.first,
            now=pair.second,
            p_value=pair.p_value,
            tests=pair.pairs,
        )
        for pair in compare_models(reports)
    ]
    return Page(
        title=title,
        sections=tuple(
            section(report, verdicts, gates=(gates or {}).get(report.evaluation, ()))
            for report in reports
        ),
        pairs=(*committed, *models),
        settings=settings or {},
        environment=environment or {},
        pictures=pictures or {},
        budget=budget or PictureBudget(),
    )


def section(
    report: Report,
    verdicts: Iterable[Verdict] = (),
    *,
    name: str | None = None,
    gates: Iterable[Gate] = (),
) -> Section:
    """A section with everything that follows from its report.

    Args:
        report: The report.
        verdicts: Of any evaluation and model; its own are taken.
        name: What it is called; default: evaluation and model.
        gates: Those that a run that may stop early was watched with.
    """
    key = (report.evaluation, report.model)
    return Section(
        name=name or f"{report.evaluation} · {report.model}",
        report=report,
        verdicts=tuple(one for one in verdicts if (one.evaluation, one.model) == key),
        findings=diagnose(report),
        calibration=calibration(report),
        stability=stability(report),
        gates=tuple(gates),
    )


def write_page(path: Path, page: Page, progress: Progress = silent) -> Path:
    """Write a page and return its path.

    The file is replaced whole: a reader sees the old one or the new one, never a part.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, page_html(page, progress).encode("utf-8"))


def page_html(page: Page, progress: Progress = silent) -> str:
    """A page as HTML; what comes from outside is in it as ASCII."""
    pictures = thumbnails(_wanted(page), page.budget, progress=progress)
    data = page_json(page, pictures)
    style, script = _template("page.css"), _script()
    return _filled(
        _template("page.html"),
        {
            "policy": _policy(style, script),
            "style": style,
            "script": script,
            "data": embedded(data),
            "pictures": _picture_elements(list(pictures.values())),
        },
    )


def embedded(value: object) -> str:
    """`value` as JSON that no HTML parser can take for anything else.

    All that is not ASCII is escaped (line separators, direction marks, halves of surrogate pairs
    among it), and so are the signs that markup is made of.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _wanted(page: Page) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for outcome in pictured(page.sections):
        path = page.pictures.get((outcome.evaluation, outcome.case))
        if path is not None and outcome.sha256:
            found.setdefault(outcome.sha256, path)
    return found


def _picture_elements(pictures: Sequence[Thumbnail | str]) -> str:
    entries = [
        [one.uri, one.width, one.height] if isinstance(one, Thumbnail) else None for one in pictures
    ]
    return "\n".join(
        '<script type="application/json" class="pictures">'
        f"{embedded(entries[start : start + _BATCH])}</script>"
        for start in range(0, len(entries), _BATCH)
    )


def _script() -> str:
    """The page's script: its parts share one scope and add nothing to the window."""
    parts = "\n".join(_template(name) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, sent, framed or run, but this very script and this very style."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _template(name: str) -> str:
    """One of the page's own files.

    With line feeds alone, however it was checked out: a browser turns others into them, and
    their hash would not be the one that the policy names.
    """
    file = resources.files("pytest_llmclf.render.page") / "templates" / name
    return file.read_bytes().decode("utf-8").replace("\r\n", "\n")


def _filled(template: str, values: Mapping[str, str]) -> str:
    """`template` with each ``{{name}}`` replaced, once: what is put in is not looked at again."""
    pieces = template.split("{{")
    found = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        found += [values[name], rest]
    return "".join(found)
