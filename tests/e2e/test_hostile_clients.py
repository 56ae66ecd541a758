"""Clients that break off, stall, reset and send rubbish, at random: nothing is stuck."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command, wait_until

MIXED = "tests.apps.mixed:app"
CLIENTS = 16
CONNECTIONS = 25  # of each client
PATIENCE = 0.4  # seconds for the answers of one connection
PATHS = ["/hello", "/stream", "/write", "/fail", "/late", "/file", "/large", "/nope"]
LIMITS = ["--header-timeout", "1", "--body-timeout", "1", "--write-timeout", "1"]


def some_request(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.6:
        return raw.get(chance.choice(PATHS))
    if kind < 0.8:
        size = chance.choice([0, 1, 100, 70_000, 300_000])
        expect = chance.choice([(), ("Expect: 100-continue",)])
        path = chance.choice(["/read", "/unread"])
        return raw.post(path, b"b" * size, *expect)
    if kind < 0.9:
        pieces = b"".join(b"%x\r\n%b\r\n" % (n, b"c" * n) for n in (1, 5_000, 70_000))
        head = raw.get("/read", "Transfer-Encoding: chunked", method="POST")
        return head + pieces + b"0\r\n\r\n"
    rubbish = bytearray(raw.get("/hello", "X: y"))
    for _ in range(chance.randint(1, 4)):
        rubbish[chance.randrange(len(rubbish))] = chance.randrange(256)
    return bytes(rubbish)


def pieces_of(data: bytes, chance: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = chance.randint(1, 20_000)
        yield data[at : at + size]
        at += size


def use_connection(sock: socket.socket, chance: random.Random) -> None:
    count = chance.choice([1, 1, 1, 2, 5, 20])
    data = b"".join(some_request(chance) for _ in range(count))
    way = chance.choice(["whole", "cut", "pieces", "reset", "gone", "half-close"])
    if way == "cut":
        data = data[: chance.randrange(len(data) + 1)]
    for piece in pieces_of(data, chance) if way == "pieces" else [data]:
        sock.sendall(piece)
    if way == "reset":
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    if way in ("reset", "gone"):
        return
    if way == "half-close":
        sock.shutdown(socket.SHUT_WR)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and sock.recv(chance.choice([500, 1 << 20])):
        pass


def run_client(port: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(CONNECTIONS):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                if chance.random() < 0.2:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                sock.settimeout(PATIENCE)
                use_connection(sock, chance)
        except OSError:
            pass  # refused, reset, or out of patience: all of them are welcome


@pytest.mark.parametrize("buffering", [False, True])
def test_every_connection_comes_to_an_end(buffering: bool) -> None:
    """Found two ways to wait for ever, both behind pipelined requests."""
    options = [*LIMITS, *(["--request-buffering"] if buffering else [])]
    with Command(MIXED, *options) as server:
        descriptors = Path(f"/proc/{server.worker}/fd")
        assert server.request(raw.get("/hello")).status == 200
        before = len(list(descriptors.iterdir()))
        clients = [
            threading.Thread(target=run_client, args=(server.port, seed))
            for seed in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        # One connection and a spool file may come and go.
        wait_until(lambda: (n := len(list(descriptors.iterdir())), n <= before + 1))
        assert server.request(raw.get("/hello")).status == 200
