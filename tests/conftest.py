"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# A busy machine makes single examples slow; speed is checked in benchmarks/.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
