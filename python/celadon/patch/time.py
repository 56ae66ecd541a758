"""`time`."""

import time

from celadon._core import green
from celadon.patch.numbers import takes_all
from celadon.patch.registry import replace


def install() -> None:
    green.set_native_sleep(time.sleep, takes_all(time.sleep))
    replace(time, "sleep", green.time_sleep)
