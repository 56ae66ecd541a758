"""Bookings for a pottery studio: plain synchronous Flask and SQLAlchemy.

    celadon studio:app                                     # SQLite, in instance/
    STUDIO_POSTGRES=postgresql://user@host/name celadon studio:app
    STUDIO_MARIADB=mysql://user@host/name       celadon studio:app
    STUDIO_REDIS=redis://host                   celadon studio:app   # with either
    STUDIO_TOWN=http://host:port                celadon studio:app   # see town_service.py

Nothing here knows of celadon: the same code runs on any WSGI server. What is celadon's
stands in celadon.conf.py.
"""

from __future__ import annotations

import os

from flask import Flask

from studio import board, cache, letters, limits, pages, store, town


def create_app(environment: dict[str, str] | None = None) -> Flask:
    """The application; what it needs comes from `environment`, by default the process's."""
    env = dict(os.environ) if environment is None else environment
    app = Flask(__name__, instance_path=os.path.abspath("instance"))
    app.secret_key = env.get("STUDIO_SECRET") or os.urandom(16)
    app.extensions["store"] = store.Store(store.find_url(env, app.instance_path))
    app.extensions["cache"] = cache.connect(env.get("STUDIO_REDIS"))
    app.extensions["town"] = town.connect(env.get("STUDIO_TOWN"))
    app.extensions["letters"] = letters.Letters(
        app, float(env.get("STUDIO_LETTER_SECONDS", "30"))
    )
    app.extensions["bell"] = board.Bell()
    app.register_blueprint(pages.pages)
    allowed = int(env.get("STUDIO_POSTS_PER_MINUTE", "60"))
    app.wsgi_app = limits.Limit(app.wsgi_app, app.extensions["cache"], allowed)  # type: ignore[method-assign]
    return app


app = create_app()
