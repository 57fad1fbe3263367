"""How Sphinx makes the site of these pages: `python -m sphinx -W -b html docs docs/_build`."""

from __future__ import annotations

import re
import sys
from importlib.metadata import metadata
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "pytest-llmclf"
version = release = version_of("pytest-llmclf")
SUMMARY: Final = metadata("pytest-llmclf")["Summary"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
# Nothing is fetched from elsewhere, neither to build the site nor to read it.
html_theme = "furo"
html_title = project
html_show_copyright = False
myst_heading_anchors = 4
autodoc_typehints = "description"
# Others are attributes, which stand there with their own text.
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
LIVE: Final = ROOT / "docs" / "_live"
"""Where `.ci/run` puts the page of a real run, which the site then shows."""
html_extra_path = ["_live"] if LIVE.is_dir() else []
BESIDE: Final = {
    "README.md": "project/readme.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "fixtures/LICENSES.md": "project/licenses.md",
    "examples/README.md": "project/examples.md",
}
"""Pages that lie outside of this folder, where people look for them in a repository."""
LINK: Final = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


def _as_on_the_site(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give pages what is generated, or lies beside this folder, and lead links to where they are.

    In a checkout every page is read where it lies, so its links name the files there.
    """
    from docs import generated

    here = ROOT / "docs" / docname
    if generated.MARK.search(source[0]):
        source[0] = generated.filled(source[0])
        app.env.note_reread()  # the code may have changed when the page has not
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
    if LIVE.is_dir():
        link = f'<a href="{"../" * docname.count("/")}page.html">The page of a real run</a>'
        source[0] = source[0].replace("<!-- live page -->", link)


def _write_llms_txt(app: Sphinx, _error: Exception | None) -> None:
    """Write the index once more for programs that read: <https://llmstxt.org>."""
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    text = re.sub(r"\n```.*?\n```|<!--.*?-->", "", text, flags=re.DOTALL)
    text = text.replace("# Documentation", f"# {project}\n\n> {SUMMARY}", 1)

    def led(found: re.Match[str]) -> str:
        page = found[1].removeprefix("../")
        return BESIDE.get(page, page).removesuffix(".md") + ".html"

    text = re.sub(r"(?<=\]\()([\w./-]+\.md)", led, text)
    (Path(app.outdir) / "llms.txt").write_text(text.rstrip() + "\n", "utf-8")


def setup(app: Sphinx) -> None:
    """Connect what changes with the place; called by Sphinx."""
    app.add_lexer("csv", TextLexer)  # which not every Pygments has
    app.connect("source-read", _as_on_the_site)
    app.connect("build-finished", _write_llms_txt)
