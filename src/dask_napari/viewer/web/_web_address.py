"""Address and password of the web page that shows the screen of a viewer."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Final

from dask_napari.stream.auth import Security

PASSWORD_LENGTH: Final = 8
"""Characters; VNC compares no more. A guess costs a connection, and after five wrong ones Xvnc lets
nobody try for ten seconds and longer."""

_CHARACTERS: Final = string.ascii_letters + string.digits

_ADDRESS: Final = re.compile(r"(?:(\[[0-9a-fA-F:.]+\]|[^:\s]+):)?([0-9]{1,5})")

_EVERYWHERE: Final = ("0.0.0.0", "[::]")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Host and port of the web page, and its password.

    >>> WebAddress.parse("6080", "secret").url
    'http://localhost:6080/#password=secret'
    """

    host: str
    port: int
    password: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, password: str) -> WebAddress:
        """Read ``port`` or ``host:port``; this host alone can reach a port without a host."""
        match = _ADDRESS.fullmatch(text)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ValueError(f"web address {text!r} is not a port, 6080, or host:port")
        return cls(match[1] or "127.0.0.1", int(match[2]), password)

    @property
    def url(self) -> str:
        """Return a link that asks for no password.

        The password follows a ``#``, so that the browser sends it to no server.
        """
        host = "localhost" if self.host in ("127.0.0.1", *_EVERYWHERE) else self.host
        return f"http://{host}:{self.port}/#password={self.password}"


def web_password(security: Security | None) -> str:
    """Return a password that stays the same as long as the viewer's keys do.

    A page that is open when the viewer is started again connects by itself then. Without keys from
    a file, the password is random. Nobody can tell the keys from it.
    """
    secret = security.server_secret if security is not None else ""
    if not secret:
        return "".join(secrets.choice(_CHARACTERS) for _ in range(PASSWORD_LENGTH))
    digest = hmac.digest(secret.encode(), b"password of the web page", hashlib.sha256)
    number = int.from_bytes(digest, "big")
    password = ""
    for _ in range(PASSWORD_LENGTH):
        number, index = divmod(number, len(_CHARACTERS))
        password += _CHARACTERS[index]
    return password
