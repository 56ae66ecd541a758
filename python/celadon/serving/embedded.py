"""A server in a thread, for tests and embedding."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from celadon import _core, health
from celadon.config.values.addresses import is_for_v6_only
from celadon.errors import brief
from celadon.serving import resources
from celadon.serving.core import make_core
from celadon.serving.importer import Application, refuse_no_wsgi
from celadon.serving.keywords import load, refuse


class Server:
    """A server in a native thread of its own, for tests and embedding.

    ``with Server(app, bind="127.0.0.1:0") as server: ... server.port``. Waits inside the
    application block that thread natively unless the standard library was patched.
    """

    def __init__(self, app: Application, **settings: Any) -> None:
        settings.setdefault("bind", "127.0.0.1:0")
        refuse_no_wsgi(app, brief(app), "give what it returns")
        self._app = app
        self._config = loaded = load(settings)
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
        self.addresses: list[str] = []
        self.port = 0

    def start(self) -> Server:
        """Binds and serves; returns once connections are accepted. Raises `OSError`."""
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
            self._core.stop(quick)

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end of the server; `timeout` in seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def stats(self) -> dict[str, int]:
        """Counters of the server."""
        return self._core.stats() if self._core is not None else {}

    def _serve(self) -> None:
        try:
            self._config.values["max_requests"] = 0
            core = make_core(self._app, self._config)
            for address in self._config.bind:
                alone = is_for_v6_only(address, self._config.bind)
                described, port = core.bind(address, alone)
                self.addresses.append(described)
                self.port = self.port or port
            self._core = core
        except BaseException as error:
            self._error = error
            return
        finally:
            self._started.set()
        health.start(core)
        core.run(False)

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
