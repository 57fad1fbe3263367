"""The live line: how a long evaluation does, below pytest's own progress, on a terminal only.

It stands on the line under the one that pytest writes on, and is drawn anew after everything that
pytest writes: what is left of it where pytest's own line has moved is erased, and the cursor goes
back to where pytest left it. So pytest's dots and percentages stay as they are, and nothing is left
of the line in the end. It moves when tests do, and while a test of this process waits for a server
that is away. With workers a thread looks now and then whether they brought anything, since what is
said of a rate holds no more when they do not.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter, deque
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.plugin.carried import outcome_on
from pytest_llmclf.plugin.session import session_if_any
from pytest_llmclf.plugin.terminal_summary import style_of
from pytest_llmclf.reporting.live import Live, live_text
from pytest_llmclf.values.outcome import ANSWERED, TaskName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from pytest_llmclf.reporting.style import Style

NAME: Final = "llmclf-live-line"
SOON_S: Final = 1.0
"""An evaluation shorter than this shows no line."""
EVERY_S: Final = 0.1
"""Its numbers change no more often."""
SILENT_S: Final = 5.0
"""Where no image was done for so long, that is said in the place of a rate."""
LOOK_S: Final = 1.0
"""How often a controller looks whether its workers are silent."""

_RECENT: Final = 50
"""Answers that the rate is taken from."""
_CLEAR: Final = "\x1b[J"
# Rest of the line erased; index (scrolls where it must, and keeps the column), up again, save the
# cursor, next line.
_BELOW: Final = "\x1b[K\x1bD\x1b[A\x1b7\r\n"
_BACK: Final = "\x1b8"


@dataclass(slots=True, kw_only=True)
class TaskProgress:
    """What is known of one evaluation on one model by now.

    Attributes:
        name: What it is called.
        total: Images that are to be judged.
        at_random: Whether they come in a random order.
        ended: How each image ended that did, by its id; one that ran twice ended as it did last.
        kinds: How many ended in each way.
    """

    name: str
    total: int
    at_random: bool = True
    ended: dict[str, str] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Images that ended in any way."""
        return len(self.ended)

    @property
    def answered(self) -> int:
        """Images with an answer."""
        return sum(self.kinds[kind] for kind in ANSWERED)

    @property
    def correct(self) -> int:
        """Images with the right one."""
        return self.kinds["correct"]


class RunProgress:
    """All evaluations of a run.

    Args:
        totals: Images that are to be judged, by task, in order.
        clock: Seconds.
        sorted_tasks: Those whose images come in another order than the random one.
    """

    def __init__(
        self,
        totals: dict[TaskName, int],
        clock: Callable[[], float] = time.monotonic,
        sorted_tasks: Collection[TaskName] = (),
    ) -> None:
        models = Counter(task.evaluation for task in totals)
        self._tasks = {
            task: TaskProgress(
                name=task.title if models[task.evaluation] > 1 else task.evaluation,
                total=total,
                at_random=task not in sorted_tasks,
            )
            for task, total in totals.items()
        }
        self._clock = clock
        self._times: deque[float] = deque(maxlen=_RECENT)
        self.began = clock()

    @property
    def finished(self) -> bool:
        """Whether every image ended."""
        return all(task.done >= task.total for task in self._tasks.values())

    def note(self, name: TaskName, case: str, kind: str) -> None:
        """Note how an image ended."""
        task = self._tasks.get(name)
        if task is None:
            return
        if case in task.ended:
            task.kinds[task.ended[case]] -= 1
        task.ended[case] = kind
        task.kinds[kind] += 1
        self._times.append(self._clock())

    def live(self) -> Live:
        """How the first evaluation that is not finished does, and what is left of all."""
        tasks = list(self._tasks.values())
        shown = next((task for task in tasks if task.done < task.total), tasks[-1])
        left = sum(max(0, task.total - task.done) for task in tasks)
        spent = self._times[-1] - self._times[0] if self._times else 0.0
        per_s = (len(self._times) - 1) / spent if spent > 0 else None
        silent_s = self._clock() - self._times[-1] if self._times else 0.0
        return Live(
            name=shown.name,
            done=shown.done,
            total=shown.total,
            correct=Ratio(hits=shown.correct, total=shown.answered),
            at_random=shown.at_random,
            stopped=shown.kinds["not_needed"] > 0,
            per_s=per_s,
            left_s=None if per_s is None else left / per_s,
            silent_s=silent_s if silent_s >= SILENT_S else None,
        )


def start_live_line(config: pytest.Config) -> None:
    """Show the line from now on, where there is a terminal for it and an image to come."""
    session = session_if_any(config)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if session is None or config.pluginmanager.hasplugin(NAME):
        return
    # Another reporter, such as pytest-sugar's, draws lines of its own.
    if type(reporter) is not pytest.TerminalReporter or not wanted(config, reporter):
        return
    tasks = {name: session.results.of(name) for name in session.tasks}
    totals = {name: len(task.cases) for name, task in tasks.items()}
    if any(totals.values()):
        seed = session.settings.seed
        in_order = [name for name, task in tasks.items() if not task.comes_at_random(seed)]
        style = style_of(config)
        line = LiveLine(config, reporter, RunProgress(totals, sorted_tasks=in_order), style)
        config.pluginmanager.register(line, NAME)
        session.on_wait = line.wait


def wanted(config: pytest.Config, reporter: pytest.TerminalReporter) -> bool:
    """Whether the line would be seen and would be in nobody's way."""
    option = config.option
    return (
        reporter.isatty()
        and config.get_verbosity() >= 0
        and not os.environ.get("CI")
        and os.environ.get("TERM", "") not in {"dumb", "unknown"}
        # Of the consoles of Windows only the Terminal is sure to know the sequences.
        and (sys.platform != "win32" or bool(os.environ.get("WT_SESSION")))
        # What tests print, and a debugger, would get between the line and the cursor.
        and option.capture != "no"
        and not option.usepdb
        and not option.collectonly
        and not config.getini("log_cli")
        and option.log_cli_level is None
    )


class LiveLine:
    """Draws the line around whatever pytest writes.

    Args:
        config: pytest's.
        reporter: Who writes.
        progress: What to show.
        style: What the terminal can show.
        clock: Seconds.
    """

    def __init__(
        self,
        config: pytest.Config,
        reporter: pytest.TerminalReporter,
        progress: RunProgress,
        style: Style,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._verbose = config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 0
        self._reporter = reporter
        self._progress = progress
        self._style = style
        self._clock = clock
        self._drawn = False
        self._stopped = False
        self._text = ""
        self._written = float("-inf")
        self._waited_s: float | None = None
        self._lock = threading.RLock()

    def wait(self, seconds: float | None) -> None:
        """Say for how long a server has been waited for; ``None``: none is."""
        if seconds is None:
            return
        self._waited_s = seconds
        # In the middle of a test what is written would be taken for the test's own.
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with nullcontext() if capture is None else capture.global_and_fixture_disabled():
            self._draw(moved=False)
        self._waited_s = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logstart(self) -> Generator[None, object, object]:
        """Follow the name of a file, or of a test."""
        result = yield
        self._draw(moved=self._verbose)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Follow a letter or a word."""
        outcome = outcome_on(report)
        if outcome is not None:
            task = TaskName.in_json(outcome)
            self._progress.note(task, outcome["case"], outcome["kind"])
        result = yield
        # Of a test that was set up or torn down without trouble nothing is written.
        self._draw(moved=report.when == "call" or not report.passed)
        return result

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Be gone after the last test; until then, say also that workers bring nothing."""
        over = threading.Event()
        if self._config.pluginmanager.hasplugin("dsession"):
            # While no worker reports, nothing else would draw, and the line would stay as it is.
            with suppress(RuntimeError, MemoryError):  # the system has no thread left
                threading.Thread(target=self._keep, args=(over,), daemon=True).start()
        try:
            return (yield)
        finally:
            over.set()
            self._stop()

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self) -> None:
        """Give way to what xdist tells of a worker."""
        self.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Give way to what is said of Ctrl-C."""
        self._stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        """Give way to what is said of a broken plugin."""
        self._stop()

    def _keep(self, over: threading.Event) -> None:
        while not over.wait(LOOK_S):
            if self._progress.live().silent_s is not None:
                self._draw(moved=False)

    def _stop(self) -> None:
        with self._lock:
            self.clear()
            self._reporter.flush()
            self._stopped = True

    def clear(self) -> None:
        """Erase what is drawn; it is drawn again."""
        with self._lock:
            if self._drawn:
                self._reporter.write_raw(_CLEAR)
                self._drawn = False

    def _draw(self, *, moved: bool) -> None:
        """Draw where the numbers are old, or where pytest has written over it."""
        with self._lock:
            self._redraw(moved=moved)

    def _redraw(self, *, moved: bool) -> None:
        now = self._clock()
        if self._stopped or now - self._progress.began < SOON_S:
            return
        if self._progress.finished:
            self.clear()
            return
        due = now - self._written >= EVERY_S
        if due:
            self._written = now
            live = replace(self._progress.live(), waited_s=self._waited_s)
            self._text = live_text(live, self._style)
        if due or moved:
            self._reporter.write_raw(f"{_BELOW}{self._text}{_CLEAR}{_BACK}", flush=True)
            self._drawn = True
