"""Where a server listens, and whether images may go there.

Images leave this machine only when the user names the host. Everything that opens a connection
takes an `Address` and passes `Address.require_allowed` first; what a name turns out to be when it
is connected passes `Address.require_peer`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit

from pytest_llmclf.errors import RemoteRefused, SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection

OLLAMA_PORT = 11434
"""Where Ollama listens when nothing else is said."""

API_VERSION = "api-version"
"""The one parameter that an address may have: anything else in a query may be a key."""
_CHAT = "/chat/completions"

Scheme = Literal["http", "https"]
_SCHEME_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where images and keys may go besides this machine, each host as ``HOST`` or ``HOST:PORT``.

    Attributes:
        remote: Hosts that images may be sent to.
        clear_key: Hosts that a key or password may be sent to unencrypted.
    """

    remote: Collection[str] = frozenset()
    clear_key: Collection[str] = frozenset()


NOWHERE: Final = Access()
"""Images stay on this machine, and keys go over TLS or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server's address, without secrets in anything that can be printed.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Name or IP address in lower case, IPv6 without brackets.
        port: TCP port, 1 to 65535.
        path: Path prefix such as ``/v1``, or empty; never ends in a slash.
        user: User and password of the URL, or ``None``; kept out of `repr`, `url` and messages.
        api_version: Sent with every request as ``?api-version=``, or empty.
    """

    scheme: Scheme = "http"
    host: str
    port: int
    path: str = ""
    user: tuple[str, str] | None = field(default=None, repr=False)
    api_version: str = ""

    @property
    def base_url(self) -> str:
        """What paths of the API are appended to, without user and password."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def query(self) -> str:
        """What follows every path, such as ``?api-version=2024-10-21``; empty for most servers."""
        return f"?{API_VERSION}={self.api_version}" if self.api_version else ""

    @property
    def url(self) -> str:
        """The address as a URL, without user and password."""
        return f"{self.base_url}{self.query}"

    @property
    def netloc(self) -> str:
        """Host and port, such as ``127.0.0.1:11434`` or ``[::1]:11434``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the address can only be this machine: 127.0.0.0/8, ::1 or ``localhost``."""
        # Any other name may resolve to anything, and short forms like "127.1" too; so may
        # "localhost", which is looked at again when it is connected.
        return self.host == "localhost" or is_loopback_ip(self.host)

    def is_named(self, hosts: Collection[str]) -> bool:
        """Whether the host is among `hosts`, each written as ``HOST`` or ``HOST:PORT``."""
        named = {name.casefold().strip("[]") for name in hosts}
        return self.host.casefold() in named or self.netloc.casefold().strip("[]") in named

    def require_allowed(self, allow_remote: Collection[str]) -> None:
        """Refuse an address that is neither on this machine nor allowed by name.

        Args:
            allow_remote: Hosts the user allowed, each as ``HOST`` or ``HOST:PORT``.

        Raises:
            RemoteRefused: The host is somewhere else and was not named.
        """
        if not self.is_loopback and not self.is_named(allow_remote):
            raise RemoteRefused(
                f"{self.netloc} is not on this machine, and images would be sent there",
                remedy=f"if that is wanted, say --llmclf-allow-remote {self.host}",
            )

    def require_peer(self, ip: str, allow_remote: Collection[str]) -> None:
        """Refuse a connection that leads elsewhere than its name says, before anything is sent.

        Args:
            ip: The address that was connected to.
            allow_remote: Hosts the user allowed, each as ``HOST`` or ``HOST:PORT``.

        Raises:
            RemoteRefused: It is not on this machine, and neither the name nor it was allowed.
        """
        peer = Address(host=ip, port=self.port)
        if is_loopback_ip(ip) or self.is_named(allow_remote) or peer.is_named(allow_remote):
            return
        raise RemoteRefused(
            f"{self.host} leads to {ip}, which is not on this machine, and images would be sent "
            "there",
            remedy=f"mend the name's entry in the hosts file, or say --llmclf-allow-remote {ip}",
        )


def parse_address(text: str, *, default_port: int | None = None) -> Address:
    """Read a server address in any form that ``OLLAMA_HOST`` takes.

    ``host``, ``host:port``, ``:port``, ``http://host[:port][/path]``, IPv6 with or without
    brackets. Addresses that a server listens on, ``0.0.0.0`` and ``::``, mean loopback to a
    client.

    Args:
        text: The address; empty means 127.0.0.1.
        default_port: Port of an address without scheme and port; 11434 when not given.

    Raises:
        SettingsError: The text is no address. It is not repeated if it may hold a password.
    """
    text = text.strip().strip("\"'")
    shown = repr(text.rpartition("@")[2]) if "@" in text else repr(text)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    scheme = scheme.casefold()
    if scheme not in ("http", "https"):
        raise SettingsError(f"{shown} is no server address: write http://HOST:PORT")
    typed: Scheme = "https" if scheme == "https" else "http"
    port = _SCHEME_PORTS[typed] if separator else (default_port or OLLAMA_PORT)
    if not separator and _is_bare_ipv6(rest):
        rest = f"[{rest}]"
    try:
        split = urlsplit(f"{scheme}://{rest}")
        given, host = split.port, split.hostname
    except ValueError as error:
        raise SettingsError(
            f"{shown} is no server address ({error}): write HOST:PORT, for IPv6 [::1]:PORT"
        ) from None
    if given == 0 or (given or port) > _LARGEST_PORT or split.query or split.fragment:
        raise SettingsError(f"{shown} is no server address: write http://HOST:PORT")
    if host is not None and not _is_host(host):
        raise SettingsError(f"{shown} is no server address: the host has odd characters")
    if not split.path.isprintable():
        raise SettingsError(f"{shown} is no server address: the path has odd characters")
    user = None
    if split.username is not None:
        user = (unquote(split.username), unquote(split.password or ""))
    return Address(
        scheme=typed,
        host=_for_client(host or "127.0.0.1"),
        port=given or port,
        path=split.path.rstrip("/"),
        user=user,
    )


def parse_chat_address(text: str) -> Address:
    """Read the address of a server of OpenAI's protocol, as people copy it.

    It may end in ``/chat/completions``, which is taken off, and may have ``?api-version=``.

    Raises:
        SettingsError: The text is no address. What may be a password or key is not repeated.
    """
    text, mark, query = text.strip().strip("\"'").partition("?")
    version = ""
    if mark:
        found = re.fullmatch(rf"{API_VERSION}=([\w.-]{{1,40}})&?", query, re.ASCII)
        if found is None:
            raise SettingsError(
                f"{without_user(text)!r} is followed by a query that an address cannot have: write "
                f"?{API_VERSION}=VERSION or nothing, and put keys into the environment"
            )
        version = found[1]
    address = parse_address(text)
    path = address.path
    if path.casefold().endswith(_CHAT):
        path = path[: -len(_CHAT)].rstrip("/")
    return replace(address, path=path, api_version=version)


def without_user(text: str) -> str:
    """A model or an address as written, without user and password of its URL."""
    # Up to the last @: a password may hold signs that a URL should have escaped.
    head, slashes, rest = text.partition("//")
    return f"{head}{slashes}{rest.rpartition('@')[2]}"


def is_loopback_ip(text: str) -> bool:
    """Whether a text is an IP address of this machine's own loopback, mapped ones included."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped.is_loopback
    return ip.is_loopback


def parse_addresses(text: str) -> tuple[Address, ...]:
    """Read a comma-separated list of addresses; empty text is Ollama's usual address."""
    parts = [part for part in text.split(",") if part.strip()]
    return tuple(parse_address(part) for part in parts or [""])


def _is_bare_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6  # noqa: PLR2004 - IPv6 is its name
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    return all(char.isalnum() or char in "-._:%" for char in host)


def _for_client(host: str) -> str:
    """Turn the addresses that mean "every interface" to a server into loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - replaced, not bound
