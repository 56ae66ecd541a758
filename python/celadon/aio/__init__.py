"""asyncio beside greenlets: tasks, greenlets and requests side by side in one thread.

`EventLoop` is a loop of asyncio; `run` runs a coroutine on one. `wait` waits for an
awaitable in synchronous code, `green` for synchronous code in a coroutine.
"""

from celadon.aio.bridge import green, run, wait
from celadon.aio.loop import EventLoop

__all__ = ["EventLoop", "green", "run", "wait"]
