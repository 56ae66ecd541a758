"""Django by ASGI, with Channels over Redis: views of both kinds, consumers, groups."""

from tests.applications import acts
from tests.applications.application import Application, Ending, Page, Place, form, json
from tests.applications.guest import Guest

_SETTINGS = """
import os
SECRET_KEY = "x"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "board.urls"
ASGI_APPLICATION = "board.asgi.application"
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.sessions", "django.contrib.messages",
                  "django.contrib.staticfiles", "channels", "board"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware",
              "django.contrib.sessions.middleware.SessionMiddleware",
              "django.middleware.common.CommonMiddleware",
              "django.middleware.csrf.CsrfViewMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                          "django.contrib.auth.context_processors.auth",
                          "django.contrib.messages.context_processors.messages"]}}]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "celadon",
             "USER": "celadon", "HOST": "127.0.0.1", "PORT": os.environ["POSTGRES_PORT"]}}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer",
                  # It waits for 5 s at a time, and so do newer clients of Redis at the most.
                  "CONFIG": {"hosts": [{"address": f"redis://127.0.0.1:{os.environ['REDIS_PORT']}",
                                        "socket_timeout": 600}],
                             "capacity": 10000}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True
"""

_MODELS = """
from django.db import models
class Note(models.Model):
    owner = models.CharField(max_length=100, db_index=True)
    text = models.TextField()
"""

_VIEWS = """
import asyncio, gc, time
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth import aauthenticate, alogin, authenticate, login, logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import (FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse)
from django.views.decorators.csrf import csrf_exempt
from board.models import Note
import board.state as state

def sync_view(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 6 * 7, pg_sleep(0.005)")
        return JsonResponse({"answer": cursor.fetchone()[0], "path": request.get_full_path(),
                             "method": request.method, "secure": request.is_secure()})

async def async_view(request):
    count = await Note.objects.filter(owner="nobody").acount()
    return JsonResponse({"count": count, "query": request.GET.dict()})

@csrf_exempt
async def notes(request, owner):
    if request.method == "POST":
        note = await Note.objects.acreate(owner=owner, text=request.POST["text"])
        return JsonResponse({"id": note.pk}, status=201)
    found = [note.text async for note in Note.objects.filter(owner=owner).order_by("pk")]
    return JsonResponse({"notes": found})

@csrf_exempt
def change(request, number):
    with transaction.atomic():
        note = Note.objects.select_for_update().filter(pk=number).first()
        if note is None:
            return JsonResponse({"error": "none"}, status=404)
        if request.method == "DELETE":
            note.delete()
            return HttpResponse(status=204)
        note.text = request.body.decode()
        note.save()
    return JsonResponse({"text": note.text})

@csrf_exempt
async def upload(request):
    file = request.FILES["file"]
    data = await sync_to_async(file.read)()
    return JsonResponse({"name": file.name, "size": len(data), "sum": sum(data),
                         "note": request.POST["note"]})

async def events(request):
    async def made():
        state.streams += 1
        number = 0
        try:
            while True:
                yield f"data: {number}\\n\\n"
                number += 1
                await asyncio.sleep(0.02)
        finally:
            state.streams -= 1
    return StreamingHttpResponse(made(), content_type="text/event-stream")

async def slow(request):
    async def made():
        yield "begun "
        await asyncio.sleep(1)
        yield "done"
    return StreamingHttpResponse(made())

def sync_stream(request):
    return StreamingHttpResponse((f"{number}\\n" for number in range(500)))

async def broken(request):
    raise RuntimeError("in a view")

def sync_broken(request):
    with transaction.atomic():
        Note.objects.create(owner="broken", text="x")
        raise RuntimeError("in a transaction")

async def broken_stream(request):
    async def made():
        yield "a piece"
        raise RuntimeError("in the middle of an answer")
    return StreamingHttpResponse(made())

async def cancelled(request):
    state.waiting += 1
    try:
        await asyncio.sleep(600)
    finally:
        state.waiting -= 1

async def many(request):
    def one(number):
        return Note.objects.filter(pk=-number).count() + number
    found = await asyncio.gather(*(sync_to_async(one, thread_sensitive=False)(i) for i in range(20)))
    from django.db import connections
    return JsonResponse({"sum": sum(found)})

async def blocking(request):
    time.sleep(0.01)
    return HttpResponse("blocked")

def file(request):
    return FileResponse(open("{folder}/numbers.txt", "rb"), filename="numbers.txt")

@csrf_exempt
def log_in(request):
    name = request.POST["name"]
    user, _ = User.objects.get_or_create(username=name)
    user.set_password("secret")
    user.save()
    login(request, authenticate(request, username=name, password="secret"))
    return JsonResponse({"user": request.user.username})

async def who(request):
    user = await request.auser()
    return JsonResponse({"user": user.username or None})

@csrf_exempt
async def announce(request, room):
    await get_channel_layer().group_send(f"room.{room}", {"type": "said", "text": request.body.decode()})
    return HttpResponse("announced")

def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return JsonResponse({"count": request.session["count"]})

async def rest(request):
    gc.collect()  # generators that nobody exhausts
    return JsonResponse({"streams": state.streams, "waiting": state.waiting})
"""

_URLS = """
from django.contrib import admin
from django.urls import path
from board import views
urlpatterns = [
    path("admin/", admin.site.urls),
    path("sync", views.sync_view), path("async", views.async_view),
    path("notes/<str:owner>", views.notes), path("note/<int:number>", views.change),
    path("upload", views.upload), path("events", views.events), path("slow", views.slow),
    path("sync-stream", views.sync_stream), path("broken", views.broken),
    path("sync-broken", views.sync_broken), path("broken-stream", views.broken_stream),
    path("cancelled", views.cancelled), path("many", views.many), path("file", views.file),
    path("blocking", views.blocking), path("log-in", views.log_in), path("who", views.who),
    path("announce/<str:room>", views.announce), path("count", views.count),
    path("rest", views.rest),
]
"""

_CONSUMERS = """
import asyncio
from contextlib import suppress
from channels.consumer import SyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import DenyConnection, StopConsumer
from channels.generic.websocket import (AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer,
                                        WebsocketConsumer)
from asgiref.sync import async_to_sync
from board.models import Note

class Room(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.room = "room." + self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send_json({"you": self.scope["user"].username or None})

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive_json(self, said):
        if "close" in said:
            await self.close(said["close"], said.get("reason"))
        elif "raise" in said:
            raise RuntimeError("in a consumer")
        elif "save" in said:
            note = await Note.objects.acreate(owner=said["save"], text="by a consumer")
            count = await Note.objects.filter(owner=said["save"]).acount()
            await note.adelete()
            await self.send_json({"saved": count})
        else:
            await self.channel_layer.group_send(self.room, {"type": "said", **said})

    async def said(self, event):
        # Channels knows no end of a consumer whose client has left while it sends.
        with suppress(OSError):
            await self.send_json({"said": event["text"]})

class Sync(WebsocketConsumer):
    def connect(self):
        name = self.scope["subprotocols"]
        if self.scope["query_string"] == b"deny":
            raise DenyConnection
        self.accept(name[0] if name else None)

    def receive(self, text_data=None, bytes_data=None):
        if bytes_data is not None:
            self.send(bytes_data=bytes_data[::-1])
        else:
            count = Note.objects.filter(owner=text_data).count()
            self.send(f"{text_data} has {count}")

class Denies(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close(4001)
"""

_ASGI = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "board.settings"
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
http = get_asgi_application()
from django.urls import re_path
from board.consumers import Denies, Room, Sync
application = ProtocolTypeRouter({
    "http": http,
    "websocket": AuthMiddlewareStack(URLRouter([
        re_path("^room/(?P<room>[^/]+)$", Room.as_asgi()),
        re_path("^sync$", Sync.as_asgi()), re_path("^denies$", Denies.as_asgi()),
    ])),
})
"""


def _prepare(place: Place) -> None:
    for name, text in {
        "__init__": "",
        "settings": _SETTINGS,
        "models": _MODELS,
        "views": _VIEWS,
        "urls": _URLS,
        "consumers": _CONSUMERS,
        "asgi": _ASGI,
        "state": "streams = waiting = 0\n",
        "migrations/__init__": "",
    }.items():
        place.write(f"board/{name}.py", text)
    place.write("numbers.txt", "".join(f"{number}\n" for number in range(20_000)))


def _set_up(place: Place, environment: dict[str, str]) -> None:
    django = ("-m", "django")
    words = {
        "DJANGO_SETTINGS_MODULE": "board.settings",
        "PYTHONPATH": ".",
        **environment,
    }
    for command in (("makemigrations", "board"), ("migrate",), ("flush", "--no-input")):
        place.run("python", *django, *command, **words)


def _is_in_a_room(guest: Guest) -> None:
    guest.ask(form("/log-in", name="$mark"))
    fields = {"Cookie": f"sessionid={guest.visitor.cookies['sessionid']}"}
    talks = [guest.talk("/room/$mark", additional_headers=fields) for _ in range(3)]
    for each in talks:
        each.hear()
    for number, talk in enumerate(talks):
        talk.send(f'{{"text": "{number} {guest.mark}"}}')
        for each in talks:
            each.hear()
    guest.ask(Page("/announce/$mark", "POST", body="announced to $mark"))
    for each in talks:
        each.hear()
    talks[0].send(f'{{"save": "{guest.mark}"}}')
    talks[0].hear()
    talks[0].leave()
    talks[1].send('{"close": 4007, "reason": "a reason"}')
    talks[1].hear()
    talks[2].send('{"text": "anybody?"}')
    talks[2].hear()
    talks[2].close(4321, "enough")


def _breaks_a_consumer(guest: Guest) -> None:
    talk = guest.talk("/room/$mark")
    talk.hear()
    talk.send('{"raise": 1}')
    talk.ends()


def _says_nonsense(guest: Guest) -> None:
    talk = guest.talk("/room/$mark")
    talk.hear()
    talk.send("no json")
    talk.ends()


def _talks_to_a_sync_consumer(guest: Guest) -> None:
    talk = guest.talk("/sync", subprotocols=["a", "b"])
    talk.send(b"abc", guest.mark, bytes(70_000))
    talk.hear(3)
    talk.close()


def _is_denied(guest: Guest) -> None:
    for path in ("/sync?deny", "/denies", "/no/where"):
        guest.talk(path)


def _leaves(guest: Guest) -> None:
    for path in ("/events", "/cancelled", "/many", "/sync-stream", "/sync"):
        for reset in (False, True):
            guest.leave(path, reset, 200 if path == "/events" else 0)


def _leaves_rooms(guest: Guest) -> None:
    for _ in range(3):
        talk = guest.talk("/room/$mark")
        talk.hear()
        talk.send('{"text": "to nobody"}')
        talk.leave()


def _has_a_session(guest: Guest) -> None:
    for _ in range(3):
        guest.ask(Page("/count"))
    guest.ask(form("/log-in", name="$mark"))
    guest.ask(Page("/who"))
    guest.ask(Page("/count"))


def _uploaded(size: int) -> Page:
    body = (
        '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        f"Content-Type: application/x-some\r\n\r\n{'abc' * (size // 3)}\r\n"
        '--edge\r\nContent-Disposition: form-data; name="note"\r\n\r\na note\r\n--edge--\r\n'
    )
    kind = "Content-Type: multipart/form-data; boundary=edge"
    return Page("/upload", "POST", (kind,), body, again=True)


APPLICATION = Application(
    name="channels",
    packages=("django<6", "channels", "channels-redis", "psycopg2-binary"),
    target=("board.asgi:application",),
    prepare=_prepare,
    set_up=_set_up,
    environment={"POSTGRES_PORT": "{postgres_port}", "REDIS_PORT": "{redis_port}"},
    peer="uvicorn",
    pages=(
        Page("/sync?a=1"),
        Page("/sync", "HEAD"),
        Page("/sync", fields=("X-Forwarded-Proto: https",)),
        Page("/async?a=%C3%A9"),
        Page("/notes/nobody"),
        Page("/sync-stream"),
        Page("/sync-stream", "HEAD"),
        Page("/many"),
        Page("/blocking"),
        Page("/file"),
        Page("/file", "HEAD"),
        Page("/file", fields=("Range: bytes=1-5",)),
        Page("/broken"),
        Page("/sync-broken"),
        Page("/nowhere"),
        Page("/admin/"),
        Page("/admin/login/", again=False),
        Page("/who"),
        _uploaded(300),
        _uploaded(4_000_000),
        Page(
            "/upload", "POST", ("Content-Type: multipart/form-data; boundary=x",), "x"
        ),
        Page("/upload", "POST"),
        json("/log-in", "{}"),
        Page("/slow", again=False),
    ),
    story=(
        form("/log-in", name="$mark").gives(200, "$mark"),
        Page("/who", shows=("$mark",), status=200),
        form("/notes/$mark", text="one-$mark").gives(201, note=r'"id": (\d+)'),
        form("/notes/$mark", text="two-$mark").gives(201),
        Page("/notes/$mark", shows=("one-$mark", "two-$mark"), status=200),
        Page(
            "/note/$note", "PUT", body="three-$mark", status=200, shows=("three-$mark",)
        ),
        Page("/notes/$mark", status=200, shows=("three-$mark",), lacks=("one-$mark",)),
        Page("/note/$note", "DELETE", status=204),
        Page("/note/$note", "DELETE", status=404),
        Page("/notes/$mark", status=200, lacks=("three-$mark",)),
    ),
    acts=(
        _is_in_a_room,
        _breaks_a_consumer,
        _says_nonsense,
        _talks_to_a_sync_consumer,
        _is_denied,
        _leaves,
        _leaves_rooms,
        acts.hears_of_a_broken_stream,
        _has_a_session,
    ),
    rest=Page("/rest", shows=('"streams": 0, "waiting": 0',)),
    ending=Ending("/slow", "/events", "/room/some"),
    varies=(
        r"sessionid=([^;]+)",
        r"csrftoken=([^;]+)",
        r"csrfmiddlewaretoken\" value=\"(\w+)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
    ),
)
