"""``flask celadon``: Flask's own application and options, served by celadon."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from flask.cli import ScriptInfo, pass_script_info
from flask.helpers import get_debug_flag


@click.command("celadon", short_help="Serve with celadon.")
@click.option("--host", "-h", default="127.0.0.1", show_default=True)
@click.option("--port", "-p", default=5000, show_default=True)
@click.option("--workers", "-w", default="1", show_default=True)
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Reload when a file changes; by default as --debug.",
)
@click.option(
    "--debugger/--no-debugger",
    default=None,
    help="Show Werkzeug's debugger in the browser; by default as --debug.",
)
@click.argument("options", nargs=-1)
@pass_script_info
def command(
    info: ScriptInfo,
    host: str,
    port: int,
    workers: str,
    reload: bool | None,
    debugger: bool | None,
    options: tuple[str, ...],
) -> None:
    """Serve the application with celadon.

    OPTIONS after -- are celadon's own.
    """
    debug = get_debug_flag()
    reload = debug if reload is None else reload
    debugger = debug if debugger is None else debugger
    where = f"[{host}]" if ":" in host else host
    target = f"{__name__}:load({info.app_import_path!r}, {debugger})"
    words = ["-b", f"{where}:{port}", "-w", workers, *(["--reload"] if reload else [])]
    os.execv(
        sys.executable, [sys.executable, "-m", "celadon", *words, *options, target]
    )


def load(app_import_path: str | None, debugger: bool) -> Any:
    """The application that ``flask --app`` names, or that Flask finds."""
    app: Any = ScriptInfo(app_import_path=app_import_path).load_app()
    if debugger:
        from werkzeug.debug import DebuggedApplication

        app = DebuggedApplication(app, evalex=True)
    return app
