"""Runs code under the patch, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from tests.support.raw import TIMEOUT

PRELUDE = """\
import celadon.patch
celadon.patch.all()
import _thread, contextvars, gc, os, queue, random, sys, threading, time, weakref
import celadon
from celadon import green
"""


def run_green(
    source: str,
    prelude: str = PRELUDE,
    timeout: float = TIMEOUT * 3,
    malloc: str = "debug",
) -> str:
    """The output of `source` under the patch; fails unless it exits with 0."""
    code = f"TIMEOUT = {TIMEOUT}\n{prelude}{textwrap.dedent(source)}"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONMALLOC": malloc},
    )
    assert done.returncode == 0, (
        f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    # Also of greenlets and threads whose end nobody asks for.
    for word in ("Exception ignored", "AssertionError"):
        assert word not in done.stderr, done.stderr
    return done.stdout
