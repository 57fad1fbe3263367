"""What earlier versions put into a store and should not have, taken out when it is opened.

Passwords of servers stood in the endpoint keys, and errors that gateways sent with HTTP 200 were
taken for answers. Answers of models that think were kept without their thinking, and are asked for
without it now. Each is done once a file; how far it is mended is noted in the file's application
id, which no earlier version looks at.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from typing import TYPE_CHECKING, Final

from pytest_llmclf.models.endpoint_key import mended
from pytest_llmclf.values.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

WITHOUT_ERRORS: Final = 0x6C6C_6D01
"""Application id of a store from which passwords and errors were taken."""
MENDED: Final = 0x6C6C_6D02
"""Application id of a store that was mended; its last byte is raised where there is more to do."""
_UNDECODED: Final = re.compile("[\udc80-\udcff]")


def mend(connection: sqlite3.Connection) -> None:
    """Mend a store that was not yet; one that is in use or cannot be written is left for later."""
    state = connection.execute("PRAGMA application_id").fetchone()[0]
    if state == MENDED:
        return
    try:
        # What is overwritten must not stay in the free pages of the file, nor in its journal.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return
    # A single text that is none must not keep everything else as it is, at this and every opening.
    connection.text_factory = _decoded
    try:
        changed = _drop(connection, _thought_unseen)
        if state != WITHOUT_ERRORS:
            changed += _mend_endpoints(connection) + _drop(connection, _may_be_an_error)
        connection.execute(f"PRAGMA application_id = {MENDED}")
        connection.execute("COMMIT")
    except sqlite3.OperationalError:
        connection.rollback()
        return
    finally:
        connection.text_factory = str
    if not changed:
        return
    with contextlib.suppress(sqlite3.OperationalError):  # another process is reading: no matter
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _is_text(value: object) -> bool:
    """Whether a value is text that SQLite takes back."""
    return isinstance(value, str) and not _UNDECODED.search(value)


def _mend_endpoints(connection: sqlite3.Connection) -> int:
    changed = 0
    rows = connection.execute("SELECT CAST(way AS BLOB), way, identity, seen FROM models")
    for raw, endpoint_key, identity, seen in rows.fetchall():
        found = mended(endpoint_key) if _is_text(endpoint_key) else ""
        if found == endpoint_key:
            continue
        changed += 1
        connection.execute("DELETE FROM models WHERE CAST(way AS BLOB) = ?", (raw,))
        # The others lead nobody anywhere.
        if found and _is_text(identity) and isinstance(seen, int | float):
            connection.execute(
                "INSERT OR REPLACE INTO models (way, identity, seen) VALUES (?, ?, ?)",
                (found, identity, seen),
            )
    return changed


def _drop(connection: sqlite3.Connection, doubted: Callable[[str, Answer], bool]) -> int:
    """Forget doubtful answers, so that they are asked for anew; how many that were."""
    doubtful = [
        (digest,)
        for digest, model, answer in connection.execute("SELECT digest, model, answer FROM answers")
        if _is_text(digest)
        and (found := _readable(answer)) is not None
        and doubted(str(model), found)
    ]
    connection.executemany("DELETE FROM answers WHERE digest = ?", doubtful)
    return len(doubtful)


def _readable(stored: str) -> Answer | None:
    try:
        return Answer.from_json(json.loads(stored))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # whoever looks it up says so


def _thought_unseen(model: str, answer: Answer) -> bool:
    """Whether a model may have thought that is told not to by now, under the same digest.

    Ollama says beforehand which models think, so that the digest tells their answers apart.
    """
    return not model.startswith("ollama:") and (answer.thought or not answer.text.strip())


def _may_be_an_error(model: str, answer: Answer) -> bool:
    return answer.may_be_an_error(model.partition(":")[0])
