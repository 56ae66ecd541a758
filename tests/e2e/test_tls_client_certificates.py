"""Certificates of clients: who must have one, which are trusted, and what applications hear."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from cryptography import x509

from tests.support.certificates import Authority, Issued, in_pem
from tests.support.raw import get
from tests.support.tls import SITE, SITE_OF_ASGI, Secure

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class House(NamedTuple):
    """Who signs for the server, who for its clients, and one of these."""

    signer: Authority
    clients: Authority
    anna: Issued

    def options(self, required: str) -> list[str]:
        return ["--ca-certs", str(self.clients.file), "--cert-reqs", required]

    def serve(self, required: str, *options: str, target: str = SITE) -> Secure:
        words = [*self.options(required), *options]
        return Secure(target, self.signer.trusted(), self.signer.issue(), *words)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    signer = Authority(tmp_path_factory.mktemp("server"))
    clients = Authority(tmp_path_factory.mktemp("clients"), "clients")
    return House(signer, clients, clients.issue("anna", for_clients=True))


@pytest.fixture(scope="module")
def optional(house: House) -> Iterator[Secure]:
    with house.serve("optional") as server:
        yield server


@pytest.fixture(scope="module")
def robert(house: House) -> Issued:
    """One whose certificate was taken back."""
    return house.clients.issue("robert", for_clients=True)


@pytest.fixture(scope="module")
def required(house: House, robert: Issued) -> Iterator[Secure]:
    crl = house.clients.revoke(robert)
    with house.serve("required", "--client-crl", str(crl)) as server:
        yield server


def of_tls(told: dict[str, str]) -> dict[str, str]:
    """What an environ has of it."""
    return {k: v for k, v in told.items() if k == "HTTPS" or k.startswith("SSL_")}


# --- TL04: whom the server believes ---


def test_tl04_nobody_is_asked_by_default(house: House) -> None:
    pair = house.signer.issue()
    with Secure(SITE, house.signer.trusted(), pair) as server:
        told = server.ask(context=house.signer.trusted(house.anna))
        assert told.get("SSL_CLIENT_VERIFY", "NONE") == "NONE"
        assert "SSL_CLIENT_S_DN" not in told


def test_tl04_one_may_have_none_where_it_is_optional(optional: Secure) -> None:
    told = optional.ask()
    assert told["SSL_CLIENT_VERIFY"] == "NONE"
    assert not {"SSL_CLIENT_S_DN", "SSL_CLIENT_CERT"} & told.keys()


@pytest.mark.parametrize(
    ("version", "alert"),
    [
        (V12, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (V13, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    ],
    ids=["1.2", "1.3"],
)
def test_tl04_but_not_where_it_is_required(
    house: House, required: Secure, version: ssl.TLSVersion, alert: str
) -> None:
    context = house.signer.trusted()
    context.maximum_version = version
    assert required.alert(context) == alert


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
@pytest.mark.parametrize("how", ["optional", "required"])
def test_tl04_a_wrong_one_is_refused_wherever_it_is_asked_for(
    house: House,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    how: str,
    version: ssl.TLSVersion,
) -> None:
    server: Secure = request.getfixturevalue(how)
    stranger = Authority(tmp_path_factory.mktemp("stranger"), "stranger")
    below = house.clients.below("below")
    wrong = {
        "TLSV1_ALERT_UNKNOWN_CA": [
            stranger.issue("anna", for_clients=True),
            below.issue("anna", for_clients=True, complete=False),
        ],
        "SSLV3_ALERT_CERTIFICATE_EXPIRED": [
            house.clients.issue("anna", for_clients=True, days=-1)
        ],
        # The key of a server, which is no client.
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": [house.clients.issue("anna")],
    }
    for alert, issued in wrong.items():
        for each in issued:
            context = house.signer.trusted(each)
            context.maximum_version = version
            assert server.alert(context) == alert
    context = house.signer.trusted(house.anna)
    context.maximum_version = version
    assert "CN=anna" in server.ask(context=context)["SSL_CLIENT_S_DN"]


def test_tl04_a_revoked_one_is_refused(
    house: House, required: Secure, robert: Issued
) -> None:
    alert = required.alert(house.signer.trusted(robert))
    assert alert == "SSLV3_ALERT_CERTIFICATE_REVOKED"
    assert required.ask(context=house.signer.trusted(house.anna))


def test_tl04_what_leads_to_the_root_may_come_with_it(
    house: House, optional: Secure
) -> None:
    signer = house.clients
    for depth in range(1, 6):
        signer = signer.below(f"below-{depth}")
        context = house.signer.trusted(signer.issue("carl", for_clients=True))
        if depth <= 4:
            assert "CN=carl" in optional.ask(context=context)["SSL_CLIENT_S_DN"]
        else:
            assert optional.alert(context) == "TLSV1_ALERT_UNKNOWN_CA"


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_tl04_who_comes_again_is_who_he_was(
    house: House, required: Secure, version: ssl.TLSVersion
) -> None:
    context = house.signer.trusted(house.anna)
    context.minimum_version = context.maximum_version = version
    with required.client(context) as client:
        first = of_tls(client.ask())
        session = client.sock.session
    with required.client(context, session=session) as client:
        again = of_tls(client.ask())
        assert client.sock.session_reused
    assert {"SSL_CLIENT_S_DN", "SSL_CLIENT_CERT", "SSL_CLIENT_VERIFY"} <= first.keys()
    assert again == first


# --- EN15: what an application of WSGI hears ---


@pytest.mark.parametrize(
    ("version", "cipher"),
    [(V12, "ECDHE-ECDSA-AES128-GCM-SHA256"), (V13, "")],
    ids=["1.2", "1.3"],
)
def test_en15_the_connection_in_the_environ(
    house: House, optional: Secure, version: ssl.TLSVersion, cipher: str
) -> None:
    context = house.signer.trusted(house.anna)
    if cipher:
        context.set_ciphers(cipher)
    context.minimum_version = context.maximum_version = version
    with optional.client(context) as client:
        told = client.ask()
        assert told["HTTPS"] == "on"
        assert told["SSL_PROTOCOL"] == client.sock.version()
        assert told["SSL_CIPHER"] == client.sock.cipher()[0]  # type: ignore[index]
    assert told["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert "CN=anna" in told["SSL_CLIENT_S_DN"]
    found = x509.load_pem_x509_certificate(told["SSL_CLIENT_CERT"].encode())
    assert found == house.anna.certificate


def test_en15_each_connection_has_its_own(house: House, optional: Secure) -> None:
    """Whose requests are alike, and come in turn."""
    carl = house.clients.issue("carl", for_clients=True)
    with (
        optional.client(house.signer.trusted(house.anna)) as of_anna,
        optional.client() as of_nobody,
        optional.client(house.signer.trusted(carl)) as of_carl,
    ):
        for _ in range(3):
            assert "CN=anna" in of_anna.ask()["SSL_CLIENT_S_DN"]
            assert of_nobody.ask()["SSL_CLIENT_VERIFY"] == "NONE"
            assert not {"SSL_CLIENT_S_DN", "SSL_CLIENT_CERT"} & of_nobody.ask().keys()
            assert "CN=carl" in of_carl.ask()["SSL_CLIENT_S_DN"]


def test_en15_nobody_sets_it_by_fields(optional: Secure) -> None:
    names = ("HTTPS", "SSL_PROTOCOL", "SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN")
    spelled = [name.replace("_", "-") for name in names] + list(names)
    fields = [f"{name}: SUCCESS" for name in spelled]
    with optional.client() as client:
        before = of_tls(client.ask())
        client.send(get("/", *fields))
        told = json.loads(client.response().body)
        assert of_tls(client.ask()) == before
    assert of_tls(told) == before
    assert told["HTTP_SSL_CLIENT_VERIFY"] == "SUCCESS"


# --- what one of ASGI hears ---


@pytest.mark.row("AS03")
def test_tl04_the_connection_in_the_scope(house: House) -> None:
    with house.serve("optional", target=SITE_OF_ASGI) as server:
        anna = server.ask(context=house.signer.trusted(house.anna))
        nobody = server.ask()
    for told in (anna, nobody):
        assert told["scheme"] == "https"
        assert told["tls"]["tls_version"] == 0x0304
        assert 0x1301 <= told["tls"]["cipher_suite"] <= 0x1303
        assert told["tls"]["client_cert_error"] is None
        assert "server_cert" in told["tls"]
    leaf, *_ = anna["tls"]["client_cert_chain"]
    assert leaf == in_pem(house.anna.certificate)
    assert "CN=anna" in anna["tls"]["client_cert_name"]
    assert nobody["tls"]["client_cert_chain"] == []
    assert nobody["tls"]["client_cert_name"] is None
