"""Certificates that are renewed while clients talk, and tickets that stay good meanwhile."""

from __future__ import annotations

import signal
import ssl
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.certificates import Authority, Issued
from tests.support.load import FOREVER, Load
from tests.support.metrics import value
from tests.support.raw import Client, Response, get
from tests.support.servers import ROOT, wait_until
from tests.support.site import Site, ready, renewed, wait_ready
from tests.support.tls import SITE, Secure, openssl

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
COUNTED = ("--admin-bind", "127.0.0.1:0")
STAYS = "everything stays as it is|the old ones stay"


def serve(
    authority: Authority, issued: Issued, *options: str, site: Site | None = None
) -> Secure:
    """The pages that tell of TLS, or a site."""
    target, folder = ("site_app:app", site.folder) if site else (SITE, ROOT)
    return Secure(target, authority.trusted(), issued, *options, cwd=folder)


def expiry(server: Secure) -> float:
    """In seconds since 1970."""
    return value(server, "celadon_tls_cert_not_after_timestamp_seconds")


def shown(server: Secure) -> str:
    """The serial number of the certificate that one who comes now is shown."""
    with server.client() as client:
        return client.serial


class Clients(Load):
    """Those of a server whose connections end with the worker that has them.

    Such a connection tells of its end with an answer, or ends while nothing is asked on it;
    a client that asks in that moment does so again, as every client of HTTP does.
    """

    def _answer(self, client: Client, is_first: bool) -> Response | None:
        try:
            return super()._answer(client, is_first)
        except EOFError as error:
            if is_first or error.args != (b"",):
                raise
            return None


# --- TL05: with a signal ---


@pytest.mark.parametrize("workers", [1, 2])
def test_tl05_a_renewed_certificate_is_shown_from_the_reload_on(
    authority: Authority, workers: int
) -> None:
    issued = authority.issue()
    with serve(authority, issued, "--workers", str(workers)) as server:
        for _ in range(2):
            old = wait_ready(server, workers)
            assert shown(server) == issued.serial
            fresh = authority.issue()
            issued.replace(fresh)
            assert shown(server) == issued.serial  # nobody has said so
            server.signal(signal.SIGHUP)
            renewed(server, old)
            assert shown(server) == fresh.serial
            issued = replace(fresh, cert=issued.cert, key=issued.key)


def test_tl05_one_that_is_open_keeps_its_own(authority: Authority, site: Site) -> None:
    issued = authority.issue()
    with serve(authority, issued, site=site) as server, server.client() as client:
        old = wait_ready(server, 1)
        client.send(get("/until"))
        issued.replace(authority.issue())
        server.signal(signal.SIGHUP)
        server.wait_line("stopping: finishing requests")
        site.go()
        answer = client.response()
        assert answer.body.split() == [b"1", str(old[0]).encode()]
        assert answer.get("Connection") == "close"
        assert client.at_end()
        renewed(server, old)


@pytest.mark.slow("clients talk through several reloads")
def test_tl05_reloads_under_clients_lose_nothing(
    authority: Authority, site: Site
) -> None:
    issued = authority.issue()
    with serve(authority, issued, "--workers", "2", site=site) as server:
        wait_ready(server, 2)
        with Clients(server, 1, 7, FOREVER, FOREVER) as load:
            for version in range(2, 6):
                old = ready(server)
                site.write(version)
                issued.replace(authority.issue())
                server.signal(signal.SIGHUP)
                renewed(server, old)
                load.wait_for_more(50)
        assert load.wrong == []


@pytest.mark.parametrize("fault", ["key", "expired", "nonsense", "gone"])
def test_tl05_a_bad_file_changes_nothing(
    authority: Authority, site: Site, fault: str
) -> None:
    issued = authority.issue()
    with serve(authority, issued, "--workers", "2", site=site) as server:
        old = wait_ready(server, 2)
        kept = issued.cert.read_bytes()
        line = spoil(authority, issued, fault)
        with Load(server, 1, FOREVER) as load:
            server.signal(signal.SIGHUP)
            said = server.wait_line(line)
            server.wait_line(STAYS)
            assert shown(server) == issued.serial
            load.wait_for_more(20)
        assert load.wrong == []
        assert load.closed == 0
        assert ready(server) == old
        assert "Traceback" not in "\n".join(server.lines)
        assert said
        # Who takes the place of one that has died has the files of before as well.
        server.kill(old[0])
        wait_ready(server, 2)
        for _ in range(8):
            assert shown(server) == issued.serial
        old = ready(server)
        issued.cert.write_bytes(kept)
        fresh = authority.issue()
        issued.replace(fresh)
        server.signal(signal.SIGHUP)
        renewed(server, old)
        assert shown(server) == fresh.serial


def spoil(authority: Authority, issued: Issued, fault: str) -> str:
    """The line that says what is wrong then."""
    if fault == "key":
        issued.cert.write_bytes(authority.issue().cert.read_bytes())
        return r"\.key: is not the key of .*\.pem"
    if fault == "expired":
        issued.replace(authority.issue(days=-1))
        return r"\.pem: the certificate expired on "
    if fault == "nonsense":
        issued.cert.write_text("-----BEGIN CERTIFICATE-----\nAAAA")
        return r"\.pem: "
    issued.cert.unlink()
    return r"\.pem: No such file or directory"


def test_tl05_certificates_for_other_names_come_and_go(
    authority: Authority, tmp_path: Path
) -> None:
    default, shop = authority.issue(), authority.issue("shop.test")
    file = tmp_path / "celadon.toml"

    def configure(*others: Issued) -> None:
        certs = [f"{each.cert}:{each.key}" for each in others]
        file.write_text(f"tls_certs = {certs!r}\n")

    configure()
    context = authority.trusted()
    context.check_hostname = False
    with serve(authority, default, "--config", str(file)) as server:
        for others in ([shop], [], [shop]):
            old = wait_ready(server, 1)
            configure(*others)
            server.signal(signal.SIGHUP)
            renewed(server, old)
            with server.client(context, "shop.test") as client:
                assert client.serial == (shop if others else default).serial


# --- TL06: tickets ---


def one_version(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.trusted()
    context.minimum_version = context.maximum_version = version
    return context


def ticket(server: Secure, context: ssl.SSLContext) -> ssl.SSLSession:
    with server.client(context) as client:
        client.ask()
        assert not client.sock.session_reused
        assert client.sock.session.has_ticket
        return client.sock.session


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_tl06_a_ticket_is_good_at_every_worker(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    context = one_version(authority, version)
    with serve(authority, authority.issue(), "--workers", "3") as server:
        workers = set(wait_ready(server, 3))
        session = ticket(server, context)
        with ExitStack() as stack:  # those that stay open are counted: others get more

            def resume() -> tuple[set[int], bool]:
                client = stack.enter_context(server.client(context, session=session))
                assert client.sock.session_reused
                seen.add(client.ask()["pid"])
                return seen, seen == workers

            seen: set[int] = set()
            wait_until(resume)


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_tl06_and_behind_a_reload(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    context = one_version(authority, version)
    issued = authority.issue()
    with serve(authority, issued) as server:
        old = wait_ready(server, 1)
        session = ticket(server, context)
        for _ in range(3):
            issued.replace(authority.issue())
            server.signal(signal.SIGHUP)
            old = renewed(server, old)
            with server.client(context, session=session) as client:
                assert client.sock.session_reused
                assert client.ask()["pid"] == old[0]


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_tl06_but_not_once_others_are_trusted(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """TL04: whoever was believed by others is asked again."""
    first, second = (Authority(tmp_path, name) for name in ("first", "second"))
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(first.file.read_bytes())
    context = authority.trusted(first.issue("anna", for_clients=True))
    context.minimum_version = context.maximum_version = version
    options = ("--cert-reqs", "required", "--ca-certs", str(trusted))
    with serve(authority, authority.issue(), *options) as server:
        old = wait_ready(server, 1)
        session = ticket(server, context)
        with server.client(context, session=session) as client:
            assert client.sock.session_reused
            assert client.ask()
        trusted.write_bytes(second.file.read_bytes())
        server.signal(signal.SIGHUP)
        renewed(server, old)
        with pytest.raises(ssl.SSLError, match="unknown ca"):
            with server.client(context, session=session) as client:
                client.ask()


def test_tl06_nothing_is_taken_before_the_handshake_ends(authority: Authority) -> None:
    """No 0-RTT: what comes with the first message anybody may send again."""
    last = get("/", "Connection: close")
    with serve(authority, authority.issue()) as server:
        said = openssl(server, "-tls1_3", say=last)
        assert "Max Early Data: 0" in said
        assert "HTTP/1.1 200 OK" in said


# --- without a signal ---


def test_tl05_files_that_change_are_read_where_that_is_wanted(
    authority: Authority,
) -> None:
    issued = authority.issue()
    options = ("--tls-reload", "100ms", "--workers", "2")
    with serve(authority, issued, *options) as server:
        for _ in range(2):
            old = wait_ready(server, 2)
            fresh = authority.issue()
            server.lines.act()
            issued.replace(fresh)
            renewed(server, old)
            assert shown(server) == fresh.serial
        # One that does not fit is no end of what is served.
        server.lines.act()
        issued.key.write_bytes(authority.issue().key.read_bytes())
        server.wait_line(r"\.key: is not the key of .*\.pem")
        server.wait_line(STAYS)
        assert shown(server) == fresh.serial
        last = authority.issue()
        old = ready(server)
        issued.replace(last)
        renewed(server, old)
        assert shown(server) == last.serial


def test_tl05_when_they_expire_is_told(authority: Authority) -> None:
    """The one that does first."""
    first, second = authority.issue(days=3), authority.issue("shop.test", days=9)
    options = (f"--tls-certs={first.cert}:{first.key}", *COUNTED)
    with serve(authority, second, *options) as server:
        old = wait_ready(server, 1)
        assert expiry(server) == first.certificate.not_valid_after_utc.timestamp()
        later = authority.issue(days=6)
        first.replace(later)
        server.signal(signal.SIGHUP)
        renewed(server, old)
        assert expiry(server) == later.certificate.not_valid_after_utc.timestamp()
