"""``python -m pytest_llmclf``: the same as ``llmclf``."""

import sys

from pytest_llmclf.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
