"""Parsers of what TLS is configured with."""

from __future__ import annotations

from typing import Any

from celadon.config.values.plain import parse_list

_REQUIREMENTS = ("none", "optional", "required")


def parse_cert_reqs(value: Any) -> int:
    """A constant of `ssl`, its number or its name; ``none``, ``optional``, ``required``."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    text = str(int(value)) if is_number else str(value).strip().lower()
    for prefix in ("ssl.", "verifymode.", "cert_"):
        text = text.removeprefix(prefix)
    if text in _REQUIREMENTS:
        return _REQUIREMENTS.index(text)
    if text in ("0", "1", "2"):
        return int(text)
    raise ValueError("expected none, optional or required")


def parse_certificates(value: Any) -> list[str]:
    """``CERT:KEY``, or ``CERT`` where the key is in the same file."""
    found = parse_list(value)
    for each in found:
        cert, colon, key = each.partition(":")
        if not cert or (colon and not key):
            raise ValueError(f"expected CERT:KEY, not {each!r}")
    return found
