"""What two results have in common besides the answers: the same, different, or unknown."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.baseline import JudgedBaseline, compare
from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions, predictions_text
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.changes import MOST, change_lines, change_text, diff_markdown
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.values.provenance import ProvenanceChange, compare_provenance
from pytest_llmclf.values.request import ModelIdentity
from tests.pages import HOSTILE
from tests.unit.ended import ended
from tests.unit.test_full_instructions import WHOLE, anything

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.prompting.prompt import Instructions

OLLAMA = ModelIdentity(
    backend="ollama", name="llava", digest="d1" * 32, server="ollama 0.33.0",
    details={"base digest": "ba5e" * 16},
)  # fmt: skip


def result(
    identity: ModelIdentity | None = OLLAMA,
    told: Instructions | None = WHOLE,
    model: str = "ollama:llava",
    *,
    tool: str = "1.0",
    content: str = "abc",
    names: str = "ab",
    **more: Any,
) -> Report:
    """A report on two images."""
    outcomes = [
        replace(ended(name, "correct"), model=model, sha256=f"{name} bytes") for name in names
    ]
    return reports.build(
        evaluation="pets",
        model=model,
        dataset=DatasetFacts(name="pets", content_hash=content, labels=("cat", "dog")),
        outcomes=outcomes,
        identity=identity,
        full_instructions=told,
        tool=tool,
        **more,
    )


def changed(before: Report, now: Report) -> ProvenanceChange:
    """By the reports; by the texts of predictions it must be the same."""
    found = compare_reports(before, now).provenance
    assert found is not None
    if before.model == now.model:
        committed = compare(predictions_text(now), predictions_text(before)).provenance
        assert committed == found
    return found


def of(details: dict[str, str], **more: str) -> ModelIdentity:
    """The model with other details."""
    return replace(OLLAMA, details=details, **more)


@pytest.mark.parametrize("model", ["yardstick:knn", "sklearn:a:B", "predictions:c.csv"])
def test_nothing_is_said_of_instructions_where_none_are_told(model: str) -> None:
    """Neither of a Modelfile: not against itself, a model, or what is committed."""
    own = result(replace(OLLAMA, backend="x"), model=model, modelfile_digest="m")
    for other in (own, result(modelfile_digest="m"), result(told=None, modelfile_digest="m")):
        found = changed(own, other)
        said = [*found.same, *found.unknown, *(one.what for one in found.differing)]
        assert "images" in said
        assert not {"instructions", "Modelfile"} & set(said)


def test_nothing_differs() -> None:
    """It is said, and nothing is called unknown."""
    found = changed(result(), result())
    assert found.differing == ()
    assert found.agreement == "the same instructions, model, server version, images"


def test_an_edited_prompt_is_no_other_model() -> None:
    """The derived model has another digest; the model asked has not."""
    edited = replace(WHOLE, prompt=WHOLE.prompt.replace("Which", "What"))
    derived = replace(OLLAMA, digest="d2" * 32)
    found = changed(result(), result(derived, edited))
    assert [each.what for each in found.differing] == ["instructions"]
    assert found.brief == "instructions changed"
    assert found.agreement == "the same model, server version, images"
    diff = found.differing[0].diff
    assert "-  Which animal?" in diff
    assert "+  What animal?" in diff


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (result(of({"base digest": "f00d" * 16})), "model changed (digest ba5eba5eba5e -> "),
        (result(replace(OLLAMA, server="ollama 0.34.0")), "server version changed (ollama 0.33.0"),
        (result(tool="1.1"), "version of pytest-llmclf changed (1.0 -> 1.1)"),
    ],
    ids=["model", "server", "tool"],
)
def test_what_differs_is_named_with_both_sides(now: Report, what: str) -> None:
    """And nothing else is."""
    found = changed(result(), now)
    assert len(found.differing) == 1
    assert found.brief.startswith(what)
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("now", "unknown"),
    [
        (result(told=None), "instructions"),
        (result(None), "model, server version"),
        (result(of({})), "model"),
        (result(replace(OLLAMA, server="")), "server version"),
        (result(tool=""), "version of pytest-llmclf"),
    ],
    ids=["instructions", "identity", "base", "server", "tool"],
)
def test_what_one_side_does_not_say_is_unknown(now: Report, unknown: str) -> None:
    """Whichever side it is, and never the same."""
    for pair in ((result(), now), (now, result())):
        found = changed(*pair)
        assert found.agreement.endswith(f"unknown whether the same: {unknown}")
        assert found.differing == ()
        assert not set(unknown.split(", ")) & set(found.same)


def test_a_server_that_tells_no_digest_may_have_changed_its_model() -> None:
    """Its model and its version are unknown however alike they look."""
    hosted = ModelIdentity(
        backend="openai", name="m", digest="a", server="owner",
        details={"digest": "name only: the server tells no digest"},
    )  # fmt: skip
    found = changed(result(hosted, model="openai:m"), result(hosted, model="openai:m"))
    assert found.unknown == ("model", "server version")
    assert found.same == ("instructions", "images")
    other = replace(hosted, server="another")
    found = changed(result(hosted, model="openai:m"), result(other, model="openai:m"))
    assert found.brief.startswith("server version changed (owner, version unknown -> another")


def test_a_llama_cpp_without_a_build_has_no_version() -> None:
    """Its name alone proves nothing."""
    built = replace(OLLAMA, backend="llamacpp", server="llama.cpp")
    assert changed(result(built), result(built)).unknown == ("server version",)


def test_an_old_recording_has_twelve_digits() -> None:
    """They are enough to know the model again."""
    old = of({"base digest": ("ba5e" * 16)[:12]})
    assert "model" in changed(result(old), result()).same
    assert "model" in changed(result(of({"base digest": ("f00d" * 16)[:12]})), result()).brief


def test_two_names_of_one_model() -> None:
    """The weights say that they are the same; other weights that they are not."""
    latest = replace(OLLAMA, name="llava:latest")
    assert "model" in changed(result(), result(latest, model="ollama:llava:latest")).same
    other = of({"base digest": "f00d" * 16}, name="other")
    found = changed(result(), result(other, model="ollama:other"))
    assert found.brief == "model changed (ollama:llava -> ollama:other)"


def test_a_committed_head_of_an_earlier_version_is_read() -> None:
    """It names the digest of a derived model, which tells nothing of the model itself."""
    now = result()
    lines = predictions_text(now).splitlines()
    old = [
        line.replace("ba5e" * 16, "0dd" * 21)
        for line in lines
        if not line.startswith(("# server", "# pytest-llmclf", "# instructions", "# |"))
    ]
    found = compare(predictions_text(now), "\n".join(old) + "\n")
    assert JudgedBaseline(comparison=found).why_failed is None
    assert JudgedBaseline(comparison=found).summary().startswith("2 predictions as committed; ")
    assert found.provenance is not None
    assert found.provenance.differing == ()
    assert found.provenance.agreement == (
        "the same images; unknown whether the same: instructions, model, server version, "
        "version of pytest-llmclf"
    )
    committed = "\n".join(old).replace("# modelfile: none", f"# modelfile: {'a' * 64}")
    edited = compare(predictions_text(replace(now, modelfile_digest="b" * 64)), committed)
    assert edited.provenance is not None
    assert edited.provenance.brief == "Modelfile changed (aaaaaaaaaaaa -> bbbbbbbbbbbb)"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_instructions_stay_text(text: str) -> None:
    """In a committed head, a terminal, a failure message and Markdown."""
    told = replace(WHOLE, system=text, prompt=f"{text}\n{text}")
    now = result(told=told)
    record = parse_predictions(predictions_text(now))
    assert record.instructions == told.lines()
    assert len(record.predictions) == 2
    found = changed(result(), now)
    shown = [line.text for line in change_lines(found, Style(width=200))]
    for line in (*shown, *change_text(found)):
        assert line.isprintable()
    marked = list(diff_markdown(found.differing[0].diff))
    fence = marked[1].removesuffix("diff")
    assert set(fence) == {"`"}
    assert sum(line.startswith(fence) for line in marked) == 2
    assert not any(line.startswith("::") for line in change_text(found))


@given(anything, anything)
def test_the_head_brings_back_what_was_told(before: Instructions, now: Instructions) -> None:
    """Whatever it is: two sides are the same if and only if it is the same.

    Of an example its answer and the image as sent are told, not its label nor its file's bytes.
    """
    before, now = (
        replace(one, examples=tuple(replace(shown, label="", sha256="") for shown in one.examples))
        for one in (before, now)
    )
    found = changed(result(told=before), result(told=now))
    assert ("instructions" in found.same) is (before == now)
    assert ("instructions" in found.brief) is (before != now)


def test_it_survives_a_file() -> None:
    """As a run folder keeps it."""
    found = changed(result(), result(told=replace(WHOLE, system=None), tool="2"))
    assert ProvenanceChange.from_json(json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize("data", [{}, {"differing": [{}], "same": [], "unknown": []},
                                  {"differing": [], "same": [1], "unknown": []}])  # fmt: skip
def test_damage_is_refused(data: dict[str, Any]) -> None:
    """As everything in a run folder is."""
    with pytest.raises((ValueError, KeyError)):
        ProvenanceChange.from_json(data)


def test_a_long_diff_is_cut_where_people_read() -> None:
    """With the number of lines that are left out."""
    told = replace(WHOLE, system="\n".join(map(str, range(500))))
    found = changed(result(), result(told=told))
    lines = change_text(found)
    assert len(lines) < MOST + 5
    assert any("more lines)" in line for line in lines)


@pytest.mark.parametrize("columns", [24, 80])
def test_a_line_that_stayed_never_looks_removed(columns: int) -> None:
    """Every line of a diff has its sign in one column, also where it is broken."""
    long = " - ".join(["word"] * 12)
    before = replace(WHOLE, system=f"Labels:\n- cat\n  - {long}\n- cow")
    now = replace(before, system=f"Labels:\n- Kat\n  - {long}\n- cow")
    (difference,) = changed(result(told=before), result(told=now)).differing
    style = Style(width=columns)
    found = changed(result(told=before), result(told=now))
    shown = [line.text for line in change_lines(found, style, "")]
    signed = [line for line in shown if line.startswith("  ")]
    by_sign = {sign: [line[3:].strip() for line in signed if line[2] == sign] for sign in "-+ "}
    assert by_sign["-"][-1] == "- cat"
    assert by_sign["+"][-1] == "- Kat"
    assert by_sign[" "][-1] == "- cow"
    if columns > len(long) + 10:
        assert signed == [f"  {line}".rstrip() for line in difference.diff]


@given(st.lists(st.sampled_from(["a", "b", ""]), max_size=3000))
def test_long_instructions_are_compared_soon(lines: list[str]) -> None:
    """A prompt of thousands of equal lines holds nothing up, and is not called the same."""
    told = replace(WHOLE, system="\n".join([*lines, "x"] * 2))
    found = changed(result(), result(told=told))
    assert "instructions" in found.brief


def test_a_refused_comparison_still_says_what_differs() -> None:
    """Other images are in the refusal; the rest is told beside it."""
    found = compare_reports(
        result(), result(told=replace(WHOLE, system=None), names="ac", content="def")
    )
    assert found.refused is not None
    assert found.provenance is not None
    assert found.provenance.brief == "instructions changed"


def test_images_that_nobody_can_compare_are_unknown() -> None:
    """A sample has a digest of its own, and committed predictions keep no bytes."""
    whole, part = result(), result(content="def", names="a")
    found = compare(predictions_text(part), predictions_text(whole), subset=True)
    assert found.provenance is not None
    assert found.provenance.unknown == ("images",)
    first = whole.provenance
    assert compare_provenance(first, first, images=None).unknown == ("images",)
