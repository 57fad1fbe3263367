"""How Sphinx makes the site of these pages: `python -m sphinx -W -b html docs docs/_build`."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "pytest-llmclf"
version = release = version_of("pytest-llmclf")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
# Nothing is fetched from elsewhere, neither to build the site nor to read it.
html_theme = "furo"
html_title = project
myst_heading_anchors = 4
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False

ROOT: Final = Path(__file__).parents[1]
BESIDE: Final = {
    "README.md": "project/readme.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "fixtures/LICENSES.md": "project/licenses.md",
}
"""Pages that lie outside of this folder, where people look for them in a repository."""
LINK: Final = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


def _as_on_the_site(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Give the pages beside this folder their text, and lead links to where they are on the site.

    In a checkout every page is read where it lies, so its links name the files there.
    """
    here = ROOT / "docs" / docname
    lies = {where: name for name, where in BESIDE.items()}.get(f"{docname}.md")
    if lies is not None:
        source[0] = (ROOT / lies).read_text("utf-8")
        here = ROOT / lies

    def led(found: re.Match[str]) -> str:
        target = (here.parent / found[1]).resolve()
        if not target.is_relative_to(ROOT):
            return found[1]
        name = target.relative_to(ROOT).as_posix()
        name = f"docs/{BESIDE[name]}" if name in BESIDE else name
        return "../" * (docname.count("/") + 1) + name

    source[0] = LINK.sub(led, source[0])


def setup(app: Sphinx) -> None:
    """Connect what changes with the place; called by Sphinx."""
    app.connect("source-read", _as_on_the_site)
