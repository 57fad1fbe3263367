"""Stopping as soon as the gates are decided: what is asked, shown, kept and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

EACH = 40
STOP = "--llmclf-stop-early"


@pytest.fixture
def many(colours: Colours) -> Colours:
    """120 images, all of which the server sees right."""
    colours.images(EACH)
    colours.evaluation("accuracy >= 0.6")
    return colours


def asked(colours: Colours) -> int:
    """How many images the last run judged."""
    return EACH * 3 - colours.ledger().get("not_needed", 0)


def test_the_rest_of_the_images_is_not_needed(many: Colours) -> None:
    """A clear case is decided after few images, and everything says so."""
    result = many.run(STOP)
    assert result.ret == pytest.ExitCode.OK
    judged = asked(many)
    assert judged < EACH
    # What was in flight at that moment has been asked, too, and nothing else.
    assert judged <= many.server.questions <= judged + 8
    (gate,) = many.summary()["gates"]
    assert gate["word"] == "PASS"
    assert f"{judged} of 120 images" in gate["text"]
    result.stdout.fnmatch_lines([f"*{120 - judged} not needed*", "*when the run stopped*"])
    result.stdout.fnmatch_lines([f"*= {judged + 1} passed, {120 - judged} not needed in *"])


def test_a_model_that_is_bad_fails_early(many: Colours) -> None:
    """FAIL is decided early as well."""
    many.server.odd = {"red": Odd(says="blue"), "green": Odd(says="blue")}
    result = many.run(STOP)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert asked(many) < 90
    assert many.summary()["gates"][0]["word"] == "FAIL"


def test_the_same_seed_gives_the_same_end(many: Colours) -> None:
    """With and without workers the decision falls after the same images, whoever was fast."""
    many.run(STOP)
    alone = many.summary()["gates"]
    many.run(STOP, "-n2", "--llmclf-fresh")
    assert many.summary()["gates"] == alone
    assert many.ledger()["not_needed"] > 0
    many.run(STOP, "--llmclf-seed", "1")
    assert many.written()["order"] != sorted(many.written()["order"])


def test_a_gate_that_needs_every_image_is_named_before_the_first_question(
    many: Colours,
) -> None:
    """F1 is not decided early: it is said at collection, and all images are asked."""
    many.evaluation("accuracy >= 0.6, f1[red] >= 0.5")
    result = many.run(STOP)
    result.stdout.fnmatch_lines(["llmclf: colours: all images are asked about: f1*"])
    assert many.ledger() == {"collected": 120, "correct": 120}


def test_without_a_declared_gate_all_are_asked(many: Colours) -> None:
    """Asserts of the test itself cannot be known beforehand."""
    many.evaluation("", body="assert report.accuracy >= 0.5")
    result = many.run(STOP)
    result.stdout.fnmatch_lines(["llmclf: colours: all images are asked about: no gate*"])
    assert asked(many) == 120


ASSERTED = (
    "report.accuracy >= 0.985",
    "report.recall['red'] >= 0.1",
    "report.macro.f1 > report.accuracy.value - 1",
    "report.confusion.counts[0][1] == 0",
    "len(report.of_kind('misclassified')) < 3",
    "report.meets('recall[red] >= 0.5')",
    "not report.confusions()",
    "0.9 < accuracy",
)


def test_a_plain_assert_on_a_stopped_run_is_inconclusive(many: Colours) -> None:
    """In every gate test, beside a declared gate that passes: red, or yellow where allowed."""
    with (many.root / "test_colours.py").open("a") as file:
        file.write("\n\nimport pytest\n\n\n@pytest.fixture\ndef accuracy(report):\n")
        file.write("    return report.accuracy\n")
        for number, asserted in enumerate(ASSERTED):
            file.write(f"\n\n@colours.gate\ndef test_{number}(report, accuracy):\n")
            file.write(f"    print(report.accuracy)\n    assert {asserted}\n")
    for workers in ((), ("-n2",)):
        result = many.run(STOP, *workers)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert many.ledger()["not_needed"] > 0
        first, *others = many.summary()["gates"]
        assert first["word"] == "PASS"
        assert [gate["word"] for gate in others] == ["INCONCLUSIVE"] * len(ASSERTED)
        assert {gate["undecided"] for gate in others} == {"sample"}
        assert all("run without --llmclf-stop-early" in gate["text"] for gate in others)
    assert many.run(STOP, "--llmclf-inconclusive=allow").ret == pytest.ExitCode.OK
    assert many.run().ret == pytest.ExitCode.OK


def test_every_gate_must_be_decided(many: Colours) -> None:
    """A second, closer gate keeps the run going."""
    many.server.odd = {f"red/{number}": Odd(says="blue") for number in range(26)}
    many.run(STOP)
    one = asked(many)
    many.run(STOP, "--llmclf-gate", "colours: recall[red] >= 0.3")
    assert one < asked(many)


def test_an_error_is_never_stopped_over(many: Colours) -> None:
    """An image without an answer among the first leaves nothing decided: INCONCLUSIVE."""
    many.run(STOP)
    first = many.written()["order"][0].removesuffix(".png")
    many.server.odd = {first: Odd(status=400)}
    result = many.run(STOP, "--llmclf-fresh")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert many.ledger() == {"collected": 120, "correct": 119, "error": 1}
    assert many.summary()["gates"][0]["word"] == "INCONCLUSIVE"


def test_two_models_are_stopped_apart(many: Colours) -> None:
    """The model that is clearly good stops; the other goes on, and the next evaluation runs."""
    many.evaluation("accuracy >= 0.6")
    blind = many.server.spec.replace("colours", "colour-blind", 1)
    result = many.run(STOP, "--llmclf-model", blind)
    assert result.ret == pytest.ExitCode.OK
    ledgers = [report["ledger"] for report in many.summary()["reports"]]
    assert all(ledger["not_needed"] for ledger in ledgers)
    assert ledgers[0]["not_needed"] > ledgers[1]["not_needed"]


def test_the_share_of_wrong_decisions_can_be_chosen(many: Colours) -> None:
    """A smaller error needs more images; without stopping the option is refused."""
    many.run(STOP)
    usual = asked(many)
    many.run(STOP, "--llmclf-stop-error", "0.001")
    assert asked(many) > usual
    result = many.run("--llmclf-stop-error", "0.001")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--llmclf-stop-error has no effect without*"])
