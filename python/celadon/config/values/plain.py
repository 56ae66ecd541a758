"""Parsers of setting values: text of a flag or variable, or a Python value, in; the
value that the server uses out. Each raises `ValueError` that says what it wanted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from celadon.base import cgroup

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)?$")
_ORIGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/]+|null")
_SIZE = re.compile(r"(\d+)([KMG])?i?B?$", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_LONGEST = 10 * 365 * 86400.0  # seconds
_LARGEST_COUNT = 2**31 - 1
_LARGEST_SIZE = 2**62
_BYTES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError("expected on or off")


def parse_auto_bool(value: Any) -> bool | str:
    """As `parse_bool`, or ``auto``."""
    return "auto" if str(value).strip().lower() == "auto" else parse_bool(value)


def parse_duration(value: Any) -> float:
    """Seconds: ``250ms``, ``30s``, ``5m``, ``1h`` or a bare number."""
    if isinstance(value, bool):
        raise ValueError("expected a duration such as 30, 250ms or 5m")
    match = _DURATION.match(str(value).strip())
    if not match:
        raise ValueError("expected a duration such as 30, 250ms or 5m")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST:
        raise ValueError("expected at most ten years; 0 turns a limit off")
    return seconds


def parse_auto_duration(value: Any) -> float | str:
    """As `parse_duration`, or ``auto``."""
    is_auto = str(value).strip().lower() == "auto"
    return "auto" if is_auto else parse_duration(value)


def parse_workers(value: Any) -> int:
    """A number above 0, or ``auto``: as many as there are CPUs for this process."""
    if str(value).strip().lower() == "auto":
        return cgroup.available_cpus()
    try:
        return parse_positive(value)
    except ValueError:
        raise ValueError("expected a number above 0, or auto") from None


def parse_milliseconds(value: Any) -> float:
    """Seconds, of a number of milliseconds or a duration with its unit."""
    text = str(value).strip()
    bare = text.replace(".", "", 1).isdigit() and not isinstance(value, bool)
    return parse_duration(text + "ms" if bare else value)


def parse_size(value: Any) -> int:
    """Bytes: ``64K``, ``16M``, ``1G`` or a bare number."""
    match = None if isinstance(value, bool) else _SIZE.match(str(value).strip())
    if not match:
        raise ValueError("expected a size such as 65536, 64K or 16M")
    size = int(match[1]) * (_BYTES[match[2].upper()] if match[2] else 1)
    if size > _LARGEST_SIZE:
        raise ValueError("expected a size that fits 62 bits")
    return size


def parse_room(value: Any) -> int:
    """Bytes that something is held in: without any nothing would ever come."""
    size = parse_size(value)
    if size < 1:
        raise ValueError("expected at least 1 byte")
    return size


def parse_memory(value: Any) -> int:
    """Bytes, or -1 for ``auto``."""
    return -1 if str(value).strip().lower() == "auto" else parse_size(value)


def parse_count(value: Any) -> int:
    try:
        number = int(str(value).strip())
    except ValueError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise ValueError("expected a whole number that is not negative")
    if number > _LARGEST_COUNT:
        raise ValueError(f"expected at most {_LARGEST_COUNT}")
    return number


def parse_positive(value: Any) -> int:
    number = parse_count(value)
    if number < 1:
        raise ValueError("expected at least 1")
    return number


def parse_text(value: Any) -> str:
    """Without the spaces around it, as gunicorn takes it; of a path its name."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise ValueError("expected text")
    return text.strip()


def parse_list(value: Any) -> list[str]:
    """What stands between commas, or in a list; what is no list is one of its own."""
    if isinstance(value, bool | bytes | Mapping):
        raise ValueError("expected a list, or texts with commas between them")
    is_many = isinstance(value, Iterable) and not isinstance(value, str)
    items: Iterable[Any] = value if is_many else str(value).split(",")
    result = [str(item).strip() for item in items]
    return [item for item in result if item]


def parse_origins(value: Any) -> list[str]:
    """Of pages (RFC 6454); `*`, or none: all."""
    origins = parse_list(value)
    if "*" in origins:
        return []
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError("expected origins such as https://example.org, or *")
    return origins


def parse_ring(value: Any) -> int:
    """Bytes of a ring in shared memory, which holds a line at least."""
    size = parse_size(value)
    if size < _LEAST_RING:
        raise ValueError(f"expected at least {_LEAST_RING} bytes")
    return size


_LEAST_RING = 4096


def parse_buckets(value: Any) -> list[float]:
    """Seconds, each more than the one before; durations as elsewhere."""
    bounds = [parse_duration(item) for item in parse_list(value)]
    steps = zip([0.0, *bounds], bounds, strict=False)
    if not 0 < len(bounds) <= 64 or any(low >= high for low, high in steps):
        raise ValueError("expected up to 64 durations, each above the one before")
    return bounds


def parse_mapping(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        import json

        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping):
        raise ValueError('expected a mapping, as JSON: {"NAME": "value"}')
    return {str(k): str(v) for k, v in value.items()}


def parse_table(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("expected a mapping")
    return dict(value)


def parse_umask(value: Any) -> int:
    """A number, or text: octal behind ``0`` or ``0o``, as gunicorn reads it.

    Three octal digits alone would be a decimal number, and are never meant as one.
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    try:
        number = int(re.sub("^0+(?=[0-9])", "0o", text), 0)
    except ValueError:
        number = -1
    is_slip = isinstance(value, str) and re.fullmatch("[1-7][0-7]{2}", text)
    if is_slip or not 0 <= number <= 0o777:
        raise ValueError("expected an octal mode such as 0o022")
    return number


def parse_share(value: Any) -> float:
    """A number from 0 to 1."""
    share = float(value)
    if not 0.0 <= share <= 1.0:
        raise ValueError("expected a number from 0 to 1")
    return share


def one_of(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        text = str(value).strip().lower()
        if text not in choices:
            raise ValueError("expected one of " + ", ".join(choices))
        return text

    return parse
