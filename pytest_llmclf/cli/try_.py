"""``llmclf try FOLDER``: how good a model is on a folder of images, with nothing written for it."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.api import open_resources
from pytest_llmclf.cli.command import (
    CommandHelp,
    add_arguments,
    add_model,
    add_shared_options,
    own_options,
    reaching,
)
from pytest_llmclf.cli.console import style_of
from pytest_llmclf.cli.evaluation_names import free_name
from pytest_llmclf.cli.project import home_folder, own_folder_choices, writing
from pytest_llmclf.cli.single_image import wanted_model
from pytest_llmclf.data.entry import LABEL_FOLDERS, unsendable
from pytest_llmclf.files import require_place
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.prompting.prompt import DEFAULT_PROMPT
from pytest_llmclf.runner.shared_options import at_least
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    import argparse

    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.runner.settings import Settings


HELP = CommandHelp(
    name="try",
    summary="how good a model is on a folder of images, without writing anything for it",
    description="Ask a model about every image of a folder, and show table and page.",
    about="""\
Labels are the names of the folders (cat/1.png), or as `llmclf new --help` says. Answers are kept:
the evaluation that `llmclf new` writes asks nothing again that was asked here in the same words.
Without --model an Ollama with llava is asked, else the embedded model, if it knows the labels.""",
    examples="""\
photos --model ollama:llava
photos --model ollama:llava --model ollama:qwen2.5vl --sample 10
photos --prompt 'Which pet is this?' --gate 'accuracy >= 0.9'""",
    exit_codes="""\
exit code:
  0  every image has its answer, and every gate passes
  1  a gate fails or is undecided, or images have no answer
  2  nothing was asked: the message says why
""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("folder", metavar="FOLDER", type=Path, help="the images")
    add_model(parser, action="append")
    add("--prompt", default=DEFAULT_PROMPT, help="the question (default: %(default)r)")
    add("--sample", type=at_least(int, 1), metavar="N", help="only N images a class")
    add_arguments(parser, "--gate")
    add("--split", default="", metavar="PART", help="part of a split dataset, such as test")
    add("--label-folder", choices=LABEL_FOLDERS, help="which folder is the label")
    add_shared_options(parser, "think", "in-flight")
    add_arguments(parser, "--home")


def run(arguments: argparse.Namespace) -> int:
    """Ask, show and return the exit code.

    Raises:
        LlmclfError: Images, model or server are not there or make no sense.
    """
    from pytest_llmclf.cli.shown import show_run
    from pytest_llmclf.runner.asking import ask_all
    from pytest_llmclf.runner.evaluation import Evaluation

    folder = arguments.folder.expanduser().absolute()
    evaluation = Evaluation(
        dataset=folder,
        name=folder.name,
        prompt=arguments.prompt,
        gates=arguments.gate,
        split=arguments.split,
        label_folder=arguments.label_folder,
    )
    settings = _settings(arguments)
    with writing("the run", "choose another folder with --home"):
        require_place(settings.home / "runs", folder=True)
    with closing(open_resources(settings)) as resources:
        with own_folder_choices():
            tasks = resources.assign(evaluation, Path.cwd())
        for task in tasks:
            said = own_options(task.reason, arguments) or f"{task.model} is asked"
            sys.stderr.write(f"{style_of(sys.stderr).safe(said)}\n")
        for bad in unsendable(tasks[0].dataset.cases):
            sys.stderr.write(f"{style_of(sys.stderr).safe(f'cannot be asked about: {bad}')}\n")
        with ProgressLine(sys.stderr) as progress:
            reports = ask_all(resources, tasks, progress)
    paths = {case.id: case.path for task in tasks for case in task.dataset.cases}
    code = show_run(
        reports,
        evaluation.given_gates,
        settings.home,
        settings.to_json(),
        lambda _, case: paths.get(case),
    )
    answered = [report.identity is not None for report in reports]
    spec = tasks[answered.index(True) if any(answered) else 0].spec
    sys.stdout.write(f"keep it: {_keeping(arguments, spec, settings.root)}\n")
    return code


def _settings(arguments: argparse.Namespace) -> Settings:
    from pytest_llmclf.models.spec import parse_spec
    from pytest_llmclf.runner.job import AskingPolicy
    from pytest_llmclf.runner.settings import Settings, project_root
    from pytest_llmclf.values.thinking import parse_think

    return Settings(
        root=project_root(Path.cwd()),
        home=home_folder(arguments.home),
        models=tuple(map(parse_spec, arguments.model or [wanted_model(None)])),
        sample=arguments.sample,
        asking=AskingPolicy(in_flight=arguments.in_flight),
        think=None if arguments.think is None else parse_think(arguments.think),
        **reaching(arguments),
    )


def _keeping(arguments: argparse.Namespace, spec: ModelSpec, root: Path) -> str:
    """The command that writes an evaluation of what was tried, with the model that answered."""
    name = free_name(arguments.folder, root)
    words = ["llmclf", "new", *filter(None, [name]), str(arguments.folder), "--model", str(spec)]
    words += ["--prompt", arguments.prompt] if arguments.prompt != DEFAULT_PROMPT else []
    words += ["--gate", ", ".join(arguments.gate)] if arguments.gate else []
    words += ["--split", arguments.split] if arguments.split else []
    words += ["--label-folder", arguments.label_folder] if arguments.label_folder else []
    return command_line(*words)
