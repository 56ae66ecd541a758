"""Parsers of what TLS is configured with."""

from __future__ import annotations

from typing import Any

from celadon.config.values.plain import parse_list

_REQUIREMENTS = {
    **{"0": 0, "none": 0, "cert_none": 0, "verifymode.cert_none": 0},
    **{"1": 1, "optional": 1, "cert_optional": 1, "verifymode.cert_optional": 1},
    **{"2": 2, "required": 2, "cert_required": 2, "verifymode.cert_required": 2},
}


def parse_cert_reqs(value: Any) -> int:
    """A constant of `ssl`, its number or its name; ``none``, ``optional``, ``required``."""
    text = str(value).strip().lower().removeprefix("ssl.")
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(int(value))
    if text not in _REQUIREMENTS:
        raise ValueError("expected none, optional or required")
    return _REQUIREMENTS[text]


def parse_certificates(value: Any) -> list[str]:
    """``CERT:KEY``, or ``CERT`` where the key is in the same file."""
    found = parse_list(value)
    for each in found:
        cert, colon, key = each.partition(":")
        if not cert or (colon and not key):
            raise ValueError(f"expected CERT:KEY, not {each!r}")
    return found
