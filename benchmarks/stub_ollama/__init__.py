"""A stand-in for an Ollama server: real HTTP, chosen service time, slots, queue and faults.

It runs as a process of its own, so that the program under test shares no interpreter with it:

    with StubOllama(service_ms=20, slots=4) as stub:
        ...  # ask at stub.url
        print(stub.stats())
"""

from __future__ import annotations

from benchmarks.stub_ollama.process import StubOllama

__all__ = ["StubOllama"]
