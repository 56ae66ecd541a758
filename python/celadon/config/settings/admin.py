"""Settings of the admin process: its pages and its control socket."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.addresses import parse_addresses, parse_networks
from celadon.config.values.plain import (
    parse_bool,
    parse_duration,
    parse_list,
    parse_text,
    parse_umask,
)


def rows() -> Iterable[Setting]:
    s = Setting
    t = "admin"
    yield s(
        "admin_bind",
        parse_addresses,
        [],
        "address of the admin pages: /metrics, /-/live, /-/ready, /-/startup, /-/stats and the "
        "dashboard /-/; none: off",
        (),
        True,
        "ADDRESS",
        section=t,
        needs_master=True,
        in_chdir=True,
        for_admin=True,
    )
    yield s(
        "admin_token",
        parse_text,
        "",
        "bearer token for pages that are not open; secret",
        section=t,
        metavar="TOKEN",
        is_secret=True,
        needs_master=True,
        for_master=True,
        for_admin=True,
    )
    yield s(
        "admin_allow_ips",
        parse_networks,
        "127.0.0.1,::1",
        "peers that need no token: IPs, networks or *",
        section=t,
        needs_master=True,
        for_master=True,
        for_admin=True,
        has_networks=True,
    )
    yield s(
        "admin_open",
        parse_list,
        ["live", "ready", "startup", "metrics"],
        "pages that are for everyone",
        section=t,
        needs_master=True,
        for_master=True,
        for_admin=True,
    )
    yield s(
        "admin_control",
        parse_bool,
        False,
        "the admin pages may reload, drain and resize the server, not only look",
        section=t,
        needs_master=True,
        for_master=True,
        for_admin=True,
    )
    yield s(
        "control_socket",
        parse_text,
        "auto",
        "unix socket for `celadon ctl`: a path, @NAME, or auto: in $RUNTIME_DIRECTORY or "
        "$XDG_RUNTIME_DIR, else an abstract address of this user and listener",
        section=t,
        metavar="PATH",
        needs_master=True,
        for_life=True,
    )
    yield s(
        "control_socket_mode",
        parse_umask,
        0o600,
        "mode of its file, such as 0o660",
        section=t,
        needs_master=True,
        for_life=True,
    )
    yield s(
        "control_socket_disable",
        parse_bool,
        False,
        "no control socket",
        ("--no-control-socket",),
        section=t,
        needs_master=True,
        for_life=True,
    )
    yield s(
        "drain_delay",
        parse_duration,
        0.0,
        "how long to serve on after SIGTERM while readiness fails already",
        section=t,
        needs_master=True,
        for_master=True,
    )
