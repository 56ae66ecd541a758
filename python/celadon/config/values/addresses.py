"""Parsers of addresses, networks, and paths of requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from celadon.config.values.plain import parse_list, parse_text

_LARGEST_PORT = 65535
_TCP = re.compile(r"(\[[^\]]*\]|[^][:/]*)(:[0-9]+)?")
_PORT = "8000"  # where none is named


def parse_peers(value: Any) -> str:
    """IPs and networks, or ``*``, as one text."""
    return ",".join(parse_list(value))


def parse_networks(value: Any) -> str:
    """Likewise, and each is one."""
    import ipaddress  # only where it is set

    text = parse_peers(value)
    for item in text.split(","):
        if item and item != "*":
            ipaddress.ip_network(item, strict=False)
    return text


def parse_datagram_address(value: Any) -> str:
    """``HOST:PORT`` or ``unix:PATH``, or nothing."""
    text = str(value).strip()
    is_path = text.startswith("unix:") and len(text) > len("unix:")
    if text and not is_path and not re.fullmatch(r".+:[0-9]+", text):
        raise ValueError("expected HOST:PORT or unix:PATH")
    if not is_path:
        _check_port(text)  # the resolver would cut off its upper bits
    return text


_QUESTIONS = ("live", "ready", "startup")


def parse_health_paths(value: Any) -> dict[str, str]:
    """What is asked for at which path: ``/healthz=ready``, or ``/-/ready``."""
    found = {}
    if isinstance(value, Mapping):
        value = [f"{path}={question}" for path, question in value.items()]
    for item in parse_list(value):
        path, _, question = item.partition("=")
        question = question or path.rsplit("/", 1)[-1]
        if not path.startswith("/") or question not in _QUESTIONS:
            raise ValueError(
                "paths as /healthz=ready or /-/live are wanted (live, ready or startup), "
                f"not {item!r}"
            )
        found[path] = question
    return found


def parse_addresses(value: Any) -> list[str]:
    addresses = parse_list(value)
    for each in addresses:
        if each.isdigit():
            raise ValueError(
                f"a port alone is written :{each} (every address) or 127.0.0.1:{each}"
            )
        if each.startswith(("/", "./", "../")):
            raise ValueError(f"a path is written unix:{each}")
        if not each.startswith(("unix:", "fd://")) and not _TCP.fullmatch(each):
            raise ValueError("expected HOST:PORT, [V6]:PORT, unix:PATH or fd://N")
        _check_port(each)
    return addresses


def _check_port(address: str) -> None:
    port = address.rpartition(":")[2]
    if port.isdigit() and int(port) > _LARGEST_PORT:
        raise ValueError(f"the largest port is {_LARGEST_PORT}")


def is_for_v6_only(address: str, among: list[str]) -> bool:
    """Whether ``[::]:PORT`` leaves IPv4 to another of `among`; else it serves both."""
    port = _port_of(address)
    return port != "0" and any(
        not each.startswith(("[", "unix:", "fd://")) and _port_of(each) == port
        for each in among
    )


def _port_of(address: str) -> str:
    host, colon, port = address.rpartition(":")
    is_port = colon and port.isdigit() and (not host.startswith("[") or host[-1] == "]")
    return port if is_port else _PORT


def in_both(some: list[str], others: list[str]) -> list[str]:
    """Addresses of `some` that are among `others`, however their port is written."""
    named = {_whole(each) for each in others}
    return [each for each in some if _whole(each) in named and _port_of(each) != "0"]


def _whole(address: str) -> str:
    """With its port, where it has one."""
    if address.startswith(("unix:", "fd://")):
        return address
    host = address.removesuffix(f":{_port_of(address)}")
    return f"{host}:{_port_of(address)}"


def parse_paths(value: Any) -> list[str]:
    """Paths of requests: what does not begin with a slash names none."""
    paths = parse_list(value)
    if any(not each.startswith("/") for each in paths):
        raise ValueError("expected paths that begin with /")
    return paths


def parse_prefix(value: Any) -> str:
    """Of paths: what follows it begins with the slash."""
    prefix = parse_text(value).rstrip("/")
    if prefix and not prefix.startswith("/"):
        raise ValueError("expected a path that begins with /")
    return prefix
