"""Settings of TLS: certificates, and who may speak to them."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.plain import (
    one_of,
    parse_bool,
    parse_count,
    parse_duration,
    parse_text,
)
from celadon.config.values.tls import parse_cert_reqs, parse_certificates


def rows() -> Iterable[Setting]:
    s = Setting
    t = "TLS"
    yield s(
        "certfile",
        parse_text,
        "",
        "certificate in PEM, the leaf first and then what leads to its root; with it every "
        "address of bind speaks TLS",
        section=t,
        in_chdir=True,
        for_admin=True,
        none_if_empty=True,
        under_gunicorn=True,
    )
    yield s(
        "keyfile",
        parse_text,
        "",
        "private key in PEM of certfile; empty: it is in that file",
        section=t,
        in_chdir=True,
        none_if_empty=True,
        under_gunicorn=True,
    )
    yield s(
        "keyfile_password",
        parse_text,
        "",
        "password of every private key that is encrypted",
        section=t,
        is_secret=True,
    )
    yield s(
        "tls_certs",
        parse_certificates,
        [],
        "certificates for other names, or with another kind of key for the same ones, and "
        "their keys; clients get the one that is for the name they ask for, else certfile",
        section=t,
        repeat=True,
        metavar="CERT:KEY",
        in_chdir=True,
    )
    yield s(
        "ca_certs",
        parse_text,
        "",
        "certificates in PEM of who signs those of clients",
        section=t,
        in_chdir=True,
        none_if_empty=True,
        under_gunicorn=True,
    )
    yield s(
        "cert_reqs",
        parse_cert_reqs,
        0,
        "certificates of clients: 0 or none: not asked for; 1 or optional; 2 or required",
        section=t,
        under_gunicorn=True,
    )
    yield s(
        "client_crl",
        parse_text,
        "",
        "revoked ones of these, in PEM",
        section=t,
        in_chdir=True,
    )
    yield s(
        "ciphers",
        parse_text,
        "",
        "ciphers of TLS 1.2, as OpenSSL lists them; empty: those with forward secrecy and "
        "authenticated encryption",
        section=t,
        none_if_empty=True,
        under_gunicorn=True,
    )
    yield s(
        "tls_min_version",
        one_of("1.2", "1.3"),
        "1.2",
        "oldest version that is spoken",
        section=t,
    )
    yield s(
        "tls_strict_names",
        parse_bool,
        False,
        "end the handshake of who asks for a name that no certificate is for",
        section=t,
    )
    yield s(
        "tls_handshake_timeout",
        parse_duration,
        5.0,
        "begin of a connection to the end of its handshake",
        section=t,
        for_server=True,
    )
    yield s(
        "tls_handshakes",
        parse_count,
        500,
        "handshakes that a worker has in progress; others wait in line, within "
        "tls_handshake_timeout; 0: without limit",
        section=t,
        for_server=True,
    )
    yield s(
        "tls_reload",
        parse_duration,
        0.0,
        "how often the master looks whether files of certificates have changed, and reloads "
        "then, as with SIGHUP; 0: never",
        section=t,
        needs_master=True,
        for_life=True,
    )
