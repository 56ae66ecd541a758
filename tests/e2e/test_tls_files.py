"""Files of certificates and keys: in which forms they may be, and that what is wrong with one is
said in one line."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat

from tests.support.certificates import PKCS1, PKCS8, SEC1, Authority, Issued
from tests.support.raw import TIMEOUT
from tests.support.servers import CELADON, ROOT
from tests.support.tls import SITE, Secure

Words = tuple[str, ...]
BIND = ("--bind", "127.0.0.1:0")
# As `openssl ecparam -genkey` writes it before a key of P-256.
EC_PARAMETERS = """\
-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
"""


def run(*words: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CELADON, *words],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


@contextmanager
def served(authority: Authority, issued: Issued, *options: str) -> Iterator[Secure]:
    """A server that shows this certificate."""
    with Secure(SITE, authority.trusted(), issued, *options) as server:
        with server.client() as client:
            assert client.serial == issued.serial
            assert client.ask()
        yield server


# --- TL07: forms of keys ---


@pytest.mark.parametrize(
    ("kind", "form", "password", "starts"),
    [
        ("rsa", PKCS1, "", "BEGIN RSA PRIVATE KEY"),
        ("rsa", PKCS8, "", "BEGIN PRIVATE KEY"),
        ("rsa", PKCS1, "secret", "BEGIN RSA PRIVATE KEY"),
        ("rsa", PKCS8, "secret", "BEGIN ENCRYPTED PRIVATE KEY"),
        ("ecdsa", SEC1, "", "BEGIN EC PRIVATE KEY"),
        ("ecdsa", PKCS8, "", "BEGIN PRIVATE KEY"),
        ("ecdsa", PKCS8, "a secret, of two words", "BEGIN ENCRYPTED PRIVATE KEY"),
    ],
)
def test_tl07_a_key_may_have_any_form(
    authority: Authority, kind: str, form: PrivateFormat, password: str, starts: str
) -> None:
    issued = authority.issue(kind=kind)
    issued.write_key(issued.key, form, password)
    assert starts in issued.key.read_text()
    options = ("--keyfile-password", password) if password else ()
    with served(authority, issued, *options):
        pass


def test_tl07_its_curve_may_stand_before_it(authority: Authority) -> None:
    issued = authority.issue()
    issued.write_key(issued.key, SEC1)
    issued.key.write_text(EC_PARAMETERS + issued.key.read_text())
    with served(authority, issued):
        pass


def test_tl07_a_password_is_no_word_of_the_command(authority: Authority) -> None:
    """In which everybody could read it; nor does the server repeat it."""
    issued = authority.issue()
    issued.write_key(issued.key, password="hush hush")
    env = {"CELADON_KEYFILE_PASSWORD": "hush hush"}
    with Secure(SITE, authority.trusted(), issued, env=env) as server:
        assert server.ask()
        said = run("config", **env).stdout
    assert "keyfile_password" in said
    assert not any("hush" in line for line in [said, *server.lines])


def test_both_may_be_in_one_file(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue()
    both = tmp_path / "both.pem"
    both.write_text(issued.key.read_text() + issued.cert.read_text())
    words = ("--certfile", str(both), "--check-config", SITE)
    assert run(*words).stdout == "configuration is fine\n"


def test_what_leads_to_the_root_is_sent_with_it(authority: Authority) -> None:
    below = authority.below("one").below("two")
    with served(authority, below.issue()):
        pass


def test_files_are_where_the_application_is(
    authority: Authority, tmp_path: Path
) -> None:
    """As other paths: relative to `chdir`."""
    issued = authority.issue()
    place = issued.cert.parent
    words = ("--certfile", issued.cert.name, "--keyfile", issued.key.name)
    (place / "small.py").write_text("def app(environ, start_response): ...\n")
    for more in ((), (f"--tls-certs={issued.cert.name}:{issued.key.name}",)):
        done = run(
            *words, *more, "--chdir", str(place), "--check-config", "small:app",
            cwd=tmp_path,
        )  # fmt: skip
        assert done.stdout == "configuration is fine\n", done.stderr


# --- what is wrong with them ---


def nothing(path: Path) -> str:
    path.write_text("no PEM at all\n")
    return str(path)


def _missing(a: Authority, good: Issued) -> Words:
    return ("--certfile", f"{good.cert}.not", "--keyfile", str(good.key))


def _folder(a: Authority, good: Issued) -> Words:
    return ("--certfile", str(good.cert.parent), "--keyfile", str(good.key))


def _no_key(a: Authority, good: Issued) -> Words:
    return ("--certfile", str(good.cert))


def _key_alone(a: Authority, good: Issued) -> Words:
    return ("--keyfile", str(good.key))


def _others_key(a: Authority, good: Issued) -> Words:
    return ("--certfile", str(good.cert), "--keyfile", str(a.issue().key))


def _expired(a: Authority, good: Issued) -> Words:
    old = a.issue(days=-1)
    return ("--certfile", str(old.cert), "--keyfile", str(old.key))


def _weak(a: Authority, good: Issued) -> Words:
    weak = a.issue(kind="weak")
    return ("--certfile", str(weak.cert), "--keyfile", str(weak.key))


def _sealed(a: Authority, good: Issued) -> Words:
    good.write_key(good.key, password="secret")
    return ("--certfile", str(good.cert), "--keyfile", str(good.key))


def _wrong_password(a: Authority, good: Issued) -> Words:
    return (*_sealed(a, good), "--keyfile-password", "a guess")


def _nonsense(a: Authority, good: Issued) -> Words:
    return ("--certfile", nothing(good.cert), "--keyfile", str(good.key))


def _with(*more: str) -> Callable[[Authority, Issued], Words]:
    def words(a: Authority, good: Issued) -> Words:
        return ("--certfile", str(good.cert), "--keyfile", str(good.key), *more)

    return words


FAULTS = {
    _missing: r"\.pem\.not: No such file or directory",
    _folder: r": (Is a directory|has no certificate in PEM)",
    _no_key: r"\.pem: has no private key in PEM",
    _key_alone: r"keyfile: there is no TLS without certfile",
    _others_key: r"\.key: is not the key of .*\.pem",
    _expired: r"\.pem: the certificate expired on \d{4}-\d\d-\d\d",
    _weak: r"\.pem: .*key too small",
    _sealed: r"\.key: its key is encrypted or broken; keyfile_password is not set",
    _wrong_password: r"\.key: .*the password is wrong",
    _nonsense: r"\.pem: has no certificate in PEM",
    _with("--ciphers", "NONE-SUCH"): r"ciphers: no cipher match",
    _with("--cert-reqs", "required"): r"ca_certs must say who signs",
    _with("--cert-reqs", "often"): r"cert_reqs: expected none, optional or required",
    _with("--tls-min-version", "1.1"): r"tls_min_version: expected",
    _with("--tls-certs", ":key"): r"tls_certs: expected CERT:KEY",
}


@pytest.mark.parametrize("check", [False, True], ids=["start", "check"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__qualname__.strip("_"))
def test_tl05_what_is_wrong_is_one_line(
    authority: Authority,
    fault: Callable[[Authority, Issued], Words],
    check: bool,
) -> None:
    words = fault(authority, authority.issue())
    done = run(*BIND, *words, *(["--check-config"] if check else []), SITE)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    lines = [
        line for line in done.stderr.splitlines() if re.search(FAULTS[fault], line)
    ]
    assert len(lines) == 1, done.stderr
    assert "a guess" not in done.stderr


@pytest.mark.parametrize("name", ["ca_certs", "client_crl"])
def test_tl05_of_clients_files_too(authority: Authority, name: str) -> None:
    issued = authority.issue()
    bad = nothing(issued.cert.parent / f"bad-{name}.pem")
    words = [*("--certfile", str(issued.cert), "--keyfile", str(issued.key))]
    words += ["--cert-reqs", "required", "--ca-certs", str(authority.file)]
    done = run(*BIND, *words, f"--{name.replace('_', '-')}", bad, SITE)
    assert done.returncode != 0
    assert f"bad-{name}.pem: " in done.stderr
    assert "Traceback" not in done.stderr
