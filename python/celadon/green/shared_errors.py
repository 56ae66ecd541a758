"""Exceptions that several may take: each raise of one adds to its traceback."""

from __future__ import annotations


def depth_of(error: BaseException) -> int:
    """How many frames its traceback has."""
    depth, trace = 0, error.__traceback__
    while trace is not None:
        depth, trace = depth + 1, trace.tb_next
    return depth


def as_first_raised(error: BaseException, depth: int) -> BaseException:
    """Without the frames of those who took it, which come before the first `depth` of old.

    Nothing is kept of the traceback but this number: it holds frames, and what is in them.
    """
    trace = error.__traceback__
    for _ in range(depth_of(error) - depth):
        assert trace is not None
        trace = trace.tb_next
    return error.with_traceback(trace)
