"""What is wrong where TLS is asked for and is not to be had, or the other way round."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING, Final

from pytest_llmclf import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.models.http.address import Address

LASTING: Final = frozenset(
    (
        "CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "BAD_RECORD_TYPE", "UNKNOWN_PROTOCOL",
    )
)  # fmt: skip
"""What OpenSSL calls an answer that does not become another one by waiting."""
WANTED: Final = re.compile(r"HTTPS (?:port|server)|SSL-enabled server port")
"""What servers say to a request without TLS, those that say something."""
_EXPIRED, _OTHER_HOST = 10, frozenset({62, 64})
"""What OpenSSL calls a certificate that is too old, and one of another name or address."""


def explained(error: ssl.SSLError, where: str, address: Address) -> errors.RequestRejected:
    """Why no connection came about, and what to do.

    Args:
        error: One whose reason is among `LASTING`.
        where: The server as messages call it.
        address: The same as an address.
    """
    if not isinstance(error, ssl.SSLCertVerificationError):
        return errors.RequestRejected(
            f"{where} answers, but not over TLS as https:// asks for ({error.reason})",
            remedy=f"if it speaks plain HTTP, write http://{address.netloc}{address.path}",
        )
    if error.verify_code in _OTHER_HOST:
        return errors.RequestRejected(
            f"the certificate of {where} is for another host ({error.verify_message})",
            remedy="write the name that is in it, and no other one of the server",
        )
    if error.verify_code == _EXPIRED:
        return errors.RequestRejected(
            f"the certificate of {where} has expired",
            remedy="renew it on the server, or set the clock of this machine",
        )
    return errors.RequestRejected(
        f"the certificate of {where} is not trusted ({error.verify_message})",
        remedy="name the certificate of its authority in SSL_CERT_FILE",
    )


def is_spoken(host: str, port: int, timeout_s: float, require_peer: Callable[[str], None]) -> bool:
    """Whether a server speaks TLS, whatever its certificate; no request is sent.

    Args:
        host: Where it is.
        port: The same.
        timeout_s: Longest wait for each step.
        require_peer: Refuses an address that may not be connected to.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout_s) as plain:
            require_peer(str(plain.getpeername()[0]))
            context.wrap_socket(plain, server_hostname=host).close()
    except (OSError, ValueError, errors.BackendError):
        return False
    return True
