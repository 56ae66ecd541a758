"""`celadon check [app]`: what of an application waits without blocking, and what not."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from celadon import drivers
from celadon.drivers.known import BLOCKS, COOPERATIVE, LIBRARIES, OFFLOADED, Library

_ORDER = (BLOCKS, OFFLOADED, COOPERATIVE)


@dataclass(frozen=True)
class Finding:
    """One library, what it does when it waits, and what to do about it."""

    kind: str
    name: str
    version: str
    how: str


def imported() -> list[Finding]:
    """Of the libraries that are imported now."""
    return _findings(lib for lib in LIBRARIES if lib.module in sys.modules)


def installed() -> list[Finding]:
    """Of the libraries that could be imported here."""
    return _findings(lib for lib in LIBRARIES if _is_installed(lib.module))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _findings(libraries: Iterable[Library]) -> list[Finding]:
    found = [_finding(library) for library in libraries]
    return sorted(found, key=lambda finding: (_ORDER.index(finding.kind), finding.name))


def _finding(library: Library) -> Finding:
    kind, how = library.kind, library.how
    problem = drivers.problems().get(library.adapter)
    if problem is not None:
        kind, how = BLOCKS, f"this version is not known to celadon ({problem})"
    return Finding(kind, library.module, _version(library.module), how)


def _version(module: str) -> str:
    top = module.partition(".")[0]
    for distribution in _distributions().get(top, ()):
        return metadata.version(distribution)
    return ""


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def report(findings: list[Finding], subject: str) -> Iterator[str]:
    """Lines for a person."""
    yield f"{subject}: what waits, and for whom"
    if not findings:
        yield "  nothing but the standard library, which is cooperative"
        return
    names = [f"{finding.name} {finding.version}".strip() for finding in findings]
    width = max(map(len, names))
    for finding, name in zip(findings, names, strict=True):
        yield f"  {finding.kind:<11}  {name:<{width}}  {finding.how}"
    blocking = sum(finding.kind == BLOCKS for finding in findings)
    if blocking:
        yield f"{blocking} of them can hold up all other requests of a worker"
    else:
        yield "none of them holds up other requests"
