"""What an open page of a course is told: how it stands, and again whenever that changes."""

from __future__ import annotations

import threading
from typing import Any

from studio.store import Store

BEAT = 15.0  # seconds; a page that hears nothing for much longer has lost us


class Bell:
    """Rings in this process when somebody has booked here.

    Nobody rings for what other processes do: who waits looks now and then.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.rung = 0  # how often

    def ring(self) -> None:
        with self._condition:
            self.rung += 1
            self._condition.notify_all()

    def wait(self, rung: int, seconds: float) -> None:
        """Until it has rung more often than `rung`, or for so many `seconds`."""
        with self._condition:
            self._condition.wait_for(lambda: self.rung != rung, seconds)


def written(store: Store, course_id: int) -> dict[str, Any]:
    """The board of a course; it can be kept as JSON."""
    course = store.course(course_id)
    names = [booking.name for booking in store.bookings(course_id)]
    return {"free": course.free if course else 0, "names": names}
