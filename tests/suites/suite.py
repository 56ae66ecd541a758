"""What is known of one suite: where it is had, and what it asks for."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Suite:
    """`name` is the project's on PyPI; `packages` are what its tests import; `words` are for
    pytest, and `left_out` says whom they leave out, and why. `ipv6` is in the names of tests that
    take `localhost` for an address of IPv6, too."""

    name: str
    packages: tuple[str, ...]
    words: tuple[str, ...]
    left_out: str
    ipv6: tuple[str, ...] = ()

    def words_here(self) -> tuple[str, ...]:
        """For this machine. A test that fails for want of an address leaves sockets open, of
        which another one is accused."""
        if self.ipv6 and not _knows_ipv6():
            return (
                *self.words,
                "-k",
                " and ".join(f"not {each}" for each in self.ipv6),
            )
        return self.words

    @property
    def pins(self) -> Path:
        """Every package at a version; that of the project is the version of the suite."""
        return HERE / "pins" / f"{self.name}.txt"

    @property
    def known(self) -> Path:
        """Tests that fail on our loop only, each with the reason."""
        return HERE / "known" / f"{self.name}.txt"

    @property
    def version(self) -> str:
        found = re.search(rf"(?m)^{self.name}==(\S+)$", self.pins.read_text())
        assert found is not None, f"{self.pins} has no {self.name}"
        return found[1]


def _knows_ipv6() -> bool:
    try:
        socket.getaddrinfo("localhost", None, socket.AF_INET6)
    except OSError:
        return False
    return True


SUITES = (
    Suite(
        "anyio",
        (
            "anyio",
            "blockbuster",
            "hypothesis",
            "psutil",
            "pytest",
            "pytest-mock",
            "pytest-timeout",
            "trustme",
            "truststore",
        ),
        # Whoever runs it sees to what hangs.
        ("-m", "not network", "-o", "timeout=0"),
        "what asks for the Internet; Trio and uvloop; IPv6, where `localhost` has no such address",
        ipv6=("ipv6", "dualstack"),
    ),
    Suite(
        "starlette",
        (
            "starlette[full]",
            "httpx2[zstd]",
            "blockbuster",
            "importlib-metadata",
            "opentelemetry-sdk",
            "pytest",
            "trio",
        ),
        ("-p", "anyio", "-k", "not trio"),
        "Trio",
    ),
)
