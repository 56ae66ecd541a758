"""``python -m celadon`` and the ``celadon`` command."""

import sys


def main() -> int:
    from celadon.command.cli import run_command

    return run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
