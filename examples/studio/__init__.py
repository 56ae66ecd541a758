"""Bookings for a pottery studio: plain synchronous Flask and SQLAlchemy.

    celadon studio:app                                     # SQLite, in instance/
    STUDIO_POSTGRES=postgresql://user@host/name celadon studio:app
    STUDIO_MARIADB=mysql://user@host/name       celadon studio:app
    STUDIO_REDIS=redis://host                   celadon studio:app   # with either

Nothing here knows of celadon: the same code runs on any WSGI server.
"""

from __future__ import annotations

import os

from flask import Flask

from studio import cache, pages, store


def create_app(environment: dict[str, str] | None = None) -> Flask:
    """The application; its databases come from `environment`, by default the process's."""
    env = dict(os.environ) if environment is None else environment
    app = Flask(__name__, instance_path=os.path.abspath("instance"))
    app.secret_key = env.get("STUDIO_SECRET") or os.urandom(16)
    app.extensions["store"] = store.Store(store.find_url(env, app.instance_path))
    app.extensions["cache"] = cache.connect(env.get("STUDIO_REDIS"))
    app.register_blueprint(pages.pages)
    return app


app = create_app()
