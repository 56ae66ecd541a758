"""gunicorn's hook `ssl_context`: what it asks of its context is what is served."""

from __future__ import annotations

import signal
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.raw import TIMEOUT
from tests.support.servers import CELADON
from tests.support.site import renewed, wait_ready
from tests.support.tls import SITE, Secure

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
# As gunicorn's documentation has it.
NEWEST_ALONE = """
def ssl_context(config, default_ssl_context_factory):
    import ssl
    context = default_ssl_context_factory()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
"""
ANOTHER = """
def ssl_context(config, default_ssl_context_factory):
    context = default_ssl_context_factory()
    context.load_cert_chain({cert!r}, {key!r}, "secret")
    context.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    return context
"""
CLIENTS = """
def ssl_context(config, default_ssl_context_factory):
    import ssl
    context = default_ssl_context_factory()
    context.load_verify_locations({file!r})
    context.verify_mode = ssl.CERT_REQUIRED
    return context
"""
FAULTS = {
    "def ssl_context(config, factory): return 1 / 0": "ssl_context: ZeroDivisionError",
    "def ssl_context(config, factory):\n"
    " import ssl; return ssl.create_default_context()": "ssl_context: it must return",
    "def ssl_context(config, factory):\n"
    " context = factory()\n"
    " context.load_cert_chain('/nowhere')": "ssl_context: FileNotFoundError",
}


def serve(authority: Authority, folder: Path, hook: str) -> Secure:
    configure(folder, hook)
    words = ("--config", str(folder / "hook.conf.py"))
    return Secure(SITE, authority.trusted(), authority.issue(), *words)


def configure(folder: Path, hook: str) -> None:
    (folder / "hook.conf.py").write_text(hook)


def of(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.trusted()
    context.minimum_version = context.maximum_version = version
    return context


def test_versions(authority: Authority, tmp_path: Path) -> None:
    with serve(authority, tmp_path, NEWEST_ALONE) as server:
        old = wait_ready(server, 1)
        assert server.alert(of(authority, V12)) == "TLSV1_ALERT_PROTOCOL_VERSION"
        assert server.ask(context=of(authority, V13))
        # It is called for each reload.
        configure(tmp_path, "")
        server.signal(signal.SIGHUP)
        renewed(server, old)
        assert server.ask(context=of(authority, V12))


def test_a_certificate_and_ciphers(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue()
    issued.write_key(issued.key, password="secret")
    hook = ANOTHER.format(cert=str(issued.cert), key=str(issued.key))
    with serve(authority, tmp_path, hook) as server:
        with server.client(of(authority, V12)) as client:
            assert client.serial == issued.serial
            assert client.sock.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"  # type: ignore[index]


def test_certificates_of_clients(authority: Authority, tmp_path: Path) -> None:
    clients = Authority(tmp_path, "clients")
    hook = CLIENTS.format(file=str(clients.file))
    with serve(authority, tmp_path, hook) as server:
        alert = server.alert(of(authority, V13))
        assert alert == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        anna = authority.trusted(clients.issue("anna", for_clients=True))
        assert "CN=anna" in server.ask(context=anna)["SSL_CLIENT_S_DN"]


@pytest.mark.parametrize("hook", FAULTS, ids=["raises", "another", "file"])
def test_one_that_is_wrong_is_a_line(
    authority: Authority, tmp_path: Path, hook: str
) -> None:
    configure(tmp_path, hook)
    issued = authority.issue()
    done = subprocess.run(
        [
            *(CELADON, "--bind", "127.0.0.1:0", "--config", "hook.conf.py"),
            *("--certfile", issued.cert, "--keyfile", issued.key, SITE),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if FAULTS[hook] in line]
    assert len(lines) == 1, done.stderr
