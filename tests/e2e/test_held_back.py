"""Whole answers leave while the same turn computes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command

# A call into C that returns once the test has written to a pipe, with or without the GIL.
CALLING = """
import ctypes, os
pipe = os.open("go", os.O_RDWR)
buffer = ctypes.create_string_buffer(1)
calls = {"with": ctypes.PyDLL(None).read, "without": ctypes.CDLL(None).read}
class Closing(list):
    def close(self): calls["with"](pipe, buffer, 1)
def app(environ, start_response):
    call = calls.get(environ["QUERY_STRING"])
    if call: call(pipe, buffer, 1)
    start_response("200 OK", [("Content-Length", "4")])
    return (Closing if environ["PATH_INFO"] == "/closing" else list)([b"done"])
"""


# No thread that begins from here on has membarrier(2): a filter of seccomp(2) refuses it.
FORBIDDING = """
import ctypes, errno, platform, struct
number = {"x86_64": 324, "aarch64": 283}[platform.machine()]
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in [
    (0x20, 0, 0, 0),  # load the number of the call
    (0x15, 0, 1, number),
    (0x06, 0, 0, 0x0005_0000 | errno.ENOSYS),
    (0x06, 0, 0, 0x7FFF_0000),  # allowed
]))
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_void_p)]
libc = ctypes.CDLL(None)
filter = Filter(4, ctypes.addressof(program))
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, ctypes.byref(filter), 0, 0) == 0  # PR_SET_SECCOMP
assert libc.syscall(number, 0, 0, 0) == -1
"""


@pytest.mark.row("S28")
@pytest.mark.parametrize(
    ("prelude", "paths"),
    [
        ("", ("/", "/?with")),
        ("", ("/", "/?without")),
        ("", ("/closing", "/")),
        (FORBIDDING, ("/", "/?with")),
    ],
    ids=["with", "without", "closing", "forbidden"],
)
def test_an_answer_does_not_wait_for_what_runs_behind_it(
    tmp_path: Path, prelude: str, paths: tuple[str, str]
) -> None:
    (tmp_path / "calling.py").write_text(prelude + CALLING)
    go = tmp_path / "go"
    os.mkfifo(go)
    with Command("calling:app", cwd=tmp_path) as server, server.client() as client:
        for _ in range(3):
            client.send(b"".join(map(raw.get, paths)))
            assert client.response().body == b"done"
            go.write_bytes(b"x")  # who holds the loop waits for that
            assert client.response().body == b"done"
