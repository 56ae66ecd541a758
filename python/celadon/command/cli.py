"""The command: its words, and how a server is started."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from celadon import config
from celadon.base.version import VERSION
from celadon.command import ctl
from celadon.command.invocation import Invocation
from celadon.command.loading import load
from celadon.command.words import WORDS, check_config, lines_of, show_config
from celadon.config import flags
from celadon.config.values.mounts import prefix_and_target
from celadon.errors import CeladonError, UsageError
from celadon.serving import surroundings
from celadon.serving.importer import check_name


def run_command(argv: Sequence[str]) -> int:
    """The whole command; returns its exit status."""
    _open_standard_streams()
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except CeladonError as error:
        for line in lines_of(error):
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


def _run(argv: Sequence[str]) -> int:
    if argv and argv[0] in WORDS:
        if argv[0] != "top" and not {"-h", "--help"}.isdisjoint(argv):
            print(flags.help_of(argv[0]))
            return ctl.show_commands() if argv[0] == "ctl" else 0
        status = WORDS[argv[0]](argv[1:])
        _leave_threads(status)
        return status
    options, problems = flags.examine(argv)
    if problems and "check_config" not in options:
        raise UsageError(*problems)
    invocation = Invocation(options)
    if invocation.take("version"):
        print(f"celadon {VERSION} (Python {sys.version.split()[0]})")
        return 0
    if invocation.take("print_config"):
        return show_config([word for word in argv if word != "--print-config"])
    if invocation.take("check_config"):
        status = check_config(invocation, problems)
        _leave_threads(status)
        return status
    if invocation.take("json"):
        raise UsageError("--json goes with --print-config")
    from celadon.serving import signals

    signals.begin()
    settings = invocation.read_patched()
    mounted = [prefix_and_target(each)[1] for each in settings.mount]
    for target in filter(None, (invocation.target_of(settings), *mounted)):
        check_name(target, surroundings.folders(settings))
    from celadon.master.supervising import supervise

    def load_target(settings: config.Config) -> Any:
        surroundings.stay(invocation.folder)
        return load(invocation.target_of(settings), settings)

    return supervise(
        load_target,
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
