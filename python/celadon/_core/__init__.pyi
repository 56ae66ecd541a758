"""The extension module. Stubs are written by hand."""

from collections.abc import Callable
from typing import Any, final

from celadon._core import green as green
from celadon._core import sockets as sockets
from celadon._core import wsgi as wsgi

@final
class Server:
    def __new__(
        cls,
        app: Callable[..., Any],
        options: dict[str, Any],
        log_exception: Callable[[BaseException, dict[str, Any] | None], None],
        log: Callable[[int, str], None],
        errors: Any,
        notify: Callable[[str, int], None] | None,
        seat: Any,
    ) -> Server: ...
    def bind(self, address: str, /) -> tuple[str, int]: ...
    def run(self, signals: bool, /) -> None: ...
    def stop(self, quick: bool, /) -> None: ...
    def stats(self) -> dict[str, int]: ...

@final
class Master:
    def __new__(
        cls,
        hooks: Any,
        options: dict[str, Any],
    ) -> Master: ...
    def bind(self, address: str, /) -> tuple[str, int]: ...
    def bind_admin(self, address: str, /) -> tuple[str, int]: ...
    def bind_control(self, address: str, mode: int, /) -> tuple[str, int]: ...
    def run(self) -> Any: ...

def after_fork_in_child() -> None: ...
def after_fork_in_parent() -> None: ...
