"""Settings of TLS, and what the hook `ssl_context` makes of them."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from celadon import Server
from celadon.config import load, tls_options
from celadon.config.values.tls import parse_cert_reqs
from celadon.errors import UsageError
from celadon.serving import ssl_hook, tls

from tests.support import raw
from tests.support.machine import program
from tests.support.metrics import page, samples
from tests.support.servers import Command, wait_until

DURATION = "http_server_request_duration_seconds"


class Pair(NamedTuple):
    cert: str
    key: str


@pytest.fixture(scope="module")
def issue(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Pair]:
    folder = tmp_path_factory.mktemp("certificates")

    def make(name: str) -> Pair:
        pair = Pair(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
        request = f"req -x509 -nodes -newkey rsa:2048 -days 30 -subj /CN={name}"
        command = [program("openssl", "openssl"), *request.split()]
        files = ["-keyout", pair.key, "-out", pair.cert]
        subprocess.run([*command, *files], check=True, capture_output=True)
        return pair

    return make


@pytest.fixture(scope="module")
def site(issue: Callable[[str], Pair]) -> Pair:
    return issue("localhost")


@pytest.fixture(scope="module")
def other(issue: Callable[[str], Pair]) -> Pair:
    return issue("other.test")


# --- values ---


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((0, 0), ("1", 1), ("none", 0), (" Optional ", 1), ("required", 2)),
        *((ssl.CERT_REQUIRED, 2), ("CERT_OPTIONAL", 1), ("ssl.CERT_REQUIRED", 2)),
        (repr(ssl.CERT_NONE).split(":")[0].strip("<"), 0),
    ],
)
def test_whether_clients_are_asked_is_spelled_as_elsewhere(
    given: Any, expected: int
) -> None:
    assert parse_cert_reqs(given) == expected


@pytest.mark.parametrize("given", [3, -1, True, "often", ""])
def test_and_in_no_other_way(given: Any) -> None:
    with pytest.raises(ValueError, match="expected none, optional or required"):
        parse_cert_reqs(given)


def test_what_the_core_is_told() -> None:
    assert tls_options(load({})) == {}
    given = {
        "certfile": "a.pem",
        "keyfile": "a.key",
        "keyfile_password": "secret",
        "tls_certs": ["b.pem:b.key", "c.pem"],
        "ca_certs": "ca.pem",
        "client_crl": "crl.pem",
        "cert_reqs": "required",
        "ciphers": "ECDHE+AESGCM",
        "tls_min_version": "1.3",
        "tls_strict_names": True,
    }
    told = tls_options(load(given))
    assert told == {
        "certificates": {"a.pem": "a.key", "b.pem": "b.key", "c.pem": ""},
        "password": "secret",
        "ca_certs": "ca.pem",
        "crl": "crl.pem",
        "cert_reqs": 2,
        "ciphers": "ECDHE+AESGCM",
        "cipher_suites": "",
        "only_tls12": False,
        "only_tls13": True,
        "protocols": ["http/1.1"],
        "strict_names": True,
    }


def test_files_of_pairs_are_in_chdir(tmp_path: Path) -> None:
    given = {"certfile": "a.pem", "tls_certs": "b.pem:/b.key", "chdir": str(tmp_path)}
    found = load(given)
    assert found.tls_certs == [f"{tmp_path}/b.pem:/b.key"]
    assert tls.files(found) == [f"{tmp_path}/a.pem", f"{tmp_path}/b.pem", "/b.key"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keyfile", "a.key"),
        ("tls_certs", "a.pem:a.key"),
        ("ca_certs", "ca.pem"),
        ("client_crl", "crl.pem"),
        ("cert_reqs", "required"),
    ],
)
def test_who_means_tls_is_not_served_in_the_clear(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: there is no TLS without certfile"):
        load({name: value})


def test_authorities_that_nobody_is_asked_for_are_noted() -> None:
    notes = load({"certfile": "a.pem", "ca_certs": "ca.pem"}).notes
    assert notes == [
        "ca_certs has no effect: cert_reqs asks no client for a certificate"
    ]


def test_times_and_numbers() -> None:
    given = {"tls_handshake_timeout": "2s", "tls_handshakes": 9, "tls_reload": "1m"}
    found = load(given)
    assert [getattr(found, name) for name in given] == [2.0, 9, 60.0]


# --- TL05: what is wrong is one line ---


def test_tl05_a_key_that_does_not_fit_is_named(site: Pair, other: Pair) -> None:
    with pytest.raises(UsageError) as caught:
        tls.load(load({"certfile": site.cert, "keyfile": other.key}))
    assert str(caught.value) == f"{other.key}: is not the key of {site.cert}"
    assert tls.load(load({})) is None


def test_the_first_end_of_certificates_is_known(site: Pair, other: Pair) -> None:
    given = {"certfile": site.cert, "keyfile": site.key}
    found = tls.load(load({**given, "tls_certs": f"{other.cert}:{other.key}"}))
    assert found is not None
    ends = [at for _, _, at in found.expiries()]
    assert len(ends) == 2
    assert tls.first_end(found) == min(ends)
    assert tls.first_end(None) == 0


def test_a_server_in_a_thread_speaks_it(site: Pair) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.url_scheme"].encode()]

    with Server(app, certfile=site.cert, keyfile=site.key) as server:
        assert server.addresses == [f"https://127.0.0.1:{server.port}"]
        context = ssl.create_default_context(cafile=site.cert)
        context.check_hostname = False
        with raw.Client(("127.0.0.1", server.port)) as client:
            client.sock = context.wrap_socket(client.sock)
            client.send(raw.get())
            assert client.response().body == b"https"


def test_en15_the_environ_says_what_a_connection_came_to(
    site: Pair, other: Pair
) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        names = [n for n in environ if n == "HTTPS" or n.startswith("SSL_")]
        return [json.dumps({name: environ[name] for name in names}).encode()]

    def ask(server: Server, *pair: str) -> Any:
        context = ssl.create_default_context(cafile=site.cert)
        context.check_hostname = False
        if pair:
            context.load_cert_chain(*pair)
        with raw.Client(("127.0.0.1", server.port)) as client:
            client.sock = context.wrap_socket(client.sock)
            client.send(raw.get("/", "HTTPS: no", "SSL-CLIENT-VERIFY: SUCCESS"))
            return json.loads(client.response().body)

    given = {"certfile": site.cert, "keyfile": site.key, "ca_certs": other.cert}
    with Server(app, **given, cert_reqs="optional") as server:
        nobody, known = ask(server), ask(server, other.cert, other.key)
    assert nobody == {
        "HTTPS": "on",
        "SSL_PROTOCOL": "TLSv1.3",
        "SSL_CIPHER": nobody["SSL_CIPHER"],
        "SSL_CLIENT_VERIFY": "NONE",
    }
    assert nobody["SSL_CIPHER"].startswith("TLS_")
    assert known == nobody | {
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL_CLIENT_S_DN": "CN=other.test",
        "SSL_CLIENT_CERT": known["SSL_CLIENT_CERT"],
    }
    assert known["SSL_CLIENT_CERT"] in Path(other.cert).read_text()


def test_figures_name_the_scheme(site: Pair) -> None:
    words = ("--certfile", site.cert, "--keyfile", site.key)
    context = ssl.create_default_context(cafile=site.cert)
    context.check_hostname = False
    probe, admin = "tests.apps.probe:app", ("--admin-bind", "127.0.0.1:0")
    with Command(probe, *words, *admin) as server, server.client() as client:
        client.sock = context.wrap_socket(client.sock)
        client.send(raw.get())
        assert client.response().status == 200
        wait_until(lambda: (s := schemes(server), len(s) == 2))
        assert schemes(server) == {
            "http_server_active_requests": {"https"},
            "http_server_request_duration_seconds_count": {"https"},
        }


def schemes(server: Command) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, labels in samples(page(server).body.decode()):
        if name in ("http_server_active_requests", f"{DURATION}_count"):
            found.setdefault(name, set()).add(dict(labels)["url_scheme"])
    return found


# --- the hook ---


def recorded(site: Pair, hook: Any, **given: Any) -> dict[str, Any]:
    """What differs from the options without it."""
    settings = load({"certfile": site.cert, "keyfile": site.key, **given})
    before = tls_options(settings)
    after = ssl_hook.recorded(hook, settings, before)
    assert after.keys() == before.keys()
    return {name: after[name] for name in after if after[name] != before[name]}


def test_the_context_that_gunicorn_makes_changes_nothing(site: Pair) -> None:
    given = {"cert_reqs": 1, "ca_certs": site.cert, "ciphers": "ECDHE+AESGCM"}
    for more in ({}, given, {"tls_min_version": "1.3"}):
        assert recorded(site, lambda conf, default: default(), **more) == {}


def test_what_is_done_to_it_counts(site: Pair, other: Pair) -> None:
    def hook(conf: Any, default: Any) -> Any:
        assert conf.certfile == site.cert
        context = default()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(other.cert, other.key)
        context.load_verify_locations(cafile=other.cert)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_ciphers("ECDHE+CHACHA20")
        return context

    found = recorded(site, hook)
    assert found == {
        "ca_certs": other.cert,
        "cert_reqs": 2,
        "ciphers": "ECDHE+CHACHA20",
        "only_tls13": True,
        "certificates": {other.cert: other.key, site.cert: site.key},
    }
    assert [*found["certificates"]] == [other.cert, site.cert]


@pytest.mark.filterwarnings("ignore:ssl.OP_NO:DeprecationWarning")
def test_it_may_stay_with_the_older_version(site: Pair) -> None:
    def by_version(conf: Any, default: Any) -> Any:
        context = default()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def by_option(conf: Any, default: Any) -> Any:
        context = default()
        context.options |= ssl.OP_NO_TLSv1_3
        return context

    for hook in (by_version, by_option):
        assert recorded(site, hook) == {"only_tls12": True}


def _another(context: Any) -> Any:
    return ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)


def _with_names(context: Any) -> Any:
    context.sni_callback = lambda *_: None
    return context


def _with_a_folder(context: Any) -> Any:
    context.load_verify_locations(capath="/etc/ssl/certs")
    return context


def _with_revoked(context: Any) -> Any:
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _broken(context: Any) -> Any:
    return context.no_such_thing


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_another, "it must return what its second argument makes"),
        (_with_names, "certificates by name are in tls_certs"),
        (_with_a_folder, "authorities are read from one file"),
        (_with_revoked, "revoked certificates are in client_crl"),
        (_broken, "AttributeError: .*no_such_thing"),
    ],
)
def test_what_it_cannot_have_is_refused(
    site: Pair, change: Callable[[Any], Any], said: str
) -> None:
    with pytest.raises(UsageError, match=f"ssl_context: {said}"):
        recorded(site, lambda conf, default: change(default()))


def test_it_is_what_is_served(site: Pair) -> None:
    settings = load({"certfile": site.cert, "keyfile": site.key})
    settings.hooks["ssl_context"] = lambda conf, default: _with_names(default())
    with pytest.raises(UsageError, match="ssl_context: "):
        tls.load(settings)
