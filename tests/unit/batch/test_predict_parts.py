"""What `llmclf predict` is made of: the declared evaluation, rows, counts, the kept store."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.batch import kept
from pytest_llmclf.batch.batch_task import BatchTask, plan
from pytest_llmclf.batch.declared import read_evaluation
from pytest_llmclf.batch.kept import Keeper, KeptStore
from pytest_llmclf.batch.on_ray import _require_allowed
from pytest_llmclf.batch.rows import Row, RowProblem, case_of, read_rows
from pytest_llmclf.batch.tally import IN_VAIN, TOLD, Batch, Failure, FailureFile, Tally
from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.image import SentImage
from pytest_llmclf.errors import DatasetError, LlmclfError, RemoteRefused, SettingsError
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.job import AskingPolicy
from pytest_llmclf.runner.plan import Choice, assign, called
from pytest_llmclf.runner.settings import Settings
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity
from tests.unit.scripted import image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


IDENTITY = ModelIdentity(backend="ollama", name="llava:7b", digest="abc", server="ollama 1")
DECLARED = """
from pytest_llmclf import Evaluation
pets = Evaluation(dataset="pets", modelfile="pets", prompt="Which animal?"{more})
"""


def project(root: Path, *, more: str = "", manifest: str = "") -> Path:
    """A project with three pets; the file that declares its evaluation."""
    for folder in ("evals", "modelfiles", "fixtures/pets"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "modelfiles/pets.Modelfile").write_text("FROM llava:7b\nSYSTEM Be brief.\n")
    for number in (1, 2, 10):
        (root / f"fixtures/pets/{number}.png").write_bytes(image(number))
    lines = manifest or "path,label\n1.png,dog\n2.png,cat\n10.png,ant\n"
    (root / "fixtures/pets/manifest.csv").write_text(lines, encoding="utf-8")
    declared = root / "evals/test_pets.py"
    declared.write_text(DECLARED.format(more=more))
    return declared


def task_of(declared: Path, **changes: Any) -> BatchTask:
    """What `llmclf predict` makes of it."""
    evaluation, path = read_evaluation(str(declared))
    given = {
        "model": parse_spec("ollama:llava:7b"),
        "manifest": None,
        "connect": ConnectSettings(),
        "asking": AskingPolicy(),
    }
    return plan(evaluation, path, **{**given, **changes})


class TestDeclared:
    def test_one_needs_no_name(self, tmp_path: Path) -> None:
        """A file with one evaluation is address enough."""
        evaluation, path = read_evaluation(str(project(tmp_path)))
        assert (evaluation.title, path) == ("pets", tmp_path / "evals/test_pets.py")

    @pytest.mark.parametrize("name", ["pets", "cattle", "cows"])
    def test_of_several_one_is_named(self, tmp_path: Path, name: str) -> None:
        """By its title or its variable."""
        declared = project(tmp_path)
        more = '\ncows = Evaluation(dataset="c", modelfile="m", prompt="?", name="cattle")\n'
        declared.write_text(declared.read_text() + more)
        found = read_evaluation(f"{declared}::{name}")[0]
        assert found.title == ("pets" if name == "pets" else "cattle")
        with pytest.raises(SettingsError, match=r"2 evaluations \(pets, cattle\): name one"):
            read_evaluation(str(declared))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "declares no evaluation: write"),
            ("import nothing_of_the_kind", "cannot be imported"),
            ("1 +", "SyntaxError"),
        ],
    )
    def test_unusable_files(self, tmp_path: Path, text: str, said: str) -> None:
        """The message says what is wrong with the file."""
        (tmp_path / "test_x.py").write_text(text)
        with pytest.raises(SettingsError, match=said):
            read_evaluation(str(tmp_path / "test_x.py"))

    def test_wrong_names(self, tmp_path: Path) -> None:
        """The nearest file and the nearest evaluation are offered."""
        declared = project(tmp_path)
        with pytest.raises(SettingsError, match=r"did you mean 'test_pets\.py'"):
            read_evaluation(str(declared.with_name("test_pet.py")))
        with pytest.raises(SettingsError, match="did you mean 'pets'"):
            read_evaluation(f"{declared}::pest")


class TestTask:
    @pytest.mark.parametrize(
        ("more", "toml"),
        [
            ("", ""),
            (', labels=["cat", "dog", "ant"]', ""),
            ("", 'labels = ["dog", "cat", "ant", "bee"]'),
            (', answer="enum", top_logprobs=3, options={"seed": 4}', ""),
            (', strangers="street"', ""),
            (
                ', strangers="street", labels=["cat", "ant", "dog"]',
                'labels = ["dog", "cat", "ant"]',
            ),
        ],
    )
    def test_same_questions_as_pytest(self, tmp_path: Path, more: str, toml: str) -> None:
        """Every request has the digest that a pytest run computes, whoever names the labels."""
        declared = project(tmp_path, more=more)
        (tmp_path / "fixtures/pets/dataset.toml").write_text(toml)
        (tmp_path / "street").mkdir()
        (tmp_path / "street" / "1.png").write_bytes(image(9))
        batch_task = task_of(declared)
        evaluation, path = read_evaluation(str(declared))
        settings = Settings(root=tmp_path, home=tmp_path, models=(batch_task.task.spec,))
        (task,) = assign(
            evaluation,
            settings,
            path,
            lambda _, __, spec: Choice(spec=spec, model=called(spec)),
            verify_images=True,
        )
        ours = {row.id: case_of(batch_task, row) for row in read_rows(batch_task)}
        assert set(ours) == {case.id for case in task.dataset.cases}
        for case in task.dataset.cases:
            asked = batch_task.task.request(ours[case.id])
            assert asked.digest(IDENTITY) == task.request(case).digest(IDENTITY)

    @pytest.mark.parametrize("final", [False, True])
    def test_one_variant_of_one_part_as_pytest(self, tmp_path: Path, *, final: bool) -> None:
        """The same images with the same questions; which part it is, is said."""
        variants = "variants={'a': Variant(prompt='Which?'), 'b': Variant(examples=1)}"
        declared = project(tmp_path, more=f", {variants}, holdout=0.4")
        text = declared.read_text().replace("import Evaluation", "import Evaluation, Variant")
        declared.write_text(text)
        for place in (1, 2, 3):
            for number in range(5):
                file = tmp_path / "fixtures/pets" / f"{place}{number}0.png"
                file.write_bytes(image(100 * place + number))
        lines = [f"{place}{number}0.png,{['cat', 'dog', 'ant'][place - 1]}"
                 for place in (1, 2, 3) for number in range(5)]  # fmt: skip
        manifest = tmp_path / "fixtures/pets/manifest.csv"
        manifest.write_text("\n".join(["path,label", *lines]) + "\n")
        evaluation, path = read_evaluation(str(declared))
        model = parse_spec("ollama:llava:7b")
        settings = Settings(root=tmp_path, home=tmp_path, models=(model,), final=final)
        tasks = assign(
            evaluation,
            settings,
            path,
            lambda _, __, spec: Choice(spec=spec, model=called(spec)),
            verify_images=True,
        )
        for task in tasks:
            ours = task_of(declared, variant=task.variant, final=final)
            assert ours.task.key == task.key
            cases = [case_of(ours, row) for row in read_rows(ours)]
            asked = [case for case in cases if case.sha256 not in ours.left_out]
            judged = [case.id for case in task.dataset.cases]
            assert {case.id for case in asked} == {*judged, *task.taken_out} or not final
            assert set(judged) <= {case.id for case in asked}
            assert len(asked) == (6 if final else 9)
            by_id = {case.id: ours.task.request(case) for case in asked}
            for case in task.dataset.cases:
                assert by_id[case.id].digest(IDENTITY) == task.request(case).digest(IDENTITY)
            said = "these are the 6 images held out" if final else "6 images held out, which only"
            assert ours.part_note.startswith(said)

    def test_a_variant_or_part_that_is_not_there(self, tmp_path: Path) -> None:
        """With those that there are."""
        declared = project(tmp_path)
        with pytest.raises(SettingsError, match="declares no variant: leave --variant 'x' out"):
            task_of(declared, variant="x")
        with pytest.raises(SettingsError, match="--final: no evaluation holds images out"):
            task_of(declared, final=True)
        text = declared.read_text().replace("import Evaluation", "import Evaluation, Variant")
        more = "variants={'as it is': Variant(), 'short': Variant(prompt='?')}"
        declared.write_text(text.replace('modelfile="pets"', f'modelfile="pets", {more}'))
        with pytest.raises(SettingsError, match="is asked in variants: name one, --variant 'as it"):
            task_of(declared)
        with pytest.raises(SettingsError, match=r"no variant 'shirt'.*did you mean 'short'"):
            task_of(declared, variant="shirt")

    def test_another_manifest(self, tmp_path: Path) -> None:
        """Its images are asked about with the labels of the evaluation's own dataset."""
        declared = project(tmp_path)
        (tmp_path / "more.jsonl").write_text('{"path": "fixtures/pets/2.png", "label": "cat"}\n')
        batch_task = task_of(declared, manifest=tmp_path / "more.jsonl")
        assert batch_task.task.labels.names == ("ant", "cat", "dog")
        assert [row.id for row in read_rows(batch_task)] == ["fixtures/pets/2.png"]

    @pytest.mark.parametrize(
        ("more", "toml", "said"),
        [
            (', labels=["cat", "dog"]', 'labels = ["dog", "cat", "ant"]', "not those of dataset"),
            (', gates=["recall[cow] >= 0.5"]', "", "cow"),
        ],
    )
    def test_what_pytest_refuses_is_not_asked(
        self, tmp_path: Path, more: str, toml: str, said: str
    ) -> None:
        """Answers that no test could be made of would be paid for in vain; both say the same."""
        declared = project(tmp_path, more=more)
        (tmp_path / "fixtures/pets/dataset.toml").write_text(toml)
        with pytest.raises(LlmclfError, match=said) as ours:
            task_of(declared)
        evaluation, path = read_evaluation(str(declared))
        settings = Settings(root=tmp_path, home=tmp_path, models=())
        with pytest.raises(LlmclfError, match=said) as theirs:
            assign(
                evaluation,
                settings,
                path,
                lambda _, __, spec: Choice(spec=spec, model=called(spec)),
                verify_images=True,
            )
        assert type(ours.value) is type(theirs.value)

    def test_refused(self, tmp_path: Path) -> None:
        """A recording, a manifest that is not there, and labels that cannot be told apart."""
        declared = project(tmp_path)
        with pytest.raises(SettingsError, match="has its answers already"):
            task_of(declared, model=parse_spec("replay:a.jsonl"))
        with pytest.raises(DatasetError, match="there is no manifest"):
            task_of(declared, manifest=tmp_path / "none.csv")
        project(tmp_path, manifest="path,label\n1.png,cat\n")
        with pytest.raises(DatasetError, match="at least two labels"):
            task_of(declared)


class TestRows:
    def test_lines_that_cannot_be_read(self, tmp_path: Path) -> None:
        """They are rows with a problem, in their place, and the rest is read."""
        declared = project(tmp_path)
        lines = "path,label\n1.png,dog\n2.png\n10.png,cat\n"
        (tmp_path / "fixtures/pets/other.csv").write_text(lines)
        batch_task = task_of(declared, manifest=tmp_path / "fixtures/pets/other.csv")
        rows = list(read_rows(batch_task))
        assert [row.id for row in rows] == ["1.png", "", "10.png"]
        assert rows[1].problem.startswith("other.csv:3: ")
        with pytest.raises(RowProblem, match=r"other\.csv:3"):
            case_of(batch_task, rows[1])

    def test_a_file_that_breaks_off(self, tmp_path: Path) -> None:
        """What was read before a byte that is no text counts; the byte is a row with a problem."""
        declared = project(tmp_path)
        lines = b"path,label\n" + b"1.png,dog\n" * 5000 + b"\xff\n"
        (tmp_path / "fixtures/pets/other.csv").write_bytes(lines)
        rows = list(read_rows(task_of(declared, manifest=tmp_path / "fixtures/pets/other.csv")))
        assert [bool(row.problem) for row in rows[-2:]] == [False, True]
        assert len(rows) > 1000

    def test_limit(self, tmp_path: Path) -> None:
        """No more rows than wanted are read."""
        assert [row.id for row in read_rows(task_of(project(tmp_path), limit=2))] == [
            "1.png",
            "2.png",
        ]

    def test_a_limit_counts_what_is_asked(self, tmp_path: Path) -> None:
        """Rows of images that this part leaves out are not among the first N."""
        batch_task = task_of(project(tmp_path))
        ids = [row.id for row in read_rows(batch_task)]
        out = frozenset({case_of(batch_task, row).sha256 for row in [*read_rows(batch_task)][:2]})
        limited = replace(batch_task, left_out=out, limit=1)
        assert [row.id for row in read_rows(limited)] == ids[2:]

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            (Row(id="../1.png", label="cat", place="m.csv:2"), "leaves the dataset's folder"),
            (Row(id="3.png", label="cat", place="m.csv:2"), "there is no file"),
            (Row(id="1.png", label="cot", place="m.csv:2"), "did you mean 'cat'"),
            (Row(id="1.png", label="cat", place="m.csv:2", sha256="0" * 64), "is not the one of"),
        ],
    )
    def test_rows_without_a_case(self, tmp_path: Path, row: Row, said: str) -> None:
        """Unsafe paths, missing files, unknown labels and other files than promised."""
        with pytest.raises(RowProblem, match=said):
            case_of(task_of(project(tmp_path)), row)

    def test_a_folder_a_class(self, tmp_path: Path) -> None:
        """Without a manifest, images and labels are those that pytest finds."""
        declared = project(tmp_path)
        (tmp_path / "fixtures/pets/manifest.csv").unlink()
        for number, label in ((1, "dog"), (2, "cat"), (10, "cat")):
            old = tmp_path / f"fixtures/pets/{number}.png"
            (tmp_path / "fixtures/pets" / label).mkdir(exist_ok=True)
            old.rename(old.parent / label / old.name)
        batch_task = task_of(declared)
        whole = load(tmp_path / "fixtures/pets")
        assert {case_of(batch_task, row).sha256 for row in read_rows(batch_task)} == {
            case.sha256 for case in whole.cases
        }


class TestTally:
    FAILURE = Failure(id="1.png", place="m.csv:2", kind="server-failed", message="no \ud800")

    def test_batches_travel_as_text(self) -> None:
        """Whatever a file is called."""
        batch = Batch(asked=1, known=2, failures=(self.FAILURE,), notice="full", told=("a",))
        assert Batch.from_text(batch.to_text()) == batch

    def test_hopeless(self) -> None:
        """After so many questions without an answer, which bad images are not."""
        bad = Failure(id="2.png", place="m.csv:3", kind="image", message="cut")
        tally = Tally().plus(Batch(failures=(self.FAILURE,) * (IN_VAIN - 1)))
        tally = tally.plus(Batch(failures=(bad,) * IN_VAIN, known=5))
        assert not tally.hopeless
        assert tally.plus(Batch(failures=(self.FAILURE,))).hopeless
        assert not tally.plus(Batch(asked=1, failures=(self.FAILURE,))).hopeless
        assert (tally.rows, len(tally.first)) == (2 * IN_VAIN + 4, 5)

    def test_what_is_told_of_servers(self) -> None:
        """Each sentence once, in order, and no endless list of them."""
        tally = Tally().plus(Batch(told=("a", "b"))).plus(Batch(told=("b", "c"))).plus(Batch())
        assert tally.told == ("a", "b", "c")
        many = tally.plus(Batch(told=tuple(map(str, range(2 * TOLD)))))
        assert many.told == ("a", "b", "c", *map(str, range(TOLD - 3)))

    def test_failures_of_the_last_call_only(self, tmp_path: Path) -> None:
        """The file is there when something failed, and holds nothing of an earlier call."""
        path = tmp_path / "predict" / "f.jsonl"
        for count in (2, 1, 0):
            with FailureFile(path) as failures:
                failures.write([self.FAILURE] * count)
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            assert [json.loads(line)["id"] for line in lines] == ["1.png"] * count


class Handle:
    """A keeper's actor handle whose calls are done at once."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._keeper, name)
        return type("Method", (), {"remote": staticmethod(method)})


def test_what_is_flushed_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer put in a worker is in the keeper's file once `flush` is done, with its image."""
    monkeypatch.setattr(kept, "_result", lambda value: value)
    monkeypatch.setattr(kept, "FLUSH_S", 600.0)
    path = tmp_path / "answers.sqlite"
    keeper = Keeper(str(path))
    with keeper, KeptStore(Handle(keeper)) as store:
        sent = SentImage(sha256="5" * 64, media_type="image/png")
        store.put("d", IDENTITY, Answer(text="cat"), image=("source", sent))
        store.keep_image("other", sent)
        assert store.get("d") is None
        store.flush()
        assert store.get("d") == Answer(text="cat")
        assert (store.sent_image("source"), store.sent_image("other")) == (sent, sent)
        store.put("last", IDENTITY, Answer(text="dog"))
        store.remember("way", IDENTITY)
        found = store.remembered("way")
        assert found is not None
        assert (found[0], store.remembered("other")) == (IDENTITY, None)
    with AnswerStore(path) as again:
        assert again.get("last") == Answer(text="dog")


def test_machines_of_a_cluster_are_allowed_by_name() -> None:
    """The own one needs no leave, one that is gone neither; another one does."""

    def node(name: str, address: str, *, alive: bool = True) -> dict[str, Any]:
        return {
            "NodeID": name,
            "Alive": alive,
            "NodeManagerAddress": address,
            "NodeManagerPort": 1,
        }

    nodes = [node("a", "192.0.2.1"), node("b", "192.0.2.2", alive=False), node("c", "192.0.2.3")]
    here = SimpleNamespace(get_node_id=lambda: "a")
    ray = SimpleNamespace(nodes=lambda: nodes, get_runtime_context=lambda: here)
    _require_allowed(ray, {"192.0.2.3"})
    with pytest.raises(RemoteRefused, match=r"say --allow-remote 192\.0\.2\.3"):
        _require_allowed(ray, {"192.0.2.1"})
