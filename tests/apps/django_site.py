"""A Django application in one file: sessions, forms with CSRF, the admin pages."""

import hashlib
import os
import tempfile
import time

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

from tests.apps.together import together

_FOLDER = tempfile.TemporaryDirectory(prefix="celadon-django-")  # gone at exit
_DATABASE = os.path.join(_FOLDER.name, "db.sqlite3")

settings.configure(
    SECRET_KEY="test",
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _DATABASE}},
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    USE_TZ=True,
    STATIC_URL="/static/",
)
django.setup()
call_command("migrate", verbosity=0)

from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.template import RequestContext, Template  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

User.objects.create_superuser("root", "root@example.com", "secret")


def index(request):
    return HttpResponse("django page")


def form(request):
    if request.method == "POST":
        request.session["name"] = request.POST["name"]
        return HttpResponse("hello " + request.POST["name"])
    template = Template("<form method=post>{% csrf_token %}<input name=name></form>")
    return HttpResponse(template.render(RequestContext(request)))


def show_session(request):
    return HttpResponse(request.session.get("name", "nobody"))


@csrf_exempt
def upload(request):
    return HttpResponse(hashlib.sha256(request.FILES["file"].read()).hexdigest())


def file(request):
    return FileResponse(open(__file__, "rb"), content_type="text/plain")


def stream(request):
    def generate():
        for i in range(5):
            time.sleep(0.001)
            yield f"{i}\n"

    return StreamingHttpResponse(generate(), content_type="text/plain")


def error(request):
    raise RuntimeError("django error")


def wait_for_all(request):
    return HttpResponse(together())


urlpatterns = [
    path("", index),
    path("form", form),
    path("session", show_session),
    path("upload", upload),
    path("file", file),
    path("stream", stream),
    path("error", error),
    path("together", wait_for_all),
    path("admin/", admin.site.urls),
]
app = get_wsgi_application()
