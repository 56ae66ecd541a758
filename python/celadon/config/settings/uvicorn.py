"""Flags of uvicorn: the setting that each is, or why there is none.

Flags only: authors of configuration files use such names freely.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from celadon.config.settings.gunicorn import Verdict
from celadon.errors import UsageError

# Those with a value, by the setting, or the verdict, that they are.
_VALUES: Mapping[str, str] = {
    "--h11-max-incomplete-event-size": "--h11-max-incomplete-event-size",
    "--limit-concurrency": "max_concurrent_requests",
    "--limit-max-requests": "max_requests",
    "--limit-max-requests-jitter": "max_requests_jitter",
    "--loop": "asgi_loop",
    "--reload-delay": "--reload-delay",
    "--ssl-ca-certs": "ca_certs",
    "--ssl-cert-reqs": "cert_reqs",
    "--ssl-certfile": "certfile",
    "--ssl-ciphers": "ciphers",
    "--ssl-keyfile": "keyfile",
    "--ssl-keyfile-password": "keyfile_password",
    "--timeout-graceful-shutdown": "graceful_timeout",
    "--timeout-keep-alive": "keepalive",
    "--timeout-worker-healthcheck": "timeout",
    "--ws": "--ws",
    "--ws-max-queue": "websocket_max_queue",
    "--ws-max-size": "websocket_max_message_size",
    "--ws-per-message-deflate": "websocket_compression",
    "--ws-ping-interval": "websocket_ping_interval",
    "--ws-ping-timeout": "websocket_ping_timeout",
    **{flag: flag for flag in ("--host", "--port", "--uds", "--fd", "--http")},
}


def no_time(text: str) -> str:
    """0 there; here that is as long as it takes."""
    return "1ms" if text and not text.strip("0.") else text


# Values that mean something else there.
_MEANT: Mapping[str, Callable[[str], str]] = {
    "--timeout-graceful-shutdown": no_time,
}
_LISTS: Mapping[str, str] = {
    "--app-dir": "pythonpath",
    "--reload-dir": "--reload-dir",
    "--reload-exclude": "--reload-exclude",
    "--reload-include": "--reload-include",
}
_SWITCHES: Mapping[str, tuple[str, Any]] = {
    "--access-log": ("accesslog", "-"),
    "--no-access-log": ("accesslog", ""),
    "--http2": ("http_protocols", "h2,h1"),
    "--reset-contextvars": ("--reset-contextvars", True),
    "--use-colors": ("--use-colors", True),
    "--no-use-colors": ("--use-colors", False),
}

_ONE_PARSER = "there is one parser, and it is native"
_IMPORTED = (
    "files that the application has imported are watched, and reload_extra_files"
)

VERDICTS: Mapping[str, Verdict] = {
    "--h11-max-incomplete-event-size": Verdict(_ONE_PARSER, False, ()),
    "--http": Verdict(_ONE_PARSER, False, ("auto",)),
    "--reload-delay": Verdict("reload_engine says when it looks", False, ()),
    "--reload-exclude": Verdict(_IMPORTED, False, ()),
    "--reset-contextvars": Verdict("every request has a fresh context", False, ()),
    "--use-colors": Verdict("the log has no colours", False, (False,)),
    "--ws": Verdict(_ONE_PARSER, False, ("auto",)),
}

_PARSERS = ("auto", "h11", "httptools", "zttp")


def setting_of(keyword: str) -> str:
    """What a keyword of its `Config` is, by the flag of that name; empty: none has it."""
    flag = "--" + keyword.replace("_", "-")
    return _VALUES.get(flag) or _LISTS.get(flag, "")


def value_of(keyword: str, value: Any) -> Any:
    """What it is here."""
    if value is None and keyword in ("ws_ping_interval", "ws_ping_timeout"):
        return 0  # none, where its default is some
    meant = _MEANT.get("--" + keyword.replace("_", "-"))
    return meant(str(value)) if meant and value is not None else value


def add_flags(parser: argparse.ArgumentParser) -> None:
    hidden: Any = {"help": argparse.SUPPRESS}
    for flag, name in _VALUES.items():
        parser.add_argument(flag, dest=name, type=_MEANT.get(flag, str), **hidden)
    for flag, name in _LISTS.items():
        parser.add_argument(flag, dest=name, action="append", **hidden)
    for flag, (name, value) in _SWITCHES.items():
        parser.add_argument(
            flag, dest=name, action="store_const", const=value, **hidden
        )


def settle(options: dict[str, Any]) -> dict[str, Any]:
    """`options` of `add_flags` with settings in the place of what is several of them.

    Raises `UsageError`.
    """
    if addresses := list(_addresses(options)):
        options["bind"] = [*options.get("bind", ()), *addresses]
    watched = [f"{each}/**/*.py" for each in options.pop("--reload-dir", ())]
    watched += [f"**/{each}" for each in options.pop("--reload-include", ())]
    if watched:
        options["reload_extra_files"] = [
            *options.get("reload_extra_files", ()),
            *watched,
        ]
    if options.get("--http", "auto") not in _PARSERS:  # uWSGI's is an address
        raise UsageError("unknown option --http; celadon calls it --bind")
    return options


def _addresses(options: dict[str, Any]) -> Iterator[str]:
    host, port = options.pop("--host", ""), options.pop("--port", "")
    path, number = options.pop("--uds", ""), options.pop("--fd", "")
    if path:
        yield f"unix:{path}"
    elif number:
        yield f"fd://{number}"
    elif host or port:
        host = host or "127.0.0.1"
        yield f"[{host}]:{port or 8000}" if ":" in host else f"{host}:{port or 8000}"
