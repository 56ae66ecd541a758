"""What a person sees."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)

from studio.board import BEAT, Bell, written
from studio.cache import Cache, remember
from studio.letters import Letters
from studio.metrics import BOOKINGS, KILNS
from studio.store import Course, Full, Store
from studio.town import Outside, Unreachable, all_degrees

pages = Blueprint("pages", __name__)

_SOURCES = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def _store() -> Store:
    return current_app.extensions["store"]  # type: ignore[no-any-return]


def _cache() -> Cache:
    return current_app.extensions["cache"]  # type: ignore[no-any-return]


def _town() -> Outside:
    return current_app.extensions["town"]  # type: ignore[no-any-return]


def _letters() -> Letters:
    return current_app.extensions["letters"]  # type: ignore[no-any-return]


def _bell() -> Bell:
    return current_app.extensions["bell"]  # type: ignore[no-any-return]


@pages.after_app_request
def _ours_alone(response: Response) -> Response:
    """Pages run nothing, and connect to nobody, but what comes from here."""
    response.headers.setdefault("Content-Security-Policy", _SOURCES)
    return response


@pages.context_processor
def _always() -> dict[str, Any]:
    server = request.environ.get("SERVER_SOFTWARE", "an unknown server")
    return {"server": server, "database": _store().name, "cache": _cache().name}


@pages.get("/")
def index() -> str:
    courses = remember(_cache(), "courses", 5, _shown_courses)
    return render_template(
        "index.html", courses=courses, views=_cache().counts("views")
    )


def _shown_courses() -> list[dict[str, Any]]:
    return [shown(course) for course in _store().courses()]


def shown(course: Course) -> dict[str, Any]:
    """What the front page says of a course; it can be kept as JSON."""
    return {
        "id": course.id,
        "title": course.title,
        "text": course.text,
        "day": course.day.isoformat(),
        "date": course.day.strftime("%a %d %b"),
        "free": course.free,
        "places": course.places,
    }


@pages.get("/courses/<int:id>")
def course(id: int) -> str:
    found = _store().course(id) or abort(404)
    views = _cache().count("views", str(id))
    return render_template(
        "course.html",
        course=found,
        views=views,
        bookings=_store().bookings(id),
        token=uuid.uuid4(),
    )


@pages.post("/courses/<int:id>")
def book(id: int) -> Any:
    name = request.form.get("name", "").strip()[:60]
    token = request.form.get("token", "")[:64] or str(uuid.uuid4())
    if not name:
        flash("Please tell us your name.", "error")
    elif _store().course(id) is None:
        abort(404)
    else:
        try:
            _store().book(id, name, token)
        except Full:
            BOOKINGS.labels("full").inc()
            flash("Somebody was faster: this course is full.", "error")
        else:
            BOOKINGS.labels("taken").inc()
            _letters().notice()
            _cache().forget("courses")
            _cache().forget(f"free:{id}")
            _cache().forget(f"board:{id}")
            _bell().ring()
            flash(f"See you there, {name}.", "good")
    return redirect(url_for("pages.course", id=id), 303)


@pages.get("/courses/<int:id>/live")
def live(id: int) -> Response:
    """Free places of a course, told again whenever they change (server-sent events)."""
    if _store().course(id) is None:
        abort(404)
    store, cache = _store(), _cache()

    def free() -> int:
        found = store.course(id)
        return found.free if found else 0

    def events() -> Iterator[str]:
        told = None
        while True:
            now = remember(cache, f"free:{id}", 1, free)
            # A comment keeps proxies from closing, and finds out who has left.
            yield f"data: {now}\n\n" if now != told else ": still here\n\n"
            told = now
            time.sleep(1)

    return Response(events(), content_type="text/event-stream")


@pages.route("/courses/<int:id>/board", websocket=True)
def board(id: int) -> str:
    """The board of a course, told to an open page whenever it changes (WebSocket)."""
    socket = request.environ.get("wsgi.websocket") or abort(501)
    if _store().course(id) is None:
        abort(404)
    store, cache, bell = _store(), _cache(), _bell()
    told, beat = None, 0.0
    with contextlib.suppress(ConnectionError):  # the page was left
        while not socket.closed:
            rung = bell.rung
            now = remember(cache, f"board:{id}", 1, lambda: written(store, id))
            if now != told or time.monotonic() >= beat:
                socket.send(json.dumps(now))
                told, beat = now, time.monotonic() + BEAT
            bell.wait(rung, 1)
    return ""


@pages.get("/kiln")
def kiln() -> str:
    """Asks the kilns for their temperature; they take their time."""
    began = time.monotonic()
    try:
        with KILNS.time():
            degrees = all_degrees(_town())
    except Unreachable:
        abort(502, "The kilns do not answer.")
    took = time.monotonic() - began
    return render_template("kiln.html", degrees=degrees, took=took)


@pages.app_errorhandler(404)
def missing(error: Exception) -> tuple[str, int]:
    return render_template("missing.html"), 404
