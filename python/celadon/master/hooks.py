"""Hooks that a master calls while it runs, and its end by one of them."""

from __future__ import annotations

import os
import signal
from typing import Any

from celadon import logging
from celadon.config import Config
from celadon.errors import CeladonError
from celadon.serving import lifecycle


class Caller:
    """Calls them. ``SystemExit`` ends the server as under gunicorn, but in good order.

    `status` is what the process ends with then; None: nobody has asked for an end.
    """

    def __init__(self) -> None:
        self.status: int | None = None

    def call(self, settings: Config, name: str, *arguments: Any) -> bool:
        """Whether it has returned; what it raises is logged."""
        try:
            lifecycle.call(settings, name, *arguments)
        except SystemExit as error:
            self.end(f"the hook {name} ends the server: {error}", _status_of(error))
        except CeladonError as error:
            logging.logger.error("%s", error)
        else:
            return True
        return False

    def end(self, why: str, status: int) -> None:
        """As SIGTERM, which this process gets."""
        logging.logger.critical("%s", why)
        self.status = status
        os.kill(os.getpid(), signal.SIGTERM)


def _status_of(error: SystemExit) -> int:
    """As the interpreter has it."""
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1
