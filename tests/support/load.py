"""Clients that ask a site again and again, and believe nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Self

from tests.support import raw
from tests.support.raw import Client, Response
from tests.support.servers import Command, wait_until

FOREVER = 10**9  # requests on one connection
# Seconds from an answer to the next request of a client: the machine has other tests.
_PAUSE = 0.004
_BODY = re.compile(rb"\d+ \d+$")


class Crowd:
    """Threads that do something again and again, until the block ends."""

    def __init__(self, *visits: Callable[[], None]) -> None:
        self.stopped = threading.Event()
        self._threads = [threading.Thread(target=visit) for visit in visits]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join()


class Load(Crowd):
    """Clients that ask without end, each with so many requests on a connection.

    `wrong`: answers that were not as they must be, and connections that broke; `closed`:
    connections that the server ended; `answered`: good answers.
    """

    def __init__(
        self, server: Command, *requests: int, path: str = "/", fields: str = ""
    ) -> None:
        self.server = server
        self.request = raw.get(path, *filter(None, [fields]))
        self.wrong: list[str] = []
        self.closed = 0
        self.answered = 0
        super().__init__(*(partial(self._ask, count) for count in requests))

    def _ask(self, count: int) -> None:
        while not self.stopped.is_set():
            try:
                self._ask_on_one_connection(count)
            except (OSError, EOFError, AssertionError) as error:
                self.wrong.append(repr(error))

    def _ask_on_one_connection(self, count: int) -> None:
        with self.server.client() as client:
            for number in range(count):
                answer = self._answer(client, is_first=number == 0)
                if answer is None:
                    return
                if answer.status != 200 or not _BODY.match(answer.body):
                    self.wrong.append(repr(answer))
                self.answered += 1
                if answer.get("Connection") == "close":
                    self.closed += 1
                    return
                if self.stopped.wait(_PAUSE):
                    return

    def _answer(self, client: Client, is_first: bool) -> Response | None:
        """None: the connection has ended, as it may."""
        client.send(self.request)
        return client.response()

    def wait_for_more(self, count: int) -> None:
        before = self.answered
        wait_until(lambda: (self.wrong, self.answered >= before + count))
