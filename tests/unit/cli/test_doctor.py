"""``llmclf doctor`` finds what is in the way, and tells who sees from who does not."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_llmclf.cli import checks, doctor
from pytest_llmclf.cli.sight import Shown, judged
from pytest_llmclf.errors import RuntimeMissing, SettingsError
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server
from pytest_llmclf.models.ollama.listing import list_models
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.values.request import ModelIdentity
from tests.ollama_replay import OllamaReplay, exchange
from tests.plugin.colour_server import Odd
from tests.unit.cli.command import call

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.cli.single_image import Connected
    from tests.plugin.colour_server import ColourServer


def examined(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and findings by subject."""
    code = call(doctor, "doctor", "--json", *arguments)
    data = json.loads(capsys.readouterr().out)
    assert data["fine"] == (code == 0)
    return code, {check["subject"]: check for check in data["checks"]}


@pytest.fixture(autouse=True)
def nowhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and no Ollama: a port that is never listened on."""
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    return project


class TestSight:
    """Known images."""

    def test_a_model_that_sees(
        self, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Tells red, green and blue apart; that is fine."""
        code, found = examined(capsys, "--model", server.spec)
        assert code == 0
        assert found[server.spec]["state"] == "ok"
        assert 'sees (red: "red", green: "green", blue: "blue")' in found[server.spec]["found"]
        assert server.questions == 3

    def test_a_model_that_does_not(
        self, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Says the same of every image; that is a problem."""
        server.odd["*"] = Odd(says="I think it is red.")
        code, found = examined(capsys, "--model", server.spec)
        assert code == 1
        assert "does not see" in found[server.spec]["found"]
        assert "projector" in found[server.spec]["advice"]

    def test_a_model_that_is_colour_blind(
        self, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Sees something; nothing is in the way."""
        spec = server.spec.replace("colours@", "colour-blind@")
        code, found = examined(capsys, "--model", spec)
        assert code == 0
        assert found[spec]["state"] == "note"
        assert "wrong on 1 of 3" in found[spec]["found"]

    def test_a_model_that_thinks_all_the_same(
        self, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Gets room for it, and people are told how much evaluations must give."""
        server.odd["*"] = Odd(thinks=300)
        code, found = examined(capsys, "--model", server.spec)
        assert code == 0
        check = found[server.spec]
        assert check["state"] == "note"
        assert 'sees (red: "red", green: "green", blue: "blue")' in check["found"]
        assert "thinks first, which took 301 tokens" in check["found"]
        assert "PARAMETER num_predict 602" in check["advice"]

    def test_a_model_that_only_thinks(
        self, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Is no model that does not see."""
        server.odd["*"] = Odd(thinks=5000)
        code, found = examined(capsys, "--model", server.spec)
        assert code == 1
        assert "all that it says is thinking" in found[server.spec]["found"]
        assert "does not think" in found[server.spec]["advice"]

    def test_words_around_a_colour_are_read(
        self, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As an evaluation reads them."""
        for colour in ("red", "green", "blue"):
            server.odd[colour] = Odd(says=f"The colour in the image is **{colour}**.")
        assert examined(capsys, "--model", server.spec)[0] == 0

    def test_a_server_that_fails(
        self, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Is a problem with advice, and the other models are still asked."""
        server.stop()
        code, found = examined(capsys, "--model", server.spec, "--model", "ollama:llava")
        assert code == 1
        assert all(found[spec]["advice"] for spec in (server.spec, "ollama:llava"))

    def test_answers_cannot_drive_the_terminal(
        self, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What a model says is escaped and short."""
        server.odd["*"] = Odd(says="\x1b[2J" + "red " * 3000)
        call(doctor, "doctor", "--model", server.spec)
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert len(out) < 5000

    def test_nothing_leaves_this_machine(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A model elsewhere is refused before a connection is opened."""
        spec = "openai:x@http://192.0.2.1:9/v1"
        code, found = examined(capsys, "--model", spec)
        assert code == 1
        assert "not on this machine" in found[spec]["found"]

    def test_the_model_of_the_environment(
        self,
        server: ColourServer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Is the one that evaluations would ask; the embedded one is looked at as well."""
        monkeypatch.setenv("LLMCLF_MODEL", server.spec)
        code, found = examined(capsys)
        assert code == 0
        assert found[server.spec]["state"] == "ok"
        assert {"llamacpp:micro-llava", "micro-llava"} & found.keys()

    def test_no_model(self) -> None:
        """Is said before anything is looked at."""
        with pytest.raises(SettingsError, match="did you mean"):
            call(doctor, "doctor", "--model", "micro-lava")


def _no_runtime() -> str | None:
    try:
        find_llama_server()
    except RuntimeMissing as error:
        return str(error)
    return None


@pytest.mark.skipif(_no_runtime() is not None, reason=_no_runtime() or "")
def test_the_embedded_model_sees(capsys: pytest.CaptureFixture[str]) -> None:
    """Digits that are drawn on the spot; it is what `auto` comes to without Ollama."""
    code, found = examined(capsys)
    assert code == 0
    assert 'sees (0: "0", 1: "1", 7: "7")' in found["llamacpp:micro-llava"]["found"]
    assert "no Ollama at 127.0.0.1:9" in found["llamacpp:micro-llava"]["advice"]
    assert "version" in found["llama-server"]["found"]


class TestOllama:
    """What Ollama has."""

    def test_its_models(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Version, models with digests, and what they take; a text-only answer is no sight."""
        with OllamaReplay(models=("smol",)) as ollama:
            monkeypatch.setenv("OLLAMA_HOST", ollama.address.netloc)
            for _ in range(3):
                ollama.force(exchange("105"))
            digest = ollama._models["smol:latest"].digest
            code, found = examined(capsys, "--model", "ollama:smol")
        assert code == 1
        assert "0.33.0" in found["ollama"]["found"]
        assert "none takes images" in found["ollama"]["advice"]
        assert f"smol:latest, text only, digest {digest[:12]}" in found["  model"]["found"]
        assert "does not see" in found["ollama:smol"]["found"]

    def test_derived_models_are_not_listed(self) -> None:
        """They are this package's own, and one a Modelfile."""
        with OllamaReplay(models=("micro-llava",)) as ollama:
            own = replace(ollama._models["micro-llava:latest"], name="llmclf-1:latest")
            ollama._models[own.name] = own
            listed = list_models(ollama.address)
        assert [model.name for model in listed] == ["micro-llava:latest"]

    def test_nobody_there(self) -> None:
        """Has no models."""
        with OllamaReplay() as ollama:
            address = ollama.address
        assert list_models(address, 0.5) == ()

    @pytest.mark.parametrize(
        ("host", "state", "says"),
        [
            ("192.0.2.1", "note", "not asked: 192.0.2.1:11434 is not on this machine"),
            ("ftp://x", "problem", "no server address"),
        ],
    )
    def test_elsewhere_or_nowhere(
        self, host: str, state: str, says: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An address on another machine is not asked; none at all is a problem."""
        monkeypatch.setenv("OLLAMA_HOST", host)
        (found,) = checks.ollama(ConnectSettings())
        assert found.state == state
        assert says in found.found


class TestSurroundings:
    """Programs and places."""

    def test_no_llama_server(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With nobody else to ask, evaluations cannot run."""
        monkeypatch.setenv("LLMCLF_LLAMA_SERVER", "no-such-program")
        code, found = examined(capsys)
        assert code == 1
        assert found["llama-server"]["state"] == "note"
        assert found["auto"]["state"] == "problem"
        assert "full path" in found["llama-server"]["advice"]

    def test_without_the_embedded_model_another_one_does(
        self,
        server: ColourServer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Then its absence is worth a note only."""
        monkeypatch.setenv("LLMCLF_LLAMA_SERVER", "no-such-program")
        monkeypatch.setenv("LLMCLF_MODEL", server.spec)
        code, found = examined(capsys)
        assert code == 0
        assert found["micro-llava"]["state"] == "note"

    def test_a_program_that_does_not_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Such as one that is no llama-server."""
        monkeypatch.setenv("LLMCLF_LLAMA_SERVER", sys.executable)
        (sound,) = checks.llama_server()
        assert sound.state == "ok"  # Python takes --version, too
        assert "no version" in sound.found
        monkeypatch.setenv("LLMCLF_LLAMA_SERVER", "/bin/false")
        if sys.platform != "win32":
            (broken,) = checks.llama_server()
            assert broken.state == "problem"
            assert "does not run" in broken.found

    def test_a_home_that_is_a_file(self, tmp_path: Path) -> None:
        """Cannot be written."""
        (tmp_path / "home").write_text("")
        home, _ = checks.places(tmp_path / "home")
        assert home.state == "problem"

    def test_a_home_that_is_to_be_made(self, tmp_path: Path) -> None:
        """Is fine, and is not made by looking."""
        home, disk = checks.places(tmp_path / "deep" / "home")
        assert home.state == disk.state == "ok"
        assert "made by the first run" in home.found
        assert list(tmp_path.glob("deep")) == []

    @pytest.mark.parametrize(
        ("free", "state"), [(2**40, "ok"), (500 * 2**20, "note"), (10 * 2**20, "problem")]
    )
    def test_a_full_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
    ) -> None:
        """Is noted, then a problem."""
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
        _, disk = checks.places(tmp_path)
        assert disk.state == state
        assert bool(disk.advice) == (state != "ok")

    def test_packages(self) -> None:
        """Those that are installed, with versions."""
        python, packages = checks.installed()
        assert python.found.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
        assert packages.state == "ok"
        assert "pytest-llmclf " in packages.found

    def test_a_missing_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Is a problem, with the command that mends it."""
        monkeypatch.setattr(checks, "NEEDED", ("pytest", "no-such-package"))
        _, packages = checks.installed()
        assert packages.state == "problem"
        assert "missing: no-such-package" in packages.found
        assert "-m pip install" in packages.advice


def test_the_text(server: ColourServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Sections, a word a line, advice below, and the sum at the end."""
    server.odd["*"] = Odd(says="red")
    assert call(doctor, "doctor", "--model", server.spec) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "what is installed"
    assert lines[-1] == "1 problem: see above for what to do."
    (at,) = [place for place, line in enumerate(lines) if "does not see" in line]
    assert lines[at].startswith("  problem  openai:")
    advice = next(line for line in lines[at:] if line.startswith(" " * 13))
    assert advice.lstrip().startswith("choose a model")


@pytest.mark.parametrize("seconds", [None, 0.25])
def test_what_is_not_known_of_a_model_is_left_out(seconds: float | None) -> None:
    """A backend of another package may tell neither its server nor how long an answer took."""
    identity = ModelIdentity(backend="nearest", name="v1", digest="sha256:75c29aaaaaaabbb")
    model = SimpleNamespace(identity=identity, spec="nearest:v1")
    shown = [
        Shown(expected=name, said=name, read=name, seconds=seconds) for name in ("red", "blue")
    ]
    found = judged(cast("Connected", model), shown).found
    took = "" if seconds is None else ", 0.25 s an image"
    assert found.startswith("sees (red")
    assert found.endswith(f"; digest 75c29aaaaaaa{took}")
