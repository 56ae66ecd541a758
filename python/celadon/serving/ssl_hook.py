"""The hook `ssl_context` of gunicorn: what it asks of its context is what is served.

Python's `ssl` serves nobody here: the context that the hook is given writes down what is
done to it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from celadon.config.cfg import Cfg
from celadon.config.effective import Config
from celadon.errors import UsageError


class Recorder(ssl.SSLContext):
    """What the hook's second argument returns."""

    def __new__(cls) -> Recorder:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self) -> None:
        self.pairs: dict[str, str] = {}  # the last one first, as OpenSSL takes it
        self.password = ""
        self.authorities = ""
        self.ciphers = ""

    def load_cert_chain(
        self, certfile: Any, keyfile: Any = None, password: Any = None
    ) -> None:
        super().load_cert_chain(certfile, keyfile, password)
        given = password() if callable(password) else password
        if given:
            self.password = given if isinstance(given, str) else bytes(given).decode()
        pair = {_path(certfile): _path(keyfile) if keyfile else ""}
        self.pairs = pair | self.pairs

    def load_verify_locations(
        self, cafile: Any = None, capath: Any = None, cadata: Any = None
    ) -> None:
        if capath or cadata or not cafile:
            raise UsageError(
                "ssl_context: authorities are read from one file: `cafile`"
            )
        super().load_verify_locations(cafile)
        self.authorities = _path(cafile)

    def set_ciphers(self, cipherlist: str, /) -> None:
        super().set_ciphers(cipherlist)
        self.ciphers = cipherlist


def recorded(
    hook: Callable[[Cfg, Callable[[], Recorder]], Any],
    settings: Config,
    options: dict[str, Any],
) -> dict[str, Any]:
    """What `celadon._core.Tls` reads, as the hook wants it. Raises `UsageError`."""
    try:
        context = hook(Cfg(settings), lambda: _default(settings))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"ssl_context: {type(error).__name__}: {error}") from error
    if not isinstance(context, Recorder):
        raise UsageError(
            "ssl_context: it must return what its second argument makes, which writes down "
            "what is asked of it"
        )
    _refuse_others(context)
    newest = context.maximum_version
    no_13 = bool(context.options & ssl.OP_NO_TLSv1_3)
    no_12 = bool(context.options & ssl.OP_NO_TLSv1_2)
    return options | {
        "certificates": {**context.pairs, **_others(options)},
        "password": context.password or options["password"],
        "ca_certs": context.authorities,
        "cert_reqs": int(context.verify_mode),
        "ciphers": context.ciphers,
        "only_tls12": no_13 or newest == ssl.TLSVersion.TLSv1_2,
        "only_tls13": no_12 or context.minimum_version == ssl.TLSVersion.TLSv1_3,
    }


def _default(settings: Config) -> Recorder:
    """As gunicorn makes it."""
    context = Recorder()
    context.verify_mode = ssl.VerifyMode(settings.cert_reqs)
    if settings.ca_certs:
        context.load_verify_locations(settings.ca_certs)
    if settings.tls_min_version == "1.3":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    password = settings.keyfile_password or None
    context.load_cert_chain(settings.certfile, settings.keyfile or None, password)
    if settings.ciphers:
        context.set_ciphers(settings.ciphers)
    return context


def _others(options: dict[str, Any]) -> dict[str, str]:
    """Those of `tls_certs`, which come behind the one of `certfile`."""
    return dict(list(options["certificates"].items())[1:])


def _refuse_others(context: Recorder) -> None:
    if context.sni_callback is not None:
        raise UsageError("ssl_context: certificates by name are in tls_certs")
    if context.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF:
        raise UsageError("ssl_context: revoked certificates are in client_crl")


def _path(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value).decode()
