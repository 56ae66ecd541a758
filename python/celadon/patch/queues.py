"""`queue`: the C queue; the `queue.Queue` family stays, over our locks."""

import _queue
import queue

from celadon._core import green
from celadon.patch.registry import replace


def install() -> None:
    replace(_queue, "SimpleQueue", green.SimpleQueue)
    replace(queue, "SimpleQueue", green.SimpleQueue)
