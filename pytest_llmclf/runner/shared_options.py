"""Options of how models are asked and servers reached: the same for evaluations and commands.

Declared at the start of every pytest run, so that nothing else is imported here.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SHOWN: Final = 40


def at_least(
    kind: Callable[[str], Any], lowest: float, highest: float = math.inf
) -> Callable[[str], Any]:
    """What reads a number of some kind between a lowest and a highest, for argparse."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what}") from None
        if not value >= lowest:
            raise argparse.ArgumentTypeError(f"{text} is below {lowest}")
        if value > highest:
            raise argparse.ArgumentTypeError(f"{text[:_SHOWN]} is above {highest:,}")
        return value

    return parse


def naming(what: str) -> Callable[[str], str]:
    """What refuses a text that names nothing, blanks and commas alone, for argparse."""

    def parse(text: str) -> str:
        if not text.replace(",", "").strip():
            raise argparse.ArgumentTypeError(f"{text!r} names no {what}: name one, or leave it out")
        return text

    return parse


SHARED_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "think": {
        "metavar": "HOW",
        "help": "whether models are to think before they answer: off, on, low, medium or high "
        "(default: as the evaluation says, else off where the server can be told)",
    },
    "allow-remote": {
        "action": "append",
        "type": naming("host"),
        "metavar": "HOST",
        "help": "let images leave this machine for HOST (nothing but loopback is used otherwise); "
        "may repeat",
    },
    "allow-clear-key": {
        "action": "append",
        "type": naming("host"),
        "metavar": "HOST",
        "help": "let a key or password go to HOST unencrypted (otherwise over TLS or to this "
        "machine only); may repeat",
    },
    "allow-links": {
        "action": "append",
        "type": naming("folder"),
        "metavar": "FOLDER",
        "help": "let links among the images lead into FOLDER (nothing outside of a dataset's own "
        "folder is read otherwise); may repeat",
    },
    "in-flight": {
        "type": at_least(int, 1),
        "metavar": "N",
        "help": "requests in flight a model (default: learnt from how fast each server answers; "
        "twice the slots of a llama-server that is started for the run)",
    },
    "attempts": {
        "type": at_least(int, 1),
        "metavar": "N",
        "default": 4,
        "help": "times one image is asked about when the server fails (default: %(default)s)",
    },
    "server-wait": {
        "type": at_least(float, 0),
        "metavar": "MINUTES",
        "help": "how long a server that was reached in this run is waited for when it is away or "
        "busy; 0: not at all (default: 5)",
    },
    "timeout": {
        "type": at_least(float, 0.1),
        "metavar": "SECONDS",
        "default": 300.0,
        "help": "seconds to wait for an answer; a large model has to be loaded for the first one "
        "(default: %(default)g)",
    },
    "pull": {
        "action": "store_true",
        "help": "let Ollama download a model that it does not have",
    },
}
"""By name, without dashes before it: keyword arguments of argparse's ``add_argument``."""


def hosts_of(*given: Iterable[str] | None) -> frozenset[str]:
    """The hosts that some options name, as addresses are compared with them."""
    return frozenset(host.strip().lower() for some in given for host in some or ())
