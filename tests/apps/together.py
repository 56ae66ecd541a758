"""A place where requests wait until all of them are there."""

from threading import Barrier

COUNT = 20
_barrier = Barrier(COUNT)


def together() -> str:
    _barrier.wait(60)
    return "together"
