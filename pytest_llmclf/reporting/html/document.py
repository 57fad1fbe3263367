"""A run as one page for a browser: a single file that needs no network and runs nothing foreign.

Everything that comes from a model, a file name or a label travels as JSON in a script element that
no browser runs, and reaches the page as text nodes alone. A Content-Security-Policy allows this
page's own script and style by their SHA-256 and images out of the file, and nothing else; Trusted
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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Final

from pytest_llmclf.files import write_pieces
from pytest_llmclf.progress import Progress, silent
from pytest_llmclf.reporting.html.page_data import page_json
from pytest_llmclf.reporting.html.thumbnails import Thumbnail, thumbnails
from pytest_llmclf.values.outcome import ENDINGS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.reporting.html.page import Page
    from pytest_llmclf.values.outcome import Outcome

_SCRIPTS: Final = (
    "dom.js",
    "model.js",
    "overview.js",
    "leaderboard.js",
    "doubts.js",
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
"""Images in one element: the page reads them piece by piece, once it stands."""


def write_page(path: Path, page: Page, progress: Progress = silent) -> Path:
    """Write a page and return its path.

    The file is replaced whole: a reader sees the old one or the new one, never a part.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_pieces(path, (piece.encode("utf-8") for piece in page_pieces(page, progress)))


def page_pieces(page: Page, progress: Progress = silent) -> Iterator[str]:
    """A page as HTML, piece by piece: as a whole it can be as large as all that is known of a run.

    What comes from outside is in it as ASCII.
    """
    images = thumbnails(_Files(page), page.budget, progress=progress)
    data = embedded_pieces(page_json(page, images), _COLUMNS)
    return document("page.html", ("page.css",), _SCRIPTS, data, image_elements(images.values()))


def document(
    template: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    data: Iterable[str],
    images: Iterable[str],
) -> Iterator[str]:
    """A page of its own as HTML, piece by piece.

    Args:
        template: Name of its HTML.
        styles: Names of its style sheets, in order.
        scripts: Names of its scripts, in order.
        data: What it knows, `embedded_pieces`.
        images: Its images, `image_elements`.
    """
    style, script = "\n".join(map(_template, styles)), _script(scripts)
    return _filled(
        _template(template).replace("{{head}}", _template("head.html")),
        {
            "policy": (_policy(style, script),),
            "style": (style,),
            "script": (script,),
            "data": data,
            "images": images,
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
    """By their SHA-256 the images whose files are known; a path is made when it is asked for."""

    def __init__(self, page: Page) -> None:
        self._find = page.images
        self._shown: dict[str, Outcome] = {}
        outcomes = (outcome for section in page.sections for outcome in section.report.outcomes)
        # What went wrong goes before what went right.
        for one in sorted(outcomes, key=lambda one: ENDINGS[one.kind].error is None):
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


def image_elements(images: Iterable[Thumbnail | str], batch: int = _BATCH) -> Iterator[str]:
    """Images as a page holds them, `batch` in one element; null for one that it lacks."""
    listed = list(images)
    for start in range(0, len(listed), batch):
        entries = [
            [one.uri, one.width, one.height] if isinstance(one, Thumbnail) else None
            for one in listed[start : start + batch]
        ]
        yield "\n" if start else ""
        yield '<script type="application/json" class="images">'
        yield f"{embedded(entries)}</script>"


def _script(names: Sequence[str]) -> str:
    """The page's script: its parts share one scope and add nothing to the window."""
    parts = "\n".join(map(_template, names))
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
    file = resources.files("pytest_llmclf.reporting.html") / "templates" / name
    return file.read_bytes().decode("utf-8").replace("\r\n", "\n")


def _filled(template: str, values: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """`template` with each ``{{name}}`` replaced, once: what is put in is not looked at again."""
    first, *pieces = template.split("{{")
    yield first
    for piece in pieces:
        name, rest = piece.split("}}", 1)
        yield from values[name]
        yield rest
