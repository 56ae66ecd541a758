"""What frameworks call their requests, in metrics and in the access log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.metrics import page, samples
from tests.support.servers import Command, wait_until

FLASK = """
from flask import Flask
app = Flask(__name__)

@app.get("/user/<int:number>")
def user(number):
    return "one"
"""
DJANGO = """
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
import django
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path

def user(request, number):
    return HttpResponse("one")

urlpatterns = [path("shop/", include([path("user/<int:number>", user)]))]
app = get_wsgi_application()
"""
PLAIN = """
def app(environ, start_response):
    info = environ["celadon.request"]
    info.route = "/by/hand" + "x" * 500
    assert info.route.startswith("/by/hand") and len(info.route) == 128
    try: info.route = 3
    except TypeError: pass
    else: raise AssertionError
    start_response("200 OK", [("Content-Length", "3")])
    return [b"one"]
"""


def counts(server: Command) -> dict[str, float]:
    """Requests by their route."""
    return {
        dict(labels).get("http_route", ""): n
        for (name, labels), n in samples(page(server).body.decode()).items()
        if name == "http_server_request_duration_seconds_count"
    }


@pytest.mark.parametrize(
    ("source", "paths", "route"),
    [
        (FLASK, ("/user/1", "/user/2"), "/user/<int:number>"),
        (DJANGO, ("/shop/user/1", "/shop/user/2"), "/shop/user/<int:number>"),
        (PLAIN, ("/a", "/b"), "/by/hand" + "x" * 120),
    ],
    ids=["flask", "django", "plain"],
)
def test_routes_have_the_frameworks_names(
    tmp_path: Path, source: str, paths: tuple[str, str], route: str
) -> None:
    (tmp_path / "routed.py").write_text(source)
    options = ("--admin-bind", "127.0.0.1:0", "--access-logfile", "-")
    style = ("--access-log-style", "json")
    with Command("routed:app", *options, *style, cwd=tmp_path) as server:
        for path in paths:
            assert server.request(raw.get(path)).body == b"one"
        unknown = server.request(raw.get("/no/such/page"))
        # A request is counted once it has ended, which is after its answer.
        by_route = wait_until(lambda: (r := counts(server), sum(r.values()) == 3))
        server.stop()
    if unknown.status == 404:
        # Never the path that came: clients can send as many as they like.
        assert by_route == {route: 2, "": 1}
    else:
        assert by_route == {route: 3}
    records = [json.loads(line) for line in server.out]
    assert [each.get("http.route") for each in records[:2]] == [route, route]
