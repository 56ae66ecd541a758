"""The command line."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from celadon import config
from celadon.errors import CeladonError, UsageError
from celadon.settings import SETTINGS, Setting

_EPILOG = """\
`celadon check` lists what an application imports that waits: what is cooperative, what
runs on native threads, what blocks, and what to do about it; without a target, what is
installed. It exits with 1 where something blocks.

The target is module:attribute, module:factory() or a module that has `application` or
`app`. Every setting can also be given as CELADON_<SETTING> in the environment. Durations
are seconds or 250ms, 30s, 5m; sizes are bytes or 64K, 16M, 1G.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="celadon",
        usage="celadon [options] module:attribute\n       celadon check [options] "
        "[module:attribute]",
        description="Serve a WSGI application, one greenlet per request.",
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("target", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--version", "-v", action="store_true", help="show the version")
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="check settings and import, then exit",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="show every setting and its source"
    )
    groups: dict[str, Any] = {}
    for row in SETTINGS.values():
        group = groups.get(row.section) or groups.setdefault(
            row.section, parser.add_argument_group(row.section)
        )
        _add_flag(group, row)
    return parser


def _add_flag(group: Any, row: Setting) -> None:
    text = f"{row.help} (default: {_show(row.default)})".replace("%", "%%")
    if row.is_bool:
        group.add_argument(
            *row.all_flags,
            dest=row.name,
            action=argparse.BooleanOptionalAction,
            help=text,
        )
    elif row.name == "proxy_protocol":
        group.add_argument(
            *row.all_flags,
            dest=row.name,
            nargs="?",
            const="auto",
            metavar="MODE",
            help=text,
        )
    else:
        group.add_argument(
            *row.all_flags,
            dest=row.name,
            action="append" if row.repeat else "store",
            metavar=row.metavar or row.name.split("_")[-1].upper(),
            help=text,
        )


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "none"


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = make_parser()
    known, unknown = parser.parse_known_args(list(argv))
    if unknown:
        raise _unknown_argument(unknown[0], parser)
    return known


def _unknown_argument(argument: str, parser: argparse.ArgumentParser) -> UsageError:
    if not argument.startswith("-"):
        return UsageError(f"one target only, what is {argument!r}?")
    flag = argument.split("=")[0]
    name = flag.lstrip("-").replace("-", "_")
    flags = [text for action in parser._actions for text in action.option_strings]
    near = difflib.get_close_matches(flag, flags, n=2)
    if name in config._LATER or not near:
        found = config.unknown_setting(name)
        if name in config._LATER:
            return found
        return UsageError(f"unknown option {flag}")
    return UsageError(f"unknown option {flag} (did you mean {' or '.join(near)}?)")


def run_command(argv: Sequence[str]) -> int:
    """The whole command; returns its exit status."""
    try:
        return _run(argv)
    except CeladonError as error:
        print(f"celadon: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        print(f"celadon: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _check(argv: Sequence[str]) -> int:
    """`celadon check [options] [target]`: 1 where something blocks."""
    from celadon import check

    options = vars(_parse(argv))
    target = options.pop("target", None)
    settings = config.load({k: _flatten(v) for k, v in options.items()})
    if target:
        _load(target, settings)
        findings = check.imported()
    else:
        findings = check.installed()
    for line in check.report(findings, target or "installed here"):
        print(line)
    return int(any(finding.kind == "blocks" for finding in findings))


_WORDS = {"check": _check}


def _run(argv: Sequence[str]) -> int:
    if argv and argv[0] in _WORDS:
        return _WORDS[argv[0]](argv[1:])
    options = vars(_parse(argv))
    target = options.pop("target", None)
    if options.pop("version", False):
        from celadon import __version__

        print(f"celadon {__version__} (Python {sys.version.split()[0]})")
        return 0
    check = options.pop("check_config", False)
    show = options.pop("print_config", False)
    given = {k: _flatten(v) for k, v in options.items()}
    settings = config.load(given)
    if show:
        for name, value in settings.values.items():
            print(f"{name} = {_show(value)}  # {settings.sources[name]}")
        return 0
    if not target:
        raise UsageError("no application given; try: celadon module:attribute")
    if check:
        _load(target, settings)
        print("configuration is fine")
        return 0
    from celadon.master import supervise

    return supervise(
        lambda settings: _load(target, settings), lambda: config.load(given), settings
    )


def _flatten(value: Any) -> Any:
    if isinstance(value, list):
        return [part for item in value for part in str(item).split(",")]
    return value


def _load(target: str, settings: config.Config) -> Any:
    if settings.chdir:
        try:
            os.chdir(settings.chdir)
        except OSError as error:
            raise UsageError(f"chdir: {error}") from None
    sys.path[:0] = [*settings.pythonpath, os.getcwd()]
    if settings.green:
        from celadon import patch
        from celadon.drivers import budget

        patch.all()
        budget.configure(settings.db_connections)
        patch.configure(settings.offload_threads, settings.dns_ttl)
    from celadon.importer import load_app

    return load_app(target, settings.factory)
