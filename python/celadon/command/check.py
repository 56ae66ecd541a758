"""`celadon check [app]`: what of an application waits without blocking, and what not."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Of the libraries that could be imported here; those with an adapter are, which is
    what tells whether it fits."""
    found = [library for library in LIBRARIES if _is_installed(library.module)]
    for library in found:
        if library.adapter:
            with contextlib.suppress(Exception):  # it is of no use to anybody
                importlib.import_module(library.adapter)
    return _findings(found)


def not_imported() -> list[Finding]:
    """Of the libraries that an application could import yet, while it serves."""
    return _findings(
        library
        for library in LIBRARIES
        if library.module not in sys.modules and _is_installed(library.module)
    )


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


def report(
    findings: list[Finding],
    subject: str,
    later: Sequence[Finding] = (),
    failure: str = "",
) -> Iterator[str]:
    """Lines for a person: of what is imported, what may be `later`, and how the application
    failed to load, if it did."""
    yield f"{subject}: what waits, and for whom"
    if not findings:
        yield "  nothing but the standard library, which is cooperative"
    names = [f"{finding.name} {finding.version}".strip() for finding in findings]
    width = max(map(len, names), default=0)
    for finding, name in zip(findings, names, strict=True):
        yield f"  {finding.kind:<11}  {name:<{width}}  {finding.how}"
    if later:
        listed = ", ".join(f"{each.name} ({each.kind})" for each in later)
        yield f"installed, and not imported so far: {listed}"
    if failure:
        yield f"the application was not loaded to its end, so there may be more: {failure}"
    blocking = sum(finding.kind == BLOCKS for finding in findings)
    if blocking:
        yield f"{blocking} of them can hold up all other requests of a worker"
    elif not failure:
        yield "none of them holds up other requests"
