"""`python -m celadon.contrib.meinheld script.py args`: a program of meinheld's, as it is."""

from __future__ import annotations

import runpy
import sys

from celadon.contrib.meinheld import install


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: python -m celadon.contrib.meinheld script.py [args ...]")
    install()
    del sys.argv[0]
    sys.path[0] = sys.argv[0].rpartition("/")[0]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
