"""TLS by the files in `deploy`, their paths replaced: certificates of one's own, certbot's, those
of clients, and behind a HAProxy that passes it through."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import proxies
from tests.support.certificates import Authority, Issued
from tests.support.machine import free_port, plain_folder
from tests.support.raw import TIMEOUT
from tests.support.servers import CELADON, ROOT, Command, wait_until
from tests.support.site import renewed, wait_ready
from tests.support.tls import PATIENT, SITE, Secure, TlsClient

FOLDER = ROOT / "deploy/tls"


@pytest.fixture
def place() -> Iterator[Path]:
    """In which files are that belong below the root."""
    with plain_folder() as folder:
        yield folder


class Deployed(Secure):
    """The site by a file of ours: at a free port, and as who starts it."""

    def __init__(self, name: str, place: Path, trusted: ssl.SSLContext) -> None:
        self.trusted = trusted
        text = (FOLDER / name).read_text()
        for was, here in (
            (r"/(etc|run)/", rf"{place}/\1/"),
            (r"(?m)^bind = .*", 'bind = ["127.0.0.1:0"]'),
            (r"(?m)^user = .*", ""),
            (r'workers = "auto"', "workers = 2"),
            (r'tls_reload = "60s"', 'tls_reload = "100ms"'),
        ):
            text = re.sub(was, here, text)
        file = place / name
        file.write_text(text)
        Command.__init__(self, SITE, *PATIENT, "--config", str(file), bind=None)


def put(issued: Issued, place: Path, name: str) -> None:
    folder = place / "etc/celadon"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.pem").write_bytes(issued.cert.read_bytes())
    (folder / f"{name}.key").write_bytes(issued.key.read_bytes())


def test_of_ones_own(authority: Authority, place: Path) -> None:
    shop = authority.issue("shop.example")
    names = {
        "shop.example": shop,
        "shop.example-rsa": authority.issue("shop.example", kind="rsa"),
        "admin.example": authority.issue("admin.example"),
    }
    for name, issued in names.items():
        put(issued, place, name)
    with Deployed("own.toml", place, authority.trusted()) as server:
        old = wait_ready(server, 2)
        for name in ("shop.example", "admin.example"):
            with server.client(name=name) as client:
                assert client.serial == names[name].serial
        fresh = authority.issue("shop.example")
        server.lines.act()
        put(fresh, place, "shop.example")
        renewed(server, old)
        with server.client(name="shop.example") as client:
            assert client.serial == fresh.serial


class Certbot:
    """Its files: what a name leads to changes."""

    def __init__(self, place: Path, authority: Authority) -> None:
        self._folder = place / "etc/letsencrypt"
        self._authority = authority
        self._count = 0
        for name in ("live", "archive"):
            (self._folder / name / "shop.example").mkdir(parents=True)

    def renew(self) -> Issued:
        self._count += 1
        issued = self._authority.issue("shop.example")
        for name, file in (("fullchain", issued.cert), ("privkey", issued.key)):
            kept = f"archive/shop.example/{name}{self._count}.pem"
            (self._folder / kept).write_bytes(file.read_bytes())
            link = self._folder / f"live/shop.example/{name}.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../{kept}")
        return issued


def test_of_certbot(authority: Authority, place: Path) -> None:
    certbot = Certbot(place, authority)
    issued = certbot.renew()
    (place / "run/celadon").mkdir(parents=True)
    hook = (FOLDER / "certbot-hook").read_text()
    hook = hook.replace("/srv/shop/.venv/bin/celadon", f'"{CELADON}"')
    hook = hook.replace("/run/celadon", f"{place}/run/celadon")

    def deploy() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", hook], capture_output=True, text=True, timeout=TIMEOUT * 3
        )

    with Deployed("certbot.toml", place, authority.trusted()) as server:
        wait_ready(server, 2)
        for _ in range(2):
            with server.client(name="shop.example") as client:
                assert client.serial == issued.serial
            issued = certbot.renew()
            done = deploy()
            assert done.returncode == 0, done.stdout + done.stderr
        with server.client(name="shop.example") as client:
            assert client.serial == issued.serial
        key = place / "etc/letsencrypt/live/shop.example/privkey.pem"
        key.write_bytes(authority.issue().key.read_bytes())
        done = deploy()
        assert done.returncode == 1
        assert "is not the key of" in done.stdout + done.stderr
        with server.client(name="shop.example") as client:
            assert client.serial == issued.serial
    assert (FOLDER / "certbot-hook").stat().st_mode & 0o111


def test_of_clients(authority: Authority, place: Path) -> None:
    clients = Authority(place, "clients")
    put(authority.issue("shop.example"), place, "shop.example")
    folder = place / "etc/celadon"
    (folder / "clients-ca.pem").write_bytes(clients.file.read_bytes())
    (folder / "clients.crl").write_bytes(clients.revoke().read_bytes())
    issued = clients.issue("anna", for_clients=True)
    anna = authority.trusted(issued)

    def seen() -> str:
        """As whom she is, or why not."""
        try:
            with server.client(anna, "shop.example") as client:
                return str(client.ask()["SSL_CLIENT_S_DN"])
        except ssl.SSLError as error:
            return str(error.reason)

    with Deployed("mutual.toml", place, authority.trusted()) as server:
        wait_ready(server, 1)
        alert = server.alert(authority.trusted(), "shop.example")
        assert alert == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        assert "CN=anna" in seen()
        (folder / "clients.crl").write_bytes(clients.revoke(issued).read_bytes())
        revoked = "SSLV3_ALERT_CERTIFICATE_REVOKED"
        wait_until(lambda: (who := seen(), who == revoked))


def test_behind_a_haproxy_that_passes_it_through(
    authority: Authority, tmp_path: Path
) -> None:
    ports = [(free_port(), free_port()) for _ in range(2)]
    own, admin = ports[0]
    words = (
        *("--bind", f"127.0.0.1:{own}", "--admin-bind", f"127.0.0.1:{admin}"),
        *("--proxy-protocol", "v2", "--proxy-allow-ips", "127.0.0.1"),
    )
    pair = (authority.trusted(), authority.issue())
    with Secure(SITE, *pair, *words, bind=None) as server:
        wait_ready(server, 1)
        with proxies.haproxy(tmp_path, ports, proxies.PASSTHROUGH) as proxy:

            def ask() -> tuple[object, bool]:
                # The other one is not there, which the proxy has to find out.
                try:
                    with TlsClient(("127.0.0.1", proxy.port), pair[0]) as client:
                        told = client.ask()
                        port = client.sock.getsockname()[1]
                        return told, told["REMOTE_PORT"] == str(port)
                except (OSError, EOFError) as error:
                    return error, False

            told = wait_until(ask)
            assert told["wsgi.url_scheme"] == "https"
            assert told["HTTPS"] == "on"
