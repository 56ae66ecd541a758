"""Parsers of mounts: applications below prefixes of the paths of a server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from celadon.config.values.addresses import parse_prefix

# What never stands in a decoded path, or begins what follows it.
_STRANGE = re.compile(r"[%?#\x00-\x1f\x7f]")
_BETWEEN_TWO = re.compile(r",(?=\s*/)")


def parse_mounts(value: Any) -> list[str]:
    """``/PREFIX=MODULE:APP`` each: of a list, of a text with commas between them, or of a
    mapping from prefixes to applications. Sorted as given."""
    found = [_parse_mount(item) for item in _items(value)]
    prefixes = [prefix_and_target(each)[0] for each in found]
    if len({*prefixes}) < len(prefixes):
        raise ValueError("expected each prefix once")
    return found


def prefix_and_target(mount: str) -> tuple[str, str]:
    """Of what `parse_mounts` has given."""
    prefix, _, target = mount.partition("=")
    return prefix, target


def parse_mount_prefix(value: Any) -> str:
    """A path below the root, decoded, without the slash at its end. Raises `ValueError`."""
    prefix = parse_prefix(value)
    if not prefix:
        raise ValueError("expected a path below /, where the application itself is")
    if _STRANGE.search(prefix):
        raise ValueError("expected a path as it is meant, without escapes or a query")
    if not {"", ".", ".."}.isdisjoint(prefix.split("/")[1:]):
        raise ValueError("expected a path without empty segments, . or ..")
    return prefix


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        if not all(isinstance(target, str) for target in value.values()):
            raise ValueError(
                "expected MODULE:APP for each prefix; an application itself is mounted by "
                "celadon.Mount"
            )
        return [f"{prefix}={target}" for prefix, target in value.items()]
    if isinstance(value, str):
        return [each for each in _BETWEEN_TWO.split(value) if each.strip()]
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return list(value)
    raise ValueError("expected /PREFIX=MODULE:APP")


def _parse_mount(item: Any) -> str:
    prefix, equals, target = str(item).partition("=")
    if not equals or not target.strip():
        raise ValueError("expected /PREFIX=MODULE:APP")
    return f"{parse_mount_prefix(prefix)}={target.strip()}"
