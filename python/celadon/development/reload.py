"""The watching process as the master sees it, and what workers tell it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from celadon.base import origins
from celadon.green.offload import native_thread

_PERIOD = 1.0  # seconds between two looks for modules that were imported late


class Watcher:
    """Runs beside the master until it, or `stop`, ends it."""

    def __init__(
        self, engine: str, folders: Sequence[str], globs: Sequence[str]
    ) -> None:
        read, self._told = os.pipe()
        folder_words = [word for each in folders for word in ("--folder", each)]
        glob_words = [word for each in globs for word in ("--glob", each)]
        command = [sys.executable, "-m", "celadon.development.watcher"]
        options = ["--engine", engine, "--since", str(time.time_ns())]
        self._process = subprocess.Popen(
            [*command, str(os.getpid()), *options, *folder_words, *glob_words],
            stdin=read,
        )
        os.close(read)

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """In the master, at its end; workers end by themselves."""
        os.close(self._told)
        self._process.terminate()

    def tell_modules(self) -> None:
        """In a worker: from now on all files of modules are watched."""
        native_thread(_tell, self._told, name="celadon-reload")


def _tell(descriptor: int) -> None:
    told: set[str] = set()
    wait = threading.Event()
    while True:
        new = {path for path in _files() if path not in told}
        try:
            for path in sorted(new):
                os.write(descriptor, os.fsencode(path) + b"\n")
        except OSError:
            return  # it has ended
        told |= new
        wait.wait(_PERIOD)


def _files() -> set[str]:
    """Sources of the modules that are imported, but for the standard library's."""
    files = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not origins.is_standard(file):
            files.add(os.path.abspath(file))
    return files
