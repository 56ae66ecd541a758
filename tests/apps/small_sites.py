"""The same few views in Falcon, Bottle and Pyramid."""

import hashlib
import time

import bottle
import falcon
from pyramid.config import Configurator
from pyramid.response import FileResponse, Response

from tests.apps.together import together


def _digest(stream) -> str:
    digest = hashlib.sha256()
    while piece := stream.read(65536):
        digest.update(piece)
    return digest.hexdigest()


def _numbers():
    for i in range(5):
        time.sleep(0.001)
        yield b"%d\n" % i


# --- Falcon ---


class _Page:
    def on_get(self, req, resp):
        resp.text = "falcon page"


class _Form:
    def on_post(self, req, resp):
        resp.text = "hello " + req.get_media()["name"]


class _Upload:
    def on_post(self, req, resp):
        resp.text = _digest(req.bounded_stream)


class _Stream:
    def on_get(self, req, resp):
        resp.stream = _numbers()


class _File:
    def on_get(self, req, resp):
        resp.stream = open(__file__, "rb")


class _Error:
    def on_get(self, req, resp):
        raise RuntimeError("falcon error")


class _Together:
    def on_get(self, req, resp):
        resp.text = together()


falcon_app = falcon.App()
for _path, _resource in {
    "/": _Page(),
    "/form": _Form(),
    "/put": _Upload(),
    "/stream": _Stream(),
    "/file": _File(),
    "/error": _Error(),
    "/together": _Together(),
}.items():
    falcon_app.add_route(_path, _resource)

# --- Bottle ---

bottle_app = bottle.Bottle()
bottle_app.get("/")(lambda: "bottle page")
bottle_app.post("/form")(lambda: "hello " + bottle.request.forms["name"])
bottle_app.post("/put")(lambda: _digest(bottle.request["wsgi.input"]))
bottle_app.get("/stream")(_numbers)
bottle_app.get("/file")(
    lambda: bottle.static_file(__file__.rsplit("/", 1)[1], __file__.rsplit("/", 1)[0])
)


@bottle_app.get("/error")
def _bottle_error():
    raise RuntimeError("bottle error")


bottle_app.get("/together")(together)


# --- Pyramid ---


def _pyramid_error(request):
    raise RuntimeError("pyramid error")


with Configurator() as _config:
    for _name, _view in {
        "": lambda request: Response("pyramid page"),
        "form": lambda request: Response("hello " + request.POST["name"]),
        "put": lambda request: Response(_digest(request.body_file)),
        "stream": lambda request: Response(app_iter=_numbers()),
        "file": lambda request: FileResponse(__file__, request),
        "error": _pyramid_error,
        "together": lambda request: Response(together()),
    }.items():
        _config.add_route(_name or "index", "/" + _name)
        _config.add_view(_view, route_name=_name or "index")
    pyramid_app = _config.make_wsgi_app()
