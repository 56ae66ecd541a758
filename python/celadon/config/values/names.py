"""Parsers of what has a name: users, workers, headers, atoms of the access log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from celadon.config.values.plain import FALSE, TRUE, one_of, parse_mapping

_ATOM = re.compile(r"%\(([^()]*)\)s")
_ATOMS = re.compile(r"[hlutrsbfaBmUqHLDTMp]|\{[^{}]+\}[ioex]")


def strange_atoms(form: str) -> list[str]:
    """What of an access log's format is no atom."""
    unknown = [name for name in _ATOM.findall(form) if not _ATOMS.fullmatch(name)]
    rest = _ATOM.sub("", form).replace("%%", "")
    return [*(f"%({name})s" for name in unknown), *(["%"] if "%" in rest else [])]


_GREEN = {
    "auto",
    "green",
    "gevent",
    "gevent_pywsgi",
    "gevent_wsgi",
    "eventlet",
    "gunicorn.workers.ggevent.geventworker",
    "gunicorn.workers.ggevent.geventpywsgiworker",
    "gunicorn.workers.geventlet.eventletworker",
    "geventwebsocket.gunicorn.workers.geventwebsocketworker",
    "flask_sockets.worker",
    "meinheld.gmeinheld.meinheldworker",
    "egg:meinheld#gunicorn_worker",
}


_ASGI = {
    "asgi",
    "gunicorn.workers.gasgi.asgiworker",
    *(
        f"{module}.{name}"
        for module in ("uvicorn.workers", "uvicorn_worker")
        for name in ("uvicornworker", "uvicornh11worker")
    ),
}
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
# Of servers whose workers have a loop of their own.
_LOOPS = ("aiohttp", "gunicorn", "sanic", "tornado", "daphne")


class OwnClass(str):
    """A ``worker_class`` of the user's own, by its name or as it is: it is `asgi` if it is
    made of uvicorn's, which is looked at once all settings are known."""

    name: str
    cls: type | None

    def __new__(cls, name: str, found: type | None = None) -> OwnClass:
        self = super().__new__(cls, "asgi")
        self.name, self.cls = name, found
        return self


def is_of_uvicorn(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("uvicorn", "uvicorn_worker")


def _name_of(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def parse_worker_class(value: Any) -> str:
    """A name of gunicorn's, or a class, to one of ``auto green sync gthread asgi``."""
    if isinstance(value, type):
        if any(map(is_of_uvicorn, value.__mro__)):
            return OwnClass(_name_of(value), value)
        value = _name_of(value)
        is_own = False
    else:
        name = str(value).strip()
        is_own = _DOTTED.fullmatch(name) is not None and not name.startswith(_LOOPS)
    text = str(value).strip().lower()
    if text in ("sync", "gunicorn.workers.sync.syncworker"):
        return "sync"
    if text in ("gthread", "gunicorn.workers.gthread.threadworker"):
        return "gthread"
    if text in _GREEN:
        return "auto" if text == "auto" else "green"
    if text in _ASGI:
        return "asgi"
    if is_own:
        return OwnClass(str(value).strip())
    if "uvicorn" in text:
        return "asgi"
    raise ValueError(
        "expected auto, green, sync, gthread, asgi, or a name of gevent's, eventlet's, "
        "meinheld's or uvicorn's worker; a class with a loop of its own cannot run here"
    )


def parse_interface(value: Any) -> str:
    """``asgi3`` is uvicorn's name of ``asgi``."""
    text = str(value).strip().lower()
    return one_of("auto", "wsgi", "asgi", "asgi2")("asgi" if text == "asgi3" else text)


def parse_environment(value: Any) -> list[str]:
    """``NAME=value`` each, which the system must be able to take."""
    items = [value] if isinstance(value, str) else list(map(str, value))
    for item in items:
        name, equals, _ = item.partition("=")
        if not name.strip() or not equals or "\0" in item:
            raise ValueError("expected NAME=value")
    return [item.strip() for item in items]


def parse_account(value: Any) -> str:
    """The name or the number of a user or group, as text."""
    if isinstance(value, bool):
        raise ValueError("expected a name or a number")
    return str(value).strip()


_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]*")


def parse_header_name(value: Any) -> str:
    """The name of a header, or nothing."""
    text = str(value).strip()
    if not _TOKEN.fullmatch(text):
        raise ValueError("expected the name of a header")
    return text


# The server's own, by what it sends and to whom.
_OF_SERVER = {
    *("connection", "content-length", "date", "keep-alive", "proxy-authenticate"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")


def parse_response_headers(value: Any) -> list[str]:
    """``NAME: VALUE`` each: of one such text, a list of these or of pairs, or a mapping, as
    JSON in a text."""
    if isinstance(value, str):
        is_json = value.lstrip().startswith("{")
        value = parse_mapping(value) if is_json else [value] if value.strip() else []
    items = value.items() if isinstance(value, Mapping) else list(value)
    return [_response_header(*_pair(item)) for item in items]


def _pair(item: Any) -> tuple[str, str]:
    if isinstance(item, str):
        name, colon, text = item.partition(":")
        item = (name, text) if colon else ()
    if not isinstance(item, list | tuple) or len(item) != 2:
        raise ValueError("expected NAME:VALUE")
    return str(item[0]).strip(), str(item[1]).strip()


def _response_header(name: str, text: str) -> str:
    if not name or not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(text):
        raise ValueError("expected NAME:VALUE")
    if name.lower() in _OF_SERVER:
        raise ValueError(f"{name} is the server's own to send")
    return f"{name}: {text}"


def parse_proxy_protocol(value: Any) -> str:
    text = str(value).strip().lower()
    if text in TRUE:
        return "auto"
    if text in FALSE:
        return "off"
    return one_of("off", "v1", "v2", "auto")(value)


def parse_log_level(value: Any) -> str:
    """``trace`` is uvicorn's."""
    if str(value).strip().lower() == "trace":
        return "debug"
    return one_of("debug", "info", "warning", "error", "critical")(value)
