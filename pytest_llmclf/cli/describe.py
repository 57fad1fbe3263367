"""``llmclf describe IMAGE``: what a model sees in an image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.cli.command import (
    CommandHelp,
    add_model,
    add_shared_options,
    own_options,
    reaching,
)
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.single_image import (
    MODEL_VARIABLE,
    THINKING_TOKENS,
    ask,
    connected,
    only_thinking,
    wanted_model,
)
from pytest_llmclf.errors import ImageError
from pytest_llmclf.files import require_plain
from pytest_llmclf.runner.shared_options import at_least
from pytest_llmclf.values.thinking import parse_think

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_llmclf.cli.single_image import Connected
    from pytest_llmclf.reporting.style import Line, Style

_TOKENS = 200
_PROMPT = "What is in this picture? Answer in one or two sentences."
HELP = CommandHelp(
    name="describe",
    summary="ask a model what it sees in an image",
    description="Ask a model what it sees in an image.",
    about=f"""\
The answer goes to standard output, who gave it to standard error. Without --model the environment's
{MODEL_VARIABLE} is asked, else an Ollama that has llava, else the embedded model, which knows
digits, chess pieces and ten animals and describes nothing else.""",
    examples="""\
cat.jpg
cat.jpg --model ollama:llava --prompt 'Which breed is this cat?'
7.png --model micro-llava --prompt 'Which digit is in this image?'""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("image", metavar="IMAGE", type=Path, help="the image")
    add_model(parser)
    parser.add_argument("--prompt", default=_PROMPT, help="the question (default: %(default)r)")
    parser.add_argument(
        "--tokens",
        type=at_least(int, 1),
        metavar="N",
        help=f"tokens of the answer at most, thinking included (default: {_TOKENS}, and "
        f"{THINKING_TOKENS} where a model thinks all the same)",
    )
    add_shared_options(parser, "think")


def run(arguments: argparse.Namespace) -> int:
    """Ask, print the answer and return the exit code.

    Raises:
        ImageError: The image cannot be read or sent.
        BackendError: There is no answer.
        SettingsError: The model makes no sense.
    """
    from pytest_llmclf.models.reach import ConnectSettings

    think = None if arguments.think is None else parse_think(arguments.think)
    settings = ConnectSettings(**reaching(arguments))
    image = _read(arguments.image.expanduser())
    tokens = arguments.tokens or (THINKING_TOKENS if think else _TOKENS)
    with connected(wanted_model(arguments.model), settings, tokens=tokens) as model:
        reason = own_options(model.reason, arguments)
        write(sys.stderr, _about(model, reason, style_of(sys.stderr)))
        answer = ask(model, arguments.prompt, image, tokens=tokens, think=think)
        if only_thinking(answer) and arguments.tokens is None and tokens < THINKING_TOKENS:
            tokens = THINKING_TOKENS
            answer = ask(model, arguments.prompt, image, tokens=tokens, think=think)
    write(sys.stdout, _said(answer.text, style_of(sys.stdout), wrapped=sys.stdout.isatty()))
    if only_thinking(answer):
        thinking = _said(answer.thinking, style_of(sys.stderr), wrapped=sys.stderr.isatty())
        write(sys.stderr, thinking)
        cut = f", cut at {tokens} tokens: --tokens allows more" if answer.finish == "length" else ""
        sys.stderr.write(f"(all that it said is thinking{cut}; --think off asks for none)\n")
    elif answer.finish == "length":
        sys.stderr.write(f"(cut at {tokens} tokens: --tokens allows more)\n")
    return 0


def _read(path: Path) -> bytes:
    from pytest_llmclf.data.image import check

    try:
        data = require_plain(path).read_bytes()
    except OSError as error:
        raise ImageError(
            f"{path} cannot be read ({error.strerror or error}): correct the path"
        ) from error
    problem = check(data)
    if problem is not None:
        raise ImageError(f"{path}: {problem}")
    return data


def _about(model: Connected, reason: str, style: Style) -> Iterator[Line]:
    if reason:
        yield from style.paragraph(reason, "light")
    identity = model.identity
    told = ", ".join(part for part in (identity.spec, identity.told) if part)
    yield from style.paragraph(f"{told}:", "light")


def _said(text: str, style: Style, *, wrapped: bool) -> Iterator[Line]:
    # An answer may have paragraphs; everything else that moves a cursor is escaped.
    for paragraph in text.strip().splitlines() or [""]:
        lines = style.wrapped(paragraph) if wrapped else [style.safe(paragraph)]
        yield from (style.line(text) for text in lines)
