"""Keys, tokens and addresses: who may connect, and what is never written down."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import pickle
import stat
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import zmq

from dask_napari.model import Item
from dask_napari.stream import Control, ViewerGone
from dask_napari.stream.auth import Security, check_address, check_dialed, is_local
from dask_napari.stream.auth._addresses import is_private
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.wire import messages as wire
from headless import eventually

QUIET = 500
"""Milliseconds in which a message that may pass would have, many times over."""

# -- keys on sockets ---------------------------------------------------------------------------


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    context = KeepingContext()
    yield context
    context.destroy(linger=0)


class KeepingContext(zmq.Context):
    """Keeps its sockets until it is destroyed; one collected before is reported as not closed."""

    def socket(self, *args, **options):
        socket = super().socket(*args, **options)
        self.__dict__.setdefault("kept", []).append(socket)
        return socket


def pair(context, server: Security | None, client: Security | None):
    """A ROUTER and a DEALER on the loopback interface."""
    router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    if server is not None:
        server.secure_server(router, "tcp://127.0.0.1:*")
    if client is not None:
        client.secure_client(dealer, "tcp://127.0.0.1:*")
    port = router.bind_to_random_port("tcp://127.0.0.1")
    dealer.connect(f"tcp://127.0.0.1:{port}")
    return router, dealer


def test_keys_that_went_by_pickle_work(context):
    security = Security.generate()
    worker = pickle.loads(pickle.dumps(security))
    router, dealer = pair(context, security, worker)
    dealer.send(b"question")
    assert router.poll(10_000)
    identity, question = router.recv_multipart()
    router.send_multipart([identity, question + b" answered"])
    assert dealer.poll(10_000)
    assert dealer.recv() == b"question answered"
    assert dealer.getsockopt(zmq.MECHANISM) == zmq.CURVE


@pytest.mark.parametrize("keys", ["of another viewer", "none"])
def test_without_the_right_server_key_nothing_passes(context, keys):
    client = Security.generate().client() if keys == "of another viewer" else None
    router, dealer = pair(context, Security.generate(), client)
    dealer.send(b"let me in", zmq.NOBLOCK)
    assert not router.poll(QUIET)
    assert not dealer.poll(0)


def test_a_client_with_keys_does_not_talk_to_a_plain_server(context):
    router, dealer = pair(context, None, Security.generate().client())
    dealer.send(b"token", zmq.NOBLOCK)
    assert not router.poll(QUIET)


def test_the_clients_half_is_refused_on_a_server(context):
    with pytest.raises(ValueError, match="no secret key"):
        Security.generate().client().secure_server(context.socket(zmq.ROUTER), "ipc:///x")


def test_without_keys_sockets_stay_plain(context):
    plain = Security.generate(encrypt=False)
    assert not plain.encrypted
    router, dealer = pair(context, plain, plain.client())
    dealer.send(b"x")
    assert router.poll(10_000)
    assert router.getsockopt(zmq.MECHANISM) == zmq.NULL


def test_a_receiver_refuses_the_right_key_with_the_wrong_token():
    security = Security.generate()
    wrong = Security("guess", security.server_key)
    with Receiver("tcp://127.0.0.1:*", Board(), security=security) as receiver:
        control = Control(receiver.addresses, security=security.client())
        assert "ledger" in control.request("ledger")
        control.close()
        with pytest.raises(ViewerGone, match="token"):
            Control(receiver.addresses, security=wrong)
        eventually(lambda: receiver.rejected["wrong token"])  # counted after the answer


def answered(address: str, keys: Security | None, token: str) -> bool:
    """Whether a HELLO is answered that comes with these keys, or by plain ZeroMQ."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger = 0
        if keys is not None:
            public, secret = zmq.curve_keypair()
            link.curve_serverkey = keys.server_key.encode()
            link.curve_publickey, link.curve_secretkey = public, secret
        link.connect(address)
        with contextlib.suppress(zmq.Again):  # turned away already: sending would block
            hello = wire.Hello(wire.WIRE_VERSION, "0", "client", "me", token)
            link.send(wire.encode(hello), zmq.DONTWAIT)
        return bool(link.poll(10_000 if keys is not None else QUIET))


def test_only_a_socket_that_nobody_else_can_reach_stays_plain(tmp_path):
    security = Security.generate()
    tmp_path.chmod(0o755)
    shared = f"ipc://{tmp_path}/viewer"
    with Receiver(
        ["tcp://127.0.0.1:*", "ipc://*", shared, "tcp://127.0.0.1:*"], Board(), security=security
    ) as receiver:
        first, private, shared, last = receiver.addresses
        for address in (first, shared, last):
            assert not answered(address, None, security.token)
            assert answered(address, security, security.token)
        assert answered(private, None, security.token)
        assert is_private(private)
        assert not is_private(shared)
        # Both ends agree on each.
        for address in receiver.addresses:
            Control([address], security=security.client()).close()


def test_without_keys_a_publisher_says_nothing_to_whoever_listens():
    with Receiver("tcp://127.0.0.1:*", Board(), insecure=True) as receiver:
        with Publisher(["ipc:///nowhere/viewer", *receiver.addresses], name="me") as publisher:
            # A friend is answered meanwhile.
            Control(receiver.addresses, insecure=True).close()
            threading.Event().wait(QUIET / 1000)
            assert publisher.state == "connecting"
        with pytest.raises(ViewerGone, match=r"no viewer of this user.*insecure=True"):
            Control(receiver.addresses)
        assert receiver.protocol.epochs == 1  # of the friend alone
        assert not receiver.peers()
        with Publisher(receiver.addresses, name="me", insecure=True) as publisher:
            eventually(lambda: publisher.state == "connected")


@pytest.mark.parametrize("insecure", [False, True])
def test_a_publisher_that_has_found_keys_never_goes_on_in_plain(insecure):
    """The viewer of its user is killed, and another user listens at its address."""
    with Receiver("tcp://127.0.0.1:*", Board()) as receiver:
        (address,) = receiver.addresses
        publisher = Publisher(address, name="me", insecure=insecure)
        publisher.start()
        eventually(lambda: publisher.state == "connected")
    with Receiver(address, Board(), insecure=True) as thief:
        publisher.put(Item("raw", "image", np.ones((4, 4)), {"t": 0}))
        Control([address], insecure=True).close()
        threading.Event().wait(QUIET / 1000)
        assert thief.protocol.epochs == 1
        assert not thief.peers()
    with Receiver(address, board := Board()):  # its user's next one
        eventually(lambda: len(board))
    publisher.close()


@pytest.mark.parametrize("address", ["tcp://viewer.example:5577", "tcp://192.0.2.1:5577"])
def test_an_address_of_another_host_needs_keys_or_consent(address):
    for security in (None, Security.generate(encrypt=False)):
        with pytest.raises(ValueError, match=r"without keys.*--security-file.*insecure=True"):
            check_dialed([address], security=security, insecure=False)
        with pytest.raises(ValueError, match="without keys"):
            Publisher(address, name="me", security=security)
        check_dialed([address], security=security, insecure=True)
    check_dialed([address], security=Security.generate(), insecure=False)


# -- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "a", "\u00e9", "\N{GRINNING FACE}", "\udc80", "x" * 10**6])
def test_strange_tokens_are_compared_not_raised_over(token):
    security = Security.generate()
    assert not security.check_token(token)
    assert security.check_token(security.token)


def test_a_token_beyond_ascii_works():
    assert Security("schlüssel").check_token("schlüssel")
    assert not Security("schlüssel").check_token("schlussel")


def test_tokens_and_keys_are_never_the_same_twice():
    several = [Security.generate() for _ in range(5)]
    assert len({s.token for s in several}) == len({s.server_key for s in several}) == 5
    assert all(len(s.token) >= 43 for s in several)  # 256 bits


# -- what is written down -----------------------------------------------------------------------


def test_neither_repr_nor_errors_nor_logs_show_a_secret(caplog):
    security = Security.generate()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").info("%s %r %s", security, [security], f"{security}")
    broken = security.dumps()[:-1]
    with pytest.raises(ValueError, match="not the keys") as error:
        Security.loads(broken)
    assert error.value.__cause__ is None
    shown = caplog.text + repr(error.value)
    for secret in (security.token, security.server_secret, security.server_key):
        assert secret not in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_leave_the_secret_key_out(protocol):
    security = Security.generate()
    pickled = pickle.dumps({"plugin": security}, protocol)
    assert security.server_secret.encode() not in pickled
    assert pickle.loads(pickled)["plugin"] == security.client()


def test_copies_within_the_process_are_whole():
    security = Security.generate()
    assert copy.copy(security) == copy.deepcopy([security])[0] == security


def test_dumps_is_one_line_that_loads_reads():
    security = Security.generate()
    assert "\n" not in security.dumps()
    assert Security.loads(security.dumps()) == security
    assert Security.loads(security.client().dumps()) == security.client()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"token": ""}',
        '{"token": 5}',
        '{"token": "t", "server_key": "short"}',
        '{"token": "t", "server_key": null}',
        json.dumps({"token": "t", "server_secret": "a" * 40}),
        json.dumps({"token": "t", "more": 1}),
    ],
)
def test_loads_refuses_what_dumps_did_not_write(text):
    with pytest.raises(ValueError, match="not the keys"):
        Security.loads(text)


def test_an_empty_token_would_let_everyone_in():
    with pytest.raises(ValueError, match="token is empty"):
        Security("")


def test_a_saved_file_is_private_from_the_first(tmp_path):
    security = Security.generate()
    path = tmp_path / "new" / "keys.json"
    before = os.umask(0)
    try:
        security.save(path)
        security.save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Security.load(path) == security
    assert [p.name for p in path.parent.iterdir()] == ["keys.json"]


def test_saving_replaces_a_link_and_does_not_write_through_it(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "keys").symlink_to(target)
    Security.generate().save(tmp_path / "keys")
    assert target.read_text() == "precious"


def test_a_save_that_fails_leaves_nothing(tmp_path):
    (tmp_path / "keys").mkdir()
    with pytest.raises(IsADirectoryError):
        Security.generate().save(tmp_path / "keys")
    assert [p.name for p in tmp_path.iterdir()] == ["keys"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_can_reach_is_refused_with_the_remedy(tmp_path, mode):
    Security.generate().save(tmp_path / "keys")
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(PermissionError, match="chmod 600"):
        Security.load(tmp_path / "keys")


# -- addresses -----------------------------------------------------------------------------------

LOCAL = ["tcp://127.0.0.1:5577", "tcp://127.8.8.8:1", "tcp://localhost:*", "tcp://[::1]:0"]
OPEN = ["tcp://0.0.0.0:5577", "tcp://*:5577", "tcp://10.1.2.3:5577", "tcp://[::]:5577"]
OPEN += ["tcp://viewer.example:5577", "tcp://lo:5577", "tcp://127.0.0.1.evil.example:1"]


@pytest.mark.parametrize("address", LOCAL)
def test_for_local_addresses_a_receiver_makes_the_keys(address):
    assert is_local(address)
    check_address(address, security=None, insecure=False)
    check_dialed([address], security=None, insecure=False)
    token = Security.generate(encrypt=False)
    with pytest.raises(ValueError, match=r"all users of this host.*Security.generate"):
        check_address(address, security=token, insecure=False)
    check_address(address, security=token, insecure=True)


@pytest.mark.parametrize("address", OPEN)
def test_open_addresses_need_keys_or_consent(address):
    assert not is_local(address)
    check_address(address, security=Security.generate(), insecure=False)
    check_address(address, security=None, insecure=True)
    for security in (None, Security.generate(encrypt=False)):
        with pytest.raises(ValueError, match=r"would not be encrypted.*--insecure"):
            check_address(address, security=security, insecure=False)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "is not tcp"),
        ("udp://127.0.0.1:1", "is not tcp"),
        ("tcp://127.0.0.1", "is not tcp"),
        ("tcp://127.0.0.1:65536", "is not tcp"),
        ("tcp://127.0.0.1:-1", "is not tcp"),
        ("tcp://127.0.0.1:\u0661", "is not tcp"),
        ("tcp://127.0.0.1 :1", "is not tcp"),
        ("tcp://127.0.0.1:1\n", "is not tcp"),
        ("tcp://:1", "is not tcp"),
        ("ipc://relative", "absolute path"),
        ("ipc://@abstract", "absolute path"),
        ("ipc:///" + "x" * 107, "longer than 107 bytes"),
        ("ipc:///nowhere/at/all/s", "no directory /nowhere/at/all"),
    ],
)
def test_addresses_that_cannot_be_listened_on_are_refused(address, message):
    with pytest.raises(ValueError, match=message):
        check_address(address, security=None, insecure=True)


def test_a_socket_in_a_directory_is_fine(tmp_path):
    check_address(f"ipc://{tmp_path}/s", security=None, insecure=False)
    assert is_local(f"ipc://{tmp_path}/s")
