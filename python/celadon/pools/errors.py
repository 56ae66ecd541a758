"""What a pool raises."""


class PoolError(Exception):
    """No connection was to be had from a pool."""


class PoolTimeout(PoolError, TimeoutError):
    """None became free in time; its ``__cause__`` is the last error of opening one."""


class PoolFull(PoolError):
    """As many wait already as `max_waiting` allows."""


class PoolClosed(PoolError):
    """The pool was closed."""
