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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.calibration import calibration
from pytest_llmclf.comparison.margin import judge_margin, stated_margin
from pytest_llmclf.comparison.models import compare_models
from pytest_llmclf.diagnosis import diagnose
from pytest_llmclf.progress import Progress, silent
from pytest_llmclf.render.page.data import page_json, pictured
from pytest_llmclf.render.page.thumbnails import PictureBudget, Thumbnail, thumbnails
from pytest_llmclf.render.whole_file import write_pieces
from pytest_llmclf.stability import stability

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.calibration import Calibration
    from pytest_llmclf.comparison import Comparison
    from pytest_llmclf.comparison.margin import MarginVerdict
    from pytest_llmclf.diagnosis.finding import Finding
    from pytest_llmclf.gate import Gate
    from pytest_llmclf.outcome import Outcome
    from pytest_llmclf.report import Report, Verdict
    from pytest_llmclf.stability import Stability

    FindPicture = Callable[[str, str], Path | None]

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
_COLUMNS: Final = 4
"""Levels down to the columns of cases: page, sections, section, cases."""
_BATCH: Final = 250
"""Pictures in one element: the page reads them piece by piece, once it stands."""


def no_picture(evaluation: str, case: str) -> Path | None:  # noqa: ARG001 - a `FindPicture`
    """Knows the file of no picture."""
    return None


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
        margin: What a margin that was stated comes to, which then decides.
    """

    names: tuple[str, str]
    what: str
    comparison: Comparison
    now: Report
    before: Report | None = None
    p_value: float | None = None
    tests: int = 1
    margin: MarginVerdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows.

    Attributes:
        title: Of the page.
        sections: One an evaluation and model.
        pairs: What is compared with what.
        settings: What was asked for, as JSON built-ins; must hold no secret.
        environment: What ran it, as JSON built-ins; must hold no secret.
        pictures: Tells the file of a picture by evaluation and case id; ``None``: it has none.
        budget: How much of the page they may take.
    """

    title: str
    sections: tuple[Section, ...]
    pairs: tuple[Pair, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    pictures: FindPicture = no_picture
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
    pictures: FindPicture = no_picture,
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
        pictures: Tells the file of a picture by evaluation and case id.
        budget: How much of the page they may take.
    """
    by_key = {(report.evaluation, report.model): report for report in reports}
    margin = stated_margin(settings or {})
    committed = [
        Pair(
            names=("committed predictions", "this run"),
            what="baseline",
            comparison=comparison,
            now=by_key[key],
            margin=None
            if margin is None or comparison.refused is not None
            else judge_margin(comparison, margin),
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
        pictures=pictures,
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
    return write_pieces(path, (piece.encode("utf-8") for piece in page_pieces(page, progress)))


def page_html(page: Page, progress: Progress = silent) -> str:
    """A page as HTML; what comes from outside is in it as ASCII."""
    return "".join(page_pieces(page, progress))


def page_pieces(page: Page, progress: Progress = silent) -> Iterator[str]:
    """`page_html` piece by piece: as a whole it can be as large as all that is known of a run."""
    pictures = thumbnails(_Files(page), page.budget, progress=progress)
    style, script = _template("page.css"), _script()
    return _filled(
        _template("page.html"),
        {
            "policy": (_policy(style, script),),
            "style": (style,),
            "script": (script,),
            "data": embedded_pieces(page_json(page, pictures), _COLUMNS),
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


def embedded_pieces(value: object, depth: int) -> Iterator[str]:
    """`embedded`, with what lies `depth` levels deep one piece each."""
    if not depth or not value or not isinstance(value, dict | list):
        yield embedded(value)
    elif isinstance(value, dict):
        for place, (name, one) in enumerate(value.items()):
            yield f"{',' if place else '{'}{embedded(name)}:"
            yield from embedded_pieces(one, depth - 1)
        yield "}"
    else:
        for place, one in enumerate(value):
            yield "," if place else "["
            yield from embedded_pieces(one, depth - 1)
        yield "]"


class _Files(Mapping[str, "Path"]):
    """By their SHA-256 the pictures whose files are known; a path is made when it is asked for."""

    def __init__(self, page: Page) -> None:
        self._find = page.pictures
        self._shown: dict[str, Outcome] = {}
        for one in pictured(page.sections):
            if one.sha256 and one.sha256 not in self._shown and self._file(one) is not None:
                self._shown[one.sha256] = one

    def __getitem__(self, sha256: str) -> Path:
        found = self._file(self._shown[sha256])
        if found is None:
            raise KeyError(sha256)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown)

    def __len__(self) -> int:
        return len(self._shown)

    def _file(self, outcome: Outcome) -> Path | None:
        return self._find(outcome.evaluation, outcome.case)


def _picture_elements(pictures: Sequence[Thumbnail | str]) -> Iterator[str]:
    for start in range(0, len(pictures), _BATCH):
        entries = [
            [one.uri, one.width, one.height] if isinstance(one, Thumbnail) else None
            for one in pictures[start : start + _BATCH]
        ]
        yield "\n" if start else ""
        yield '<script type="application/json" class="pictures">'
        yield f"{embedded(entries)}</script>"


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


def _filled(template: str, values: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """`template` with each ``{{name}}`` replaced, once: what is put in is not looked at again."""
    first, *pieces = template.split("{{")
    yield first
    for piece in pieces:
        name, rest = piece.split("}}", 1)
        yield from values[name]
        yield rest
