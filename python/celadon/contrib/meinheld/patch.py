"""What meinheld patched, and all else that waits."""

from __future__ import annotations

from celadon.patch import all as _patch_everything


def patch_all(socket: bool = True, aggressive: bool = True) -> None:
    """As `celadon.patch.all`."""
    _patch_everything(socket=socket)


def patch_socket(aggressive: bool = False) -> None:
    """Likewise: sockets wait well only together with all else."""
    _patch_everything()
