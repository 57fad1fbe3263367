"""``llmclf describe IMAGE``: what a model sees in a picture."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.commands.asking import MODEL_VARIABLE, ask, connected, wanted_model
from pytest_llmclf.commands.console import style_of, write
from pytest_llmclf.commands.project import (
    add_command,
    add_reaching,
    at_least,
    described,
    reaching,
)
from pytest_llmclf.errors import PictureError
from pytest_llmclf.plain_files import require_plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_llmclf.answer import Answer
    from pytest_llmclf.commands.asking import Connected
    from pytest_llmclf.render.text import Line, Style

_PROMPT = "What is in this picture? Answer in one or two sentences."
_EPILOG = described(
    "describe",
    f"""\
The answer goes to standard output, who gave it to standard error. Without --model the environment's
{MODEL_VARIABLE} is asked, else an Ollama that has llava, else the embedded model, which knows
digits, chess pieces and ten animals and describes nothing else.""",
    """\
cat.jpg
cat.jpg --model ollama:llava --prompt 'Which breed is this cat?'
7.png --model micro-llava --prompt 'Which digit is in this picture?'""",
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = add_command(
        commands,
        "describe",
        summary="ask a model what it sees in a picture",
        description="Ask a model what it sees in a picture.",
        epilog=_EPILOG,
    )
    parser.add_argument("image", metavar="IMAGE", type=Path, help="the picture")
    parser.add_argument(
        # Messages of backends name the options as evaluations have them.
        "--model",
        "--llmclf-model",
        metavar="MODEL",
        help="who is asked, as for evaluations",
    )
    parser.add_argument("--prompt", default=_PROMPT, help="the question (default: %(default)r)")
    parser.add_argument(
        "--tokens",
        type=partial(at_least, 1),
        default=200,
        metavar="N",
        help="tokens of the answer at most (default: %(default)s)",
    )
    add_reaching(parser, timeout_s=300)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask, print the answer and return the exit code.

    Raises:
        PictureError: The picture cannot be read or sent.
        BackendError: There is no answer.
        SettingsError: The model makes no sense.
    """
    from pytest_llmclf.backends.connect import ConnectSettings

    settings = ConnectSettings(**reaching(arguments))
    picture = _read(arguments.image.expanduser())
    with connected(wanted_model(arguments.model), settings, tokens=arguments.tokens) as model:
        write(sys.stderr, _about(model, style_of(sys.stderr)))
        answer = ask(model, arguments.prompt, picture, tokens=arguments.tokens)
    style = style_of(sys.stdout)
    write(sys.stdout, _said(answer, style, wrapped=sys.stdout.isatty()))
    if answer.finish == "length":
        sys.stderr.write(f"(cut at {arguments.tokens} tokens: --tokens allows more)\n")
    return 0


def _read(path: Path) -> bytes:
    from pytest_llmclf.picture import check

    try:
        data = require_plain(path).read_bytes()
    except OSError as error:
        raise PictureError(
            f"{path} cannot be read ({error.strerror or error}): correct the path"
        ) from error
    problem = check(data)
    if problem is not None:
        raise PictureError(f"{path}: {problem}")
    return data


def _about(model: Connected, style: Style) -> Iterator[Line]:
    if model.reason:
        yield from (style.line((text, "light")) for text in style.wrapped(model.reason))
    identity = model.identity
    digest = identity.digest[:12]
    for text in style.wrapped(f"{identity.spec}, digest {digest}, {identity.server}:"):
        yield style.line((text, "light"))


def _said(answer: Answer, style: Style, *, wrapped: bool) -> Iterator[Line]:
    # An answer may have paragraphs; everything else that moves a cursor is escaped.
    for paragraph in answer.text.strip().splitlines() or [""]:
        lines = style.wrapped(paragraph) if wrapped else [style.safe(paragraph)]
        yield from (style.line(text) for text in lines)
