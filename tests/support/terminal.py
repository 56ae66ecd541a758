"""A terminal that a program runs in."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from html import escape

import pyte

from tests.support.servers import TIMEOUT, wait_until


def _style_of(cell: pyte.screens.Char) -> str:
    styles = {"bold": cell.bold, "under": cell.underscore, "reverse": cell.reverse}
    return " ".join(name for name, is_on in styles.items() if is_on)


class Terminal:
    """A program in a terminal; what a person would see there."""

    def __init__(
        self, *words: str, lines: int = 40, columns: int = 120, kind: str = "linux"
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self._master, slave = pty.openpty()
        fcntl.ioctl(
            slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0)
        )
        self.process = subprocess.Popen(
            words,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": kind},
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # its other end is closed
            while data := os.read(self._master, 65536):
                with self._lock:
                    self._stream.feed(data)

    def text(self) -> str:
        with self._lock:
            return "\n".join(self.screen.display)

    def html(self) -> str:
        """The screen as it looks: its lines, bold, underlined or reversed where they are."""
        with self._lock:
            rows = [self._row(number) for number in range(self.screen.lines)]
        return "<pre>" + "\n".join(rows) + "</pre>"

    def _row(self, number: int) -> str:
        cells = self.screen.buffer[number]
        text = ""
        for style, group in itertools.groupby(
            (cells[column] for column in range(self.screen.columns)), _style_of
        ):
            text += (
                f"<span class='{style}'>{escape(''.join(c.data for c in group))}</span>"
            )
        return text

    def wait(self, pattern: str) -> re.Match[str]:
        found: re.Match[str] = wait_until(
            lambda: (m := re.search(pattern, t := self.text()) or t, m is not t)
        )
        return found

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, lines: int, columns: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        with self._lock:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
            self.screen.resize(lines, columns)
        os.killpg(self.process.pid, signal.SIGWINCH)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT)
        os.close(self._master)
        self._reader.join(TIMEOUT)
