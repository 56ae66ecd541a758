"""gRPC: a call that waits for its one answer would do so in C, on the caller's thread.

Asked for by `future`, the answer is waited for by a thread of gRPC's own, which all calls of
a channel share; the greenlet waits for that. Streams are read so as they stand, but for an
experimental kind that has no such thread: it becomes the common one.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import grpc  # type: ignore[import-untyped]

from celadon import green
from celadon._core.green import can_park
from celadon.patch.registry import replace


def adapt(channel: ModuleType) -> None:
    inactive: Any = channel._InactiveRpcError
    for name in ("_UnaryUnaryMultiCallable", "_StreamUnaryMultiCallable"):
        _adapt_calls(getattr(channel, name), inactive)
    _adapt_streams(channel.Channel)


def _adapt_calls(cls: Any, inactive: Any) -> None:
    native, native_with_call, future = cls.__call__, cls.with_call, cls.future

    @functools.wraps(native)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not can_park():
            return native(self, *args, **kwargs)
        return _wait(future(self, *args, **kwargs), inactive)._state.response

    @functools.wraps(native_with_call)
    def with_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not can_park():
            return native_with_call(self, *args, **kwargs)
        call = _wait(future(self, *args, **kwargs), inactive)
        return call._state.response, call

    replace(cls, "__call__", __call__)
    replace(cls, "with_call", with_call)


def _wait(call: Any, inactive: Any) -> Any:
    """The same, once it has its answer; raises what the call without a future raises."""
    done = green.Event()
    call.add_done_callback(lambda _: done.set())
    try:
        done.wait()
    except BaseException:
        call.cancel()
        raise
    if call._state.code is not grpc.StatusCode.OK:
        raise inactive(call._state)
    return call


def _adapt_streams(cls: Any) -> None:
    native = cls.unary_stream

    @functools.wraps(native)
    def unary_stream(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._single_threaded_unary_stream = False
        return native(self, *args, **kwargs)

    replace(cls, "unary_stream", unary_stream)
