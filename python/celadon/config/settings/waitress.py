"""Settings of waitress, for which the templates of Pyramid are: what to write instead."""

from __future__ import annotations

from collections.abc import Mapping

INSTEAD: Mapping[str, str] = {
    "channel_request_lookahead": "write cancel_on_disconnect",
    "channel_timeout": "write keepalive",
    "connection_limit": "write worker_connections",
    "ident": "write server_header, on or off",
    "ipv4": "bind names each address",
    "ipv6": "bind names each address",
    "max_request_body_size": "write limit_request_body",
    "max_request_header_size": "write limit_request_head",
    "server_name": "the field Host of a request says it",
    "trusted_proxy": "write forwarded_allow_ips, and proxy_headers = on",
    "trusted_proxy_count": "forwarded_allow_ips names each proxy",
    "trusted_proxy_headers": "write proxy_headers = on",
    "unix_socket": "write bind = unix:PATH",
    "unix_socket_perms": "write umask, the bits that are taken off",
    "url_prefix": "write root_path",
    "url_scheme": "a proxy in forwarded_allow_ips says it by X-Forwarded-Proto",
}
NOTHING = frozenset(
    {
        "asyncore_loop_timeout",
        "asyncore_use_poll",
        "cleanup_interval",
        "expose_tracebacks",
        "inbuf_overflow",
        "log_socket_errors",
        "log_untrusted_proxy_headers",
        "outbuf_high_watermark",
        "outbuf_overflow",
        "recv_bytes",
        "send_bytes",
        "socket_options",
        "sockets",
    }
)
