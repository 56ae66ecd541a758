"""``manage.py runserver``: Django's options and checks, celadon's server.

It takes the place of the process, so that what manage.py has imported is read anew at
each reload.
"""

from __future__ import annotations

import os
import sys
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.core.management.base import SystemCheckError
from django.core.management.commands.runserver import Command as Base


class Command(Base):
    """Django's own command, with the end of it replaced."""

    help = "Serves this project for development, on celadon."
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: Any) -> None:
        """As Django's, with those of its static files."""
        super().add_arguments(parser)
        if not apps.is_installed("django.contrib.staticfiles"):
            return
        parser.add_argument(
            "--nostatic",
            action="store_false",
            dest="use_static_handler",
            help="Does not serve static files at STATIC_URL.",
        )
        parser.add_argument(
            "--insecure",
            action="store_true",
            dest="insecure_serving",
            help="Serves static files even if DEBUG is off.",
        )

    def run(self, **options: Any) -> None:
        """Checks, and becomes the server."""
        self._check(options)
        where = f"[{self.addr}]" if self._raw_ipv6 else self.addr
        static = options.get("use_static_handler", False)
        insecure = options.get("insecure_serving", False)
        target = f"celadon.contrib.django.site:load({static}, {insecure})"
        words = ["-b", f"{where}:{self.port}", "--access-logfile", "-"]
        if options["use_reloader"]:
            words.append("--reload")
        if not options["use_threading"]:
            words += ["--max-concurrent-requests", "1"]
        place = os.path.dirname(os.path.abspath(sys.argv[0]))
        module = os.environ["DJANGO_SETTINGS_MODULE"]
        self.stdout.write(
            f"Django {self.get_version()}, settings {module!r}: "
            f"http://{where}:{self.port}/ (quit with CONTROL-C)"
        )
        self.stdout.flush()
        command = [sys.executable, "-m", "celadon", "--pythonpath", place, *words]
        os.execv(sys.executable, [*command, target])

    def _check(self, options: dict[str, Any]) -> None:
        """What is wrong is shown; with a reload it may be mended while it runs."""
        if not options.get("skip_checks"):
            self.stdout.write("Performing system checks...\n\n")
            try:
                self.check(display_num_errors=True)
            except SystemCheckError as error:
                if not options["use_reloader"]:
                    raise
                self.stderr.write(str(error))
        if settings.DATABASES:
            self.check_migrations()
