"""From an evaluation to its tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import DatasetError, ModelfileError, SettingsError
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.runner.evaluation import Evaluation
from pytest_llmclf.runner.job import AskingPolicy
from pytest_llmclf.runner.plan import Choice, assign, called, locate_modelfile
from pytest_llmclf.runner.settings import DEFAULT_SEED, Settings, project_root
from pytest_llmclf.runner.variant import Variant
from pytest_llmclf.values.outcome import TaskName
from tests.ollama_replay import exchange
from tests.unit.scripted import image

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.runner.task import Task

PETS = Evaluation(dataset="pets", modelfile="pets", prompt="Which animal?")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four images of two animals, a Modelfile, and a file that declares the evaluation."""
    number = 0
    for label in ("cat", "dog"):
        folder = tmp_path / "fixtures" / "pets" / label
        folder.mkdir(parents=True)
        for _ in range(2):
            number += 1
            (folder / f"{number}.png").write_bytes(image(number))
    (tmp_path / "modelfiles").mkdir()
    (tmp_path / "modelfiles" / "pets.Modelfile").write_text('FROM llava\nSYSTEM "Look."\n')
    (tmp_path / "evals").mkdir()
    return tmp_path


def planned(project: Path, evaluation: Evaluation = PETS, **settings: Any) -> tuple[Task, ...]:
    """The tasks; every wanted model means itself."""
    known: dict[str, Any] = {
        "root": project,
        "home": project / ".llmclf",
        "models": (parse_spec("ollama:llava"),),
        "sample": None,
        "seed": DEFAULT_SEED,
        "strict": False,
        "record": None,
        "allow_remote": frozenset(),
        "asking": AskingPolicy(),
        "timeout_s": 1.0,
        "pull": False,
        "run_folder": None,
    }
    return assign(
        evaluation,
        Settings(**{**known, **settings}),
        project / "evals" / "test_pets.py",
        lambda _evaluation, _modelfile, wanted: Choice(spec=wanted, model=called(wanted)),
        verify_images=True,
    )


def test_an_evaluation_becomes_one_task_a_model(project: Path) -> None:
    """In the order of the models, each with all images."""
    models = (parse_spec("ollama:llava"), parse_spec("micro-llava"))
    first, second = planned(project, models=models)
    assert first.key == TaskName("pets", "ollama:llava")
    assert second.key == TaskName("pets", "llamacpp:micro-llava")
    assert len(first.dataset.cases) == first.whole == 4
    assert first.labels.names == ("cat", "dog")
    assert first.modelfile.system == "Look."


def test_two_models_that_mean_the_same_are_one(project: Path) -> None:
    """``auto`` and the model that it comes to are asked once."""

    def choose(_evaluation: Evaluation, modelfile: Modelfile, _wanted: ModelSpec) -> Choice:
        spec = parse_spec(f"ollama:{modelfile.from_}")
        return Choice(spec=spec, model=called(spec), reason="it is there")

    (first,) = planned(project)
    settings = Settings(
        root=project, home=project, models=(parse_spec("auto"), first.spec), sample=None, seed=1,
        strict=False, record=None, allow_remote=frozenset(), asking=AskingPolicy(), timeout_s=1.0,
        pull=False, run_folder=None,
    )  # fmt: skip
    found = assign(PETS, settings, project / "evals" / "t.py", choose, verify_images=False)
    assert [task.key for task in found] == [first.key]


def test_a_sample_keeps_the_whole_in_mind(project: Path) -> None:
    """Fewer images, and how many there are."""
    (found,) = planned(project, sample=1)
    assert [case.label for case in found.dataset.cases] == ["cat", "dog"]
    assert found.whole == 4


def test_a_request_has_everything(project: Path) -> None:
    """System text, prompt with the labels, image, and the evaluation's options on top."""
    path = project / "modelfiles" / "pets.Modelfile"
    path.write_text('FROM llava\nSYSTEM "Look."\nPARAMETER temperature 0.5\nPARAMETER seed 3\n')
    evaluation = replace(PETS, options={"temperature": 0}, answer="enum", top_logprobs=2)
    (found,) = planned(project, evaluation)
    request = found.request(found.dataset.cases[0])
    assert request.system == "Look."
    assert "- cat" in request.prompt
    assert "- dog" in request.prompt
    assert request.image == found.dataset.cases[0].path.read_bytes()
    assert request.options == {"temperature": 0, "seed": 3}
    assert request.answer_schema is not None
    assert request.top_logprobs == 2


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"modelfile": "pet"}, SettingsError, r"Modelfile 'pet' is neither .* there are: pets"),
        ({"dataset": "pet"}, DatasetError, "did you mean 'pets'"),
        ({"prompt": " "}, SettingsError, "the prompt is empty"),
        ({"gates": [Gate("recall[cow] >= 0.5")]}, SettingsError, "'cow' is not one of cat, dog"),
        ({"labels": ["cat", "cow"]}, DatasetError, "dog"),
        (
            {"labels": [Label(name="cat", synonyms=("dog",)), "dog"]},
            SettingsError,
            "dog",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    project: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Before any question, with the value and what there is instead."""
    with pytest.raises(error, match=message):
        planned(project, replace(PETS, **change))


def test_what_are_no_variants_is_refused(project: Path) -> None:
    """A list has no names; and of no variants none can be gated."""
    with pytest.raises(SettingsError, match=r'variants=\[\]: write \{"a": Variant'):
        replace(PETS, variants=[])  # type: ignore[arg-type]
    gates = [Gate("accuracy >= 0.5", variant="brief")]
    with pytest.raises(SettingsError, match="variant 'brief' is not there, nor any other"):
        planned(project, replace(PETS, gates=gates))


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (Variant(prompt=" "), "variant 'x': the prompt is empty"),
        (Variant(modelfile="pet"), "variant 'x': Modelfile 'pet' is neither"),
    ],
)
def test_of_many_variants_the_one_at_fault_is_named(
    project: Path, variant: Variant, message: str
) -> None:
    """Whichever step finds the fault."""
    with pytest.raises(SettingsError, match=message):
        planned(project, replace(PETS, variants={"fine": Variant(), "x": variant}))


def test_an_empty_dataset_is_refused(project: Path) -> None:
    """Zero images can judge nothing."""
    for path in (project / "fixtures").rglob("*.png"):
        path.unlink()
    with pytest.raises(DatasetError, match="no image"):
        planned(project)


def test_a_modelfile_that_does_not_parse_is_refused(project: Path) -> None:
    """With its place."""
    (project / "modelfiles" / "pets.Modelfile").write_text("SYSTEM x\n")
    with pytest.raises(ModelfileError, match=r"pets\.Modelfile:\d+:\d+"):
        planned(project)


def test_names_are_looked_up_beside_the_evaluation(project: Path, tmp_path: Path) -> None:
    """The nearest folder above with ``modelfiles/`` counts, wherever pytest was called."""
    declared = project / "evals" / "deep" / "test_pets.py"
    assert project_root(declared, tmp_path / "elsewhere") == project.resolve()
    outside = tmp_path.parent / "test_pets.py"
    assert project_root(outside, tmp_path) == tmp_path


def test_a_modelfile_may_be_a_path(project: Path) -> None:
    """By name under ``modelfiles/``, or by path from the project."""
    (project / "evals" / "own.txt").write_text("FROM llava\n")
    assert locate_modelfile("evals/own.txt", project) == project / "evals" / "own.txt"
    named = locate_modelfile("pets", project)
    assert named == project / "modelfiles" / "pets.Modelfile"


def test_variants_that_reach_a_model_in_the_same_way_are_connected_once(project: Path) -> None:
    """Nobody connects anew at the border between two; another Modelfile is another connection."""
    (project / "modelfiles" / "other.Modelfile").write_text("FROM llava\n")
    variants = {
        "a": Variant(),
        "b": Variant(prompt="Which?", system="Look."),
        "c": Variant(modelfile="other"),
    }
    models = (parse_spec("ollama:llava"), parse_spec("openai:x@http://127.0.0.1:1/v1"))
    tasks = planned(project, replace(PETS, variants=variants), models=models)
    assert [(task.model, task.variant) for task in tasks] == [
        (model, name) for model in ("ollama:llava", "openai:x") for name in "abc"
    ]
    reached = [task.connection.variant for task in tasks]
    assert reached == ["a", "a", "c"] * 2
    assert all(task.connection.model == task.model for task in tasks)


def test_a_system_text_stands_before_the_turns_of_a_modelfile(project: Path) -> None:
    """It becomes part of what is derived: sent to Ollama it would stand behind them."""
    rendered = exchange("147").body["_debug_info"]["rendered_template"]
    assert rendered.index("A wheel?") < rendered.index("system\nGuess.")
    turns = "MESSAGE user Hi\nMESSAGE assistant cat\n"
    (project / "modelfiles" / "pets.Modelfile").write_text(f"FROM llava\nSYSTEM Look.\n{turns}")
    variants = {"a": Variant(), "b": Variant(system="Well."), "c": Variant(system="")}
    tasks = planned(project, replace(PETS, variants=variants))
    assert [task.modelfile.system for task in tasks] == ["Look.", "Well.", "Look."]
    assert [task.instructions.system for task in tasks] == ["Look.", "Well.", ""]
    assert [task.connection.variant for task in tasks] == ["a", "b", "a"]


SAME: tuple[tuple[Variant, Variant], ...] = (
    (Variant(), Variant(prompt=" Which animal? ")),
    (Variant(), Variant(system="Look.")),
    (Variant(system="Well."), Variant(system="Well.", modelfile="silent")),
    (Variant(options={"seed": 3}), Variant(options={"seed": 3}, labels=("cat", "dog"))),
    (Variant(reader=str.title), Variant(reader=str.title)),  # type: ignore[arg-type]
)


@pytest.mark.parametrize("same", SAME)
def test_variants_that_ask_the_same_are_refused(
    project: Path, same: tuple[Variant, Variant]
) -> None:
    """They would stand for two in leaderboard and corrections; however each of them says it."""
    (project / "modelfiles" / "silent.Modelfile").write_text("FROM llava\n")
    first, second = same
    evaluation = replace(PETS, variants={"a": first, "b": Variant(prompt="Which?"), "c": second})
    said = r"Evaluation\('pets'\): variant 'a' and variant 'c' ask exactly the same.*leave it out"
    with pytest.raises(SettingsError, match=said):
        planned(project, evaluation)
    with pytest.raises(SettingsError, match="the evaluation as it is and variant 'as it is' ask"):
        planned(project, variants=(("as it is", Variant()),))


def test_variants_that_a_run_makes_the_same_are_refused(project: Path) -> None:
    """What is to be left out then is the option; how answers are read tells two apart."""
    apart = replace(PETS, variants={"a": Variant(think=True), "b": Variant(think=False)})
    assert len(planned(project, apart)) == 2
    with pytest.raises(SettingsError, match="--llmclf-think is for all of them: leave that out"):
        planned(project, apart, think=True)
    read = replace(PETS, variants={"a": Variant(), "b": Variant(reader="first")})
    assert len(planned(project, read)) == 2
