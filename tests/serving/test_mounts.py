"""WSGI and ASGI in one worker: which application a request is for, and what it is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import celadon
import pytest
from celadon import config
from celadon.errors import AppError, AppFailed, UsageError
from celadon.serving.hooked import with_request_hooks
from celadon.serving.hosting import Hosted
from celadon.serving.importer import with_mounts
from celadon.serving.interface import refuse_wrong, served
from celadon.serving.mounts import Mount

from tests.support import raw
from tests.support.servers import serving, wait_until
from tests.support.websockets import frame, opened

App = Callable[..., Any]
START = {"type": "http.response.start", "status": 200, "headers": []}


def wsgi(name: str) -> App:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        told = (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["REMOTE_ADDR"])
        return [json.dumps(["wsgi", name, *told]).encode()]

    return app


def asgi(name: str) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        told = (scope["root_path"], scope["path"], scope["client"][0])
        found = json.dumps(["asgi", name, *told]).encode()
        await send(START)
        await send({"type": "http.response.body", "body": found})

    return app


@contextmanager
def serve(app: App, **settings: Any) -> Iterator[Any]:
    settings.setdefault("lifespan", "off")
    with serving(app, validate=False, **settings) as server:
        yield server


def told(server: Any, request: str | bytes) -> tuple[str, str, str, str, str]:
    """Interface, name, prefix, path and client."""
    data = request if isinstance(request, bytes) else raw.get(request)
    answer = server.request(data)
    assert answer.status == 200, answer
    found: tuple[str, str, str, str, str] = tuple(json.loads(answer.body))
    return found


PREFIXES = ("/api", "/api/v2", "/café")
# Of a request's path: where it goes, and what is left of it below that prefix.
PATHS = {
    "/": ("", "/"),
    "/x": ("", "/x"),
    "/api": ("/api", ""),
    "/api/": ("/api", "/"),
    "/api/x": ("/api", "/x"),
    "/api?x=/y": ("/api", ""),
    "/api//x": ("/api", "//x"),
    "/apix": ("", "/apix"),
    "/API/x": ("", "/API/x"),
    "/api.x/y": ("", "/api.x/y"),
    "/api;x/y": ("", "/api;x/y"),
    "/api/v2": ("/api/v2", ""),
    "/api/v2/x": ("/api/v2", "/x"),
    "/api/v2x": ("/api", "/v2x"),
    "/%61pi/x": ("/api", "/x"),
    "/%61%70%69": ("/api", ""),
    "/api%2Fx": ("", "/api/x"),
    "/api%2fv2/x": ("", "/api/v2/x"),
    "/api/v2%2Fx": ("/api", "/v2/x"),
    "/api/%2Fx": ("/api", "//x"),
    "//api/x": ("", "//api/x"),
    "/x/api/y": ("", "/x/api/y"),
    "/x/../api/y": ("", "/x/../api/y"),
    "/api/../x": ("/api", "/../x"),
    "/api/%2e%2e/x": ("/api", "/../x"),
    "/./api/x": ("", "/./api/x"),
    "/caf%C3%A9/x": ("/café", "/x"),
    "/caf%c3%a9x": ("", "/caféx"),
}


def latin(text: str) -> str:
    """As PEP 3333 has it."""
    return text.encode().decode("latin-1")


@pytest.mark.parametrize(("root", "below"), [(wsgi, asgi), (asgi, wsgi)])
def test_a_request_is_for_the_longest_prefix_on_a_border(root: Any, below: Any) -> None:
    site = Mount(root("root"), {each: below(each) for each in PREFIXES})
    with serve(site) as server:
        for path, (prefix, rest) in PATHS.items():
            kind, name, root_path, found, _ = told(server, path)
            assert name == (prefix or "root"), path
            if kind == "wsgi":
                assert (root_path, found) == (latin(prefix), latin(rest)), path
            else:
                assert (root_path, found) == (prefix, prefix + rest), path
            assert kind == (below if prefix else root)("").__qualname__.split(".")[0]


def test_wsgi_below_wsgi_and_asgi_below_asgi() -> None:
    with serve(Mount(wsgi("a"), {"/b": wsgi("b")})) as server:
        assert told(server, "/b/x")[:4] == ("wsgi", "b", "/b", "/x")
    with serve(Mount(asgi("a"), {"/b": asgi("b")})) as server:
        assert told(server, "/b/x")[:4] == ("asgi", "b", "/b", "/b/x")


def test_targets_of_other_forms() -> None:
    with serve(Mount(wsgi("root"), {"/api": asgi("api")})) as server:
        assert (
            told(server, b"GET http://a/api/x HTTP/1.1\r\nHost: a\r\n\r\n")[1] == "api"
        )
        assert told(server, b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n")[1] == "root"
        found = told(server, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert found[1:4] == ("root", "", "*")
        answer = server.request(b"CONNECT api:80 HTTP/1.1\r\nHost: api:80\r\n\r\n")
        assert answer.status == 501


def test_options_of_the_server_go_to_an_asgi_root_as_they_are() -> None:
    with serve(Mount(asgi("root"), {"/api": wsgi("api")}), root_path="/site") as server:
        found = told(server, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert found[1:4] == ("root", "/site", "*")


@pytest.mark.parametrize("path", ["/site/api/x", "/api/x", "/s%69te/api/x"])
@pytest.mark.parametrize("by", ["setting", "proxy"])
def test_a_prefix_is_below_the_root_path(path: str, by: str) -> None:
    """Whether a proxy has taken that away, or not."""
    fields = ("SCRIPT_NAME: /site",) if by == "proxy" else ()
    settings = {"root_path": "/site"} if by == "setting" else {}
    site = Mount(wsgi("root"), {"/api": wsgi("api"), "/ws": asgi("ws")})
    with serve(site, **settings) as server:
        found = told(server, raw.get(path, *fields))
        assert found[:4] == ("wsgi", "api", "/site/api", "/x")
        found = told(server, raw.get(path.replace("api", "ws"), *fields))
        assert found[1:3] == ("ws", "/site/ws")
        assert found[3].endswith("/ws/x")
        assert told(server, raw.get(path.replace("api", "x"), *fields))[1:4] == (
            "root",
            "/site",
            "/x/x",
        )


def test_the_name_that_a_proxy_says_takes_the_place_of_the_setting() -> None:
    for root in (wsgi, asgi):
        with serve(Mount(root("root"), {"/a": root("a")}), root_path="/s") as server:
            assert told(server, raw.get("/p/a/x", "SCRIPT_NAME: /p"))[2] == "/p/a"
            assert told(server, raw.get("/p/x", "SCRIPT_NAME: /p"))[2] == "/p"


@pytest.mark.parametrize("order", [1, -1])
def test_a_path_that_a_proxy_says_is_below_the_mount(order: int) -> None:
    fields = ("SCRIPT_NAME: /p", "PATH_INFO: /p/a/%41")[::order]
    with serve(Mount(wsgi("root"), {"/a": wsgi("a")})) as server:
        assert told(server, raw.get("/p/a/x", *fields))[1:4] == ("a", "/p/a", "/%41")
        found = told(server, raw.get("/p/a/x", "SCRIPT_NAME: /p", "PATH_INFO: /ay"))
        assert found[1:4] == ("a", "/p/a", "/ay")


def test_each_shows_clients_of_proxies_as_its_interface_does() -> None:
    with serve(Mount(wsgi("root"), {"/api": asgi("api")})) as server:
        field = "X-Forwarded-For: 9.9.9.9"
        assert told(server, raw.get("/", field))[4] == "127.0.0.1"
        assert told(server, raw.get("/api", field))[4] == "9.9.9.9"


def test_environs_of_a_mounted_application_are_its_own() -> None:
    """Templates of environs are kept by each."""
    kept = []

    def keeps(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        kept.append(environ)
        start_response("200 OK", [])
        return [environ["SCRIPT_NAME"].encode() + environ["PATH_INFO"].encode()]

    with serve(Mount(keeps, {"/b": keeps})) as server, server.client() as client:
        for path in ("/1", "/b/2", "/3", "/b/4", "/b", "/5"):
            client.send(raw.get(path))
            assert client.response().body.decode() == path
    assert [(e["SCRIPT_NAME"], e["PATH_INFO"]) for e in kept] == [
        ("", "/1"),
        ("/b", "/2"),
        ("", "/3"),
        ("/b", "/4"),
        ("/b", ""),
        ("", "/5"),
    ]


def test_answers_of_one_connection_come_in_their_order() -> None:
    with serve(Mount(wsgi("root"), {"/api": asgi("api")})) as server:
        with server.client() as client:
            paths = ["/1", "/api/2", "/api/3", "/4", "/5", "/api/6"] * 20
            client.send(b"".join(map(raw.get, paths)))
            for path in paths:
                found = json.loads(client.response().body)
                assert found[3] == path
                assert found[1] == ("api" if path.startswith("/api") else "root")


def test_who_blocks_in_the_one_holds_up_nobody_in_the_other() -> None:
    go = threading.Event()

    def until_told() -> None:
        while not go.is_set():
            celadon.sleep(0.005)

    def blocks(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        until_told()
        return wsgi("blocked")(environ, start_response)

    async def blocks_as_well(scope: Any, receive: Any, send: Any) -> None:
        until_told()  # what waits in a coroutine parks it alone
        await asgi("blocked")(scope, receive, send)

    site = Mount(
        wsgi("a"), {"/b": asgi("b"), "/slow": blocks, "/as-slow": blocks_as_well}
    )
    with serve(site) as server, server.client() as one, server.client() as other:
        one.send(raw.get("/slow"))
        other.send(raw.get("/as-slow"))
        server.wait_for(lambda s: s["in_flight"] == 2)
        assert told(server, "/")[1] == "a"
        assert told(server, "/b")[1] == "b"
        go.set()
        assert json.loads(one.response().body)[:2] == ["wsgi", "blocked"]
        assert json.loads(other.response().body)[:2] == ["asgi", "blocked"]


def test_websockets_below_either() -> None:
    def sync_echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        socket = environ["wsgi.websocket"]
        socket.send(environ["SCRIPT_NAME"] + socket.receive())
        return []

    async def async_echo(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        text = scope["root_path"] + (await receive())["text"]
        await send({"type": "websocket.send", "text": text})

    for root, below in ((sync_echo, async_echo), (async_echo, sync_echo)):
        with serve(Mount(root, {"/ws": below})) as server:
            for path in ("/", "/ws", "/ws/x"):
                expected = (path[:3] + "hi" if path != "/" else "hi").encode()
                with opened(server, path) as client:
                    client.send(frame(1, b"hi"))
                    assert client.read_exactly(2 + len(expected))[2:] == expected
            stats = server.stats()
            assert stats["failed"] == 0


def test_counters_and_limits_are_those_of_all() -> None:
    go = threading.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        while not go.is_set():
            await asyncio.sleep(0.005)
        await asgi("waits")(scope, receive, send)

    def raises(environ: Any, start_response: Any) -> list[bytes]:
        raise KeyError

    async def raises_as_well(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError

    site = Mount(wsgi("a"), {"/w": waits, "/r": raises, "/s": raises_as_well})
    with serve(site, max_concurrent_requests=1, queue_depth=0) as server:
        with server.client() as client:
            client.send(raw.get("/w"))
            server.wait_for(lambda s: s["in_flight"] == 1)
            assert server.request(raw.get("/")).status == 503
            go.set()
            assert client.response().status == 200
        for path in ("/r", "/s", "/s"):
            assert server.request(raw.get(path)).status == 500
        server.wait_for(lambda s: s["failed"] == 3 and s["requests"] >= 5)


@pytest.mark.parametrize("path", ["/", "/api"])
@pytest.mark.parametrize("root", [wsgi, asgi])
def test_a_deadline_is_that_of_the_server(path: str, root: Any) -> None:
    def hangs(environ: Any, start_response: Any) -> list[bytes]:
        celadon.sleep(600)
        return []

    async def hangs_as_well(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(600)

    apps = (hangs, hangs_as_well) if root is wsgi else (hangs_as_well, hangs)
    with serve(Mount(apps[0], {"/api": apps[1]}), request_timeout="50ms") as server:
        assert server.request(raw.get(path)).status == 504


def test_a_quick_stop_ends_requests_of_all() -> None:
    ended = []

    def hangs(environ: Any, start_response: Any) -> list[bytes]:
        try:
            celadon.sleep(600)
        finally:
            ended.append("wsgi")
        return []

    async def hangs_as_well(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(600)
        finally:
            ended.append("asgi")

    async def goes_on(scope: Any, receive: Any, send: Any) -> None:
        """Behind its answer."""
        await send(START)
        await send({"type": "http.response.body"})
        try:
            await asyncio.sleep(600)
        finally:
            ended.append("background")

    site = Mount(wsgi("a"), {"/w": hangs, "/a": hangs_as_well, "/b": goes_on})
    with serve(site) as server, server.client() as one, server.client() as other:
        assert server.request(raw.get("/b")).status == 200
        one.send(raw.get("/w"))
        other.send(raw.get("/a"))
        server.wait_for(lambda s: s["in_flight"] == 2)
        server.server.stop(quick=True)
        wait_until(lambda: (ended, sorted(ended) == ["asgi", "background", "wsgi"]))


# --- lifespans ---


class Life:
    """An ASGI application with a lifespan, which notes what it hears in `said`."""

    def __init__(self, name: str, said: list[str], fails: str = "") -> None:
        self._name, self._said, self._fails = name, said, fails

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            state = json.dumps(scope["state"]).encode()
            await send(START)
            await send({"type": "http.response.body", "body": state})
            return
        await receive()
        self._said.append(f"{self._name} starts")
        if self._fails:
            await send({"type": "lifespan.startup.failed", "message": self._fails})
            return
        scope["state"][self._name] = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._said.append(f"{self._name} ends")
        await send({"type": "lifespan.shutdown.complete"})


def test_each_has_its_lifespan_and_its_state() -> None:
    said: list[str] = []
    apps = {f"/{name}": Life(name, said) for name in ("b", "c")}
    with serve(
        Mount(Life("a", said), {**apps, "/w": wsgi("w")}), lifespan="on"
    ) as server:
        for path, name in (("/", "a"), ("/b", "b"), ("/c/x", "c"), ("/b", "b")):
            assert json.loads(server.request(raw.get(path)).body) == {name: True}
        assert told(server, "/w")[1] == "w"
        assert said == ["a starts", "b starts", "c starts"]
    assert said[3:] == ["c ends", "b ends", "a ends"]


def passed_on(app: Any) -> App:
    """As ASGI 2."""

    def two(scope: Any) -> Any:
        async def instance(receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        return instance

    return two


def shares(site: Mount, said: list[str], hooks: bool = False) -> None:
    """Both of its places are one application, which has one lifespan."""
    found = served(site)
    if hooks:
        cfg = config.load({})
        cfg.hooks["pre_request"] = lambda worker, req: None
        worker: Any = SimpleNamespace(nr=0)
        found = with_request_hooks(found, worker, cfg)
    with Hosted(found, "on") as hosted:
        hosted.start()
        assert said == ["a starts"]
        states = [place.state for place in hosted.places if place.interface == "asgi"]
        assert states == [{"a": True}] * 2
        assert states[0] is states[1]
    assert said == ["a starts", "a ends"]


@pytest.mark.parametrize("hooks", [False, True])
@pytest.mark.parametrize("of_two", [False, True])
@pytest.mark.parametrize("at_root", [False, True])
def test_one_that_is_at_two_places_has_one_lifespan(
    at_root: bool, of_two: bool, hooks: bool
) -> None:
    said: list[str] = []
    app: Any = Life("a", said)
    if of_two:
        app = passed_on(app)
    site = (
        Mount(app, {"/b": app}) if at_root else Mount(wsgi(""), {"/b": app, "/c": app})
    )
    shares(site, said, hooks)


def test_one_that_is_at_two_places_answers_at_both() -> None:
    said: list[str] = []
    app = Life("a", said)
    with serve(Mount(app, {"/b": app}), lifespan="on") as server:
        for path in ("/x", "/b/x"):
            assert json.loads(server.request(raw.get(path)).body) == {"a": True}
    assert said == ["a starts", "a ends"]


def test_one_that_does_not_start_fails_all() -> None:
    said: list[str] = []
    apps = {
        "/b": Life("b", said),
        "/c": Life("c", said, fails="no database"),
        "/d": Life("d", said),
    }
    server = celadon.Server(Mount(wsgi("a"), apps))
    with pytest.raises(AppFailed) as raised:
        server.start()
    assert str(raised.value) == "/c: lifespan.startup failed: no database"
    assert said == ["b starts", "c starts", "b ends"]


def test_one_without_a_lifespan_is_named_where_it_must_have_one() -> None:
    server = celadon.Server(Mount(wsgi("a"), {"/b": asgi("b")}), lifespan="on")
    with pytest.raises(AppError, match=r"^the application at /b has no lifespan"):
        server.start()


def test_there_is_a_loop_where_one_of_them_is_asgi() -> None:
    async def loop(scope: Any, receive: Any, send: Any) -> None:
        seen.append(asyncio.get_running_loop())
        await asgi("")(scope, receive, send)

    seen: list[Any] = []
    with serve(Mount(wsgi("a"), {"/b": loop, "/c": loop})) as server:
        told(server, "/b")
        told(server, "/c")
    assert seen[0] is seen[1]
    assert seen[0].is_closed()


# --- what may be mounted, and how it is said ---


def test_mounts_in_mounts_are_one() -> None:
    deep = Mount(wsgi("b"), {"/c": asgi("c"), "/d/": wsgi("d")})
    site = Mount(Mount(wsgi("a"), {"/x": wsgi("x")}), {"/b": deep})
    assert {*site.at} == {"/x", "/b", "/b/c", "/b/d"}
    with serve(site) as server:
        for path, name in (("/b/c/d", "c"), ("/b/d", "d"), ("/b/e", "b"), ("/x", "x")):
            assert told(server, path)[1] == name
        assert told(server, "/y")[1] == "a"


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("api", "expected a path that begins with /, not 'api'"),
        ("", "expected a path below /, where the application itself is, not ''"),
        ("/", "expected a path below /, where the application itself is, not '/'"),
        (
            "/a%20b",
            "expected a path as it is meant, without escapes or a query, not '/a%20b'",
        ),
        (
            "/a?b",
            "expected a path as it is meant, without escapes or a query, not '/a?b'",
        ),
        ("/a//b", "expected a path without empty segments, . or .., not '/a//b'"),
        ("/a/../b", "expected a path without empty segments, . or .., not '/a/../b'"),
    ],
)
def test_a_prefix_that_is_none(prefix: str, said: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        celadon.Mount(wsgi("a"), {prefix: wsgi("b")})
    assert str(raised.value) == said
    with pytest.raises(UsageError) as refused:
        config.load({"mount": f"{prefix}=m:a"})
    expected = said.rpartition(", not ")[0]
    assert str(refused.value).startswith(f"mount: {expected}, not '{prefix}=m:a'")


def test_a_prefix_twice() -> None:
    said = "two applications are mounted at /b"
    for at in ({"/b": wsgi("b"), "/b/": wsgi("c")}, {"/b/": Mount(len, {}), "/b": len}):
        with pytest.raises(ValueError, match=said):
            celadon.Mount(wsgi("a"), at)
    with pytest.raises(UsageError, match="mount: expected each prefix once, not"):
        config.load({"mount": ["/b=m:a", "/b/=m:c"]})
    with pytest.raises(AppError, match=f"^mount: {said}$"):
        with_mounts(Mount(wsgi("a"), {"/b": wsgi("b")}), [f"/b={__name__}:plain"])


def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return wsgi("plain")(environ, start_response)


@pytest.mark.parametrize("given", ["/b", "/b=", "=m", 7, b"/b=c", {"/b": plain}])
def test_what_is_no_mount(given: Any) -> None:
    with pytest.raises(UsageError, match=r"^mount: expected "):
        config.load({"mount": given})


@pytest.mark.parametrize(
    ("given", "mounts"),
    [
        ("/b=m:a", ["/b=m:a"]),
        ("/b/ = m:a , /c=m:make('x', 'y')", ["/b=m:a", "/c=m:make('x', 'y')"]),
        (["/b=m:make(a='/c,/d')"], ["/b=m:make(a='/c,/d')"]),
        ({"/b": "m:a", "/c/": "m"}, ["/b=m:a", "/c=m"]),
        ([], []),
        ("", []),
    ],
)
def test_how_a_setting_says_it(given: Any, mounts: list[str]) -> None:
    assert config.load({"mount": given}).mount == mounts


def test_what_is_mounted_has_its_own_interface() -> None:
    site = Mount(wsgi("a"), {"/b": asgi("b"), "/c": wsgi("c")})
    assert {p: s.interface for p, s in served(site).mounted.items()} == {
        "/b": "asgi",
        "/c": "wsgi",
    }
    found = served(Mount(asgi("a"), {"/c": wsgi("c")}), "asgi")
    assert (found.interface, found.mounted["/c"].interface) == ("asgi", "wsgi")

    def two(scope: Any) -> Any:
        async def instance(receive: Any, send: Any) -> None:
            await asgi("two")(scope, receive, send)

        return instance

    with serve(Mount(wsgi("a"), {"/two": two})) as server:
        assert told(server, "/two/x")[:4] == ("asgi", "two", "/two", "/two/x")


def test_what_cannot_be_mounted() -> None:
    with pytest.raises(TypeError, match=r"^no application, since not callable: 7$"):
        celadon.Mount(wsgi("a"), {"/b": 7})  # type: ignore[dict-item]

    def make() -> App:
        return wsgi("b")

    with pytest.raises(AppError) as raised:
        celadon.Server(Mount(wsgi("a"), {"/b": make}))
    assert str(raised.value) == (
        "what is mounted at /b is a function that makes an application: mount what it "
        "returns"
    )
    with pytest.raises(
        AppError, match=r"^the app is an application of ASGI: interface"
    ):
        refuse_wrong(Mount(asgi("a"), {"/b": wsgi("b")}), "the app", "", "wsgi")


def test_other_servers_cannot_call_it() -> None:
    with pytest.raises(TypeError, match="is served by celadon only"):
        celadon.Mount(wsgi("a"), {})({}, None)


def test_the_setting_adds_to_what_is_given() -> None:
    site = Mount(asgi("a"), {"/b": asgi("b")})
    with serve(site, mount=f"/c={__name__}:plain") as server:
        assert told(server, "/c/x")[:4] == ("wsgi", "plain", "/c", "/x")
        assert told(server, "/b")[1] == "b"
    server_ = celadon.Server(site, mount="/c=tests.nowhere:app")
    with pytest.raises(AppError, match=r"there is no module 'tests.nowhere'"):
        server_.start()


def test_a_route_has_the_prefix() -> None:
    """So that those of two applications are not one in metrics."""
    seen = []

    def names(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["celadon.request"].route = "/users/<id>"
        seen.append(environ["celadon.request"].route)
        return wsgi("a")(environ, start_response)

    async def names_as_well(scope: Any, receive: Any, send: Any) -> None:
        info = scope["extensions"]["celadon.request"]
        info.route = "/users/{id}"
        seen.append(info.route)
        await asgi("b")(scope, receive, send)

    with serve(Mount(names, {"/b": names_as_well, "/c": names})) as server:
        for path in ("/users/1", "/b/users/1", "/c/users/1"):
            told(server, path)
    assert seen == ["/users/<id>", "/b/users/{id}", "/c/users/<id>"]


def test_a_route_may_be_of_any_characters() -> None:
    seen = []

    def names(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for route in ("/café/€", "€" * 100):
            environ["celadon.request"].route = route
            seen.append(environ["celadon.request"].route)
        return wsgi("a")(environ, start_response)

    with serve(names) as server:
        told(server, "/")
    assert seen == ["/café/€", "€" * 42]


def test_nothing_is_waited_for_twice() -> None:
    """Lifespans share the time that the end has."""

    def make() -> App:
        async def stays(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await asyncio.sleep(600)

        return stays

    server = celadon.Server(
        Mount(make(), {"/b": make(), "/c": make()}), graceful_timeout="2s"
    )
    server.start()
    began = time.monotonic()
    server.stop()
    server.join()
    # One has what there is, others what they have in any case.
    assert time.monotonic() - began < 60
