"""Certificates by the name that a client asks for, and by the kind of key that it knows."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.certificates import LOCAL, Authority, Issued
from tests.support.tls import SITE, Secure


class Shop(NamedTuple):
    server: Secure
    signer: Authority
    certificates: dict[str, Issued]


def others(*certificates: Issued) -> list[str]:
    return [f"--tls-certs={each.cert}:{each.key}" for each in certificates]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    signer = Authority(tmp_path_factory.mktemp("authority"))
    certificates = {
        "default": signer.issue(),
        "exact": signer.issue("shop.test", "api.shop.test"),
        "star": signer.issue("*.shop.test"),
    }
    default, *more = certificates.values()
    with Secure(SITE, signer.trusted(), default, *others(*more)) as server:
        yield Shop(server, signer, certificates)


@pytest.mark.parametrize(
    ("name", "which"),
    [
        ("shop.test", "exact"),
        ("api.shop.test", "exact"),  # before the star
        ("API.Shop.TEST", "exact"),
        ("www.shop.test", "star"),
        ("a.www.shop.test", "default"),  # a star is for one label
        ("test", "default"),
        ("other.test", "default"),
        ("localhost", "default"),
        ("", "default"),
    ],
)
def test_tl03_the_certificate_is_for_the_name(
    shop: Shop, name: str, which: str
) -> None:
    context = shop.signer.trusted()
    context.check_hostname = False  # the test does
    with shop.server.client(context, name) as client:
        assert client.serial == shop.certificates[which].serial
        assert client.ask()["wsgi.url_scheme"] == "https"


def test_tl03_a_name_that_none_is_for_is_its_clients_matter(shop: Shop) -> None:
    assert shop.server.ask()  # others are served before and behind
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shop.server.client(name="other.test")
    assert shop.server.ask()


def test_tl03_or_ends_the_handshake_where_names_are_strict(
    authority: Authority,
) -> None:
    default, star = authority.issue(), authority.issue("*.shop.test")
    options = ["--tls-strict-names", *others(star)]
    context = authority.trusted()
    with Secure(SITE, context, default, *options) as server:
        assert server.alert(context, "other.test") == "TLSV1_UNRECOGNIZED_NAME"
        for name in (LOCAL[0], "www.shop.test"):
            with server.client(context, name) as client:
                assert client.ask()
        # Who asks for none is no liar.
        context.check_hostname = False
        with server.client(context, "") as client:
            assert client.serial == default.serial


@pytest.mark.parametrize("first", ["rsa", "ecdsa"])
def test_tl03_a_pair_has_a_key_for_each_client(
    authority: Authority, first: str
) -> None:
    pair = {kind: authority.issue(kind=kind) for kind in ("rsa", "ecdsa")}
    default = pair[first]
    [other] = [each for each in pair.values() if each is not default]
    with Secure(SITE, authority.trusted(), default, *others(other)) as server:
        for kind, issued in pair.items():
            context = authority.trusted()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(f"ECDHE-{kind.upper()}-AES128-GCM-SHA256")
            with server.client(context) as client:
                assert client.serial == issued.serial
                assert client.ask()
