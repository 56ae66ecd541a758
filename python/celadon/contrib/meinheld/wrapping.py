"""What the application is wrapped in, so that it hears what meinheld told it."""

from __future__ import annotations

import sys
import time
from typing import Any

from celadon import config
from celadon.contrib.meinheld.state import DEFAULT, state
from celadon.serving import hooked, lifecycle
from celadon.serving.interface import Served


def dressed(app: Any, settings: config.Config) -> Any:
    worker = lifecycle.Worker(0, settings)
    if state.access is not None and state.access is not DEFAULT:
        settings.hooks["post_request"] = _log_access
        app = _timed(app)
    if state.error is not None:
        app = _told(app, state.error)
    app = _answering(app, closes=not state.keepalive)
    return hooked.with_request_hooks(Served(app), worker, settings).app


_BEGAN = "celadon.meinheld.began"


def _timed(app: Any) -> Any:
    def call(environ: dict[str, Any], start_response: Any) -> Any:
        environ[_BEGAN] = time.monotonic()
        return app(environ, start_response)

    return call


def _log_access(worker: Any, req: Any, environ: dict[str, Any], resp: Any) -> None:
    took = time.monotonic() - environ.get(_BEGAN, time.monotonic())
    environ["STATUS_CODE"] = int(resp.status.split()[0]) if resp.status else 500
    environ["SEND_BYTES"] = resp.sent
    environ["REQUEST_TIME"] = int(took * 1000)
    environ["LOCAL_TIME"] = time.strftime("%d/%b/%Y:%H:%M:%S %z")
    state.access.access(environ)


def _told(app: Any, logger: Any) -> Any:
    def call(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        except Exception:
            logger.error(*sys.exc_info())
            raise

    return call


def _answering(app: Any, closes: bool) -> Any:
    """With bytes where meinheld took them for texts, and a close where it would."""

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        def start(status: Any, headers: Any, *rest: Any) -> Any:
            pairs = [(_text(name), _text(value)) for name, value in headers]
            if closes:
                pairs.append(("Connection", "close"))
            return start_response(_text(status), pairs, *rest)

        return app(environ, start)

    return call


def _text(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value
