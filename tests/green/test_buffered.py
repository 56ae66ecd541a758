"""Buffered files over what parks: each call of each greenlet is whole, in order."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green

# Pairs of files: one to write to, one to read what was written; and `full()`, which is
# true once the writer has to wait.
FILES = {
    "socket": """
        out, into = a.makefile("wb"), b.makefile("rb")
    """,
    "socket_text": """
        out = a.makefile("w", encoding="ascii", newline="")
        into = b.makefile("r", encoding="ascii", newline="")
    """,
    "socket_both": """
        out, into = a.makefile("rwb"), b.makefile("rwb")
    """,
    "child": """
        import subprocess
        p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out, into = p.stdin, p.stdout
    """,
    "child_text": """
        import subprocess
        p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
        out, into = p.stdin, p.stdout
    """,
}


@pytest.mark.parametrize("kind", FILES)
def test_g23_two_greenlets_use_one_file(kind: str) -> None:
    run_green(
        FILES[kind]
        + f"""
        text = {kind.endswith("text")}
        def line(name, n):
            made = f"{{name}} {{n:04}} " + name * 2000 + "\\n"
            return made if text else made.encode()
        def write(name):
            # More than a pipe or socket takes.
            for n in range(400): out.write(line(name, n))
            out.flush()
        writers = [green.spawn(write, name) for name in "xyz"]
        def close():
            for each in writers: each.get()
            out.close()
            if not {kind.startswith("child")}: a.close()
        closer = green.spawn(close)
        got = {{"r": [], "s": []}}
        def read(name):
            while part := into.readline(): got[name].append(part)
        readers = [green.spawn(read, name) for name in got]
        for each in readers: each.get()
        closer.get()
        everything = got["r"] + got["s"]
        assert sorted(everything) == sorted(
            line(name, n) for name in "xyz" for n in range(400)), len(everything)
        for part in got.values():  # in order, as far as each has seen it
            for name in "xyz":
                own = [each for each in part if each[:1] in (name, name.encode())]
                assert own == sorted(own)
        """,
        prelude=SOCKETS,
    )


def test_g23_one_that_is_killed_lets_the_next_in() -> None:
    run_green(
        """
        into = b.makefile("rb")
        first = green.spawn(into.readline)
        green.sleep(0)
        second = green.spawn(into.readline)
        green.sleep(0)
        first.kill()
        a.send(b"line\\n")
        assert second.get() == b"line\\n"
        assert isinstance(into, __import__("io").BufferedReader)
        """,
        prelude=SOCKETS,
    )


def test_text_that_goes_both_ways_is_written_while_another_reads() -> None:
    run_green(
        """
        import socket
        here, there = socket.socketpair()
        both = here.makefile("rw")
        reader = green.spawn(both.readline)
        green.sleep(0)
        def write(): both.write("question\\n"); both.flush()
        writer = green.spawn(write)
        writer.get(timeout=TIMEOUT)
        assert there.recv(100) == b"question\\n" and not reader.ready()
        there.sendall(b"answer\\n")
        assert reader.get(timeout=TIMEOUT) == "answer\\n"
        """
    )
