"""Settings of ASGI applications."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.names import parse_interface
from celadon.config.values.plain import one_of


def rows() -> Iterable[Setting]:
    s = Setting
    t = "asgi"
    yield s(
        "interface",
        parse_interface,
        "auto",
        "what the application is: auto, wsgi, asgi, or asgi2, which is called with the "
        "scope, then with receive and send; auto: ASGI where it is a coroutine function "
        "or says so by its parameters, else WSGI",
        section=t,
    )
    yield s(
        "lifespan",
        one_of("auto", "on", "off"),
        "auto",
        "lifespan events of an ASGI application, in each worker; auto: one that raises "
        "before startup.complete is served without; on: it does not start; off: none is "
        "sent",
        section=t,
    )
    yield s(
        "asgi_blocking",
        one_of("park", "warn", "error"),
        "park",
        "a call that waits in a coroutine without await, while requests are served; park: "
        "its task waits, and others run; warn: likewise, and the log names the line, once; "
        "error: the call raises celadon.TaskBlocked",
        section=t,
    )
