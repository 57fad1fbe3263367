"""The controller of xdist: what it runs itself, and what its workers let it know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.plugin.items import MODEL_MARK, is_gate
from pytest_llmclf.plugin.pytest_private import left_behind, run_id_of_node
from pytest_llmclf.plugin.session import EVALUATIONS, EVALUATIONS_KEY, RUN_ID_KEY

if TYPE_CHECKING:
    from collections.abc import Generator


class DistributedGates:
    """On the xdist controller: collects what the workers run, and runs the gates after them.

    A worker sees only its own share of the images, so gates are dropped there. The controller
    sees every report.
    """

    def __init__(self) -> None:
        self._session: pytest.Session | None = None
        self._collected = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session for the hooks that do not get it."""
        self._session = session

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        """Share the run's id with the workers."""
        config: pytest.Config = node.config  # type: ignore[attr-defined]
        config.stash[RUN_ID_KEY] = run_id_of_node(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Note that a worker had evaluations, whether or not any of it was run."""
        if left_behind(node, EVALUATIONS):
            node.config.stash[EVALUATIONS_KEY] = True  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Collect here too as soon as a worker is known to have collected images."""
        session = self._session
        if session is None or self._collected or session.testsfailed:
            return
        if any(MODEL_MARK in test_id for test_id in ids):
            self._collected = True
            session.perform_collect()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the gates when every worker is done."""
        result = yield
        gates = [item for item in session.items if is_gate(item)] if self._collected else []
        session.testscollected += len(gates)
        for number, gate in enumerate(gates, start=1):
            following = gates[number] if number < len(gates) else None
            gate.config.hook.pytest_runtest_protocol(item=gate, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
        return result
