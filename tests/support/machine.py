"""What tests ask of the machine: programs, port numbers, folders with plain names."""

from __future__ import annotations

import getpass
import importlib.util
import os
import random
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

# Where a distribution has servers; an ordinary user's PATH leaves it out.
_FOR_ROOT = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_PLAIN = re.compile(r"[A-Za-z0-9/._-]{1,40}")
_PORTS = 12_000  # numbers to choose from
_ENOUGH = 500


def program(name: str, package: str) -> str:
    """The path of a program of the distribution's `package`."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOR_ROOT])
    return shutil.which(name, path=path) or missing(package)


def module(name: str, package: str) -> None:
    """One that is installed where the distribution's `package` is."""
    if importlib.util.find_spec(name) is None:
        missing(package)


def missing(package: str) -> NoReturn:
    """Skips the test for that. Where root runs it, `make test` has installed all there
    is, so that it fails."""
    import pytest  # benchmarks use this module too, without it

    why = f"this machine lacks the package {package}"
    if os.getuid() == 0:
        pytest.fail(why)
    pytest.skip(why)


def ipv6() -> None:
    """Skips the test where the machine has none: root cannot install it."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        import pytest  # as above

        pytest.skip(f"this machine lacks IPv6: {error}")


@contextmanager
def plain_folder(prefix: str = "celadon-") -> Iterator[Path]:
    """A folder whose path is short and has letters only, wherever temporary files are:
    for addresses of sockets, and for programs that take nothing else."""
    usual = tempfile.gettempdir()
    place = usual if _PLAIN.fullmatch(usual) else "/tmp"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as folder:
        yield Path(folder)


def keep_paths_short() -> None:
    """Where the folder for temporary files is deep, those of tests and of their children
    are in another: the path of a socket has 107 bytes at most, of which pytest's own names
    and a test's take 78. What a program does whose TMPDIR is deep are tests of its own."""
    user = "unknown"
    with suppress(OSError, KeyError):  # an account without a name
        user = getpass.getuser()
    if len(os.fsencode(tempfile.gettempdir() + user)) > 107 - 78:
        os.environ["TMPDIR"] = tempfile.tempdir = "/tmp"


def free_port() -> int:
    """A port for a service that cannot choose one: nobody else gets it from here, on the
    whole machine, while this process lives. The system gives it to nobody either: it is
    not one of those that connections and listeners at port 0 are given."""
    ports = _ports(*_given_by_the_system())
    for port in random.SystemRandom().sample(ports, len(ports)):
        if _reserve(port):
            return port
    raise AssertionError(f"no port of {ports} is free")


def _ports(low: int, high: int) -> range:
    """Numbers that the system gives to nobody, where it leaves enough of them."""
    below, above = range(max(1024, low - _PORTS), low), range(high + 1, 65536)
    most = max(below, above, key=len)
    return most if len(most) >= _ENOUGH else range(1024, 65536)


def _given_by_the_system() -> tuple[int, int]:
    low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return int(low), int(high)


def _reserve(port: int) -> bool:
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with mark:
        try:
            mark.bind(f"\0celadon-test-port-{port}")
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            return False
        mark.detach()  # stays open until this process ends
    return True


# Code after which this process can start no thread, before it calls `room_for_threads`:
# each one's stack would be larger than all the memory there can be.
NO_ROOM_FOR_THREADS = """
import ctypes

def _stacks(attributes):
    assert ctypes.CDLL(None).pthread_setattr_default_np(attributes) == 0

_usual, _huge = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
for _each in _usual, _huge:
    assert ctypes.CDLL(None).pthread_getattr_default_np(_each) == 0
ctypes.CDLL(None).pthread_attr_setstacksize(_huge, ctypes.c_size_t(1 << 47))
_stacks(_huge)

def room_for_threads():
    _stacks(_usual)

def no_room_for_threads():
    _stacks(_huge)
"""
