"""An evaluation says what it means, or is refused."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.runner.evaluation import Evaluation


def declared(**arguments: Any) -> Evaluation:
    known: dict[str, Any] = {"dataset": "pets", "modelfile": "pets", "prompt": "Which pet?"}
    return Evaluation(**{**known, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"answer": "enumm"}, "answer='enumm' is not one of text, enum"),
        ({"labels": "cat"}, "labels='cat' is one text; write a list"),
        ({"gates": "accuracy >= 0.8"}, "write a list, gates="),
        ({"gates": Gate("accuracy >= 0.8")}, "write a list, gates="),
        ({"gates": [0.8]}, "write a list, gates="),
        ({"gates": ["acuracy >= 0.8"]}, "did you mean 'accuracy'?"),
        ({"top_logprobs": -1}, "top_logprobs=-1 is not from 0 to 20"),
        ({"options": {"temprature": 0}}, "'temprature' is no option of a model; did you mean"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], message: str) -> None:
    """The message names evaluation, argument and remedy."""
    with pytest.raises(SettingsError) as caught:
        declared(**arguments)
    assert str(caught.value).startswith("Evaluation('pets'): ")
    assert message in str(caught.value)


def test_a_gate_for_unknown_images_is_refused() -> None:
    """A slip in `images` would otherwise gate nothing."""
    with pytest.raises(SettingsError, match=r"'importd' is not one of .*did you mean 'imported'"):
        Gate("accuracy >= 0.8", images="importd")  # type: ignore[arg-type]


def test_plain_names_become_labels() -> None:
    """Labels can be given as names."""
    labels = declared(labels=["cat", Label("dog", synonyms=("puppy",))]).given_labels
    assert labels == (Label("cat"), Label("dog", synonyms=("puppy",)))


def test_the_title_is_the_datasets_name() -> None:
    """Unless it has a name of its own; folders are left out."""
    assert declared().title == "pets"
    assert declared(dataset="some/where/pets/").title == "pets"
    assert declared(name="my pets").title == "my pets"


@pytest.mark.parametrize("first", ["images", "gate"])
@pytest.mark.parametrize("second", ["images", "gate"])
@pytest.mark.parametrize("same", [True, False])
def test_a_function_belongs_to_one_evaluation(first: str, second: str, same: bool) -> None:  # noqa: FBT001
    """A second decorator would silently replace the first; the same one twice is harmless."""
    one, other = (
        Evaluation(dataset=name, modelfile="m", prompt="Which?") for name in ("one", "other")
    )

    def function() -> None:
        """Nothing."""

    getattr(one, first)(function)
    again = getattr(one if same else other, second)
    if same and first == second:
        assert again(function) is function
        return
    with pytest.raises(SettingsError) as refused:
        again(function)
    name = "one" if same else "other"
    assert str(refused.value) == (
        f"@Evaluation({name!r}).{second} stands over function, which has "
        f"@Evaluation('one').{first} already, and only one of them could run: write a test "
        "function for each"
    )


def test_a_decorator_seen_through_another_one_counts() -> None:
    """One in between that keeps a function's attributes hides nothing."""
    one, other = (
        Evaluation(dataset=name, modelfile="m", prompt="Which?") for name in ("one", "other")
    )

    def function() -> None:
        """Nothing."""

    wrapped = functools.wraps(one.images(function))(lambda: None)
    with pytest.raises(SettingsError, match="already"):
        other.images(wrapped)


@pytest.mark.parametrize("odd", [type("TestIt", (), {}), "test_it"])
def test_a_decorator_is_for_functions(odd: object) -> None:
    """Over a class nothing would ever run."""
    one = Evaluation(dataset="one", modelfile="m", prompt="Which?")
    with pytest.raises(SettingsError, match="put it over a test function"):
        one.images(odd)  # type: ignore[type-var]
