"""Several applications of one server: which is where.

Which of them a request is for is looked at in the core (`gateway/mounts.h`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from celadon.config.values.mounts import parse_mount_prefix
from celadon.errors import brief

Application = Callable[..., Any]


class Mount:
    """An application with others below prefixes of its paths; each is WSGI or ASGI.

    ``celadon.Mount(site, {"/api": api})`` stands wherever celadon takes an application: in
    `celadon.run` and `celadon.Server`, and as what ``module:attribute`` names. A request is
    for the one with the longest prefix that its decoded path is below, else for `app`. The
    prefix is part of ``SCRIPT_NAME`` (PEP 3333) or ``root_path`` (ASGI 3) of that one. One
    of `at` may be a `Mount` itself. Raises `ValueError` for a prefix that is none, or is
    there twice, and `TypeError` for what cannot be called.
    """

    def __init__(self, app: Application, at: Mapping[str, Application]) -> None:
        self.app, below = split(app)
        self.at: dict[str, Application] = {**below}
        for prefix, each in at.items():
            self._add(prefix, each)
        for each in (self.app, *self.at.values()):
            if not callable(each):
                raise TypeError(f"no application, since not callable: {brief(each)}")

    def _add(self, prefix: str, app: Application) -> None:
        try:
            clean = parse_mount_prefix(prefix)
        except ValueError as error:
            raise ValueError(f"{error}, not {brief(prefix)}") from None
        found, below = split(app)
        for where, each in (
            (clean, found),
            *((clean + p, a) for p, a in below.items()),
        ):
            if where in self.at:
                raise ValueError(f"two applications are mounted at {where}")
            self.at[where] = each

    def __call__(self, *_: Any) -> NoReturn:
        """Of other servers, which call what they take for an application."""
        raise TypeError("a celadon.Mount is served by celadon only")

    def __repr__(self) -> str:
        return f"celadon.Mount({self.app!r}, {self.at!r})"


def split(app: Application) -> tuple[Application, Mapping[str, Application]]:
    """The application of the root, and those below it by their prefixes."""
    return (app.app, app.at) if isinstance(app, Mount) else (app, {})


def join(app: Application, at: Mapping[str, Application]) -> Application:
    """As `Mount`; where nothing is mounted, `app` itself."""
    return Mount(app, at) if at else app
