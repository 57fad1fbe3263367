"""Where images may go."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.errors import RemoteRefused, SettingsError
from pytest_llmclf.models.http.address import (
    Address,
    parse_address,
    parse_addresses,
    parse_chat_address,
)
from pytest_llmclf.models.spec import parse_spec


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":56789", "http://127.0.0.1:56789"),
        ("1.2.3.4:56789", "http://1.2.3.4:56789"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://example.com:56789/path/", "https://example.com:56789/path"),
        ("Example.COM", "http://example.com:11434"),
        ("example.com/path", "http://example.com:11434/path"),
        ("[::1]", "http://[::1]:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:99", "http://[::1]:99"),
        ("http://[::1]", "http://[::1]:80"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 - read, not bound
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        ("[::]:2", "http://[::1]:2"),
        ("  'localhost:3' ", "http://localhost:3"),
        ("http://user:secret@localhost:4/v1", "http://localhost:4/v1"),
    ],
)
def test_every_form_of_ollama_host_is_read(text: str, url: str) -> None:
    """The forms that Ollama's own programs take give the same address."""
    assert parse_address(text).url == url


@pytest.mark.parametrize(
    "text",
    ["ftp://h", "h:99999", "h:0", "h:port", "http://[::1", "http://h/?q=1", "a b", "http://h#f"],
)
def test_what_is_no_address_is_said(text: str) -> None:
    """A bad address is an error that shows the form to write."""
    with pytest.raises(SettingsError, match="no server address"):
        parse_address(text)


def test_a_list_gives_an_address_each() -> None:
    """Commas part addresses; nothing at all is Ollama's usual place."""
    assert [a.port for a in parse_addresses("h:1, h:2,")] == [1, 2]
    assert [a.url for a in parse_addresses("")] == ["http://127.0.0.1:11434"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "LOCALHOST", "::ffff:127.0.0.1"]
)
def test_loopback_is_allowed(host: str) -> None:
    """What can only be this machine needs no permission."""
    parse_address(f"[{host}]" if ":" in host else host).require_allowed(frozenset())


@pytest.mark.parametrize(
    "host",
    [
        "example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "127.1",
        "[::2]", "2130706433", "mylocalhost", "::ffff:10.0.0.1", "0x7f000001",
    ],
)  # fmt: skip
def test_everything_else_is_refused(host: str) -> None:
    """A look-alike of loopback is refused, and the message names the option."""
    address = parse_address(host)
    with pytest.raises(RemoteRefused) as caught:
        address.require_allowed(frozenset({"other.example"}))
    assert f"--llmclf-allow-remote {address.host}" in str(caught.value)


def test_a_named_host_is_allowed() -> None:
    """Naming a host allows it on every port, naming it with a port on that one."""
    address = parse_address("http://GPU.example:8080/v1")
    address.require_allowed(frozenset({"gpu.example"}))
    address.require_allowed(frozenset({"gpu.example:8080"}))
    with pytest.raises(RemoteRefused):
        address.require_allowed(frozenset({"gpu.example:8081"}))
    parse_address("[::2]:5").require_allowed(frozenset({"[::2]"}))


@given(st.ip_addresses())
def test_only_loopback_addresses_pass(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Of all IP addresses only loopback and its mapped form count as this machine."""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    expected = (mapped or ip).is_loopback
    assert Address(host=str(ip), port=1).is_loopback == expected


def test_passwords_stay_out_of_sight() -> None:
    """User and password reach the client and nothing that is printed."""
    address = parse_address("http://user:s%23cret@localhost:4")
    assert address.user == ("user", "s#cret")
    assert "cret" not in f"{address!r} {address} {address.url} {address.netloc}"
    with pytest.raises(SettingsError) as caught:
        parse_address("ftp://user:secret@host")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "base", "query"),
    [
        ("http://h:1/v1", "http://h:1/v1", ""),
        ("http://h:1/v1/", "http://h:1/v1", ""),
        ("http://h:1/v1/chat/completions", "http://h:1/v1", ""),
        ("http://h:1/v1/chat/completions/", "http://h:1/v1", ""),
        ("http://h:1/chat/completions", "http://h:1", ""),
        ("http://h:1/chat/completions-of-mine", "http://h:1/chat/completions-of-mine", ""),
        ("https://h/v1?api-version=2024-10-21", "https://h:443/v1", "?api-version=2024-10-21"),
        (
            "https://h/openai/deployments/d/chat/completions?api-version=preview",
            "https://h:443/openai/deployments/d",
            "?api-version=preview",
        ),
    ],
)
def test_an_address_is_taken_as_it_is_copied(text: str, base: str, query: str) -> None:
    """From a page that shows a whole request as well as from one that shows the prefix."""
    address = parse_chat_address(text)
    assert (address.base_url, address.query) == (base, query)
    assert address.url == f"{base}{query}"
    assert parse_chat_address(address.url) == address


@pytest.mark.parametrize(
    "query", ["key=sk-very-secret", "api-version=1&key=sk-very-secret", "api-version=", "",
              "api-version=a b", "api-version=1#sk-very-secret", "api-version=1%0d%0asecret"]
)  # fmt: skip
def test_another_query_is_refused_and_not_repeated(query: str) -> None:
    """It may be a key, and addresses are printed."""
    text = f"http://me:hidden@h:1/v1?{query}"
    for read in (parse_chat_address, lambda text: parse_spec(f"openai:m@{text}")):
        with pytest.raises(SettingsError, match="api-version=VERSION") as caught:
            read(text)
        assert "secret" not in str(caught.value)
        assert "hidden" not in str(caught.value)
