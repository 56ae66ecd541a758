"""Calls on native threads, lookups of names, threads that are started and joined."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from celadon import green
from celadon.green.native_pool import NativePool
from celadon.patch import dns
from celadon.testing import Stage

from tests.explorer.catalogue import scenario


def serves(pool: NativePool) -> None:
    """The pool stands as if nothing had been."""
    with green.Timeout(60):
        assert pool.run(lambda: 5) == 5, "the next call is not done"
        for _ in range(50):
            if not pool.running:
                break
            green.sleep(0.1)
    assert pool.running == 0
    assert pool.waiting == 0


@scenario(proves=("G03",), kept=("1 kill a",))
def offload(stage: Stage) -> Any:
    pool = NativePool(1, "explored")
    ran: list[str] = []

    for name in "ab":
        stage.spawn(name, lambda name=name: pool.run(ran.append, name))

    def check() -> None:
        serves(pool)
        for name in "ab":
            assert ran.count(name) <= 1
            assert stage.ended_by(name) != "value" or name in ran

    return check


@scenario(proves=("G03",), kept=("1 kill a",))
def offload_to_two_threads(stage: Stage) -> Any:
    pool = NativePool(2, "explored")
    for name in "abc":
        stage.spawn(name, pool.run, lambda: None)
    return lambda: serves(pool)


@scenario(proves=("G03",), kept=("1 kill a",))
def offload_of_what_is_owned(stage: Stage) -> Any:
    """What the call holds is given back once, and abandoned if its caller left."""
    pool = NativePool(1, "explored")
    log: list[str] = []

    def call(name: str) -> None:
        pool.run_owned(
            lambda: log.append(f"{name} runs"),
            lambda: log.append(f"{name} ends"),
            lambda: log.append(f"{name} left"),
        )
        log.append(f"{name} has it")

    for name in "ab":
        stage.spawn(name, call, name)

    def check() -> None:
        serves(pool)
        for name in "ab":
            ran = log.count(f"{name} runs")
            assert log.count(f"{name} ends") == ran <= 1
            nobody_has_it = ran == 1 and f"{name} has it" not in log
            assert log.count(f"{name} left") == nobody_has_it

    return check


@scenario(orders=1)
def offload_whose_caller_leaves_at_its_end(stage: Stage) -> Any:
    """As above, where the native thread loses the interpreter at any line."""
    pool = NativePool(1, "explored")
    log: list[str] = []
    stage.lines_of(NativePool)

    def call() -> None:
        pool.run_owned(
            lambda: log.append("runs"),
            lambda: log.append("ends"),
            lambda: log.append("left"),
        )
        log.append("has it")

    stage.spawn("a", call)

    def check() -> None:
        serves(pool)
        assert log.count("left") + log.count("has it") == log.count("runs")
        assert log.count("ends") == 1 or stage.ended_by("a") != "value"
        assert log.count("ends") == log.count("runs")

    return check


@scenario()
def offload_to_threads_of_all(stage: Stage) -> Any:
    """Of a pool that is older than the trial, as drivers have theirs."""

    def call() -> None:
        assert green.offload(int, "1") == 1

    stage.spawn("a", call)
    stage.spawn("b", call)

    def check() -> None:
        with green.Timeout(50):
            call()

    return check


@scenario(proves=("G03",), kept=("1 kill a",))
def lookup(stage: Stage) -> Any:
    """Equal lookups are one; who leaves does not take it along."""
    dns._pool = NativePool(2, "explored")
    dns.lookups = dns.Lookups()
    asked: list[str] = []

    def look() -> str:
        asked.append("name")
        return "address"

    def find() -> None:
        assert dns.lookups.find("name", look, 0) == "address"

    for name in "abc":
        stage.spawn(name, find, expected=(socket.gaierror,))

    def check() -> None:
        with green.Timeout(50):
            assert dns.lookups.find("name", look, 0) == "address"
        serves(dns._pool)
        assert dns.lookups._flights == {}

    return check


@scenario()
def thread_that_is_joined(stage: Stage) -> Any:
    ran: list[int] = []

    def work() -> None:
        thread = threading.Thread(target=ran.append, args=(1,))
        thread.start()
        thread.join()
        assert not thread.is_alive()

    stage.spawn("a", work)
    stage.spawn("b", work)

    def check() -> None:
        ended = [stage.ended_by(name) for name in "ab"].count("value")
        assert len(ran) >= ended

    return check


@scenario()
def timer(stage: Stage) -> Any:
    ran: list[int] = []

    def work() -> None:
        timer = threading.Timer(1, ran.append, (1,))
        timer.start()
        try:
            time.sleep(1)
        finally:
            timer.cancel()
        timer.join()

    stage.spawn("a", work)
    stage.spawn("b", work)

    def check() -> None:
        assert len(ran) <= 2

    return check


@scenario()
def connect_by_name(stage: Stage) -> Any:
    """The name is asked for on a native thread; who leaves takes no socket along."""
    dns._pool = NativePool(2, "explored")
    dns.lookups = dns.Lookups()
    listener = socket.create_server(("127.0.0.1", 0))
    stage.at_end(listener.close)
    address = ("localhost", listener.getsockname()[1])

    def connect() -> None:
        with socket.create_connection(address, timeout=5) as client:
            assert client.getpeername() == listener.getsockname()

    for name in "ab":
        stage.spawn(name, connect, expected=(socket.gaierror,))

    def check() -> None:
        connect()
        serves(dns._pool)
        assert dns.lookups._flights == {}

    return check
