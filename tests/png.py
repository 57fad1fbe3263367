"""PNG files of any content, damaged ones too, which no library would write."""

from __future__ import annotations

import struct
import zlib

MARK = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its length and its check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
