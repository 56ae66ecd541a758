"""Settings of `environ["wsgi.websocket"]`."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.plain import (
    parse_bool,
    parse_duration,
    parse_origins,
    parse_positive,
    parse_room,
)


def rows() -> Iterable[Setting]:
    s = Setting
    t = "websocket"
    yield s(
        "websocket_max_message_size",
        parse_room,
        16 << 20,
        "bytes of a message; a larger one closes with 1009",
        section=t,
        for_server=True,
    )
    yield s(
        "websocket_max_queue",
        parse_positive,
        32,
        "messages that wait for their receiver before reading stops",
        section=t,
        for_server=True,
    )
    yield s(
        "websocket_max_queue_size",
        parse_room,
        4 << 20,
        "likewise, bytes of all of them",
        section=t,
        for_server=True,
    )
    yield s(
        "websocket_ping_interval",
        parse_duration,
        20.0,
        "silence of a client before it gets a ping; 0: none",
        section=t,
        for_server=True,
    )
    yield s(
        "websocket_ping_timeout",
        parse_duration,
        20.0,
        "silence behind a ping before the client is given up; 0: for ever",
        section=t,
        for_server=True,
    )
    yield s(
        "websocket_close_timeout",
        parse_duration,
        5.0,
        "silence behind a close before the connection ends; 0: for ever",
        section=t,
        for_server=True,
    )
    yield s(
        "websocket_origins",
        parse_origins,
        [],
        "origins of pages that may open one, such as https://example.org; those of others "
        "get 403; empty or *: all may",
        section=t,
        for_server=True,
    )
    yield s(
        "websocket_compression",
        parse_bool,
        False,
        "agree on permessage-deflate with clients that offer it (RFC 7692)",
        section=t,
        for_server=True,
    )
