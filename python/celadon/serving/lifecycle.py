"""What server hooks are given, and how they are called.

`Arbiter` and `Worker` have the attributes that gunicorn's have and configuration files
use.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from celadon import logging
from celadon.config import Config
from celadon.config.cfg import Cfg, Listener
from celadon.errors import AppFailed, CeladonError
from celadon.serving import mounts
from celadon.serving.importer import own_failure

_SLOW = 0.1  # seconds that a hook may take in the master before it is mentioned


class App:
    """The ``app`` of a server and of its workers: ``callable`` is the application, once it
    is loaded, and ``mounted`` are those below it, by their prefixes."""

    def __init__(self) -> None:
        self.callable: Any = None
        self.mounted: Mapping[str, Any] = {}

    def take(self, loaded: Any) -> None:
        """It is loaded, and may be a `celadon.Mount`."""
        self.callable, self.mounted = mounts.split(loaded)

    def whole(self, root: Any) -> Any:
        """`root`, which a hook may have put around the application, with what is mounted
        below it."""
        return mounts.join(root, self.mounted)

    def wsgi(self) -> Any:
        """The application. Raises `CeladonError` where nobody has loaded it so far."""
        if self.callable is None:
            raise CeladonError(
                "the application is not loaded yet: it is from post_worker_init on, in "
                "the master with preload_app"
            )
        return self.callable

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.wsgi()(environ, start_response)


class PidFile(NamedTuple):
    """The ``pidfile`` of a server."""

    fname: str
    pid: int


class Arbiter:
    """The ``server`` of a hook: the master.

    ``cfg`` (settings by name), ``log``, ``pid``, ``app``, ``address`` (what ``bind``
    says), ``LISTENERS`` (what is open), ``num_workers``, ``WORKERS`` (`Worker` by pid).
    """

    master_pid = 0  # of one that a USR2 has made: there is none
    reexec_pid = 0

    def __init__(self, settings: Config) -> None:
        self.log = logging.logger
        self.pid = os.getpid()
        self.app = App()
        self.LISTENERS: list[Listener] = []
        self.WORKERS: dict[int, Worker] = {}
        self.worker_age = 0
        self.follow(settings)
        self.num_workers: int = settings.workers

    def follow(self, settings: Config) -> None:
        """The settings are others now."""
        self.cfg = Cfg(settings)

    @property
    def address(self) -> list[Any]:
        return self.cfg.address

    @property
    def proc_name(self) -> str:
        return str(self.cfg.proc_name)

    @property
    def timeout(self) -> float:
        return float(self.cfg.timeout)

    @property
    def pidfile(self) -> PidFile | None:
        return PidFile(self.cfg.pidfile, self.pid) if self.cfg.pidfile else None

    def kill_worker(self, pid: int, number: int) -> None:
        """Sends it a signal; one that has gone is none of ours any more."""
        if pid in self.WORKERS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_workers(self, number: int) -> None:
        for pid in list(self.WORKERS):
            self.kill_worker(pid, number)

    def wakeup(self) -> None:
        """The master is woken by what happens."""


class Heartbeat:
    """The ``tmp`` of a worker: heartbeats of its own need no file."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def notify(self) -> None:
        self._last = time.monotonic()

    def last_update(self) -> float:
        return self._last

    def close(self) -> None:
        """There is nothing to close."""


class Worker:
    """The ``worker`` of a hook.

    ``pid`` is None until the fork; ``age`` counts workers, ``nr`` requests; ``booted``
    once the application is loaded, which is ``wsgi`` then: a hook may put another one
    there, around it; ``alive`` until it is told to end, which a hook may do by it: then
    another worker takes its place.
    """

    aborted = False

    def __init__(
        self, age: int, settings: Config, server: Arbiter | None = None
    ) -> None:
        self.age = age
        self.cfg = Cfg(settings)
        self.log = logging.logger
        self.pid: int | None = None
        self.ppid = os.getpid()
        self.nr = 0
        self.booted = False
        self.app = server.app if server else App()
        self.wsgi: Any = None
        self.sockets = server.LISTENERS if server else []
        self.timeout: float = settings.timeout / 2
        self.max_requests: int = settings.max_requests or sys.maxsize
        self.tmp = Heartbeat()
        self.when_ended: Callable[[], None] | None = None
        self._alive = True

    @property
    def alive(self) -> bool:
        return self._alive

    @alive.setter
    def alive(self, value: bool) -> None:
        self._alive = value
        self._tell_if_ended()

    def serve_until(self, when_ended: Callable[[], None]) -> None:
        """It serves from now on; `when_ended` is told that it is not to be alive, also
        where a hook has said so before."""
        self.when_ended = when_ended
        self._tell_if_ended()

    def _tell_if_ended(self) -> None:
        if not self._alive and self.when_ended is not None:
            self.when_ended()

    def notify(self) -> None:
        self.tmp.notify()

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"


def call(cfg: Config, name: str, *arguments: Any) -> None:
    """Calls the hook `name` where the configuration has one. Raises `AppFailed` with
    what it raised, by its own lines."""
    hook = cfg.hooks.get(name)
    if hook is None:
        return
    began = time.monotonic()
    try:
        hook(*arguments)
    except Exception as error:
        raise own_failure(f"the hook {name} failed", error) from None
    finally:
        took = time.monotonic() - began
        if took > _SLOW:
            logging.logger.warning("the hook %s took %.1f s", name, took)


def call_logged(cfg: Config, name: str, *arguments: Any) -> None:
    """Likewise; what it raises is logged, and that is all."""
    try:
        call(cfg, name, *arguments)
    except AppFailed as error:
        logging.logger.error("%s", error)
