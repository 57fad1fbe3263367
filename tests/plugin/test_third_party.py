"""Backends of other packages: what they must say, and what they may break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.models import registry
from pytest_llmclf.models.spec import parse_spec
from tests.plugin.packages import install

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import Colours

BACKEND = """
from pathlib import Path
from pytest_llmclf import Answer, BackendError, ModelIdentity

SAYS = "red"

class Made:
    {sends_to}

    def __init__(self, reach):
        self.where = reach.spec.name

    def identify(self):
        return ModelIdentity(backend="ollama", name="made", digest="sha256:1")

    def ask(self, request):
        with Path("asked").open("a") as file:
            file.write("x")
        {ask}

    def close(self):
        raise RuntimeError("never mind")
"""
HERE = 'sends_to = "this machine"'


@pytest.fixture
def made(colours: Colours) -> Callable[..., pytest.RunResult]:
    """Installs a backend, and runs the evaluation with it."""

    def run(
        *args: str, sends_to: str = HERE, ask: str = "return Answer(text=SAYS)"
    ) -> pytest.RunResult:
        text = BACKEND.format(sends_to=sends_to, ask=ask)
        (colours.root / "made.py").write_text(text, "utf-8")
        install(colours.pytester, "made = made:Made", "gone = nowhere:Gone")
        return colours.run(*args, model="made:x")

    return run


def asked(colours: Colours) -> int:
    """How often the backend was asked."""
    path = colours.root / "asked"
    return len(path.read_text()) if path.exists() else 0


def messages(colours: Colours) -> str:
    """What the outcomes say."""
    return (colours.root / "run" / "outcomes.jsonl").read_text("utf-8")


def test_it_needs_no_more_than_the_least(
    colours: Colours, made: Callable[..., pytest.RunResult]
) -> None:
    """No notices, no in_flight; what `close` raises is no matter; the name is the registry's."""
    made()
    assert colours.ledger() == {"collected": 9, "correct": 3, "misclassified": 6}
    identity = colours.written()["identity"]
    assert (identity["backend"], identity["server"]) == ("made", "made")
    assert asked(colours) == 9


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        ("raise ValueError('no')", "backend made cannot answer: it raised ValueError: no"),
        ("return 'red'", "backend made cannot answer: it gave back str, not Answer"),
        ("raise SystemExit(2)", "backend made cannot answer: it raised SystemExit: 2"),
        ("return None", "backend made cannot answer: it gave back NoneType, not Answer"),
        ("raise BackendError('full', remedy='wait')", "full (wait)"),
    ],
)
def test_what_it_breaks_is_an_error_of_its_image(
    colours: Colours, made: Callable[..., pytest.RunResult], ask: str, why: str
) -> None:
    """With what it did; the run ends as any other."""
    result = made(ask=ask)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "error": 9}
    assert messages(colours).count(why) >= 3  # then it is given up


@pytest.mark.parametrize(
    ("sends_to", "why"),
    [
        ("pass", "backend made does not say where it sends images: give it sends_to"),
        ("sends_to = property(lambda self: 1 / 0)", "cannot say where it sends: it raised ZeroDiv"),
        ("sends_to = None", "backend made does not say where it sends images"),
        ('sends_to = "gpu.example"', "gpu.example:11434 is not on this machine, and images would"),
        ('sends_to = "127.0.0.1, https://gpu.example/v1"', "gpu.example:443 is not on this"),
    ],
)
def test_nothing_is_asked_where_images_may_not_go(
    colours: Colours, made: Callable[..., pytest.RunResult], sends_to: str, why: str
) -> None:
    """A backend that does not say where they go is one of these."""
    made(sends_to=sends_to)
    assert asked(colours) == 0
    assert colours.ledger() == {"collected": 9, "error": 9}
    assert why in messages(colours)


def test_a_host_that_is_allowed_is_asked(
    colours: Colours, made: Callable[..., pytest.RunResult]
) -> None:
    """By the option that allows it for every other backend."""
    made("--llmclf-allow-remote=gpu.example", sends_to='sends_to = "https://gpu.example/v1"')
    assert asked(colours) == 9


@pytest.mark.parametrize("odd", ["'many'", "None", "-3", "property(lambda self: 1 / 0)"])
def test_what_it_says_of_itself_may_be_anything(
    colours: Colours, made: Callable[..., pytest.RunResult], odd: str
) -> None:
    """Numbers that cannot be meant count as one, and no notice as none."""
    made(sends_to=f"{HERE}\n    in_flight = {odd}\n    notices = {odd}")
    assert asked(colours) == 9


def test_names_are_those_that_are_installed(pytester: pytest.Pytester) -> None:
    """A slip says what there is; what cannot be imported or is there twice says so."""
    install(pytester, "made = made:Made", "gone = nowhere:Gone", "ollama = made:Made")
    install(pytester, "twice = one:One", package="one")
    install(pytester, "twice = two:Two", package="two")
    assert str(parse_spec("made:anything/at all")) == "made:anything/at all"
    assert str(parse_spec("made:https://me:secret@host/v1")) == "made:https://host/v1"
    there = r"did you mean made:x\?.*, gone:\.\.\., made:\.\.\. or twice:\.\.\.$"
    with pytest.raises(SettingsError, match=there):
        parse_spec("mdae:x")
    with pytest.raises(SettingsError, match="backend gone: nowhere:Gone cannot be imported, Modul"):
        registry.load("gone")
    with pytest.raises(SettingsError, match="of several packages, one:One and two:Two: uninstall"):
        registry.load("twice")
    with pytest.raises(SettingsError, match="'none' is no backend; there are ollama, openai, "):
        registry.load("none")
    assert registry.load("ollama").__module__ == "pytest_llmclf.models.ollama.ollama_connect"


def test_every_backend_of_the_package_is_in_the_registry() -> None:
    """Each can be loaded, and a model of each can be written."""
    for name in registry.BUILT_IN:
        assert callable(registry.load(name))
    specs = (
        "ollama:a", "openai:a@http://127.0.0.1:1/v1", "llamacpp:a.gguf+b.gguf", "replay:a",
        "yardstick:svm", "sklearn:sklearn.svm:SVC", "predictions:a.csv",
    )  # fmt: skip
    assert [parse_spec(text).backend for text in specs] == list(registry.BUILT_IN)
