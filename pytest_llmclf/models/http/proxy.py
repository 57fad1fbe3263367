"""The proxy that stands between this machine and a server elsewhere."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from pytest_llmclf import errors

if TYPE_CHECKING:
    from pytest_llmclf.models.http.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy for HTTP.

    Attributes:
        host: Name or address.
        port: TCP port.
        user: User and password for the proxy itself, or ``None``.
    """

    host: str
    port: int
    user: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The proxy as a URL, with its password: for clients, never for messages."""
        user = "" if self.user is None else ":".join(quote(part, safe="") for part in self.user)
        user += "@" if user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{user}{host}:{self.port}"


def proxy_for(address: Address) -> Proxy | None:
    """The proxy that the environment or the system names for another machine."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    url = proxies.get(address.scheme) or proxies.get("all")
    if not url or proxy_bypass(address.host):
        return None
    split = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = split.port or 80
    except ValueError:
        port = 0
    if split.scheme != "http" or not split.hostname or not port:
        raise errors.SettingsError(
            f"the proxy for {address.netloc} ({split.scheme}://{split.hostname}) is none that can "
            f"be used: write http://HOST:PORT, or put {address.host} into NO_PROXY"
        )
    user = None
    if split.username is not None:
        user = (unquote(split.username), unquote(split.password or ""))
    return Proxy(host=split.hostname, port=port, user=user)


def basic(user: tuple[str, str]) -> str:
    """The header's value that stands for a user and a password."""
    return "Basic " + base64.b64encode(":".join(user).encode()).decode()
