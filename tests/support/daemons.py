"""Servers of others that a test starts: as whom they run, where, and when they are up."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.lines import Lines
from tests.support.machine import plain_folder
from tests.support.raw import TIMEOUT


def _environ() -> dict[str, str]:
    """What they say when they are ready is waited for: it shall be in no other language."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def account_of(name: str) -> str | None:
    """The account to run as: the databases refuse to run as root."""
    if os.getuid() != 0:
        return None
    pwd.getpwnam(name)
    return name


@contextmanager
def data_folder(account: str | None) -> Iterator[Path]:
    """A folder for `account`, until the end of the block.

    It lies outside of pytest's: each run of that closes the folder of all its runs to
    other accounts, and databases open files by their whole path at any time.
    """
    with plain_folder() as outside:
        outside.chmod(0o711)
        folder = outside / "data"
        folder.mkdir()
        if account is not None:
            shutil.chown(folder, account)
        yield folder


def call(command: list[str], account: str | None) -> None:
    done = subprocess.run(
        command, user=account, capture_output=True, text=True, cwd="/", env=_environ()
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def daemon(
    command: list[str],
    account: str | None,
    ready: str,
    limit: float = TIMEOUT * 3,
    stop: int = signal.SIGTERM,
    **variables: str,
) -> Iterator[subprocess.Popen[str]]:
    """Runs `command` until the end of the block, when it gets the signal `stop`; it is up
    once it said `ready`."""
    process = subprocess.Popen(
        command,
        user=account,
        cwd="/",
        env={**_environ(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
    )
    assert process.stdout is not None
    lines = Lines()
    reader = threading.Thread(target=lines.read, args=(process.stdout,))
    reader.start()
    try:
        lines.said(re.escape(ready), limit)
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        process.stdout.close()
