"""Server hooks: functions of a configuration file that are called as the server lives.

Names, arguments and moments are gunicorn's.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from celadon.errors import brief

Hook = Callable[..., Any]

# How many arguments each takes. post_request may take fewer.
HOOKS: Mapping[str, tuple[int, ...]] = {
    "on_starting": (1,),
    "when_ready": (1,),
    "on_reload": (1,),
    "nworkers_changed": (3,),
    "pre_fork": (2,),
    "post_fork": (2,),
    "post_worker_init": (1,),
    "pre_request": (2,),
    "post_request": (4, 3, 2),
    "worker_int": (1,),
    "worker_abort": (1,),
    "worker_exit": (2,),
    "child_exit": (2,),
    "pre_exec": (1,),
    "on_exit": (1,),
    "ssl_context": (2,),
}

# Of these the moment never comes, as under gunicorn where no USR2 is.
WITHOUT_MOMENT = {
    "pre_exec": "USR2 starts no second master: HUP renews code and settings",
}


def named(text: str) -> object:
    """What ``module.function`` or ``module:function`` names. Raises `ValueError`."""
    module, _, attribute = text.replace(":", ".").rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"there is no {text!r}: {error}") from None


def check_hook(name: str, value: object) -> str | None:
    """Why `value` cannot be the hook `name`; None: it can."""
    if not callable(value):
        return f"{name}: a function is wanted, not {brief(value)}"
    counts = HOOKS[name]
    if argument_count(value, counts) is None:
        wanted = " or ".join(str(count) for count in reversed(counts))
        return f"{name}: it must take {wanted} arguments"
    return None


def argument_count(hook: Hook, counts: tuple[int, ...]) -> int | None:
    """The first of `counts` with which `hook` can be called."""
    import inspect  # only where there are hooks: a start must be short

    try:
        signature = inspect.signature(hook)
    except (TypeError, ValueError):
        return counts[0]
    for count in counts:
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return count
    return None
