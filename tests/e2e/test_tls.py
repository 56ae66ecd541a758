"""Pages over TLS: what is agreed on with a client, and with which client nothing is."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.support.certificates import Authority
from tests.support.lines import Lines
from tests.support.machine import program
from tests.support.raw import TIMEOUT, get
from tests.support.tls import SITE, SITE_OF_ASGI, Secure, openssl

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
# Its end is the server's to tell, which the client waits for.
LAST = get("/", "Connection: close")


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(signer: Authority) -> Iterator[Secure]:
    """With a key of RSA, which every cipher that there ever was can be tried with."""
    with Secure(SITE, signer.trusted(), signer.issue(kind="rsa")) as command:
        yield command


def only(
    signer: Authority, version: ssl.TLSVersion, ciphers: str = ""
) -> ssl.SSLContext:
    """A client of one version, and of these ciphers."""
    context = signer.trusted()
    if ciphers:
        context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    return context


# --- pages ---


def test_en11_pages_are_told_that_they_are_of_https(server: Secure) -> None:
    server.said(r"listening at https://127.0.0.1:\d+")
    with server.client() as client:
        for _ in range(3):
            assert client.ask()["wsgi.url_scheme"] == "https"
        client.send(LAST)
        assert client.response().get("Connection") == "close"
        assert client.at_end()


def test_asgi_applications_are_told_so_too(signer: Authority) -> None:
    with Secure(SITE_OF_ASGI, signer.trusted(), signer.issue()) as server:
        assert server.ask()["scheme"] == "https"


def test_what_a_proxy_says_makes_it_no_less(server: Secure) -> None:
    with server.client() as client:
        client.send(get("/", "X-Forwarded-Proto: http"))
        assert json.loads(client.response().body)["wsgi.url_scheme"] == "https"


def test_clients_that_people_have(server: Secure, signer: Authority) -> None:
    where = f"https://localhost:{server.port}/echo"
    with httpx.Client(verify=signer.trusted(), trust_env=False) as client:
        assert client.post(where, content=b"x" * 100_000).content == b"x" * 100_000
    done = subprocess.run(
        [
            *(program("curl", "curl"), "-sS", "--noproxy", "*", "--data", "of curl"),
            *("--cacert", str(signer.file), where, where),
        ],
        capture_output=True,
        timeout=TIMEOUT,
    )
    assert (done.stdout, done.stderr) == (b"of curlof curl", b"")
    said = openssl(
        server, "-CAfile", str(signer.file), "-verify_return_error", say=LAST
    )
    assert "Verification: OK" in said
    assert "HTTP/1.1 200 OK" in said


# --- TL01: what is spoken ---


@pytest.mark.parametrize("version", [V12, V13], ids=lambda v: v.name)
def test_tl01_two_versions_are_spoken(
    server: Secure, signer: Authority, version: ssl.TLSVersion
) -> None:
    with server.client(only(signer, version)) as client:
        assert client.sock.version() == version.name.replace("_", ".")
        assert client.sock.compression() is None
        assert client.ask()["wsgi.url_scheme"] == "https"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("name", ["TLSv1", "TLSv1_1"])
def test_tl01_older_ones_are_not(server: Secure, signer: Authority, name: str) -> None:
    # Such a client has to want it: its library is of today.
    context = only(signer, ssl.TLSVersion[name], "ALL:@SECLEVEL=0")
    assert server.alert(context) == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_tl01_the_older_of_the_two_may_be_left_out(signer: Authority) -> None:
    options = ("--tls-min-version", "1.3")
    with Secure(SITE, signer.trusted(), signer.issue(), *options) as server:
        assert server.alert(only(signer, V12)) == "TLSV1_ALERT_PROTOCOL_VERSION"
        assert server.ask()["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize(
    "ciphers",
    [
        "AES128-GCM-SHA256",  # without forward secrecy
        "AES256-SHA",
        "DHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-SHA256",  # CBC
        "ECDHE-RSA-AES256-SHA",
        "aNULL",
    ],
)
def test_tl01_ciphers_that_keep_no_secrets_are_refused(
    server: Secure, signer: Authority, ciphers: str
) -> None:
    context = only(signer, V12, f"{ciphers}:@SECLEVEL=0")
    assert server.alert(context) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


@pytest.mark.parametrize(
    "cipher",
    ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"],
)
def test_tl01_others_are_not(server: Secure, signer: Authority, cipher: str) -> None:
    with server.client(only(signer, V12, cipher)) as client:
        assert client.sock.cipher()[0] == cipher  # type: ignore[index]


def test_tl01_which_ciphers_is_a_setting(signer: Authority) -> None:
    wanted = "ECDHE-ECDSA-AES256-GCM-SHA384"
    options = ("--ciphers", wanted)
    with Secure(SITE, signer.trusted(), signer.issue(), *options) as server:
        with server.client(only(signer, V12)) as client:
            assert client.sock.cipher()[0] == wanted  # type: ignore[index]
        other = only(signer, V12, "ECDHE-ECDSA-AES128-GCM-SHA256")
        assert server.alert(other) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("group", "is_spoken"),
    [("X25519", True), ("P-256", True), ("P-384", True), ("P-521", False)],
)
def test_tl01_keys_are_agreed_on_over_few_groups(
    server: Secure, group: str, is_spoken: bool, version: str
) -> None:
    said = openssl(server, version, "-groups", group, say=LAST)
    assert ("HTTP/1.1 200 OK" in said) is is_spoken, said
    assert ("alert handshake failure" in said) is not is_spoken


def test_tl01_nothing_is_agreed_on_anew(server: Secure) -> None:
    """A renegotiation; s_client begins one for a line of an R."""
    with subprocess.Popen(
        [
            *(program("openssl", "openssl"), "s_client", "-tls1_2"),
            *("-connect", f"127.0.0.1:{server.port}"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as client:
        lines = Lines()
        assert client.stdin
        assert client.stdout
        client.stdin.write("R\n")
        client.stdin.flush()
        lines.read(client.stdout)  # to its end, which comes with the refusal
        client.stdin.close()
    assert lines.said("RENEGOTIATING")
    assert lines.said("no renegotiation")


# --- TL02: the protocol behind it ---


def offering(signer: Authority, *protocols: str) -> ssl.SSLContext:
    context = signer.trusted()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["http/1.1"], "http/1.1"),
        (["http/1.0", "http/1.1"], "http/1.1"),
    ],
    ids=["nothing", "ours", "ours-last"],
)
def test_tl02_our_order_decides(
    server: Secure, signer: Authority, offered: list[str], chosen: str | None
) -> None:
    with server.client(offering(signer, *offered)) as client:
        assert client.sock.selected_alpn_protocol() == chosen
        assert client.ask()["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_tl02_without_one_in_common_there_is_no_connection(server: Secure) -> None:
    said = openssl(server, "-alpn", "spdy/3,http/0.9", say=LAST)
    assert "SSL alert number 120" in said  # no_application_protocol (RFC 7301)
    assert "HTTP/1.1" not in said
