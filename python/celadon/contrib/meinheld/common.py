"""A request that is suspended by one greenlet and resumed by another."""

from __future__ import annotations

from typing import Any

from celadon.contrib.meinheld import server
from celadon.green.result import AsyncResult

CLIENT_KEY = "meinheld.client"
CONTINUATION_KEY = "meinheld.continuation"


class Continuation:
    """The request that runs; `client` is not needed and kept for who gives one."""

    def __init__(self, client: Any = None) -> None:
        self.client = client
        self._result: AsyncResult | None = None

    def suspend(self, timeout: float = 0) -> Any:
        """Waits for `resume` and returns what it was given.

        `timeout` in seconds, 0 for none; raises `server.timeout` after it, and
        `OSError` where somebody waits already.
        """
        if self._result is not None:
            raise OSError("already suspended")
        self._result = AsyncResult()
        try:
            if not self._result.wait(timeout or None):
                raise server.timeout("timeout")
            return self._result.get()
        finally:
            self._result = None

    def resume(self, *args: Any, **kwargs: Any) -> None:
        """Ends the wait: a single argument is its value, else all of them are.

        Raises `OSError` where nobody waits.
        """
        if self._result is None or self._result.ready():
            raise OSError("not suspended or dead")
        value: Any = args[0] if len(args) == 1 else args
        if kwargs:
            value = (args, kwargs) if args else kwargs
        self._result.set(value)
