"""The same small application by each framework of ASGI.

``/``, ``/user/<number>``, ``POST /echo``, ``/began`` (of the lifespan's state, where the
framework shows that), and ``/blocks?file``, which blocks until a file is there.
"""

import contextlib
import os
import time
from urllib.parse import parse_qs


def block(query):
    name = parse_qs(query)["file"][0]
    os.write(1, b"blocks\n")
    while not os.path.exists(name):
        time.sleep(0.005)
    return name


@contextlib.asynccontextmanager
async def lifespan(app):
    os.write(1, b"up\n")
    yield {"began": "today"}
    os.write(1, b"down\n")


def starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    async def index(request):
        return PlainTextResponse("index")

    async def user(request):
        return PlainTextResponse(f"user {request.path_params['number']}")

    async def echo(request):
        return PlainTextResponse(await request.body())

    async def began(request):
        return PlainTextResponse(request.state.began)

    async def blocks(request):
        return PlainTextResponse(block(request.url.query))

    return Starlette(
        routes=[
            Route("/", index),
            Mount("/user", routes=[Route("/{number:int}", user)]),
            Route("/echo", echo, methods=["POST"]),
            Route("/began", began),
            Route("/blocks", blocks),
        ],
        lifespan=lifespan,
    )


def fastapi():
    from fastapi import APIRouter, FastAPI, Request
    from fastapi.responses import PlainTextResponse

    app = FastAPI(lifespan=lifespan, default_response_class=PlainTextResponse)

    @app.get("/")
    async def index():
        return "index"

    router = APIRouter()

    @router.get("/{number}")
    async def user(number: int):
        return f"user {number}"

    app.include_router(router, prefix="/user")

    @app.post("/echo")
    async def echo(request: Request):
        return PlainTextResponse(await request.body())

    @app.get("/began")
    async def began(request: Request):
        return request.state.began

    @app.get("/blocks")
    async def blocks(file: str):
        return block(f"file={file}")

    return app


def quart():
    from quart import Quart, request

    app = Quart("asgi_frameworks")

    @app.before_serving
    async def up():
        os.write(1, b"up\n")

    @app.after_serving
    async def down():
        os.write(1, b"down\n")

    @app.get("/")
    async def index():
        return "index"

    @app.get("/user/<int:number>")
    async def user(number):
        return f"user {number}"

    @app.post("/echo")
    async def echo():
        return await request.get_data()

    @app.get("/blocks")
    async def blocks():
        return block(request.query_string.decode())

    return app


def litestar():
    from litestar import Litestar, get, post
    from litestar.connection import Request

    @get("/", media_type="text/plain", sync_to_thread=False)
    def index() -> str:
        return "index"

    @get("/user/{number:int}", media_type="text/plain")
    async def user(number: int) -> str:
        return f"user {number}"

    @post("/echo", media_type="text/plain", status_code=200)
    async def echo(request: Request) -> bytes:
        return await request.body()

    @get("/blocks", media_type="text/plain")
    async def blocks(file: str) -> str:
        return block(f"file={file}")

    return Litestar([index, user, echo, blocks], lifespan=[lifespan])


def falcon():
    import falcon.asgi

    class Index:
        async def on_get(self, req, resp):
            resp.text = "index"

    class User:
        async def on_get(self, req, resp, number):
            resp.text = f"user {number}"

    class Echo:
        async def on_post(self, req, resp):
            resp.data = await req.stream.read()

    class Blocks:
        async def on_get(self, req, resp):
            resp.text = block(req.query_string)

    class Middleware:
        async def process_startup(self, scope, event):
            os.write(1, b"up\n")

        async def process_shutdown(self, scope, event):
            os.write(1, b"down\n")

    app = falcon.asgi.App(middleware=[Middleware()])
    app.add_route("/", Index())
    app.add_route("/user/{number:int}", User())
    app.add_route("/echo", Echo())
    app.add_route("/blocks", Blocks())
    return app


def django():
    from django.conf import settings

    settings.configure(
        ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[]
    )
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import path

    async def index(request):
        return HttpResponse("index")

    async def user(request, number):
        return HttpResponse(f"user {number}")

    async def echo(request):
        return HttpResponse(request.body)

    async def blocks(request):
        return HttpResponse(block(request.META["QUERY_STRING"]))

    global urlpatterns
    urlpatterns = [
        path("", index),
        path("user/<int:number>", user),
        path("echo", echo),
        path("blocks", blocks),
    ]
    return get_asgi_application()
