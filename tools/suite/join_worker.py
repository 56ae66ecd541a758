"""What xdist starts for each worker: hands its streams to a copy of the process that has
imported all tests, and waits for the copy's end.

usage: join_worker.py NAME ... CODE
"""

from __future__ import annotations

import os
import socket
import sys

STREAMS = 3


def join(name: str, code: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect("\0" + name)
        socket.send_fds(server, [code.encode()], range(STREAMS))
        # Who reads there is to see when the copy ends.
        for number in range(STREAMS - 1):
            os.close(number)
        server.recv(1)


if __name__ == "__main__":
    join(sys.argv[1], sys.argv[-1])
