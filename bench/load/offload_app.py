"""Hello, and `/rate?seconds`: calls that eight offload threads end in a second."""

import ctypes
import time

from celadon import green

_usleep = ctypes.CDLL(None).usleep
ended = 0


def _work(end):
    global ended
    while time.monotonic() < end:
        green.offload(_usleep, 1000)
        ended += 1


def _sleep_on(end):
    global ended
    while time.monotonic() < end:
        _usleep(1000)
        ended += 1


def _loop(end):
    green.offload(_sleep_on, end)


def app(environ, start_response):
    global ended
    body = b"Hello, world!\n"
    if environ["PATH_INFO"] in ("/rate", "/loop"):
        seconds = float(environ["QUERY_STRING"])
        ended = 0
        end = time.monotonic() + seconds
        work = _work if environ["PATH_INFO"] == "/rate" else _loop
        tasks = [green.spawn(work, end) for _ in range(8)]
        for task in tasks:
            task.join()
        body = str(ended / seconds).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
