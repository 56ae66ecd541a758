"""`/hog` computes until so many others were answered, or for so many seconds."""

import time
from urllib.parse import parse_qs

answered = 0


def app(environ, start_response):
    global answered
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] != "/hog":
        answered += 1
        return [b"hello"]
    asked = parse_qs(environ["QUERY_STRING"])
    wanted, seconds = int(asked["until"][0]), float(asked["seconds"][0])
    before, end = answered, time.monotonic() + seconds
    while answered - before < wanted and time.monotonic() < end:
        pass
    return [str(answered - before).encode()]
