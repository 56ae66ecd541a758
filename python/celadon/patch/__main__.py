"""`python -m celadon.patch [-m module | script.py] args`: any program, patched."""

from __future__ import annotations

import argparse
import os
import runpy
import sys

from celadon.patch.installing import PARTS, all


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m celadon.patch",
        usage="%(prog)s [--without PART] (-m module | script.py) [args ...]",
        description="Runs a program with a cooperative standard library.",
        epilog=f"Parts: {', '.join(PARTS)}.",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=PARTS,
        metavar="PART",
        help="leave this part as it is; may be given again",
    )
    parser.add_argument("-m", dest="module", action="store_true", help="run a module")
    parser.add_argument("target", help="a module's name after -m, else a script's path")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="for the program")
    return parser


def main() -> None:
    parser = _parser()
    options = parser.parse_args()
    if not options.module and not os.path.exists(options.target):
        parser.error(f"there is no file {options.target!r}")
    all(**dict.fromkeys(options.without, False))
    sys.argv = [options.target, *options.args]
    if options.module:
        sys.path[0] = ""
        runpy.run_module(options.target, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = options.target.rpartition("/")[0]
        runpy.run_path(options.target, run_name="__main__")


if __name__ == "__main__":
    main()
