"""`time`."""

import time

from celadon._core import green
from celadon.patch.registry import replace


def install() -> None:
    replace(time, "sleep", green.time_sleep)
