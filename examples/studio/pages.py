"""What a person sees."""

from __future__ import annotations

import random
import time
from typing import Any

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)

from studio.cache import Cache
from studio.store import Full, Store

pages = Blueprint("pages", __name__)


def _store() -> Store:
    return current_app.extensions["store"]  # type: ignore[no-any-return]


def _cache() -> Cache:
    return current_app.extensions["cache"]  # type: ignore[no-any-return]


@pages.context_processor
def _always() -> dict[str, Any]:
    server = request.environ.get("SERVER_SOFTWARE", "an unknown server")
    return {"server": server, "database": _store().name, "cache": _cache().name}


@pages.get("/")
def index() -> str:
    return render_template(
        "index.html", courses=_store().courses(), views=_cache().views()
    )


@pages.get("/courses/<int:id>")
def course(id: int) -> str:
    found = _store().course(id) or abort(404)
    views = _cache().count_view(id)
    return render_template(
        "course.html", course=found, views=views, bookings=_store().bookings(id)
    )


@pages.post("/courses/<int:id>")
def book(id: int) -> Any:
    name = request.form.get("name", "").strip()[:60]
    if not name:
        flash("Please tell us your name.", "error")
    elif _store().course(id) is None:
        abort(404)
    else:
        try:
            _store().book(id, name)
            flash(f"See you there, {name}.", "good")
        except Full:
            flash("Somebody was faster: this course is full.", "error")
    return redirect(url_for("pages.course", id=id), 303)


@pages.get("/kiln")
def kiln() -> str:
    """Asks the kiln for its temperature; it takes a second to answer."""
    began = time.monotonic()
    time.sleep(1)
    degrees = 1230 + random.randrange(60)
    return render_template("kiln.html", degrees=degrees, took=time.monotonic() - began)


@pages.app_errorhandler(404)
def missing(error: Exception) -> tuple[str, int]:
    return render_template("missing.html"), 404
