"""Django's ORM behind five middlewares, over psycopg's pool of 16 connections."""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

_FIELDS = dict(part.split("=", 1) for part in os.environ["BENCH_POSTGRES"].split())
settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _FIELDS["dbname"],
            "USER": _FIELDS["user"],
            "HOST": _FIELDS["host"],
            "PORT": _FIELDS["port"],
            "OPTIONS": {
                "pool": {"min_size": 16, "max_size": 16},
                "sslmode": _FIELDS["sslmode"],
            },
        }
    },
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
    ],
)
django.setup()

from django.db import models  # noqa: E402


class Person(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "bench"
        db_table = "people"


def row(request):
    return HttpResponse(Person.objects.get(pk=7).name)


urlpatterns = [path("django", row)]
app = get_wsgi_application()
