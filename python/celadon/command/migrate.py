"""`celadon migrate`: what a gunicorn configuration means here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celadon import config
from celadon.config.hooks import WITHOUT_MOMENT
from celadon.config.settings import SETTINGS
from celadon.config.settling import ON_GREENLETS, contradictions
from celadon.config.sources import Layer, files
from celadon.errors import UsageError, brief
from celadon.patch.gevent import NOTHING, refuse_patches, was_asked

# What gunicorn does without being told, where it is not what is done here.
_OTHER_DEFAULTS = {
    "keepalive": "75 s instead of 2 s: set it above what your proxy keeps",
    "limit_request_line": "8190 bytes instead of 4094",
    "worker_class": "one greenlet per request instead of one request at a time",
}


@dataclass
class Report:
    """`text` for people; `refused` are the settings that stop the start."""

    text: str
    refused: list[str]


def examine(name: str, folder: Path) -> Report:
    """Reads the file as the server would. Raises `UsageError` where it cannot."""
    refuse_patches()
    layer = files.read_named(name, folder)
    same: list[str] = []
    ignored: list[str] = []
    refused = list(layer.problems)
    settings = config.Config()
    for row in SETTINGS.values():
        settings.values[row.name], settings.sources[row.name] = row.default, "default"
    for key, value in layer.values.items():
        before = len(settings.notes)
        try:
            settings.set(key, value, layer.source)
        except UsageError as error:
            refused.append(str(error))
            continue
        if len(settings.notes) > before:
            ignored.append(settings.notes[-1])
        elif key in SETTINGS:
            is_mode = SETTINGS[key].is_mode and isinstance(value, int)
            same.append(f"{key} = {f'0o{value:03o}' if is_mode else brief(value)}")
    before = len(settings.notes)
    refused += contradictions(settings)
    odd = [each for each in settings.notes[before:] if each != ON_GREENLETS]
    if was_asked():
        ignored.append(NOTHING)
    for hook in layer.hooks:
        if hook in WITHOUT_MOMENT:
            ignored.append(f"{hook}() is never called: {WITHOUT_MOMENT[hook]}")
        else:
            same.append(f"{hook}()")
    changed = list(_changes(layer, settings))
    sections = [
        ("Stays as it is", same),
        ("Changes", changed),
        ("Has no effect", ignored + layer.warnings),
        ("Is refused, and stops the start", refused),
        ("Watch", [*odd, *_watch(layer, settings)]),
    ]
    text = "\n".join(
        f"{title}:\n" + "\n".join(f"  {line}" for line in lines)
        for title, lines in sections
        if lines
    )
    return Report(text, refused)


def _changes(layer: Layer, settings: config.Config) -> Iterator[str]:
    for name, text in _OTHER_DEFAULTS.items():
        if name not in layer.values:
            yield f"{name}: {text}"
    kind = layer.values.get("worker_class")
    if (
        kind is not None and settings.worker_class == "gthread"
    ) or settings.threads > 1:
        yield "threads: requests run on greenlets, as many as worker_connections"
    if settings.worker_class == "asgi":
        yield (
            "worker_class: tasks run on celadon's own loop; CONFIG_KWARGS of a class of "
            "your own are read as settings"
        )
    if str(kind).lower().startswith(_OF_GEVENT_WEBSOCKET):
        yield (
            'worker_class: environ["wsgi.websocket"] is the server\'s own, which answers '
            "101 with its first use and has no handler and no send_frame"
        )
    if "timeout" in layer.values:
        limit = settings.request_timeout
        yield (
            "timeout: is about a loop that is stuck; a request that takes long is "
            + (f"ended by request_timeout ({limit:g} s)" if limit else "not ended")
        )


_LOGS = {"logconfig", "logconfig_dict", "logconfig_json"}
_OF_GEVENT_WEBSOCKET = ("geventwebsocket.", "flask_sockets.")
_OF_GREENLETS = (
    *_OF_GEVENT_WEBSOCKET,
    "gevent",
    "eventlet",
    "gunicorn.workers.ggevent",
    "gunicorn.workers.geventlet",
)


def _advice(workers: int) -> str:
    cpus = len(os.sched_getaffinity(0))
    return f"; {cpus} are enough, one for each CPU" if workers > cpus else ""


def _watch(layer: Layer, settings: config.Config) -> Iterator[str]:
    for name, row in SETTINGS.items():
        if row.ceiling and layer.values.get(name) == 0:
            yield f"{name}: 0 is the most that there can be, not without limit"
    if layer.values.get("graceful_timeout") == 0:
        yield (
            "graceful_timeout: 0 waits for requests as long as they take, where gunicorn "
            "ends them at once: write 1ms for that"
        )
    fields = settings.limit_request_fields * settings.limit_request_field_size
    if fields > settings.limit_request_head and (
        {"limit_request_fields", "limit_request_field_size"} & layer.values.keys()
    ):
        yield (
            f"limit_request_head: all fields together have {settings.limit_request_head} "
            "bytes at most; set it where yours are larger"
        )
    if not settings.accesslog and _LOGS & layer.values.keys():
        yield (
            "accesslog: gunicorn writes that log where logging is configured; here it "
            "needs accesslog = '-', or a handler of the logger gunicorn.access"
        )
    if "*" in settings.forwarded_allow_ips:
        yield (
            "forwarded_allow_ips = '*': whoever connects may say its address, its scheme "
            "and its request id; name the proxy's network"
        )
    workers: Any = settings.workers
    before = max(settings.threads, 1)
    kind = str(layer.values.get("worker_class", "")).lower()
    if kind.startswith(_OF_GREENLETS) or settings.worker_class == "asgi":
        before = settings.worker_connections
    if (
        settings.worker_class == "sync"
        and settings.threads == 1
        and ("worker_class" in layer.values)
    ):
        yield (
            "workers: worker_class = sync keeps one request at a time in each; without "
            "that line each serves up to "
            f"{settings.worker_connections} on greenlets"
        )
        return
    yield (
        f"workers: {workers} x {before} requests at a time before, {workers} x "
        f"{settings.worker_connections} now" + _advice(workers)
    )
    yield (
        f"database connections: at most {settings.db_connections} for each worker and "
        f"server, {workers * settings.db_connections} in all (db_connections); more "
        "requests than that wait for one"
    )
    yield (
        "code that blocks in C holds up its whole worker: `celadon check module:app` "
        "lists it, the log names file and line (watchdog_threshold)"
    )
