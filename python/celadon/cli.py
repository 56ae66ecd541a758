"""The command: its words, and how a server is started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celadon import (
    bodies,
    config,
    flags,
    paths,
    routes,
    showing,
    sources,
    surroundings,
)
from celadon.errors import AppFailed, CeladonError, UsageError
from celadon.importer import check_name
from celadon.patch.imports import when_imported


def run_command(argv: Sequence[str]) -> int:
    """The whole command; returns its exit status."""
    _open_standard_streams()
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except CeladonError as error:
        for line in _lines(error):
            print(line, file=sys.stderr)
        return error.status
    except OSError as error:
        if _has_no_reader(1):  # `celadon config | head`: it has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 128 + signal.SIGPIPE
        print(f"celadon: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _has_no_reader(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)  # errors are told in any case
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _open_standard_streams() -> None:
    """Those that were closed lead nowhere: else a socket or a log got the number 1, and
    all that is printed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = os.fdopen(number, "w" if number else "r", closefd=False)
            setattr(sys, name, stream)


def _lines(error: CeladonError) -> list[str]:
    problems = error.problems if isinstance(error, UsageError) else (str(error),)
    return [f"celadon: {problem}" for problem in problems]


class _Invocation:
    """The words of the command, from which settings are read, and read again."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.target = self.options.pop("target", None)
        self.file = self.options.pop("config", None)
        self.strict = self.options.pop("strict_config", False)
        # What is relative is meant from here, at each reload and wherever we are by then.
        self.folder = paths.here()
        surroundings.import_from(str(self.folder))

    def take(self, name: str) -> bool:
        """Whether the command, not a setting, was asked for `name`."""
        return bool(self.options.pop(name, False))

    def read_patched(self) -> config.Config:
        """As `read`, for the process that serves, or whose forks do: what code of the
        user's makes and imports meanwhile is made for greenlets. Raises `UsageError`."""
        from celadon import patch

        with contextlib.suppress(UsageError):  # it is raised again below
            expected = self.read(run_code=False)
            if expected.green:
                patch.install(**config.patched_parts(expected))
        settings = self.read()
        if not settings.green:
            patch.withdraw()
            return settings
        patch.install(**config.patched_parts(settings))
        if unwanted := [
            p for p, on in config.patched_parts(settings).items() if not on
        ]:
            patch.withdraw(*unwanted)
        return settings

    def read(self, run_code: bool = True) -> config.Config:
        """All sources, as they are now; code among them says nothing unless `run_code`.
        Raises `UsageError`."""
        surroundings.enter(self.folder)
        file = self.file if self.file is not None else os.environ.get("CELADON_CONFIG")
        parse = flags.parse_settings
        layers = sources.collect(file, os.environ, parse, self.folder, run_code)
        if self.strict:
            for layer in layers:
                layer.problems += layer.warnings
                layer.warnings.clear()
        settings = config.load(self.options, os.environ, layers)
        if not settings.paste:
            return settings
        from celadon.sources import paste

        lowest = paste.read(settings.paste, self.folder, settings.raw_paste_global_conf)
        return config.load(self.options, os.environ, [lowest, *layers])

    def named_control(self) -> str:
        """The control socket where it is named: then no other setting matters, and no
        configuration, which may be code or bad by now, is read."""
        named = self.options.get("control_socket")
        named = named or os.environ.get("CELADON_CONTROL_SOCKET", "")
        return "" if named == "auto" else str(named)

    def target_of(self, settings: config.Config) -> str:
        """What to serve. Raises `UsageError` where nothing says it."""
        target = self.target or settings.wsgi_app
        if settings.paste:
            if target:
                raise UsageError("paste: the application is named twice")
            return ""
        if not target:
            raise UsageError("no application given; try: celadon module:attribute")
        return str(target)


def _check(argv: Sequence[str]) -> int:
    """`celadon check [options] [target]`: 1 where something blocks, or the application
    could not be loaded to its end."""
    from celadon import check

    invocation = _Invocation(flags.parse(argv))
    settings = invocation.read_patched()
    target = invocation.target or settings.wsgi_app
    subject = target or settings.paste
    failure = ""
    if subject:
        try:
            _load(target or "", settings)
        except AppFailed as error:
            failure = error.brief
        findings, later = check.imported(), check.not_imported()
    else:
        findings, later = check.installed(), []
    for line in check.report(findings, subject or "installed here", later, failure):
        print(line)
    return int(bool(failure) or any(each.kind == "blocks" for each in findings))


def _config(argv: Sequence[str]) -> int:
    """`celadon config [--json] [options]`."""
    invocation = _Invocation(flags.parse(argv))
    show = showing.as_json if invocation.take("json") else showing.as_text
    print(show(invocation.read()))
    return 0


def _migrate(argv: Sequence[str]) -> int:
    """`celadon migrate FILE`: 1 where something is refused."""
    from celadon import migrate, migrate_uwsgi

    files = [word for word in argv if not word.startswith("-")]
    if len(argv) > 1 or len(files) != len(argv):
        raise UsageError("celadon migrate takes one configuration file")
    file = files[0] if files else "gunicorn.conf.py"
    surroundings.import_from(str(Path.cwd()))
    if migrate_uwsgi.is_one(Path(file)):
        print(migrate_uwsgi.examine(Path(file)))
        return 0
    report = migrate.examine(file, Path.cwd())
    print(report.text)
    return int(bool(report.refused))


def _check_config(invocation: _Invocation) -> int:
    """All that is wrong at once: settings, then the import."""
    from celadon import starting

    problems: list[str] = []
    settings = None
    try:
        settings = invocation.read_patched()
        problems += [f"celadon: {each}" for each in starting.problems(settings)]
        _load(invocation.target_of(settings), settings)
    except CeladonError as error:
        problems += _lines(error)
    if settings is None and invocation.target:
        try:
            _load(invocation.target, config.load({}, {}))
        except CeladonError as error:
            problems += _lines(error)
    for note in settings.notes if settings else ():
        print(f"celadon: note: {note}", file=sys.stderr)
    for line in problems:
        print(line, file=sys.stderr)
    if not problems:
        print("configuration is fine")
    return int(bool(problems))


def _ctl(argv: Sequence[str]) -> int:
    """`celadon ctl [options] [command]`: options are those that name the server."""
    from celadon import control

    options, words = flags.parse_words(argv)
    invocation = _Invocation(options)
    as_json = invocation.take("json")
    address = invocation.named_control() or control.address_of(invocation.read())
    return control.run(words, address, as_json)


def _top(argv: Sequence[str]) -> int:
    """`celadon top [--url URL] [--once [--json]] [options]`."""
    from celadon import control, top

    def find(rest: list[str]) -> tuple[str, str]:
        options, words = flags.parse_words(rest)
        if words:
            raise UsageError(f"celadon top takes no {words[0]!r}")
        invocation = _Invocation(options)
        if named := invocation.named_control():
            return named, ""
        settings = invocation.read()
        return control.address_of(settings), str(settings.admin_token)

    return top.run(argv, find)


_WORDS = {
    "check": _check,
    "config": _config,
    "ctl": _ctl,
    "migrate": _migrate,
    "top": _top,
}


def _run(argv: Sequence[str]) -> int:
    if argv and argv[0] in _WORDS:
        if argv[0] != "top" and not {"-h", "--help"}.isdisjoint(argv):
            print(flags.help_of(argv[0]))
            return 0
        status = _WORDS[argv[0]](argv[1:])
        _leave_threads(status)
        return status
    invocation = _Invocation(flags.parse(argv))
    if invocation.take("version"):
        from celadon import __version__

        print(f"celadon {__version__} (Python {sys.version.split()[0]})")
        return 0
    if invocation.take("print_config"):
        return _config([word for word in argv if word != "--print-config"])
    if invocation.take("check_config"):
        status = _check_config(invocation)
        _leave_threads(status)
        return status
    if invocation.take("json"):
        raise UsageError("--json goes with --print-config")
    from celadon import signals

    signals.begin()
    settings = invocation.read_patched()
    if target := invocation.target_of(settings):
        check_name(target, surroundings.folders(settings))
    from celadon.master import supervise

    def load(settings: config.Config) -> Any:
        surroundings.stay(invocation.folder)
        return _load(invocation.target_of(settings), settings)

    return supervise(
        load,
        invocation.read,
        settings,
    )


def _leave_threads(status: int) -> None:
    """Ends the process where a thread of the application's would keep it for ever."""
    others = [each for each in threading.enumerate() if not each.daemon]
    if len(others) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _load(target: str, settings: config.Config) -> Any:
    surroundings.prepare(settings)
    surroundings.import_from(*settings.pythonpath, os.getcwd())
    routes.install()
    bodies.install()
    if settings.metrics:
        when_imported("prometheus_client", _bridge)
    if settings.green:
        from celadon import patch
        from celadon.contrib import meinheld
        from celadon.patch import before

        meinheld.install()
        patch.install(**config.patched_parts(settings))
        if not settings.preload_app:
            before.settle()
            patch.start()
        surroundings.configure(settings)
    if settings.paste:
        from celadon.contrib.paste import load

        return load(settings.paste, settings.raw_paste_global_conf)
    from celadon.importer import load_app

    return load_app(target, settings.factory)


def _bridge(_client: object) -> None:
    from celadon.contrib import prometheus

    prometheus.install()
