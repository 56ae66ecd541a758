"""`python -m celadon.contrib.meinheld script.py args`: a program of meinheld's, as it is."""

from __future__ import annotations

import os
import runpy
import sys

from celadon.contrib.meinheld import install


def main() -> None:
    usage = "usage: python -m celadon.contrib.meinheld script.py [args ...]"
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(usage)
        return
    if len(sys.argv) < 2:
        sys.exit(usage)
    if not os.path.exists(sys.argv[1]):
        sys.exit(f"{usage}\nthere is no file {sys.argv[1]!r}")
    install()
    del sys.argv[0]
    sys.path[0] = sys.argv[0].rpartition("/")[0]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
