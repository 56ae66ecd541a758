"""A form that comes in chunks reaches Django, or the log says why it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command

SOURCE = """
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
import django
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

def form(request):
    return HttpResponse(request.POST.get("name", "nothing"))

urlpatterns = [path("form", form)]
app = get_wsgi_application()
"""
TYPE = "Content-Type: application/x-www-form-urlencoded"
CHUNKED = raw.get("/form", "Transfer-Encoding: chunked", TYPE, method="POST")
CHUNKED += b"5\r\nname=\r\n3\r\nada\r\n0\r\n\r\n"
HINT = "Django reads nothing of a body that comes in chunks (POST /form)"


@pytest.mark.row("S34")
@pytest.mark.parametrize("buffering", [False, True], ids=["as it comes", "buffered"])
def test_django_and_a_form_in_chunks(tmp_path: Path, buffering: bool) -> None:
    (tmp_path / "forms.py").write_text(SOURCE)
    options = ("--request-buffering",) if buffering else ()
    with Command("forms:app", *options, cwd=tmp_path) as server:
        bodies = [server.request(CHUNKED).body for _ in range(2)]
        whole = server.request(raw.post("/form", b"name=ada", TYPE)).body
        server.stop()
    said = [line for line in server.lines if HINT in line]
    assert whole == b"ada"
    assert bodies == ([b"ada"] * 2 if buffering else [b"nothing"] * 2)
    assert len(said) == (0 if buffering else 1)
