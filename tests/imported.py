"""What runs of pytest within tests find imported, and what they need not load."""

from __future__ import annotations

import importlib
import pkgutil

SPARE_PLUGINS = (
    "cacheprovider", "hypothesispytest", "anyio", "doctest", "unittest", "subtests", "recwarn",
    "pastebin", "faulthandler", "xdist.looponfail",
)  # fmt: skip
"""Not needed by the runs inside the tests, and slow to load in every run and worker."""
OTHER_REPORTERS = (
    "html", "html_fixtures", "metadata", "pytest_jsonreport", "pytest_reportlog", "legacypath",
)  # fmt: skip
"""As slow, with what they need; tests of them let them in."""


def load_everything() -> None:
    """Import all of the package, and what of others cannot be imported twice.

    pytester forgets modules that an in-process run imports, so that each run would take long to
    import them anew. A run whose conftest changes a module of the package needs a process of its
    own: the change would stay.
    """
    for name in ("httpcore", "httpx", "numpy", "PIL.Image", "PIL.PngImagePlugin", "scipy.special"):
        importlib.import_module(name)
    package = importlib.import_module("pytest_llmclf")
    for module in pkgutil.walk_packages(package.__path__, "pytest_llmclf."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
