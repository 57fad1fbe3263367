"""A run that is gated on what its answers cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.api import read_run
from pytest_llmclf.metrics.cost import cost_per_1000
from pytest_llmclf.values.price import Price

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


def test_a_run_is_gated_on_its_cost(colours: Colours) -> None:
    """Its folder keeps price and costs; what is read back says the same."""
    colours.images(2)
    colours.evaluation("cost_per_1000 <= 5, latency_p95 <= 600, tokens_mean <= 50")
    found = colours.run("--llmclf-price", "*: 2, 4")
    text = found.stdout.str()
    assert found.ret == 0, text
    assert "an answer: half within" in text
    report = read_run(colours.root / "run").reports[0]
    assert report.price == Price(read=2, written=4)
    cost = cost_per_1000(report)
    assert cost.value is not None
    assert colours.written()["cost"]["cost_per_1000"] == cost.value


def test_without_a_price_nothing_is_decided(colours: Colours) -> None:
    """Nor is a price that has another form taken for one."""
    colours.images(1)
    colours.evaluation("cost_per_1000 <= 5")
    found = colours.run()
    assert found.ret == 1
    assert "INCONCLUSIVE" in found.stdout.str()
    assert "--llmclf-price" in found.stdout.str()
    refused = colours.run("--llmclf-price", "2, 4")
    assert refused.ret == 4
    assert "write MODEL: READ, WRITTEN" in refused.stderr.str()
