"""A network that loses everything for a while: deadlines hold, and pools heal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.machine import program
from tests.support.raw import TIMEOUT
from tests.support.services import postgres_programs

NEEDED = {
    "ip": "iproute2",
    "mariadbd": "mariadb-server",
    "redis-server": "redis-server",
    "openssl": "openssl",
}

OWN_NETWORK = ["unshare", "--net"]
if os.geteuid() != 0:
    OWN_NETWORK += ["--user", "--map-current-user", "--keep-caps"]


def may_have_a_network() -> bool:
    command = [*OWN_NETWORK, "ip", "link", "set", "lo", "up"]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.slow("databases are started, and psycopg tries to cancel a query for 5 s")
@pytest.mark.skipif(
    not may_have_a_network(), reason="no network namespaces for this account"
)
def test_databases_behind_a_stalled_network() -> None:
    for name, package in NEEDED.items():
        program(name, package)
    postgres_programs()
    done = subprocess.run(
        [
            *OWN_NETWORK,
            sys.executable,
            "-m",
            "tests.drivers.stalled_network",
        ],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=TIMEOUT * 9,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "healed\n"
