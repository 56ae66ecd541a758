"""`/hog` computes until so many others were answered, or for a second."""

import time
from urllib.parse import parse_qs

answered = 0


def app(environ, start_response):
    global answered
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] != "/hog":
        answered += 1
        return [b"hello"]
    wanted = int(parse_qs(environ["QUERY_STRING"])["until"][0])
    before, end = answered, time.monotonic() + 1
    while answered - before < wanted and time.monotonic() < end:
        pass
    return [str(answered - before).encode()]
