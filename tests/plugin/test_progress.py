"""The live line: on a terminal, below pytest's own progress, and nowhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from pytest_llmclf.plugin.live_line import LiveLine, RunProgress
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.values.outcome import TaskName
from tests.forkserver import fresh_or_forked
from tests.plugin.colour_server import Odd
from tests.plugin.screen import Screen

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

LIVE = re.compile(r"colours · \d+/\d+ · .*correct so far.*left")
AT_ONCE = """
from pytest_llmclf.plugin import live_line

live_line.SOON_S = live_line.EVERY_S = 0.0
"""
"""A conftest that shows the line from the first image on, however fast the machine is."""
EARLY = ("-n2", "--llmclf-stop-early", "--llmclf-stop-error=0.01")
"""One wrong image in 37 is the last one too often for this error to end the run before it."""
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")


@pytest.fixture
def many(colours: Colours) -> Colours:
    """Three dozen images, and a line that does not wait for a long run."""
    colours.images(12)
    (colours.root / "conftest.py").write_text(AT_ONCE)
    return colours


def shown(project: Colours, *args: str, **environ: str) -> tuple[str, Screen]:
    """What pytest writes on a terminal of 80 columns, and what is seen of it in the end."""
    import pty  # Unix alone has it

    ours, theirs = pty.openpty()
    names = ("CI", "NO_COLOR", "PYTHONIOENCODING")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [fresh_or_forked(), "-m", "pytest", *project.command("--llmclf-in-flight=1", *args)],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=project.root,
        env={**inherited, "COLUMNS": "80", "TERM": "xterm-256color", "PYTHONUTF8": "1", **environ},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    process.wait(timeout=30)
    text = written.decode("utf-8")
    screen = Screen()
    screen.feed(text)
    return text, screen


@unix
@pytest.mark.parametrize("args", [(), ("-v",), EARLY], ids=" ".join)
def test_a_terminal_sees_the_line_and_keeps_nothing_of_it(
    many: Colours, args: tuple[str, ...]
) -> None:
    """It says how far and how well, and in the end the screen is that of a run without it."""
    if args == EARLY:
        many.evaluation("accuracy >= 0.999")
    text, screen = shown(many, *args)
    assert LIVE.search(text)
    final = "\n".join(screen.lines)
    assert "so far" not in final
    assert "[100%]" in final
    assert re.search(r"=+ 37 passed in .*=+", final)


@unix
def test_dots_stay_where_they_are(many: Colours) -> None:
    """Pytest's letters and percentages read as if there were no line below them."""
    _, screen = shown(many)
    rows = [line for line in screen.lines if re.fullmatch(r"(test_colours.py )?\.+ +\[.*%\]", line)]
    assert [row.count(".") - row.count(".py") for row in rows] == [37]


@unix
@pytest.mark.parametrize("args", [("-q",), ("-s",), ("--log-cli-level=INFO",)], ids=" ".join)
def test_who_wants_quiet_or_raw_output_sees_none(many: Colours, args: tuple[str, ...]) -> None:
    """With -q, -s and live logs there is no line to be in the way."""
    assert "so far" not in shown(many, *args)[0]


@unix
@pytest.mark.parametrize(
    "environ", [{"CI": "true"}, {"TERM": "dumb"}], ids=lambda each: next(iter(each))
)
def test_logs_and_plain_terminals_see_none(many: Colours, environ: dict[str, str]) -> None:
    """In CI, and where the cursor cannot be moved, there is no line."""
    text, _ = shown(many, **environ)
    assert "so far" not in text
    assert "\x1b7" not in text


def test_a_pipe_sees_none(many: Colours) -> None:
    """Output that is no terminal has neither line nor escape sequences."""
    result = many.run_apart("--llmclf-in-flight=1")
    assert "so far" not in result.stdout.str()
    assert "\x1b" not in result.stdout.str()


@unix
def test_a_long_run_sees_it_after_a_while(colours: Colours) -> None:
    """Nothing has to be set for it: after a second it is there."""
    colours.images(12)
    colours.server.odd = {"*": Odd(waits_s=0.045)}  # one after the other: 1.6 s
    assert LIVE.search(shown(colours, "--llmclf-in-flight=1")[0])


@unix
def test_a_short_run_sees_none(colours: Colours) -> None:
    """What is over before its time has come needs no line."""
    (colours.root / "conftest.py").write_text(AT_ONCE.replace("0.0", "60.0"))
    assert "so far" not in shown(colours)[0]


def test_it_comes_after_a_second_and_changes_ten_times_a_second(
    request: pytest.FixtureRequest,
) -> None:
    """Before that nothing is written; in between it is drawn again only where pytest wrote."""
    now = 0.0
    written: list[str] = []

    def clock() -> float:
        return now

    def write_raw(text: str, *, flush: bool) -> None:
        assert flush
        written.append(text)

    reporter = cast("pytest.TerminalReporter", SimpleNamespace(write_raw=write_raw))
    progress = RunProgress({TaskName("a", "m"): 20}, clock=clock)
    line = LiveLine(request.config, reporter, progress, Style(), clock=clock)
    for now, when, times in (  # noqa: B007 - the clock tells it
        (0.0, "call", 0),
        (0.99, "call", 0),
        (1.0, "setup", 1),
        (1.05, "setup", 1),
        (1.06, "call", 2),
        (1.09, "setup", 2),
        (1.11, "setup", 3),
    ):
        report = SimpleNamespace(when=when, passed=True)
        hook = line.pytest_runtest_logreport(cast("pytest.TestReport", report))
        next(hook)  # until pytest has written its letter
        with pytest.raises(StopIteration):
            next(hook)
        assert len(written) == times


def test_progress_tell_rate_and_rest() -> None:
    """The rate is that of late, and the rest is that of all evaluations."""
    now = 0.0
    progress = RunProgress({TaskName("a", "m"): 20, TaskName("b", "m"): 10}, clock=lambda: now)
    assert progress.live().per_s is None
    for number in range(10):
        now += 0.5
        progress.note(TaskName("a", "m"), str(number), "correct" if number else "misclassified")
    live = progress.live()
    assert (live.name, live.done, live.total) == ("a", 10, 20)
    assert repr(live.correct) == "0.9 (9/10)"
    assert (live.per_s, live.left_s) == (2.0, 10.0)
    assert not progress.finished


def test_progress_follow_the_evaluation_that_runs() -> None:
    """The first one that is not finished is shown; models of one evaluation are told apart."""
    progress = RunProgress({TaskName("a", "m"): 1, TaskName("a", "n"): 1, TaskName("b", "m"): 1})
    progress.note(TaskName("a", "m"), "x", "error")
    assert progress.live().name == "a · n"
    assert progress.live().correct.value is None
    progress.note(TaskName("a", "n"), "x", "not_needed")
    assert progress.live().name == "b"
    progress.note(TaskName("b", "m"), "x", "unparsed")
    progress.note(TaskName("nobody", "m"), "x", "correct")
    assert progress.finished
    assert progress.live().left_s in {None, 0.0}


def test_an_image_that_ran_twice_counts_once() -> None:
    """A test that was run again ended as it did last, and the rest is still to come."""
    progress = RunProgress({TaskName("a", "m"): 2})
    for kind in ("error", "correct"):
        progress.note(TaskName("a", "m"), "x", kind)
    assert (progress.live().done, repr(progress.live().correct)) == (1, "1.0 (1/1)")
    assert not progress.finished


@unix
def test_a_server_that_is_away_is_said(many: Colours) -> None:
    """While no test ends, the line says what it waits for; then it goes on as ever."""
    (many.root / "conftest.py").write_text(AT_ONCE + AWAY)
    text, screen = shown(many)
    assert re.search(r"colours · \d+/36 · waiting for the server \(\d+ s\)", text)
    final = "\n".join(screen.lines)
    assert "waiting" not in final
    assert re.search(r"=+ 37 passed in .*=+", final)


@unix
def test_workers_that_wait_leave_nothing_false(many: Colours) -> None:
    """The line has no rate and no time left while no worker brings anything, and says for how long.

    The controller cannot see what they wait for.
    """
    quick = "live_line.SILENT_S, live_line.LOOK_S = 0.4, 0.1\n"
    (many.root / "conftest.py").write_text(AT_ONCE + quick + AWAY)
    text, screen = shown(many, "-n2")
    said = re.findall(r"colours · \d+/36 · no image done for \d+ s[^\x1b\r\n]*", text)
    assert said
    assert not any("images/s" in each or "left" in each for each in said)
    final = "\n".join(screen.lines)
    assert "no image done" not in final
    assert re.search(r"=+ 37 passed in .*=+", final)


AWAY = """
import time
from pytest_llmclf import errors
from pytest_llmclf.models.pool import Pool

ask, began = Pool.ask, []


def away(self, request):
    began.append(time.monotonic())
    if len(began) > 5 and began[-1] - began[5] < 1.2:
        raise errors.ServerUnreachable("nothing answers")
    return ask(self, request)


Pool.ask = away
Pool.look = lambda self: time.monotonic() - began[5] >= 1.2
"""
"""From the sixth question on the server is away for a second."""
