"""Letters that confirm bookings: written in the background, none lost and none forgotten.

A booking is stored with its letter still to be written, in one transaction. Whoever writes
letters takes one that is due from the database, for a while: what a worker that was killed
had in hand is written by another one once that while is over.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from studio.metrics import LETTERS

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger("studio.letters")


class Letters:
    """Writes what is due, until it is told to stop."""

    def __init__(self, app: Flask, seconds: float) -> None:
        """A letter that was not written after so many `seconds` is due again."""
        self._app = app
        self._seconds = seconds
        self._due = threading.Event()
        self._stopped = False

    def notice(self) -> None:
        """There is something to write."""
        self._due.set()

    def stop(self) -> None:
        self._stopped = True
        self._due.set()

    def run(self) -> None:
        while not self._stopped:
            self._due.wait(min(2, self._seconds))  # others leave some behind
            self._due.clear()
            try:
                self.write()
            except Exception:
                LETTERS.labels("failed").inc()
                log.exception("letters have to wait")

    def write(self) -> None:
        """Writes each letter that is due, one after the other."""
        store, town = self._app.extensions["store"], self._app.extensions["town"]
        while not self._stopped:
            booking = store.next_letter(self._seconds)
            if booking is None:
                return
            town.post(booking.id, f"Dear {booking.name}, see you at the wheel.")
            store.is_written(booking)
            LETTERS.labels("written").inc()
