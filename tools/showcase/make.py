"""Make what the documentation shows: a recording of the terminal, and images of the page.

    python tools/showcase/make.py

It runs the evaluations with the embedded model, in a copy of what they need, so that neither
known answers nor imported datasets of this checkout have a part in it. Then it writes
docs/terminal.txt and docs/images/. It needs the package with its extra `embedded`, Playwright
with a Chromium (LLMCLF_CHROMIUM names one), and a pseudo-terminal, which Windows does not have.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
from pathlib import Path

from recording import record
from screenshots import take

ROOT = Path(__file__).parents[2]
NEEDED = ("evals", "fixtures", "modelfiles")
COMMAND = ("evals/", "--no-header", "--llmclf-model", "micro-llava")


def main() -> None:
    """Run, record, take the images; write nothing that names this machine."""
    with tempfile.TemporaryDirectory(prefix="llmclf-showcase-") as temporary:
        project = Path(temporary)
        for name in NEEDED:
            shutil.copytree(ROOT / name, project / name)
        shutil.copy(ROOT / "pyproject.toml", project)
        text = record(project, COMMAND)
        (page,) = project.glob(".llmclf/runs/*/page.html")
        told, images = take(page)
        check_private(f"{text}\n{told}", (ROOT, project, Path.home()))
    (ROOT / "docs" / "terminal.txt").write_text(text, encoding="utf-8", newline="\n")
    print(f"docs/terminal.txt: {len(text.splitlines())} lines")
    for name, content in images.items():
        path = ROOT / "docs" / "images" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        print(f"docs/images/{path.name}: {len(content) / 1e3:,.0f} kB")


def check_private(shown: str, folders: tuple[Path, ...]) -> None:
    """Refuse to show a folder or the name of this machine."""
    private = [str(folder) for folder in folders if folder != Path(folder.anchor)]
    found = [text for text in (*private, platform.node()) if text and text in shown]
    if found:
        raise SystemExit(f"not written, since it would show {', '.join(found)}")


if __name__ == "__main__":
    main()
