"""A key is hidden however it is written, in everything that comes from a server."""

from __future__ import annotations

import base64
import codecs
import functools
import html
import json
import random
import re
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf import errors
from pytest_llmclf.models.http.client import HttpClient
from pytest_llmclf.models.http.redact import _MOST_READ, HIDDEN, LONGEST, Redactor
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.values.answer import Answer, TokenLogprob
from tests.unit.models.chat_server import ChatServer, completion
from tests.unit.models.ollama_models import question
from tests.unit.models.raw_replies import RawReplies, http

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = 'sk-Qx7/s+cret&k"y=9Z'


def every(how: str, text: str = KEY) -> str:
    """`text` with each sign written as an escape."""
    return "".join(how.format(ord(char)) for char in text)


def base64_of(text: str) -> str:
    """As servers encode a header or a body."""
    return base64.b64encode(text.encode()).decode()


WRITTEN = {
    "plain": KEY, "JSON": json.dumps(KEY)[1:-1], "JSON, plus": KEY.replace("+", "\\u002B"),
    "JSON, all": every("\\u{:04x}"), "JSON, capitals": every("\\u{:04X}"),
    "slash": KEY.replace("/", "\\/"), "JSON in JSON": json.dumps(json.dumps(KEY)),
    "URL": quote(KEY, safe=""), "URL, small": KEY.replace("+", "%2b").replace("/", "%2f"),
    "query": quote_plus(KEY), "URL, all": every("%{:02x}"),
    "HTML": html.escape(KEY), "HTML, plus": KEY.replace("+", "&#43;"), "HTML, all": every("&#{};"),
    "HTML, hexadecimal": every("&#x{:X};"), "hexadecimal": every("\\x{:02x}"),
    "URL twice": quote(quote(KEY, safe=""), safe=""), "quoted": every("={:02X}"),
    "UTF-16": "\0".join(KEY), "mail": html.escape(quote(KEY)),
    "HTML without ends": every("&#{}"), "HTML, named": KEY.replace("+", "&plus;"),
    "JavaScript": every("\\u{{{:x}}}"), "Python": every("\\U{:08x}"), "octal": every("\\{:03o}"),
    "old URL": every("%u{:04X}"), "quoted, small": every("={:02x}"), "shell": re.escape(KEY),
    "bytes": KEY.encode().hex(), "BYTES": KEY.encode().hex().upper(),
    "capitals": KEY.upper(), "small": KEY.lower(), "colours": "\x1b[0m".join(KEY),
    "joiners": "\u200b".join(KEY), "soft hyphens": "\u00ad".join(KEY),
    "two lines": f"{KEY[:9]}\n{KEY[9:]}", "two lines, written": f"{KEY[:9]}\\r\\n{KEY[9:]}",
    "soft line end": f"{KEY[:9]}=\r\n{KEY[9:]}", "HTML in HTML": KEY.replace("+", "&amp;#43;"),
    "base64": base64_of(KEY), "base64 of base64": base64_of(base64_of(KEY)),
    "base64 three times": base64_of("a" + base64_of("ab" + base64_of("Bearer " + KEY))),
    "base64 of UTF-16": base64.b64encode(KEY.encode("utf-16")).decode(),
    "base64 of JSON": base64_of(json.dumps({"key": KEY})),
    "base64 in JSON in base64": base64_of(json.dumps({"key": base64_of(json.dumps([KEY]))})),
    "base64 in lines": base64.encodebytes((KEY * 9).encode()).decode(),
    "base64 in a path": "/v1/auth/" + base64_of(json.dumps({"key": KEY})),
    "base32": base64.b32encode(KEY.encode()).decode(),
    "base32, small": base64.b32encode(f"ab{KEY}".encode()).decode().lower().rstrip("="),
    "base32 of base64": base64.b32encode(base64_of(KEY).encode()).decode(),
    "base64 of base32": base64_of(base64.b32encode(KEY.encode()).decode()),
    "hexadecimal of JSON": json.dumps(KEY).encode().hex(),
    "hexadecimal twice": KEY.encode().hex().encode().hex(),
    "UTF-7": KEY.encode("utf-7").decode(),
    "UTF-7, all": f"+{base64.b64encode(KEY.encode('utf-16-be')).decode().rstrip('=')}-",
    "style sheet": every("\\{:x} "), "style sheet, six": every("\\{:06x}"),
    "style sheet in JSON": json.dumps(every("\\{:x} ")),
    "numbers": str(list(KEY.encode())), "numbers, blanks": every("{} ").strip(),
    "numbers, hexadecimal": every("0x{:02X}, "), "colons": KEY.encode().hex(":"),
    "dashes": KEY.encode().hex("-"), "wide": "".join(chr(ord(char) + 0xFEE0) for char in KEY),
    "bold": re.sub("[a-z]", lambda found: chr(ord(found[0]) - ord("a") + 0x1D41A), KEY),
    "backwards": KEY[::-1],
}  # fmt: skip

OURS = Redactor([KEY])
STATUSES = (200, 400, 401, 500)
CODINGS = ("utf-8", "utf-16", "utf-32-be")


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    """One server for all of them: to start it takes longer than to ask it."""
    with ChatServer() as server:
        yield server


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_in_an_error(chat: ChatServer, written: str) -> None:
    """As JSON and as a page, of any status, in whatever coding a JSON reader takes."""
    backend = OpenAIBackend(model="llava", address=chat.address, timeout_s=20, api_key=KEY)
    bodies = [f'{{"error": {json.dumps(written)}}}', f"<html>key {written} is wrong"]
    for body, status, coding in product(bodies, STATUSES, CODINGS):
        chat.answers["/v1/chat/completions"] = (status, body.encode(coding))
        with pytest.raises(errors.BackendError) as caught:
            backend.ask(question(b"p"))
        said = str(caught.value)
        assert HIDDEN in said, said
        assert Redactor([KEY]).text(said) == said
        assert KEY not in html.unescape(said)
    backend.close()


def test_what_surrounds_a_key_in_base64() -> None:
    """A header or an object that holds it, encoded as a whole."""
    for before in ("", "a", "ab", "Bearer "):
        whole = base64.b64encode(f"{before}{KEY} and more".encode()).decode()
        assert HIDDEN in Redactor([KEY]).text(f"got {whole}")


def test_a_text_without_end_is_read_in_bounded_steps() -> None:
    """Beginning and end of it; what stands between is left out, so that no key stands there."""
    long = f"{KEY}{'x' * (LONGEST // 2)}{KEY}{'y' * (LONGEST // 2)}{KEY}"
    found = Redactor([KEY]).text(long)
    assert len(found) < LONGEST + 100
    assert KEY not in found


def test_what_is_no_key_stays() -> None:
    """Escapes and signs that nobody sees are not touched where they hide nothing."""
    for text in ("a\\u0041b", "caf\u00e9 &amp; more", "x\u200by", "line\nline", "\\d+ =3D"):
        assert Redactor([KEY]).text(text) == text


@pytest.mark.parametrize(
    "told", [list(KEY.encode()), list(KEY), [KEY[:5], KEY[5:]], {"data": list(KEY.encode())}]
)
def test_as_a_list(told: Any) -> None:
    """Whose items are bytes, characters or pieces of it."""
    found = Redactor([KEY]).value(told)
    assert found == ({"data": HIDDEN} if isinstance(told, dict) else HIDDEN)


@pytest.mark.parametrize(
    "told",
    [
        KEY[:6] + "*" * 10, f"...{KEY[-7:]}", base64.b85encode(KEY.encode()).decode(),
        codecs.encode(KEY, "rot13"), "-".join(KEY),
        functools.reduce(lambda text, _: base64_of(text), range(6), KEY),
    ],
    ids=["masked", "cut", "base85", "rot13", "dashes between", "base64 six times"],
)  # fmt: skip
def test_what_is_not_found(told: str) -> None:
    """As SECURITY.md says: no part of a key, and no coding that it does not name."""
    assert Redactor([KEY]).text(f"key {told}") == f"key {told}"


HOSTILE = {
    "noise": base64.b64encode(random.Random(1).randbytes(LONGEST * 3 // 4)).decode(),  # noqa: S311
    "words": "classification " * LONGEST, "ampersands": "&" + "amp;" * LONGEST,
    "percent": ("%" + "25" * 10 + "41") * LONGEST, "backslashes": "\\" * LONGEST,
    "numbers": "65, " * LONGEST, "style sheet": "\\41 " * LONGEST, "UTF-7": "+AEE-" * LONGEST,
    "wide": "\uff41" * LONGEST, "long ones": "\ufdfa" * LONGEST, "base32": "mfrggzdf" * LONGEST,
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_is_read_too_often(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All readings of it together are no longer than is said; what would be read then is hidden."""
    read: list[int] = []
    search = Redactor._replaced

    def counted(self: Redactor, text: str) -> str:
        read.append(len(text))
        return search(self, text)

    monkeypatch.setattr(Redactor, "_replaced", counted)
    text = text[:LONGEST]
    found = OURS.text(text)
    assert found == text or HIDDEN in found
    assert sum(read) <= _MOST_READ + 2 * LONGEST


RAW = {
    "plus": json.dumps(KEY).replace("+", "\\u002B"), "all": '"' + every("\\u{:04x}") + '"',
    "plain": json.dumps(KEY),
}  # fmt: skip


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_in_an_answer(raw: str) -> None:
    """Whatever legal escapes the JSON of it has; what is kept is the text that was read."""
    body = json.dumps(completion(message={"content": "KEY"})).replace('"KEY"', raw)
    with ChatServer() as chat:
        chat.answers["/v1/chat/completions"] = (200, body)
        backend = OpenAIBackend(model="llava", address=chat.address, timeout_s=2, api_key=KEY)
        assert backend.ask(question(b"p")).text == HIDDEN
        backend.close()


def test_in_parts_and_tokens() -> None:
    """Parts of a message are joined first; tokens that would spell a key are left out."""
    pieces = [KEY[:5], KEY[5:11], KEY[11:]]
    tokens = [{"token": piece, "logprob": -0.1} for piece in pieces]
    body = completion(
        message={"content": [{"type": "text", "text": piece} for piece in pieces]},
        logprobs={"content": tokens},
    )
    with ChatServer() as chat:
        chat.answers["/v1/chat/completions"] = (200, body)
        backend = OpenAIBackend(model="llava", address=chat.address, timeout_s=2, api_key=KEY)
        answer = backend.ask(question(b"p"))
        backend.close()
    assert answer.text == HIDDEN
    assert answer.logprobs is None


def test_keys_of_the_environment_are_hidden_whoever_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server may know the key of another one."""
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    with RawReplies(http(json.dumps({"said": [KEY, {KEY: 1}]}).encode())) as server:
        client = HttpClient(server.address, where="it")
        assert client.json("GET", "/", timeout_s=2).value == {"said": [HIDDEN, {HIDDEN: 1}]}
        client.close()


@given(st.recursive(st.text() | st.integers() | st.none() | st.booleans(), st.lists, max_leaves=9))
def test_what_holds_no_key_stays_as_it_is(value: Any) -> None:
    """Down to its escapes: an answer is not rewritten."""
    assert OURS.value(value) == value


def test_a_number_that_is_a_key() -> None:
    """Is none any more; other numbers stay."""
    assert Redactor(["1234567890"]).value([1234567890, 12, 1.5]) == [HIDDEN, 12, 1.5]


def test_an_answer_without_a_key_is_the_same_object() -> None:
    """Nothing is copied for nothing."""
    token = TokenLogprob(token="7", logprob=-0.1)  # noqa: S106 - a piece of text
    answer = Answer(text="7 %41", logprobs=(token,))
    assert Redactor([KEY]).answer(answer) is answer
