"""The town, to try the studio with: kilns that answer slowly, and a post office.

    celadon town_service:app --bind 127.0.0.1:8001
    STUDIO_TOWN=http://127.0.0.1:8001 celadon studio:app

TOWN_SECONDS is how long each answer takes, 0.3 by default.
"""

import os
import random
import threading
import time

from flask import Flask, jsonify, request

app = Flask(__name__)
SECONDS = float(os.environ.get("TOWN_SECONDS", "0.3"))
_letters: dict[int, str] = {}
_lock = threading.Lock()


@app.get("/kilns/<name>")
def kiln(name: str) -> str:
    time.sleep(SECONDS)
    return str((980 if name == "raku" else 1230) + random.randrange(60))


@app.put("/letters/<int:number>")
def post(number: int) -> tuple[str, int]:
    time.sleep(SECONDS)
    with _lock:
        _letters[number] = request.get_data(as_text=True)
    return "", 204


@app.get("/letters")
def letters():
    """All that were posted, by number."""
    return jsonify(_letters)
