"""A local HTTP server that answers as a recorded Ollama did."""

from __future__ import annotations

from tests.ollama_replay.recordings import Exchange, all_exchanges, exchange
from tests.ollama_replay.server import OllamaReplay

__all__ = ["Exchange", "OllamaReplay", "all_exchanges", "exchange"]
