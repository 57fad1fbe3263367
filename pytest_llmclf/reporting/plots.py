"""The confusion matrix as a figure of matplotlib, drawn by scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import need_extra
from pytest_llmclf.metrics.wording import when_stopped
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import PLAIN
from pytest_llmclf.reporting.worst_classes import row_cells

if TYPE_CHECKING:
    from sklearn.metrics import ConfusionMatrixDisplay

    from pytest_llmclf.metrics.report import Report

_NAME: Final = 22
_MOST_NUMBERED: Final = 40
"""Most columns whose cells have their number in them."""


def confusion_display(report: Report, **options: Any) -> ConfusionMatrixDisplay:
    """The confusion matrix of `report`, drawn.

    Rows are actual classes, columns predicted ones; answers without a label and errors have columns
    of their own where there are any.

    Args:
        report: Whose matrix.
        **options: Those of ``ConfusionMatrixDisplay.plot``, such as ``ax`` and ``cmap``.

    Raises:
        ExtraMissing: matplotlib is not installed.
    """
    need_extra("matplotlib", "plot", "a plot")
    import numpy as np
    from matplotlib import pyplot as plt
    from sklearn.metrics import ConfusionMatrixDisplay

    confusion = report.confusion
    size = len(confusion.labels)
    ends = {"unparsed": confusion.unparsed, "error": confusion.error}
    tails = [name for name, images in ends.items() if any(images)]
    names = [*map(_drawable, confusion.labels), *tails]
    # scikit-learn draws squares: below the classes there are as many rows, which are cut off.
    counts = np.zeros((len(names), len(names)), dtype=int)
    for index in range(size):
        counts[index] = row_cells(confusion, range(size), tails, index)
    if options.get("ax") is None:
        side = max(5.0, min(30.0, 2.5 + 0.45 * len(names)))
        options["ax"] = plt.subplots(figsize=(side + 1, side), layout="constrained")[1]
    chosen = {
        "cmap": "Blues",
        "xticks_rotation": "vertical",
        "include_values": len(names) <= _MOST_NUMBERED,
        **options,
    }
    drawn = ConfusionMatrixDisplay(counts, display_labels=names).plot(**chosen)
    drawn.ax_.set(
        ylim=(size - 0.5, -0.5), yticks=range(size), xlabel="predicted", ylabel="actual",
        title=_title(report),
    )  # fmt: skip
    for text in () if drawn.text_ is None else drawn.text_[size:].flat:
        text.remove()
    return drawn


def _title(report: Report) -> str:
    names = f"{_drawable(report.evaluation, 40)} · {_drawable(report.configuration, 48)}"
    accuracy = when_stopped(f"accuracy {numbers.counted(report.accuracy)}", report.ledger)
    return f"{names}\n{accuracy}"


def _drawable(text: str, columns: int = _NAME) -> str:
    """Cut, printable, and without the sign that begins a formula in matplotlib."""
    return PLAIN.name(text, columns).replace("$", r"\$")
