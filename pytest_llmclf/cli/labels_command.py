"""``llmclf labels``: labels in doubt; what people decided about them, applied and taken back."""

from __future__ import annotations

import getpass
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.cli import label_candidates
from pytest_llmclf.cli.command import CommandHelp, ExitCode, add_command
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.labels_target import find_target
from pytest_llmclf.data.decisions import (
    DECISION_KINDS,
    Decision,
    append_decisions,
    decisions_of,
    read_decisions,
    settle,
)
from pytest_llmclf.errors import DatasetError, SettingsError, nearest
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.label_lines import control_text, open_texts
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.cli.labels_target import Target
    from pytest_llmclf.reporting.style import Line, Style
    from pytest_llmclf.values.case import Case

HELP = CommandHelp(
    name="labels",
    summary="apply, take back, show and count decisions about wrong labels",
    description="What people decided about the labels of a dataset.",
    about="""\
Images and their labels stay as they are: decisions stand in a file in git beside the dataset
(docs/labels.md) and are applied when it is loaded. DATASET is a name or path as in an evaluation,
or the evaluation itself, evals/test_pets.py::pets.

candidates  which labels of a finished run are probably wrong, with reasons
apply       add the decisions of a file, such as the one that the review page exported; those that
            are there already are not added twice, and those about a file that changed since are
            refused
revert      take back what was decided about images; a line is added, and none removed
diff        which labels differ from those of the dataset; with FILE, what applying it would change
stats       how many labels are confirmed and corrected, by whom, and where people disagree""",
    examples="""\
candidates latest
apply ~/Downloads/decisions.jsonl pets
diff pets
revert pets cat/7.png
stats evals/test_pets.py::pets""",
    exit_codes="""\
exit code:
  0  done
  1  decisions are refused, since file or label changed after they were made
  2  not done: the message says why
""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    add_command(actions, label_candidates)
    for name, act, about in (
        ("apply", _apply, "add the decisions of a file"),
        ("revert", _revert, "take decisions back"),
        ("diff", _diff, "show which labels differ"),
        ("stats", _stats, "count decisions"),
    ):
        action = actions.add_parser(name, help=about, description=f"{about.capitalize()}.")
        action.set_defaults(run=act, command=action)
        if name == "apply":
            action.add_argument("file", metavar="FILE", type=Path, help="with decisions")
        action.add_argument("dataset", metavar="DATASET", help="name, path, or evaluation")
        action.add_argument(
            "--split", default="", metavar="PART", help="the part of a split dataset"
        )
        if name == "diff":
            action.add_argument("file", metavar="FILE", type=Path, nargs="?", help="to be applied")
        if name == "revert":
            action.add_argument("images", metavar="IMAGE", nargs="*", help="ids; or say --all")
            action.add_argument("--all", action="store_true", help="about every image")
            action.add_argument("--of", default="", metavar="NAME", help="decisions of one person")
            action.add_argument("--by", default="", metavar="NAME", help="who takes them back")


def run(arguments: argparse.Namespace) -> int:
    """Say what there is, where no action is named; as ``llmclf`` alone does."""
    arguments.command.print_help()
    return 0


def _apply(arguments: argparse.Namespace) -> int:
    """Add a file's decisions to the dataset's.

    Raises:
        LlmclfError: The dataset or a file cannot be read.
    """
    found, given = find_target(arguments.dataset, arguments.split), _given(arguments.file)
    files = {image.case.id: image.case.sha256 for image in found.images}
    digests = set(files.values())
    fitting = [
        one
        for one in given
        if one.kind == "take-back" or one.sha256 in (files.get(one.image), *digests & {one.sha256})
    ]
    refused = [one for one in given if one not in fitting]
    before = {one.line for one in found.decisions}
    new = [one for one in fitting if one.line not in before]
    added = append_decisions(found.own, new)
    style = style_of(sys.stdout)
    there = len(fitting) - added
    text = f"added {numbers.plural(added, 'decision')} to {found.own}"
    write(sys.stdout, [style.line(f"{text}, {there} there already" if there else text)])
    write(sys.stdout, (line for one in refused for line in _refusal(one, files, style)))
    after = [*found.decisions, *new]
    write(sys.stdout, map(style.line, _taken_back_since(fitting, after)))
    _, _, problems = found.mended(after)
    write(sys.stdout, _problems(problems, style))
    return ExitCode.FOUND if refused or problems else ExitCode.DONE


def _taken_back_since(given: Sequence[Decision], after: Sequence[Decision]) -> Iterator[str]:
    holding = {one.line for decided in decisions_of(after).values() for one in decided}
    void = [one for one in given if one.kind != "take-back" and one.line not in holding]
    if void:
        was = f"{len(void)} of them {'was' if len(void) == 1 else 'were'}"
        yield f"{was} taken back later, which holds until somebody decides anew"


def _refusal(one: Decision, files: dict[str, str], style: Style) -> Iterator[Line]:
    why = "the file changed since" if one.image in files else "the dataset has no such image"
    text = f"{one.place}: {one.image} is refused: {why}; look at the image again and decide anew"
    yield from style.paragraph(text, "yellow")


def _given(path: Path) -> tuple[Decision, ...]:
    """The decisions of a file that somebody names.

    Raises:
        DatasetError: It is not there, or has none.
    """
    place = path.expanduser()
    found = read_decisions([place])
    if not found:
        why = "has no decision" if place.is_file() else "is not there"
        raise DatasetError(f"{place} {why}: name the file that the review page exported")
    return found


def _revert(arguments: argparse.Namespace) -> int:
    """Take back what was decided.

    Raises:
        LlmclfError: The dataset cannot be read, or nothing was decided about an image.
    """
    found = find_target(arguments.dataset, arguments.split)
    known = {
        image: one
        for image, decided in decisions_of(found.decisions).items()
        if (one := [each for each in decided if arguments.of in ("", each.by)])
    }
    if bool(arguments.images) == arguments.all:
        raise SettingsError("name the images whose decisions are taken back, or say --all")
    for image in arguments.images:
        if image not in known:
            whose = f" by {arguments.of!r}" if arguments.of else ""
            raise SettingsError(
                f"nothing is decided{whose} about {image!r}{nearest(image, known) or ';'} what is: "
                f"{command_line('llmclf', 'labels', 'diff', *found.words)}"
            )
    by = arguments.by or _user()
    taken = [_taken_back(known[image][-1], by, arguments.of) for image in arguments.images or known]
    append_decisions(found.own, taken)
    style = style_of(sys.stdout)
    images = numbers.plural(len(taken), "image")
    write(sys.stdout, [style.line(f"took back what was decided about {images}, in {found.own}")])
    return 0


def _user() -> str:
    """Who is logged in.

    Raises:
        SettingsError: The system does not say.
    """
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError) as error:
        raise SettingsError("who takes decisions back is not known here: say --by NAME") from error


def _taken_back(last: Decision, by: str, of: str) -> Decision:
    # Never before what it takes back, whatever clock that was written by.
    return Decision(
        image=last.image,
        sha256=last.sha256,
        was=last.was,
        kind="take-back",
        by=by,
        at=max(datetime.now(UTC), last.at),
        of=of,
    )


def _diff(arguments: argparse.Namespace) -> int:
    """Show which labels are others.

    Raises:
        LlmclfError: The dataset or a file cannot be read.
    """
    found = find_target(arguments.dataset, arguments.split)
    before, decisions = {image.case.id: image.case for image in found.images}, found.decisions
    if arguments.file is not None:
        before = found.mended(decisions)[0]
        decisions = (*decisions, *_given(arguments.file))
    after, _, problems = found.mended(decisions)
    style = style_of(sys.stdout)
    write(sys.stdout, _changes(before, after, decisions, style))
    write(sys.stdout, _problems(problems, style))
    return ExitCode.FOUND if problems else ExitCode.DONE


def _changes(
    before: dict[str, Case], after: dict[str, Case], decisions: Sequence[Decision], style: Style
) -> Iterator[Line]:
    said = decisions_of(decisions)
    same = True
    for image in sorted(before.keys() | after.keys()):
        was, now = (
            " or ".join(side[image].labels) if image in side else "left out"
            for side in (before, after)
        )
        if was == now:
            continue
        same = False
        settled = settle(said.get(image, ()))
        people = [] if settled is None else [one.by for one in settled.decisions]
        why = "" if settled is None else next((one.why for one in settled.decisions if one.why), "")
        text = f"{image}  {was} -> {now}"
        text += f"  by {', '.join(people)}" if people else ""
        yield from style.paragraph(f"{text}: {why}" if why else text)
    if same:
        yield style.line("no label differs")


def _problems(problems: Sequence[str], style: Style) -> Iterator[Line]:
    for problem in problems:
        yield from style.paragraph(problem, "yellow")


def _stats(arguments: argparse.Namespace) -> int:
    """Count what was decided.

    Raises:
        LlmclfError: The dataset or its decisions cannot be read.
    """
    found = find_target(arguments.dataset, arguments.split)
    _, review, problems = found.mended(found.decisions)
    style = style_of(sys.stdout)
    write(sys.stdout, _counts(found, style))
    texts = [] if review is None else [*open_texts(review), *control_text(review)]
    if review is not None:
        texts.insert(
            0,
            f"{review.confirmed} confirmed, {review.corrected} corrected, "
            f"{len(review.left_out)} left out, {len(review.unsure)} unsure, "
            f"{len(review.disputed)} disputed",
        )
    write(sys.stdout, (line for text in texts for line in style.paragraph(text)))
    write(sys.stdout, _problems(problems, style))
    return ExitCode.FOUND if problems else ExitCode.DONE


def _counts(found: Target, style: Style) -> Iterator[Line]:
    said = decisions_of(found.decisions)
    images = numbers.plural(len(found.images), "image")
    yield style.line(f"{images}, decisions about {len(said)}, in {style.safe(str(found.own))}")
    people: dict[str, Counter[str]] = {}
    several = agreed = 0
    for decided in said.values():
        last = {one.by: one for one in decided}
        for name, one in last.items():
            people.setdefault(name, Counter())[one.kind] += 1
        settled = settle(decided)
        sure = [one for one in last.values() if one.kind != "unsure"]
        several += len(sure) > 1
        agreed += len(sure) > 1 and settled is not None and settled.kind != "disputed"
    for name, kinds in sorted(people.items()):
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in DECISION_KINDS if kinds[kind])
        yield style.line(f"  {style.safe(name)}: {counts}")
    if several:
        yield style.line(f"  decided about by several people: {several}, the same way: {agreed}")
