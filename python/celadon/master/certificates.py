"""Certificates that workers speak with, and that are renewed while they serve."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Mapping

from celadon import _core, config
from celadon.green.offload import native_thread
from celadon.serving import tls

_State = tuple[int, ...] | None


class Certificates:
    """Reads them in the master, before any worker is forked: who serves need not be able to
    read keys. Raises `UsageError` for what is wrong with them."""

    def __init__(self, settings: config.Config) -> None:
        self.tls = tls.load(settings)
        self._core: _core.Master | None = None
        self._watch: Watch | None = None

    def begin(self, core: _core.Master, settings: config.Config) -> None:
        """The master serves from here on."""
        self._core = core
        self.take(self.tls)
        if self.tls and settings.tls_reload:
            self._watch = Watch(settings.tls_reload, tls.files(settings))

    def end(self) -> None:
        if self._watch:
            self._watch.stop()

    def read(self, settings: config.Config) -> _core.Tls | None:
        """Those of other settings, or what is in the files by now."""
        if self._watch:
            self._watch.note(tls.files(settings))
        return tls.load(settings, self.tls)

    def take(self, found: _core.Tls | None) -> None:
        """Workers that are forked from now on have these."""
        self.tls = found
        if self._core:
            self._core.note_certificates(tls.first_end(found))


class Watch:
    """Has this process reload (SIGHUP) once files have changed and are at rest.

    Looks every `period` seconds, on a thread of its own, until `stop`.
    """

    def __init__(self, period: float, files: Iterable[str]) -> None:
        self._period = period
        self._known: Mapping[str, _State] = {}
        self._over = threading.Event()
        self.note(files)
        native_thread(self._look, name="celadon-certificates")

    def note(self, files: Iterable[str]) -> None:
        """These are about to be read: what comes after that is news."""
        self._known = _states(files)

    def stop(self) -> None:
        self._over.set()

    def _look(self) -> None:
        last = self._known
        while not self._over.wait(self._period):
            known = self._known
            now = _states(known)
            # A certificate and its key are written one after the other.
            if now == last and now != known:
                self._known = now
                os.kill(os.getpid(), signal.SIGHUP)
            last = now


def _states(files: Iterable[str]) -> Mapping[str, _State]:
    return {path: _state(path) for path in files}


def _state(path: str) -> _State:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
