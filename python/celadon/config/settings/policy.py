"""Settings of proxies and of what is served to whom."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.addresses import parse_peers
from celadon.config.values.names import parse_proxy_protocol, parse_response_headers
from celadon.config.values.plain import (
    one_of,
    parse_auto_bool,
    parse_bool,
    parse_list,
    parse_mapping,
)

_LOOPBACK = "127.0.0.1,::1"


def rows() -> Iterable[Setting]:
    s = Setting
    t = "proxies and policy"
    yield s(
        "forwarded_allow_ips",
        parse_peers,
        _LOOPBACK,
        "peers whose forwarded headers count: IPs, networks or *; those on unix sockets always",
        section=t,
        for_server=True,
        variable="FORWARDED_ALLOW_IPS",
        under_gunicorn=True,
        has_networks=True,
    )
    yield s(
        "proxy_headers",
        parse_auto_bool,
        "auto",
        "client address from X-Forwarded-For or Forwarded of those peers; auto: for ASGI, "
        "as uvicorn, and not for WSGI, as gunicorn",
        section=t,
    )
    yield s(
        "secure_scheme_headers",
        parse_mapping,
        {
            "X-FORWARDED-PROTOCOL": "ssl",
            "X-FORWARDED-PROTO": "https",
            "X-FORWARDED-SSL": "on",
        },
        "headers of those peers that mean https, as JSON",
        section=t,
        for_server=True,
        under_gunicorn=True,
    )
    yield s(
        "forwarder_headers",
        parse_list,
        ["SCRIPT_NAME", "PATH_INFO"],
        "names with underscores those peers may send",
        section=t,
        for_server=True,
        under_gunicorn=True,
    )
    yield s(
        "clear_untrusted_proxy_headers",
        parse_bool,
        False,
        "drop forwarded headers of all others",
        section=t,
        for_server=True,
    )
    yield s(
        "proxy_protocol",
        parse_proxy_protocol,
        "off",
        "off, v1, v2 or auto",
        section=t,
        under_gunicorn=True,
    )
    yield s(
        "proxy_allow_ips",
        parse_peers,
        _LOOPBACK,
        "peers that may use it",
        ("--proxy-allow-from", "--proxy-allow-ips"),
        section=t,
        for_server=True,
        under_gunicorn=True,
        has_networks=True,
    )
    yield s(
        "header_map",
        one_of("drop", "refuse"),
        "drop",
        "header names with underscores",
        section=t,
        under_gunicorn=True,
    )
    yield s(
        "absolute_form",
        one_of("accept", "reject"),
        "accept",
        "absolute targets",
        section=t,
    )
    yield s(
        "allowed_hosts",
        parse_list,
        [],
        "hosts served; others get 421; .suffix and * are understood",
        section=t,
        for_server=True,
    )
    yield s(
        "cancel_on_disconnect",
        parse_list,
        [],
        "methods whose request is cancelled when its client leaves, or closes only its own "
        "side; one that streams is cancelled at a reset, whatever its method",
        section=t,
        for_server=True,
    )
    yield s("server_header", parse_bool, True, "send a Server header", section=t)
    yield s(
        "date_header",
        parse_bool,
        True,
        "send a Date header",
        section=t,
        for_server=True,
    )
    yield s(
        "response_headers",
        parse_response_headers,
        [],
        "NAME:VALUE, a header of all answers, as Server:mine; in a file also a mapping",
        ("--header", "--response-headers"),
        True,
        "NAME:VALUE",
        section=t,
        for_server=True,
    )
