"""Settings of the development mode."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.plain import one_of, parse_bool, parse_list


def rows() -> Iterable[Setting]:
    s = Setting
    t = "development"
    yield s(
        "reload",
        parse_bool,
        False,
        "for development: reload when a file of the application changes, and show a "
        "page with the traceback where it does not start",
        section=t,
        needs_command=True,
        for_life=True,
    )
    yield s(
        "reload_engine",
        one_of("auto", "inotify", "poll"),
        "auto",
        "auto and inotify: told of changes where watchfiles is installed; poll: looks "
        "every half second",
        section=t,
    )
    yield s(
        "reload_extra_files",
        parse_list,
        [],
        "other files that mean a reload, such as templates; globs with ** are understood",
        ("--reload-extra-file", "--reload-extra-files"),
        True,
        "FILE",
        section=t,
        in_chdir=True,
    )
