"""Real applications of the frameworks that people use, through the command."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.together import COUNT
from tests.support import raw
from tests.support.gunicorn import Gunicorn
from tests.support.servers import ROOT, Command

SITES = {
    "flask": "tests.apps.flask_site:app",
    "django": "tests.apps.django_site:app",
    "falcon": "tests.apps.small_sites:falcon_app",
    "bottle": "tests.apps.small_sites:bottle_app",
    "pyramid": "tests.apps.small_sites:pyramid_app",
}
FORM = "Content-Type: application/x-www-form-urlencoded"


# Under our own master, and under gunicorn's.
SERVERS: dict[str, type[Command]] = {"celadon": Command, "gunicorn": Gunicorn}


@pytest.fixture(
    scope="module", params=[f"{name}-{server}" for server in SERVERS for name in SITES]
)
def site(request: pytest.FixtureRequest) -> Iterator[tuple[str, Command]]:
    name, _, server = request.param.partition("-")
    with SERVERS[server](SITES[name]) as running:
        yield name, running


def source_of(name: str) -> bytes:
    module = SITES[name].split(":")[0]
    return Path(ROOT, *module.split(".")).with_suffix(".py").read_bytes()


def test_pages_and_forms(site: tuple[str, Command]) -> None:
    name, server = site
    assert server.request(raw.get()).body == f"{name} page".encode()
    if name == "django":
        return  # its form has a token: below
    answer = server.request(raw.post("/form", b"name=ada", FORM))
    assert answer.body == b"hello ada"


def test_uploads_of_ten_megabytes(site: tuple[str, Command]) -> None:
    name, server = site
    data = os.urandom(10 << 20)
    if name in ("flask", "django"):
        body = (
            b"--celadon-upload\r\n"
            b'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        )
        body += data + b"\r\n--celadon-upload--\r\n"
        request = raw.post(
            "/upload",
            body,
            "Content-Type: multipart/form-data; boundary=celadon-upload",
        )
    else:
        request = raw.post("/put", data, "Content-Type: application/octet-stream")
    assert server.request(request).body.decode() == hashlib.sha256(data).hexdigest()


def test_downloads_and_streams(site: tuple[str, Command]) -> None:
    name, server = site
    assert server.request(raw.get("/file")).body == source_of(name)
    assert server.request(raw.get("/stream")).body == b"0\n1\n2\n3\n4\n"


def test_errors_and_missing_pages(site: tuple[str, Command]) -> None:
    name, server = site
    assert server.request(raw.get("/error")).status == 500
    assert server.request(raw.get("/nothing")).status == 404
    assert server.request(raw.get()).status == 200
    if name in ("bottle", "flask"):  # Django mails its errors where DEBUG is off
        server.wait_line(f"RuntimeError: {name} error")


def test_waiting_views_overlap(site: tuple[str, Command]) -> None:
    _, server = site
    clients = [server.client() for _ in range(COUNT)]
    for client in clients:
        client.send(raw.get("/together"))
    for client in clients:
        assert client.response().body == b"together"
        client.close()


def cookies_of(answer: raw.Response) -> str:
    return "Cookie: " + "; ".join(c.split(";")[0] for c in answer.all("Set-Cookie"))


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_flask_sessions(command: type[Command]) -> None:
    with command(SITES["flask"]) as server:
        answer = server.request(raw.post("/form", b"name=ada", FORM))
        assert server.request(raw.get("/session", cookies_of(answer))).body == b"ada"
        assert server.request(raw.get("/session")).body == b"nobody"
        assert len(server.request(raw.get("/download")).body) == 1 << 20


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_django_sessions_forms_and_admin(command: type[Command]) -> None:
    with command(SITES["django"]) as server:
        page = server.request(raw.get("/form"))
        found = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body)
        assert found
        token = found[1].decode()
        body = f"csrfmiddlewaretoken={token}&name=ada".encode()
        assert server.request(raw.post("/form", body, FORM)).status == 403
        answer = server.request(raw.post("/form", body, FORM, cookies_of(page)))
        assert answer.body == b"hello ada"
        assert server.request(raw.get("/session", cookies_of(answer))).body == b"ada"

        login = server.request(raw.get("/admin/login/"))
        found = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', login.body)
        assert found
        body = f"csrfmiddlewaretoken={found[1].decode()}&username=root&password=secret".encode()
        entered = server.request(
            raw.post("/admin/login/", body, FORM, cookies_of(login))
        )
        assert entered.status == 302
        users = server.request(raw.get("/admin/auth/user/", cookies_of(entered)))
        assert b"root@example.com" in users.body
