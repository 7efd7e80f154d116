"""Addresses answer with a token to those who dial them, as long as the beacon is open."""

from __future__ import annotations

import asyncio
import socket

from dask_napari.stream.auth import beacon, host_and_port


def test_an_address_is_found_by_its_token_alone():
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        beacon.Beacon(["tcp://127.0.0.1:*", "tcp://0.0.0.0:*", "tcp://192.0.2.1:5577"]) as light,
    ):
        assert light.addresses.keys() == {"tcp://127.0.0.1:*", "tcp://0.0.0.0:*"}
        near = light.addresses["tcp://127.0.0.1:*"]
        wild = beacon.with_host(light.addresses["tcp://0.0.0.0:*"], "127.0.0.1")
        silent = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        tried = [near, silent, wild, "tcp://127.0.0.1:1", "tcp://no.such.host.invalid:5577"]
        assert asyncio.run(beacon.dial(tried, light.token)) == [True, False, True, False, False]
        assert asyncio.run(beacon.dial([near], b"0" * 32)) == [False]
    assert asyncio.run(beacon.dial([near], light.token)) == [False]
    # Its port is free for the viewer at once.
    socket.create_server((host_and_port(near)[0], int(host_and_port(near)[1]))).close()
