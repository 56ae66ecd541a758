"""What ``runserver`` serves."""

from __future__ import annotations

from typing import Any


def load(static: bool, insecure: bool) -> Any:
    """The project's WSGI application, with static files where they are served."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.servers.basehttp import get_internal_wsgi_application

    app: Any = get_internal_wsgi_application()
    if not static or not (settings.DEBUG or insecure):
        return app
    from django.contrib.staticfiles.handlers import StaticFilesHandler

    handler: Any = StaticFilesHandler
    return handler(app)
