"""`os.fork`: the child keeps nothing of the server."""

import os

from celadon._core import after_fork_in_child, after_fork_in_parent

_installed = False


def install() -> None:
    global _installed
    if _installed:
        return
    _installed = True
    os.register_at_fork(
        after_in_child=after_fork_in_child,
        after_in_parent=after_fork_in_parent,
    )
