"""The interpreter that a run of pytest within a test starts its workers with.

A fresh interpreter spends most of a short run on imports. This one asks a process that has imported
them already (`tests.forkserver`) to fork, and stands for what was forked: it hands over its
arguments, folder, environment, standard streams and each Ctrl-C, and ends as that ends. What a fork
cannot do like a fresh interpreter, a fresh interpreter does, in this one's place.

It is started with ``-I -S``, and by a script that says where the server listens.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import socket
import sys

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping

_AT_START = ("PYTHON", "LC_", "LANG")
"""Beginnings of variables that an interpreter reads when it starts."""
_SERVER = ("PYTHONUTF8", "1")
HEADER = 8
"""Bytes of the numbers in the conversation with the server."""


def settings_of_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that only a fresh interpreter could take notice of."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_AT_START) and (name, value) != _SERVER and name != "PYTHONPATH"
    }


def stand_in(address: str, real: str, settings: dict[str, str]) -> None:
    """Have the arguments of this process carried out by a fork; does not return.

    Args:
        address: Socket of the server.
        real: The interpreter to be when there can be no fork.
        settings: What the server had of `settings_of_start`.
    """
    given = sys.argv[1:]
    plain = [arg for arg in given[:2] if arg != "-u"]
    connection = socket.socket(socket.AF_UNIX)
    reached = False
    if plain[:1] in (["-c"], ["-m"], ["-mpytest"]) and settings == settings_of_start(os.environ):
        with contextlib.suppress(OSError):
            connection.connect(address)
            reached = True
    if not reached:
        os.execv(real, [real, *given])  # noqa: S606 - the interpreter that this one stands for
    folder = os.getcwd()  # noqa: PTH109 - pathlib is slow to import
    leads = os.getsid(0) == os.getpid()
    request = marshal.dumps((sys.argv, folder, dict(os.environ), leads))
    socket.send_fds(connection, [len(request).to_bytes(HEADER)], [0, 1, 2])
    connection.sendall(request)
    for stream in (0, 1, 2):
        os.close(stream)
    fork = int.from_bytes(connection.recv(HEADER), signed=True)
    if fork:
        send = os.killpg if leads else os.kill
        signal.signal(signal.SIGINT, lambda number, _: send(fork, number))
    said = connection.recv(HEADER)
    # A server that is gone took its forks along.
    code = int.from_bytes(said, signed=True) if said else -signal.SIGKILL
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
