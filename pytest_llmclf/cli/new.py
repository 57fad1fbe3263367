"""``llmclf new NAME FOLDER``: a Modelfile and an evaluation for a folder of images."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.cli.command import CommandHelp
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.evaluation_names import evaluation_file, identifier, own_name
from pytest_llmclf.cli.project import from_here, own_folder_choices, project_above
from pytest_llmclf.data.entry import LABEL_FOLDERS, SourceOptions, unsendable
from pytest_llmclf.errors import DatasetError, SettingsError, some_of
from pytest_llmclf.prompting.modelfile import SYSTEM
from pytest_llmclf.prompting.prompt import DEFAULT_PROMPT
from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.runner.settings import project_root
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.data.dataset import Dataset
    from pytest_llmclf.reporting.style import Line, Style

_LEAST_TOKENS = 24
_JSON_TOKENS = 16
"""Tokens that the braces, key and quotes around a label take at most."""
_IMAGE_TOKENS = 2880
_SYSTEM_TOKENS = 200
_LEAST_CONTEXT = 4096
_CONTEXT_STEP = 1024
_GATE = "accuracy >= 0.8"

_MODELFILE = """\
# {name}, for evals/test_{identifier}.py.
#
# The labels are not written here: the evaluation puts its list into the prompt. Name none of them
# as an example of an answer: models lean towards it.
FROM {base}

# The likeliest answer, the same one each time.
PARAMETER temperature 0
PARAMETER seed 1
# Room for the longest label as text or as JSON; an answer that needs more is not one label. A model
# that thinks is told not to: thinking would count here, and with --llmclf-think on it needs
# thousands.
PARAMETER num_predict {tokens}
# Image (576 tokens for LLaVA 1.5, up to 2880 for 1.6), system text, list of {labels} and answer.
PARAMETER num_ctx {context}

SYSTEM \"\"\"{system}\"\"\"
"""
_EVALUATION = '''\
"""{name}: {labels} classes, {images} images when this was written."""

from pytest_llmclf import Evaluation

{identifier} = Evaluation(
    dataset={dataset},{title}{choices}{modelfile}
    prompt={prompt},
    gates=[{gate}],
)


@{identifier}.images
def test_image(outcome):
    """Each image gets its label."""
    outcome.check()


@{identifier}.gate
def test_gate(report, baseline):
    """The gates are judged here; no image may get worse than the committed predictions."""
    assert report.predictions == baseline
'''
HELP = CommandHelp(
    name="new",
    summary="write the Modelfile and the evaluation for a folder of images",
    description="Write modelfiles/NAME.Modelfile and evals/test_NAME.py for a folder of images.",
    about="""\
NAME is the folder's own unless it is given. FOLDER has a folder a class (cat/1.png), the labels in
its file names (cat_1.png), or a manifest.csv with the columns path and label (or Hugging Face's
metadata.csv). It is checked, and stays where it is unless --copy is given; no file that is there
already is changed. --modelfile takes a Modelfile that there is; with --model none is written.""",
    examples="""\
~/images/pets
pets ~/images/pets --model openai:qwen2.5-vl@http://localhost:8000/v1
pets ~/images/pets --copy --gate 'accuracy >= 0.9, recall[cat] >= 0.8'
parts parts/ --prompt 'Is this part whole or broken?' --from qwen2.5vl""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="what the evaluation is called (default: as the folder)",
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the images")
    parser.add_argument(
        "--copy", action="store_true", help="copy the images to fixtures/NAME, to be committed"
    )
    parser.add_argument(
        "--prompt",
        default=DEFAULT_PROMPT,
        help="the question about each image; the labels are added to it (default: %(default)r)",
    )
    parser.add_argument(
        "--gate",
        metavar="EXPRESSION",
        help=f"what a model must reach (default: {_GATE!r})",
    )
    told = parser.add_mutually_exclusive_group()
    told.add_argument(
        "--from",
        dest="base",
        default="llava",
        metavar="MODEL",
        help="Ollama's name of the model that the new Modelfile is for (default: %(default)s)",
    )
    told.add_argument(
        "--modelfile", metavar="FILE", help="an existing Modelfile, by name or path, in its place"
    )
    told.add_argument(
        "--model", metavar="MODEL", help="who is asked, as --llmclf-model has it; no Modelfile"
    )
    parser.add_argument(
        "--split", default="", metavar="PART", help="part of a split dataset, such as test"
    )
    parser.add_argument(
        "--label-folder",
        choices=LABEL_FOLDERS,
        help="which folder is the label where folders lie in folders: the outermost or the one "
        "that the image lies in",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check the images, write both files, say what to do next and return the exit code.

    Raises:
        DatasetError: The images cannot be judged; the message lists what is wrong.
        SettingsError: A name or gate makes no sense, or a file is there already.
    """
    from pytest_llmclf.data import dataset as datasets
    from pytest_llmclf.models.spec import parse_spec

    root = project_root(Path.cwd())
    # Resolved: a link would be another folder for everybody else.
    folder = arguments.folder.expanduser().resolve()
    name = arguments.name
    if name is None:
        name = own_name(folder)
    given = _given_modelfile(arguments, root)
    dataset_directory = root / "fixtures" / name
    new = [evaluation_file(root, name)]
    if given is None and arguments.model is None:
        new.insert(0, root / "modelfiles" / f"{name}.Modelfile")
    copy = arguments.copy and folder != dataset_directory.resolve()
    for path in [*new, *([dataset_directory] if copy else [])]:
        if path.exists():
            above = project_above(root)
            raise SettingsError(
                f"{path} is there already: choose another name, or remove it{above and '; '}{above}"
            )
    options = SourceOptions(split=arguments.split, label_folder=arguments.label_folder)
    with own_folder_choices():
        dataset = datasets.load(folder, name=name, options=options)
    _check_gate(arguments.gate or _GATE, dataset)
    if arguments.model is not None:
        parse_spec(arguments.model)
    place = name if copy else _place(folder, name, root)
    texts = [_evaluation(arguments, name, given, dataset, place)]
    if len(new) > 1:
        texts.insert(0, _modelfile(arguments, name, dataset))
        _check_modelfile(texts[0], arguments.base)
    if copy:
        _copy(folder, dataset_directory)
    _write(dict(zip(new, texts, strict=True)))
    style = style_of(sys.stdout)
    write(sys.stdout, _written(root, new, dataset, style))
    if Path(place).is_absolute():
        write(sys.stdout, style.paragraph(_outside(folder, root, name), "yellow"))
    command = ["pytest", from_here(new[-1]), "--llmclf-model", _asked(arguments, given)]
    write(sys.stdout, _next(command, dataset, style, guessed=arguments.gate is None))
    return 0


@dataclass(frozen=True, slots=True)
class _Given:
    """An existing Modelfile.

    Attributes:
        name: As the evaluation names it.
        base: The model that it is for.
    """

    name: str
    base: str


def _given_modelfile(arguments: argparse.Namespace, root: Path) -> _Given | None:
    """The Modelfile that there is already, if one is named.

    Raises:
        ModelfileError: It does not parse.
        SettingsError: There is none.
    """
    from pytest_llmclf.prompting.modelfile import load
    from pytest_llmclf.runner.plan import locate_modelfile

    if arguments.modelfile is None:
        return None
    named = Path(arguments.modelfile).expanduser()
    path = named.resolve() if named.is_file() else locate_modelfile(arguments.modelfile, root)
    inside = path.is_relative_to(root)
    name = path.relative_to(root).as_posix() if inside else path.as_posix()
    if path.parent == root / "modelfiles" and path.suffix == ".Modelfile":
        name = path.stem
    return _Given(name, load(path).from_)


def _asked(arguments: argparse.Namespace, given: _Given | None) -> str:
    """Who is asked, as ``--llmclf-model`` has it.

    Raises:
        SettingsError: It is no model.
    """
    from pytest_llmclf.models.spec import names_file

    if arguments.model is not None:
        return str(arguments.model)
    if given is not None and names_file(given.base):
        return "ollama"
    return f"ollama:{arguments.base if given is None else given.base}"


def _check_gate(expression: str, dataset: Dataset) -> None:
    from pytest_llmclf.gates.gate import Gate, check_gates

    check_gates([Gate(expression)], dataset.labels, dataset.tags)


def _check_modelfile(text: str, base: str) -> None:
    from pytest_llmclf.errors import ModelfileError
    from pytest_llmclf.prompting.modelfile import parse

    try:
        written = parse(text, "the new Modelfile").from_
    except ModelfileError as error:
        raise SettingsError(f"--from {base!r} is no model's name: {error.problem}") from error
    if written != base or base.split() != [base]:
        raise SettingsError(f"--from {base!r} is no model's name: write it like llava:13b")


def _place(folder: Path, name: str, root: Path) -> str:
    """The dataset as the evaluation names it; relative where the project can be moved with it."""
    root = root.resolve()
    if folder == root / "fixtures" / name:
        return name
    inside = folder.is_relative_to(root)
    # With a slash, it is a path and never a bundled or imported set of that name.
    return f"./{folder.relative_to(root).as_posix()}" if inside else folder.as_posix()


def _outside(folder: Path, root: Path, name: str) -> str:
    """That other machines do not have the images, and what to do."""
    return (
        f"The images lie outside of the project ({root.resolve()}): CI will not find {folder} "
        f"unless it has one. Copy them to fixtures/{name} and write dataset={_quoted(name)} into "
        "the evaluation (--copy does both); or, where CI has them beside the project, write a "
        'relative path: dataset="../FOLDER"'
    )


def _modelfile(arguments: argparse.Namespace, name: str, dataset: Dataset) -> str:
    """The text of a new Modelfile."""
    # No token is shorter than a byte.
    longest = max(len(label.encode()) for label in dataset.labels)
    tokens = max(_LEAST_TOKENS, longest + _JSON_TOKENS)
    return _MODELFILE.format(
        name=name,
        identifier=identifier(name),
        base=arguments.base,
        tokens=tokens,
        labels=plural(len(dataset.labels), "label"),
        context=_context(arguments.prompt, dataset.labels, tokens),
        system=SYSTEM,
    )


def _evaluation(
    arguments: argparse.Namespace, name: str, given: _Given | None, dataset: Dataset, place: str
) -> str:
    """The text of the evaluation."""
    modelfile = name if given is None else given.name
    without = given is None and arguments.model is not None
    return _EVALUATION.format(
        name=name,
        identifier=identifier(name),
        labels=len(dataset.labels),
        images=len(dataset.cases),
        dataset=_quoted(place),
        title="" if place.rpartition("/")[2] == name else f"\n    name={_quoted(name)},",
        choices=_choices(arguments),
        modelfile="" if without else f"\n    modelfile={_quoted(modelfile)},",
        prompt=_quoted(arguments.prompt),
        gate=_quoted(arguments.gate or _GATE),
    )


def _choices(arguments: argparse.Namespace) -> str:
    """What settles how the folder is read, as further arguments of the evaluation."""
    given = (("split", arguments.split), ("label_folder", arguments.label_folder))
    return "".join(f"\n    {name}={_quoted(value)}," for name, value in given if value)


def _context(prompt: str, labels: Sequence[str], answer: int) -> int:
    """Tokens of context that hold an image, what goes with it, and an answer."""
    from pytest_llmclf.runner.headroom import question_tokens

    _, told = question_tokens([prompt, *(f"- {label}\n" for label in labels)])
    needed = _IMAGE_TOKENS + _SYSTEM_TOKENS + told + answer
    return max(_LEAST_CONTEXT, -(-needed // _CONTEXT_STEP) * _CONTEXT_STEP)


def _quoted(text: str) -> str:
    """`text` as Python writes it, in double quotes where that is the same as in JSON."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def _copy(folder: Path, dataset_directory: Path) -> None:
    """Copy a folder of images, all of it or nothing."""
    beside = dataset_directory.with_name(f".{dataset_directory.name}-copying")
    try:
        dataset_directory.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, beside)
        beside.rename(dataset_directory)
    except (OSError, shutil.Error) as error:
        raise DatasetError(f"{folder} cannot be copied to {dataset_directory} ({error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(texts: Mapping[Path, str]) -> None:
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be written ({error.strerror or error}): mend permissions"
            ) from error


def _written(root: Path, new: list[Path], dataset: Dataset, style: Style) -> Iterator[Line]:
    for path in new:
        yield style.line(("written  ", "green"), style.safe(path.relative_to(root).as_posix()))
    for above in filter(None, [project_above(root)]):
        yield from style.paragraph(above, "yellow")
    classes = plural(len(dataset.labels), "class", "classes")
    found = f"{plural(len(dataset.cases), 'image')}, {classes}: {some_of(dataset.labels)}"
    yield from style.paragraph(found)
    problems = [case for case in dataset.cases if case.problem is not None]
    if problems:
        for said in (f"{len(problems)} cannot be sent:", *unsendable(problems)):
            yield from style.paragraph(said, "yellow")
    for warning in dataset.warnings:
        yield from style.paragraph(warning, "yellow")


def _next(command: list[str], dataset: Dataset, style: Style, *, guessed: bool) -> Iterator[Line]:
    if any(case.problem is not None for case in dataset.cases):
        yield from style.paragraph(
            "First mend these images or take them out: no baseline is written while an image has "
            "no answer.",
            "yellow",
        )
    update = style.safe(command_line(*command, "--snapshot-update"))
    yield style.line("Next: ", (update, "bold"))
    yield style.line("It writes the baseline, to be committed beside the evaluation; from then on:")
    yield style.line("      ", (style.safe(command_line(*command)), "bold"))
    if guessed:
        yield style.line("The gate is a guess until you know what you need: change it there.")
