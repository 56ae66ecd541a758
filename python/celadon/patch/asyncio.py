"""`asyncio`: the running loop belongs to the greenlet that runs it.

So requests run `asyncio.run` side by side, and no other greenlet is told that it is
inside of a loop. The loops are asyncio's own; they wait cooperatively through `select`.
"""

from types import ModuleType

from celadon._core import green
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace


def install() -> None:
    when_imported("asyncio.events", _patch)


def _patch(events: ModuleType) -> None:
    green.keep_set_running_loop(events._set_running_loop)
    replace(events, "_set_running_loop", green.set_running_loop)
