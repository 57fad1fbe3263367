"""What earlier versions put into a store and should not have, taken out when it is opened.

Passwords of servers stood in the endpoint keys, and errors that gateways sent with HTTP 200 were
taken for answers. Done once a file; what it was done to is noted in the file's application id,
which no earlier version looks at.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import Final

from pytest_llmclf.answer import Answer
from pytest_llmclf.backends.way import mended

MENDED: Final = 0x6C6C_6D01
"""Application id of a store that was mended; its last byte is raised where there is more to do."""


def mend(connection: sqlite3.Connection) -> None:
    """Mend a store that was not yet; one that is in use or cannot be written is left for later."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == MENDED:
        return
    try:
        # What is overwritten must not stay in the free pages of the file, nor in its journal.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return
    try:
        changed = _mend_endpoints(connection) + _drop_errors(connection)
        connection.execute(f"PRAGMA application_id = {MENDED}")
        connection.execute("COMMIT")
    except sqlite3.OperationalError:
        connection.rollback()
        return
    if not changed:
        return
    with contextlib.suppress(sqlite3.OperationalError):  # another process is reading: no matter
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _mend_endpoints(connection: sqlite3.Connection) -> int:
    changed = 0
    rows = connection.execute("SELECT way, identity, seen FROM models").fetchall()
    for way, identity, seen in rows:
        found = mended(str(way))
        if found != way:
            changed += 1
            connection.execute("DELETE FROM models WHERE way = ?", (way,))
            connection.execute(
                "INSERT OR REPLACE INTO models VALUES (?, ?, ?)", (found, identity, seen)
            )
    return changed


def _drop_errors(connection: sqlite3.Connection) -> int:
    """Forget what may be an error, so that it is asked about anew; how many answers that were."""
    doubtful = [
        (digest,)
        for digest, model, answer in connection.execute("SELECT digest, model, answer FROM answers")
        if _may_be_an_error(str(model), answer)
    ]
    connection.executemany("DELETE FROM answers WHERE digest = ?", doubtful)
    return len(doubtful)


def _may_be_an_error(model: str, stored: str) -> bool:
    """Whether an answer bears the marks of an error: broken off, or without a count of tokens.

    Sound servers count what they wrote, and gateways that pass an error on do not.
    """
    try:
        answer = Answer.from_json(json.loads(stored))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False  # whoever looks it up says so
    if model.startswith("openai:"):
        return answer.finish == "other" or answer.answer_tokens is None
    return model.startswith("ollama:") and answer.finish == "other" and answer.answer_tokens is None
