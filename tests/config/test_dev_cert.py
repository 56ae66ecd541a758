"""`celadon dev-cert`."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
from celadon.command import dev_cert
from celadon.errors import UsageError

from tests.support import raw
from tests.support.servers import CELADON, Command


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "celadon"


def test_a_server_has_it(tmp_path: Path, home: Path) -> None:
    done = subprocess.run(
        [CELADON, "dev-cert", "--folder", str(tmp_path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    cert, key = tmp_path / "dev-cert.pem", tmp_path / "dev-cert.key"
    assert f"--certfile {cert} --keyfile {key}" in done.stdout
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "authority.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    words = ("--certfile", str(cert), "--keyfile", str(key))
    with Command("tests.apps.probe:app", *words) as server:
        context = ssl.create_default_context(cafile=str(home / "authority.pem"))
        for name in ("localhost", "127.0.0.1", "::1"):
            with server.client() as client:
                client.sock = context.wrap_socket(client.sock, server_hostname=name)
                client.send(raw.get())
                assert client.response().status == 200


def test_the_authority_is_made_once(tmp_path: Path, home: Path) -> None:
    dev_cert.run(["--folder", str(tmp_path), "shop.test", "*.shop.test", "10.0.0.1"])
    first = (home / "authority.pem").read_bytes()
    leaf = (tmp_path / "dev-cert.pem").read_bytes()
    dev_cert.run([f"--folder={tmp_path}"])
    assert (home / "authority.pem").read_bytes() == first
    assert (tmp_path / "dev-cert.pem").read_bytes() != leaf
    assert sorted(os.listdir(tmp_path)) == ["data", "dev-cert.key", "dev-cert.pem"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--days", "3"], "takes no --days"),
        (["--folder", "/no/such"], "--folder: no directory '/no/such'"),
        (["a b"], "'a b' is no name of a host"),
        (["a,DNS:b"], "is no name of a host"),
    ],
)
def test_what_it_does_not_take(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        dev_cert.run(words)
