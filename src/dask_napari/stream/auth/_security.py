"""Who may connect, and who may listen in: CURVE keys, a token, and rules for addresses."""

from __future__ import annotations

import errno
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zmq

from dask_napari.stream.auth._addresses import check_tcp, is_local, is_private
from dask_napari.system import HAS_IPC, IPC_LIMIT, create_own, is_closed

_Z85_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


@dataclass(frozen=True, slots=True, repr=False)
class Security:
    """Keys and token of one viewer.

    Pickling leaves the secret key out: what is sent to workers never has it. Neither it nor the
    token is in the ``repr``.

    With keys, everything on TCP is encrypted and both ends are authenticated (CURVE, RFC 26 of
    ZeroMQ): only who was given the server's public key can talk to it, so that key is kept as
    secret as the token. A private socket (:func:`is_private`) stays plain: nobody else can
    reach it, and CURVE would cost three quarters of its speed.

    Attributes
    ----------
    token : str
        Password that a peer names in its HELLO.
    server_key : str
        The viewer's public key in Z85, empty without encryption.
    server_secret : str
        The viewer's secret key in Z85, empty on the workers' side.

    Raises
    ------
    ValueError
        If the token is empty, or a key is not one.

    Examples
    --------
    >>> viewer = Security.generate()
    >>> worker = viewer.client()
    >>> worker.server_secret, viewer.check_token(worker.token)
    ('', True)
    """

    token: str
    server_key: str = ""
    server_secret: str = ""

    def __post_init__(self) -> None:
        # No value is named: messages are logged.
        if not isinstance(self.token, str) or not self.token:
            raise ValueError("the token is empty or not text; use Security.generate()")
        for key in (self.server_key, self.server_secret):
            if not isinstance(key, str) or (key and not _Z85_KEY.fullmatch(key)):
                raise ValueError("a key is not 40 characters of Z85; use Security.generate()")
        if self.server_secret and not self.server_key:
            raise ValueError("there is a secret key without its public one")

    @classmethod
    def generate(cls, encrypt: bool = True) -> Security:
        """Make a new token, and new keys if ``encrypt``."""
        if not encrypt:
            return cls(secrets.token_urlsafe(32))
        public, secret = zmq.curve_keypair()
        return cls(secrets.token_urlsafe(32), public.decode(), secret.decode())

    @property
    def encrypted(self) -> bool:
        """True if there are keys, without which nothing is encrypted."""
        return bool(self.server_key)

    def client(self) -> Security:
        """Return the half for workers and clients: all but the secret key."""
        return Security(self.token, self.server_key)

    def check_token(self, token: str) -> bool:
        """Compare a token with the right one, in a time that does not depend on the first."""
        # As bytes: text beyond ASCII is refused by `compare_digest`, and half a surrogate pair by
        # `encode`.
        given, right = (t.encode("utf-8", "surrogatepass") for t in (token, self.token))
        return hmac.compare_digest(given, right)

    def secure_server(self, socket: zmq.Socket[Any], address: str) -> None:
        """Set the keys on a socket for the next address that it will be bound to.

        Raises ValueError if this is only the half for clients.
        """
        if not self.encrypted:
            return
        if not self.server_secret:
            raise ValueError(
                "this Security has no secret key; a viewer needs both halves of the keys"
            )
        # ZeroMQ keeps for each endpoint what was set when it was bound.
        socket.setsockopt(zmq.CURVE_SERVER, not is_private(address))
        if not is_private(address):
            socket.setsockopt_string(zmq.CURVE_SECRETKEY, self.server_secret)

    def secure_client(self, socket: zmq.Socket[Any], address: str) -> None:
        """Set the keys on a socket that will be connected; its own ones are new each time."""
        if not self.encrypted or is_private(address):
            return
        public, secret = zmq.curve_keypair()
        socket.setsockopt_string(zmq.CURVE_SERVERKEY, self.server_key)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)

    def dumps(self) -> str:
        """Return one line of JSON, for a channel that nobody else can read."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Security:
        """Return the keys that :meth:`dumps` wrote. Raises ValueError for any other text."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError):
            # Without its cause, which holds the text.
            raise ValueError("not the keys of a dask-napari viewer") from None

    def save(self, path: str | Path) -> None:
        """Write a file that only this user can read."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = create_own(part)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(self.dumps() + "\n")
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | Path) -> Security:
        """Return the keys in a file that :meth:`save` wrote.

        Raises
        ------
        PermissionError
            If other users can read the file.
        ValueError
            If it holds something else.
        """
        with open(path) as file:
            if not is_closed(os.fstat(file.fileno())):
                raise PermissionError(
                    errno.EPERM, f"others can read {path}; run chmod 600 on it, or make new keys"
                )
            return cls.loads(file.read())

    def __reduce__(self) -> tuple[type[Security], tuple[str, str]]:
        return Security, (self.token, self.server_key)

    def __copy__(self) -> Security:
        return self  # copies within the process go by pickle's way otherwise

    def __deepcopy__(self, memo: dict[int, Any]) -> Security:
        return self

    def __repr__(self) -> str:
        # Never the secrets: plugins are logged.
        return f"<Security: {'CURVE and token' if self.encrypted else 'token'}>"


def check_encrypted(addresses: Iterable[str], security: Security | None) -> None:
    """Refuse plain TCP, with a ValueError, where Dask requires encryption."""
    if security is not None and security.encrypted:
        return
    for address in addresses:
        if not address.startswith("ipc://"):
            raise ValueError(
                f"Dask requires encryption (distributed.comm.require-encryption), and a stream to "
                f"{address} would have none; give security= the keys of the viewer "
                "(dask-napari view --security-file), or use watch() without insecure=True"
            )


def check_address(address: str, *, security: Security | None, insecure: bool) -> None:
    """Refuse an address to listen at that is not usable, or lets strangers in, with a ValueError.

    Without ``security``, a receiver makes keys that only its own user on its own host can find.
    """
    if address.startswith("ipc://"):
        if not HAS_IPC:
            raise ValueError(
                f"address {address!r}: this system has no such sockets; use tcp://127.0.0.1:5577"
            )
        path = address.removeprefix("ipc://")
        if not path.startswith("/"):
            raise ValueError(
                f"address {address!r}: an ipc address is an absolute path on this host, "
                "ipc:///home/me/viewer.sock; use tcp://host:port for another host"
            )
        if len(os.fsencode(path)) > IPC_LIMIT:
            raise ValueError(
                f"address {address!r}: longer than {IPC_LIMIT} bytes; use a shorter path"
            )
        if not Path(path).parent.is_dir():
            raise ValueError(f"address {address!r}: there is no directory {Path(path).parent} here")
    else:
        check_tcp(address)
    if insecure or (security is not None and security.encrypted) or is_private(address):
        return
    if not is_local(address):
        raise ValueError(
            f"address {address!r} can be reached from other hosts and would not be encrypted; "
            "give security=Security.generate() (--security-file), or allow it with insecure=True "
            "(--insecure) on a network that you trust"
        )
    if security is not None:
        raise ValueError(
            f"address {address!r} can be reached by all users of this host, and security= has no "
            "keys; leave it out or give Security.generate(), or allow it with insecure=True"
        )
