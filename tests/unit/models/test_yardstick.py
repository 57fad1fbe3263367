"""Classical classifiers answer like models: out of fold, reproducibly, and whatever the images."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import cross_val_predict
from sklearn.svm import SVC

from pytest_llmclf.cli.sight import check_sight
from pytest_llmclf.errors import BackendError, LabelsUnknown, SettingsError
from pytest_llmclf.models.reach import ConnectSettings, Reach
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.models.yardstick.estimators import TemperedSVC, estimator_of, yardstick
from pytest_llmclf.models.yardstick.features import features_of, gradients
from pytest_llmclf.models.yardstick.kinds import KINDS
from pytest_llmclf.models.yardstick.learner_process import LearnerGone, LearnerProcess
from pytest_llmclf.models.yardstick.learning import folds_of, lesson_of
from pytest_llmclf.models.yardstick.yardstick_backend import connect
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.values.case import Case, CaseSet
from pytest_llmclf.values.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.values.answer import Answer

LABELS = ("ring", "bar", "dot")


def drawing(label: str, number: int) -> bytes:
    """A noisy image of 20 x 20 of something bright, which is not always told apart."""
    noise = np.random.default_rng([LABELS.index(label), number])
    pixels = noise.integers(0, 150, (20, 20))
    if label == "bar":
        pixels[:, 8:12] += 70
    if label == "dot":
        pixels[6:14, 6:14] += 70
    if label == "ring":
        pixels[2:18, 2:18] += 70
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def images(root: Path, each: int = 8, group: str = "", **more: int) -> CaseSet:
    """So many drawings of each label, or as many as are said; in scenes of two."""
    cases = []
    for label in LABELS:
        for number in range(more.get(label, each)):
            cases.append(case(root, f"{label}-{number}.png", label, drawing(label, number)))
            cases[-1].tags["scene"] = f"{number // 2}"  # type: ignore[index]
    return CaseSet(name="drawn", root=root, cases=tuple(cases), labels=LABELS, group=group)


def case(root: Path, name: str, label: str, data: bytes) -> Case:
    """An image on the disk."""
    (root / name).write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    return Case(id=name, root=root, sha256=sha256, label=label, tags={})


PROCESS = LearnerProcess()
"""Started when it is first needed; the fixture ends it."""


@pytest.fixture(scope="module", autouse=True)
def _one_process() -> Iterator[None]:
    """One process learns for all tests."""
    yield
    PROCESS.close()


def reached(model: str, known: CaseSet | None, process: LearnerProcess | None = None) -> Backend:
    """The backend of a yardstick."""
    return connect(
        Reach(
            spec=parse_spec(model),
            modelfile=parse("FROM llava\n", "here"),
            settings=ConnectSettings(),
            shared=lambda _, __: process or PROCESS,
            images=known,
        )
    )


def answers(backend: Backend, cases: Sequence[Case]) -> list[Answer]:
    """What it says of each."""
    return [
        backend.ask(
            Request(
                system=None,
                prompt="?",
                image=one.path.read_bytes(),
                media_type="image/png",
                case=one.id,
            )
        )
        for one in cases
    ]


@pytest.mark.parametrize("group", ["", "scene"])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_scikit_learns_cross_validation(
    tmp_path: Path, kind: str, group: str
) -> None:
    """Labels and probabilities equal `cross_val_predict` with the same folds."""
    known = images(tmp_path, group=group)
    found = answers(reached(f"yardstick:{kind}", known), known.cases)
    lesson = lesson_of(known.cases, group, 1000)
    seen = np.stack([features_of(one.path.read_bytes()) for one in lesson.cases])
    truth = np.array([LABELS.index(one.label) for one in lesson.cases])
    fold = np.array([folds_of(lesson)[one.sha256] for one in lesson.cases])
    parts = [(np.flatnonzero(fold != part), np.flatnonzero(fold == part)) for part in set(fold)]
    expected = cross_val_predict(yardstick(kind), seen, truth, cv=parts)
    shares = cross_val_predict(yardstick(kind), seen, truth, cv=parts, method="predict_proba")
    place = {one.id: number for number, one in enumerate(lesson.cases)}
    for one, answer in zip(known.cases, found, strict=True):
        row = place[one.id]
        assert answer.label == LABELS[expected[row]]
        assert answer.probabilities == pytest.approx(dict(zip(LABELS, shares[row], strict=True)))


def test_what_belongs_together_is_in_one_fold(tmp_path: Path) -> None:
    """Scenes, scenes that share a copy, and copies; each label is spread over the folds."""
    known = images(tmp_path, each=10, group="scene")
    copy = replace(known.cases[0], id="copy.png", tags={"scene": "4"})
    lesson = lesson_of((*known.cases, copy), "scene", 1000)
    folds = folds_of(lesson)
    by_scene: dict[str, set[int]] = {}
    for one in (*known.cases, copy):
        by_scene.setdefault(one.tags["scene"], set()).add(folds[one.sha256])
    assert all(len(found) == 1 for found in by_scene.values())
    assert by_scene["0"] == by_scene["4"]
    plain = folds_of(lesson_of(known.cases, "", 1000))
    for label in LABELS:
        of_label = [plain[one.sha256] for one in known.cases if one.label == label]
        assert sorted(of_label) == sorted([0, 1, 2, 3, 4] * 2)


def test_an_answer_depends_on_the_set_alone(tmp_path: Path) -> None:
    """Not on which images are asked about, nor on their order, nor on their names."""
    known = images(tmp_path)
    whole = answers(reached("yardstick:svm", known), known.cases)
    few = answers(reached("yardstick:svm", known), known.cases[20:4:-3])
    assert [(one.label, one.probabilities) for one in few] == [
        (one.label, one.probabilities) for one in whole[20:4:-3]
    ]
    digest = reached("yardstick:svm", known).identify().digest
    renamed = []
    for number, one in enumerate(known.cases):
        renamed.append(replace(one, id=f"{99 - number}.png"))
        one.path.rename(renamed[-1].path)
    moved = replace(known, cases=tuple(renamed))
    assert reached("yardstick:svm", moved).identify().digest == digest
    again = answers(reached("yardstick:svm", moved), moved.cases)
    assert [one.label for one in again] == [one.label for one in whole]


def test_the_digest_is_that_of_all_it_depends_on(tmp_path: Path) -> None:
    """Another label, image, group, classifier or number to learn from gives another one."""
    known = images(tmp_path)
    relabelled = (replace(known.cases[0], label="dot"), *known.cases[1:])
    variants = [
        ("yardstick:svm", known),
        ("yardstick:knn", known),
        ("yardstick:svm?most=20", known),
        ("yardstick:svm", replace(known, cases=relabelled)),
        ("yardstick:svm", replace(known, cases=known.cases[1:])),
        ("yardstick:svm", replace(known, group="scene")),
        ("sklearn:sklearn.svm:SVC", known),
        ("sklearn:sklearn.svm:LinearSVC", known),
    ]
    digests = {reached(model, found).identify().digest for model, found in variants}
    assert len(digests) == len(variants)


def test_an_image_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    """It is not learnt from, which is said; the rest is answered."""
    known = images(tmp_path)
    known.cases[3].path.write_bytes(b"no image any more")
    backend = reached("yardstick:logistic", known)
    found = answers(backend, known.cases[4:])
    assert {one.label for one in found} <= set(LABELS)
    assert "1 image cannot be read and was not learnt from: ring-3.png" in backend.notices[1]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "majority"])
def test_a_label_that_cannot_be_learnt_is_refused(tmp_path: Path, kind: str) -> None:
    """One image of a label leaves none to learn from; one label leaves nothing to tell apart."""
    with pytest.raises(LabelsUnknown, match=r"dot: fewer than 2 different images.*train=FOLDER"):
        reached(f"yardstick:{kind}", images(tmp_path, dot=1)).identify()
    with pytest.raises(LabelsUnknown, match="all images of drawn have one label, bar"):
        reached(f"yardstick:{kind}", images(tmp_path, dot=0, ring=0)).identify()


@pytest.mark.parametrize("kind", KINDS)
def test_few_images_are_enough(tmp_path: Path, kind: str) -> None:
    """Two of a label, fewer than there are folds: each is answered by one that saw the other."""
    known = images(tmp_path, each=6, dot=2)
    backend = reached(f"yardstick:{kind}", known)
    backend.identify()
    found = answers(backend, known.cases)
    assert all(sum((one.probabilities or {}).values()) == pytest.approx(1) for one in found)


def test_the_majority_needs_one_image(tmp_path: Path) -> None:
    """It looks at none, so that nothing is refused."""
    known = images(tmp_path, each=0, ring=4, dot=1)
    backend = reached("yardstick:majority", known)
    backend.identify()
    assert [one.label for one in answers(backend, known.cases)] == ["ring"] * 5


def test_another_set_can_be_learnt_from(tmp_path: Path) -> None:
    """Of its images those are left out that are asked about."""
    train = tmp_path / "train"
    for label in LABELS:
        (train / label).mkdir(parents=True)
        for number in range(6):
            (train / label / f"{number}.png").write_bytes(drawing(label, 100 + number))
    (train / "dot" / "asked.png").write_bytes(drawing("dot", 0))
    known = images(tmp_path, each=2, dot=1)
    backend = reached("yardstick:knn?train=train", known)
    identity = backend.identify()
    assert identity.details["learnt from"].startswith("the labels of 18 images in train")
    assert {one.label for one in answers(backend, known.cases)} <= set(LABELS)
    with pytest.raises(SettingsError, match="there is no dataset 'trian'"):
        reached("yardstick:knn?train=trian", replace(known, root=tmp_path))


def test_a_huge_set_is_learnt_from_in_part(tmp_path: Path) -> None:
    """The same share of each label; images that were not learnt from are answered, too."""
    known = images(tmp_path, ring=16)
    lesson = lesson_of(known.cases, "", 16)
    counts = [sum(one.label == label for one in lesson.chosen) for label in LABELS]
    assert counts == [8, 4, 4]
    backend = reached("yardstick:knn?most=16", known)
    assert len(answers(backend, known.cases)) == len(known.cases)
    assert "16 of 32 images" in backend.notices[0]


def test_any_classifier_can_be_named(tmp_path: Path) -> None:
    """Without probabilities where it has none, and the same each time where it is random."""
    known = images(tmp_path)
    found = answers(reached("sklearn:sklearn.svm:LinearSVC", known), known.cases)
    assert all(one.probabilities is None for one in found)
    forest = "sklearn:sklearn.ensemble:ExtraTreesClassifier"
    first, second = (answers(reached(forest, known), known.cases[:6]) for _ in range(2))
    assert [one.probabilities for one in first] == [one.probabilities for one in second]


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        (("sklearn.nothing", "SVC"), "cannot be imported"),
        (("sklearn.svm", "SVCC"), "did you mean 'SVC'"),
        (("sklearn.svm", "NuSVC.fit"), "has no 'NuSVC.fit'"),
        (("sklearn.datasets", "load_iris"), "makes no classifier"),
        (("sklearn.linear_model", "LinearRegression"), "makes no classifier"),
        (("sklearn.ensemble", "VotingClassifier"), "without arguments"),
        (("this_leaves", "at_once"), "cannot be imported, SystemExit: 3; name a module"),
    ],
)
def test_a_factory_that_makes_none_is_refused(
    factory: tuple[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the place and what was probably meant."""
    (tmp_path / "this_leaves.py").write_text("raise SystemExit(3)", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=said):
        estimator_of(*factory)


def test_a_classifier_that_cannot_be_fitted_is_an_error(tmp_path: Path) -> None:
    """Of its images, with what it said."""
    known = images(tmp_path, each=2)
    backend = reached("sklearn:sklearn.neighbors:KNeighborsClassifier", known)
    with pytest.raises(BackendError, match=r"cannot say, ValueError: .*n_neighbors"):
        answers(backend, known.cases)


def test_a_process_that_is_gone_is_told(tmp_path: Path) -> None:
    """No image hangs or is lost: each is an error that says what happened; closing is enough."""
    known = images(tmp_path)
    process = LearnerProcess()
    backend = reached("yardstick:majority", known, process)
    answers(backend, known.cases[:1])
    running = process._process
    assert running is not None
    running.kill()
    running.wait()
    with pytest.raises(LearnerGone, match=r"is gone .*most=1000"):
        answers(backend, known.cases[1:2])
    assert len(answers(backend, known.cases[1:2])) == 1  # another one has learnt meanwhile
    process.close()
    process.close()


def test_a_module_of_the_project_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be imported here can be there; what it prints and warns of spoils nothing."""
    (tmp_path / "of_mine.py").write_text(
        "import warnings\n"
        "from sklearn.dummy import DummyClassifier\n"
        "def mine():\n"
        "    print('made')\n"
        "    warnings.warn('made')\n"
        "    return DummyClassifier()\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    process = LearnerProcess()
    known = images(tmp_path, each=2)
    try:
        backend = reached("sklearn:of_mine:mine", known, process)
        backend.identify()
        assert {one.label for one in answers(backend, known.cases)} <= set(LABELS)
    finally:
        process.close()


def test_without_images_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    """Outside of a run, and where labels are not looked at."""
    with pytest.raises(SettingsError, match="ask it in a pytest run"):
        reached("yardstick:svm", None)
    with pytest.raises(SettingsError, match="train=FOLDER"):
        reached("yardstick:svm", replace(images(tmp_path), cases=()))


def test_a_support_vector_machine_keeps_its_labels_and_gains_probabilities() -> None:
    """They are those of scikit-learn's own; with two classes as with three."""
    chance = np.random.default_rng(3)
    seen = chance.normal(size=(90, 4))
    for classes in (2, 3):
        truth = (seen[:, 0] + chance.normal(size=90) > 0).astype(int)
        truth += (seen[:, 1] > 1) if classes > 2 else 0
        ours, theirs = TemperedSVC(C=10.0).fit(seen, truth), SVC(C=10.0).fit(seen, truth)
        ties = SVC(C=10.0, break_ties=classes > 2).fit(seen, truth)
        assert (ours.predict(seen) == ties.predict(seen)).all()
        assert (ours.predict(seen) == theirs.predict(seen)).mean() > 0.9
        shares = ours.predict_proba(seen)
        assert shares.sum(axis=1) == pytest.approx(np.ones(90))
        assert (ours.classes_[shares.argmax(axis=1)] == ours.predict(seen)).all()


def test_gradients_tell_directions_and_nothing_of_brightness() -> None:
    """An edge is told by its direction, wherever it is bright; all together have length 1."""
    upright = np.zeros((64, 64))
    upright[:, 32:] = 1
    found = {name: gradients(one) for name, one in (("|", upright), ("-", upright.T))}
    assert np.linalg.norm(found["|"]) <= 1 + 1e-9
    assert found["|"] == pytest.approx(gradients(1 - upright))
    sums = {name: one.reshape(49, 4, 9).sum(axis=(0, 1)) for name, one in found.items()}
    assert sums["|"].argmax() == 0
    assert sums["-"].argmax() in (4, 5)
    assert gradients(np.full((64, 64), 0.3)) == pytest.approx(np.zeros(1764))


@pytest.mark.parametrize(
    ("model", "state", "found"),
    [
        ("yardstick:svm", "ok", "it learns from labelled images"),
        ("predictions:p.csv", "ok", "2 rows, put to their images"),
        ("predictions:none.csv", "problem", "none.csv cannot be read"),
    ],
)
def test_the_doctor_asks_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, state: str, found: str
) -> None:
    """They have no server; what can be told without images is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text("path,predicted\na,x\nb,y\n", "utf-8")
    check = check_sight(model, ConnectSettings())
    assert check.state == state
    assert found in check.found
