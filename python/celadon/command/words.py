"""`celadon check`, `config`, `ctl`, `dev-cert`, `migrate` and `top`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from celadon import config
from celadon.command.invocation import Invocation
from celadon.command.loading import load
from celadon.config import flags, showing
from celadon.errors import AppFailed, CeladonError, UsageError
from celadon.serving import surroundings


def lines_of(error: CeladonError) -> list[str]:
    problems = error.problems if isinstance(error, UsageError) else (str(error),)
    return [f"celadon: {problem}" for problem in problems]


def _check(argv: Sequence[str]) -> int:
    """`celadon check [options] [target]`: 1 where something blocks, or the application
    could not be loaded to its end."""
    from celadon.command import check

    invocation = Invocation(flags.parse(argv))
    settings = invocation.read_patched()
    target = invocation.target or settings.wsgi_app
    subject = " ".join(filter(None, [target or settings.paste, *settings.mount]))
    failure = ""
    if subject:
        try:
            load(invocation.target_of(settings), settings)
        except AppFailed as error:
            failure = error.brief
        findings, later = check.imported(), check.not_imported()
    else:
        findings, later = check.installed(), []
    for line in check.report(findings, subject or "installed here", later, failure):
        print(line)
    return int(bool(failure) or any(each.kind == "blocks" for each in findings))


def show_config(argv: Sequence[str]) -> int:
    """`celadon config [--json] [options]`."""
    invocation = Invocation(flags.parse(argv))
    show = showing.as_json if invocation.take("json") else showing.as_text
    print(show(invocation.read()))
    return 0


def _migrate(argv: Sequence[str]) -> int:
    """`celadon migrate FILE`, or a command line: 1 where something is refused."""
    from celadon.command import migrate, migrate_asgi, migrate_uwsgi, uwsgi_file

    if migrate_asgi.is_command(argv):
        report = migrate_asgi.examine(argv)
        print(report.text)
        return int(bool(report.refused))
    files = [word for word in argv if not word.startswith("-")]
    if len(argv) > 1 or len(files) != len(argv):
        raise UsageError("celadon migrate takes one configuration file")
    file = files[0] if files else "gunicorn.conf.py"
    surroundings.import_from(str(Path.cwd()))
    if file.endswith(".ini") and Path(file).is_file():
        if not uwsgi_file.is_one(Path(file)):
            raise UsageError(
                f"{file} has no [uwsgi] in it; of one of PasteDeploy's `celadon "
                f"--check-config --paste {file}` says what is not so here"
            )
        print(migrate_uwsgi.examine(Path(file)))
        return 0
    report = migrate.examine(file, Path.cwd())
    print(report.text)
    return int(bool(report.refused))


def check_config(invocation: Invocation, problems: Sequence[str]) -> int:
    """All that is wrong at once: words (`problems` of them), settings, what they name, the
    import."""
    from celadon.command import starting

    found = [*problems]
    settings = config.load({}, {})
    try:
        settings, wrong = invocation.examine_patched()
        found += [*wrong, *starting.problems(settings)]
    except UsageError as error:
        found += error.problems
    except SystemExit as error:
        found.append(f"config: it ends the process: {error.code}")
    lines = [f"celadon: {each}" for each in found]
    try:
        load(invocation.target_of(settings), settings)
    except CeladonError as error:
        lines += lines_of(error)
    for note in settings.notes:
        print(f"celadon: note: {note}", file=sys.stderr)
    for line in lines:
        print(line, file=sys.stderr)
    if not lines:
        print("configuration is fine")
    return int(bool(lines))


_UNREAD = (
    "the server is found by its settings; where they are bad by now, name it: "
    "celadon ctl --config '' --bind ADDRESS, or --control-socket PATH"
)


def _ctl(argv: Sequence[str]) -> int:
    """`celadon ctl [options] [command]`: options are those that name the server."""
    from celadon.command import ctl
    from celadon.config import control

    options, words = flags.parse_words(argv)
    invocation = Invocation(options)
    as_json = invocation.take("json")
    try:
        address = invocation.named_control() or control.address_of(invocation.read())
    except UsageError as error:
        raise UsageError(*error.problems, _UNREAD) from None
    return ctl.run(words, address, as_json)


def _top(argv: Sequence[str]) -> int:
    """`celadon top [--url URL] [--once [--json]] [options]`."""
    from celadon.command import top
    from celadon.config import control

    def find(rest: list[str]) -> tuple[str, str]:
        options, words = flags.parse_words(rest)
        if words:
            raise UsageError(f"celadon top takes no {words[0]!r}")
        invocation = Invocation(options)
        if named := invocation.named_control():
            return named, ""
        settings = invocation.read()
        return control.address_of(settings), str(settings.admin_token)

    return top.run(argv, find)


def _dev_cert(argv: Sequence[str]) -> int:
    """`celadon dev-cert [--folder FOLDER] [NAME ...]`."""
    from celadon.command import dev_cert

    return dev_cert.run(argv)


WORDS = {
    "check": _check,
    "config": show_config,
    "ctl": _ctl,
    "dev-cert": _dev_cert,
    "migrate": _migrate,
    "top": _top,
}
