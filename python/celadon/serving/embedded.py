"""A server in a thread, for tests and embedding."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any

from celadon import _core, health
from celadon.config.values.addresses import is_for_v6_only
from celadon.errors import brief
from celadon.serving import ending, resources, tls
from celadon.serving.core import make_core
from celadon.serving.hosting import Hosted
from celadon.serving.importer import with_mounts
from celadon.serving.interface import refuse_wrong, served
from celadon.serving.keywords import load, refuse
from celadon.serving.mounts import Application


class Server:
    """A server in a native thread of its own, for tests and embedding.

    ``with Server(app, bind="127.0.0.1:0") as server: ... server.port``. Waits inside the
    application block that thread natively unless the standard library was patched.
    """

    def __init__(self, app: Application, **settings: Any) -> None:
        settings.setdefault("bind", "127.0.0.1:0")
        self._app = app
        self._config = loaded = load(settings)
        refuse_wrong(app, brief(app), "give what it returns", loaded.interface)
        refuse(
            [
                name
                for name in (
                    *loaded.chosen("needs_master"),
                    *loaded.told("changes_process"),
                )
                if name in settings and not loaded.is_default(name)
            ],
            "a server in a thread changes nothing of its process",
        )
        resources.require(loaded)
        self._core: _core.Server | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._told: float | None = None  # when it was to stop
        self.addresses: list[str] = []
        self.port = 0

    def start(self) -> Server:
        """Binds and serves; returns once connections are accepted. Raises `OSError`, and
        `celadon.errors.AppFailed` where an ASGI application does not start."""
        self._thread = threading.Thread(target=self._serve, name="celadon-server")
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def stop(self, quick: bool = False) -> None:
        """Stops accepting and finishes requests; `quick` cancels them."""
        if (
            self._core is not None
            and self._thread is not None
            and self._thread.is_alive()
        ):
            self._told = self._told or time.monotonic()
            self._core.stop(quick)

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end of the server; `timeout` in seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def stats(self) -> dict[str, int]:
        """Counters of the server."""
        return self._core.stats() if self._core is not None else {}

    def _serve(self) -> None:
        settings = self._config
        settings.values["max_requests"] = 0
        try:
            app = with_mounts(self._app, settings.mount)
            found = served(app, settings.interface)
            with Hosted(
                found, settings.lifespan, self._patience, settings.asgi_blocking
            ) as hosted:
                core = self._open(hosted)
                self._started.set()
                health.start(core)
                core.run(False)
        except BaseException as error:
            if self._started.is_set():
                raise
            self._error = error
        finally:
            self._started.set()

    def _open(self, hosted: Hosted) -> _core.Server:
        core = make_core(hosted, self._config)
        for address in self._config.bind:
            alone = is_for_v6_only(address, self._config.bind)
            described, port = core.bind(address, alone)
            self.addresses.append(tls.told(described, self._config))
            self.port = self.port or port
        hosted.start()
        self._core = core
        return core

    def _patience(self) -> float | None:
        return ending.left(self._config.graceful_timeout, self._told)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.join()
