"""A plugin of pytest: workers of xdist that have imported all tests when they begin.

One process collects the tests, and forks for each worker: to import all of them, and what
they import, takes longer than to find them again among what is imported.
"""

from __future__ import annotations

import gc
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Sequence
from typing import Any

import pytest

from tools.suite import join_worker
from tools.suite.join_worker import STREAMS


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        config.pluginmanager.register(_Warm(config))


class _Warm:
    def __init__(self, config: pytest.Config) -> None:
        self._words = [word.partition("::")[0] for word in config.args]
        self._process: subprocess.Popen[bytes] | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("")  # the system gives it a name
            listener.listen()
            name = os.fsdecode(listener.getsockname()[1:])
            command = [sys.executable, "-u", "-m", __name__, str(listener.fileno())]
            self._process = subprocess.Popen(
                [*command, *self._words],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
            )
        for spec in specs:
            spec.python = shlex.join([sys.executable, join_worker.__file__, name])

    def pytest_unconfigure(self) -> None:
        if self._process:
            self._process.communicate()


def serve(number: int, words: list[str]) -> str:
    """In each copy: the code that it is to execute. Ends with its standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *words])
    # A fork has none of the others, and maybe what they held.
    assert len(os.listdir("/proc/self/task")) == 1, threading.enumerate()
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=number) as listener:
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                os._exit(0)
            server, _ = listener.accept()
            if os.fork() == 0:
                break
            server.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code, streams, _, _ = socket.recv_fds(server, 1 << 16, STREAMS)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    server.detach()  # stays open until this process ends
    sys.argv[:] = ["-c"]
    return code.decode()


if __name__ == "__main__":
    begun = serve(int(sys.argv[1]), sys.argv[2:])
    sys.modules["__main__"] = types.ModuleType("__main__")
    exec(begun, vars(sys.modules["__main__"]))
