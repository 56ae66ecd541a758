"""Django over a real database, as plain synchronous code: the ORM behind middlewares."""

import json
import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    SECRET_KEY="test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": json.loads(os.environ["DATABASE"])},
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django.middleware.gzip.GZipMiddleware",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402


class Order(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "shop"


with connection.schema_editor() as editor:
    editor.create_model(Order)
connection.close()


def place(request):
    with transaction.atomic():
        order = Order.objects.create(name=request.GET["name"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT 40 + 2")
            (answer,) = cursor.fetchone()
        found = Order.objects.get(pk=order.pk)
    return JsonResponse({"name": found.name, "answer": answer})


def count(request):
    return JsonResponse({"orders": Order.objects.count()})


urlpatterns = [path("place", place), path("count", count)]
app = get_wsgi_application()
