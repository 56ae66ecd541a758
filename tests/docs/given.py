"""What pages take for granted: files, words, and what cannot be done here."""

from __future__ import annotations

import re

from tests.support.servers import ROOT

_APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "7")])
    return [b"a page\\n"]

def make(global_conf):
    return app
"""
_TESTS = """
import time
def test_one(): time.sleep(0.01)
def test_two(): time.sleep(0.01)
"""
_PROGRAM = """
import socket, sys
from meinheld import server
from shop import app
listener = socket.create_server(("127.0.0.1", 0))
print("listening at http://127.0.0.1:%d" % listener.getsockname()[1], file=sys.stderr)
server.listen(socket_fd=listener.fileno())
server.run(app)
"""
# The reader's own, by the names that pages use.
FILES = {
    "shop.py": _APP,
    "myapp.py": _APP,
    "test_shop.py": _TESTS,
    "gunicorn.conf.py": "keepalive = 5\n",
    "program.py": _PROGRAM,
}

# A server that runs when the reader comes to the page.
RUNNING = {"docs/howto/tuning.md": ["celadon myapp:app"]}

# Python code before and behind that of a page.
BEFORE = {
    "docs/howto/asyncio.md": """
import asyncio
seen = []
async def fetch_prices():
    await asyncio.sleep(0)
    seen.append("prices")
def query(number):
    seen.append(number)
async def main():
    await handler()
""",
    "docs/howto/observing.md": """
from contextlib import contextmanager
from types import SimpleNamespace
@contextmanager
def _connection():
    yield SimpleNamespace(execute=print)
pool = SimpleNamespace(connection=_connection)
""",
}
AFTER = {
    "docs/howto/asyncio.md": """
from celadon import green
green.spawn(view, None).get()
assert seen == [17, "prices"], seen
""",
    "docs/howto/databases.md": """
assert pool.stats().size == 1
with engine.connect() as conn:
    assert conn.exec_driver_sql("SELECT 42").scalar() == 42
""",
    "docs/howto/logs.md": """
import logging.config, runpy
names = runpy.run_path("celadon.conf.py")
logging.config.dictConfig({"version": 1, **names["logconfig_dict"]})
logging.warning("a line")
""",
    "docs/howto/observing.md": """
database()
checkout(SimpleNamespace(currency="EUR"))
assert health.status() == {"database": "has not run yet"}
""",
}

# Words that are others for the reader of a page.
REPLACED = {
    # Two machines are two addresses of this one.
    "docs/howto/scaling-out.md": {
        "10.0.0.1": "127.0.0.1",
        "10.0.0.2": "127.0.0.2",
        "10.0.0.0/24": "127.0.0.0/8",
        "/run/studio/": "",
    },
    # His files of programs are here as well.
    "docs/howto/tls.md": {"~/.local/share": "data"},
}
# "And the same with ...": a server that a page starts as well, without showing it.
AND_THE_SAME = {
    "docs/howto/scaling-out.md": [{"10.0.0.1": "10.0.0.2", "one.pid": "two.pid"}],
}

_NOT_RUN = {
    r"apt-get update": "it changes the machine, and needs root",
    r"apt-get install (?P<packages>[\w+ -]+)": "it changes the machine, and needs root",
    r"python3 -m venv env|\. env/bin/activate": "the tests are in an environment already",
    r"pip install \./celadon": "it compiles all of it again; `make anywhere` does so",
    r"make (?P<verbs>[a-z -]+)": "it would build and test all of this in its tests",
    r"python (?P<program>bench/\S+\.py)": "it takes many minutes on a quiet machine",
}


def reason_not_to_run(words: list[str]) -> str:
    """Why a command is not run here, if so. That there is such a thing is looked at."""
    command = " ".join(words)
    for pattern, reason in _NOT_RUN.items():
        if found := re.fullmatch(pattern, command):
            named = found.groupdict()
            makefile = (ROOT / "Makefile").read_text()
            install = (ROOT / "tools/install-system.sh").read_text()
            if packages := named.get("packages"):
                assert f"build) echo {packages} ;;" in install, command
            for verb in named.get("verbs", "").split():
                assert re.search(rf"^{verb}:", makefile, re.MULTILINE), command
            assert (ROOT / named.get("program", "Makefile")).is_file(), command
            return reason
    return ""
