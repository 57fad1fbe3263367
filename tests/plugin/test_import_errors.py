"""What an evaluation file raises while it is imported is told by its message, and no traceback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import errors
from pytest_llmclf.errors import LlmclfError
from tests.forkserver import workers_forked

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
from pytest_llmclf import Evaluation, Gate

def declared(**more):
    return Evaluation(dataset="pets", modelfile="m", prompt="?", **more)

"""
SLIPS = {
    'declared(gates=["acuracy >= 0.3"])': "did you mean 'accuracy'?",
    'declared(gates="accuracy >= 0.3")': 'write a list, gates=["accuracy >= 0.8"]',
    'declared(gates=["accuracy >= 30"])': "is not from 0 to 1",
    'Gate("recall[] >= 0.5")': "names no class",
    'Gate("accuracy >= 0.5 with 20% confidence")': "not between 50% and 100%",
    'Gate("accuracy >= 0.5", images="mine")': "images='mine' is not one of",
    'declared(labels="cat")': "is one text; write a list",
    'declared(answer="words")': "answer='words' is not one of",
    'declared(label_folder="top")': "label_folder='top' is not one of",
    'declared(group=" ")': "names no tag",
    'declared(reader="loose")': "loose",
    'declared(think="a lot")': "think='a lot' is not one of",
    "declared(top_logprobs=99)": "top_logprobs=99 is not from 0 to",
    'declared(options={"temprature": 0})': "did you mean 'temperature'?",
    "declared().images(3)": "put it over a test function",
    "declared().gate(declared().images(lambda: 0))": "only one of them could run",
}
"""What people write, and words of what they are told."""


def every_error(base: type[LlmclfError] = LlmclfError) -> Iterator[type[LlmclfError]]:
    """The class and all that are derived from it."""
    yield base
    for one in base.__subclasses__():
        yield from every_error(one)


def collected(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """The lines of a run that only collects."""
    result = pytester.runpytest("--collect-only", "-p", "no:cacheprovider", *arguments)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    return result.outlines


def test_every_slip_is_told_by_its_message_and_its_place(pytester: pytest.Pytester) -> None:
    """The line of the file, what is wrong and what to write instead; no line of this package."""
    for number, line in enumerate(SLIPS):
        pytester.path.joinpath(f"test_{number}.py").write_text(f"{HEAD}{line}\n")
    lines = collected(pytester)
    told = [line for line in lines if line.startswith("test_")]
    assert len(told) == len(SLIPS), told
    for number, (slip, words) in enumerate(SLIPS.items()):
        (line,) = [line for line in told if line.startswith(f"test_{number}.py:")]
        # An evaluation is made where `declared` makes it, and the rest where the slip is.
        made = slip.startswith("declared(") and "()" not in slip
        assert line.split(":")[1] == ("4" if made else "6")
        assert words in line
    assert not [line for line in lines if line.startswith("E ") or "Traceback" in line]


def test_every_error_of_the_package_is(pytester: pytest.Pytester) -> None:
    """Whatever a file calls: settings, datasets, Modelfiles, servers; also with several lines."""
    kinds = [kind.__name__ for kind in every_error() if hasattr(errors, kind.__name__)]
    assert len(kinds) > 20
    for kind in kinds:
        before = "'m', 1, 2, " if kind == "ModelfileError" else ""
        pytester.path.joinpath(f"test_{kind}.py").write_text(
            f"from pytest_llmclf import errors\n\nraise errors.{kind}({before}'first\\nsecond')\n"
        )
    lines = collected(pytester)
    for kind in kinds:
        (place,) = [
            number for number, line in enumerate(lines) if line.startswith(f"test_{kind}.py:3: ")
        ]
        assert lines[place].endswith("first")
        assert lines[place + 1] == "second"
    assert not [line for line in lines if line.startswith("E ")]


def test_workers_say_the_same_and_a_traceback_is_there_for_who_wants_it(
    pytester: pytest.Pytester,
) -> None:
    """The first line of a slip, from a worker; all of pytest's own with ``--full-trace``."""
    slip, words = next(iter(SLIPS.items()))
    pytester.makepyfile(test_slip=f"{HEAD}{slip}\n")
    with workers_forked():
        lines = pytester.runpytest_subprocess("-n1").outlines
    (line,) = [line for line in lines if line.startswith("test_slip.py:4: ")]
    assert words in line
    assert [line for line in collected(pytester, "--full-trace") if line.startswith("E ")]


def test_an_error_of_somebody_else_keeps_its_traceback(pytester: pytest.Pytester) -> None:
    """This package does not know what it means."""
    pytester.makepyfile(test_other=f"{HEAD}declared(promt=1)\n")
    assert [line for line in collected(pytester) if line.startswith("E ") and "promt" in line]


WRONG = {
    "gates=['recall[kat] >= 0.5']": "kat",
    "modelfile='pest'": "pest",
    "dataset='pest'": "pest",
    "labels=['cat']": "cannot be judged",
    "group='scene'": "scene",
}
"""What is found to be wrong when the evaluation is loaded, and a word of what is told."""


@pytest.mark.parametrize("workers", [(), ("-n1",)])
def test_what_an_evaluation_names_is_told_in_the_same_form(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """File, line and evaluation, whichever of its arguments is wrong; from a worker, too."""
    content = next((Path(__file__).parents[2] / "fixtures").rglob("*.png")).read_bytes()
    for label in ("cat", "dog"):
        folder = pytester.path / "fixtures" / "pets" / label
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(content + label.encode())
    (pytester.path / "modelfiles").mkdir()
    (pytester.path / "modelfiles" / "pets.Modelfile").write_text("FROM llava\n")
    for number, argument in enumerate(WRONG):
        given = {"dataset": "'pets'", "modelfile": "'pets'"}
        name, _, value = argument.partition("=")
        given[name] = value
        words = ", ".join(f"{key}={text}" for key, text in given.items())
        pytester.path.joinpath(f"test_{number}.py").write_text(
            "from pytest_llmclf import Evaluation\n\n"
            f"it = Evaluation(name='ev{number}', prompt='?', {words})\n\n\n"
            "@it.images\ndef test_images(outcome):\n    pass\n"
        )
    with workers_forked():
        found = pytester.runpytest_subprocess("--llmclf-model", "micro-llava", *workers)
    for number, word in enumerate(WRONG.values()):
        start = f"test_{number}.py:6: Evaluation('ev{number}'): "
        (line,) = {line for line in found.outlines if line.startswith(start)}
        assert word in line
        assert line.count("Evaluation('ev") == 1
