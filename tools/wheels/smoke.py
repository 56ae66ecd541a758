"""Serves Flask and Django by the `celadon` that is installed here, and asks them.

With nothing but these three and the standard library: for a machine without a compiler.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

FLASK = """
import time
from flask import Flask
app = Flask(__name__)

@app.get("/")
def hello():
    time.sleep(0.01)  # parks
    return "flask"
"""
DJANGO = """
import time
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

def hello(request):
    time.sleep(0.01)
    return HttpResponse("django")

urlpatterns = [path("", hello)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="none")
app = get_wsgi_application()
"""


def serve(folder: Path, name: str) -> None:
    celadon = Path(sys.executable).with_name("celadon")
    with subprocess.Popen(
        [celadon, f"{name}_app:app", "--bind", "127.0.0.1:0", "--workers", "2"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            ask(server, name)
        finally:
            server.terminate()
            rest = server.stderr.read()
    if server.returncode != 0 or "Traceback" in rest:
        raise SystemExit(f"{name}: status {server.returncode}\n{rest}")


def ask(server: subprocess.Popen[str], name: str) -> None:
    said = []
    for line in server.stderr:
        said.append(line)
        if found := re.search(r"listening at (?:http://)?(127\.0\.0\.1:\d+)", line):
            break
    else:
        raise SystemExit(f"{name} does not listen:\n{''.join(said)}")
    # Not by a proxy of this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(20):
        with direct.open(f"http://{found[1]}/", timeout=60) as answer:
            text = answer.read().decode()
            if text != name:
                raise SystemExit(f"{name} answers {answer.status}: {text}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, program in (("flask", FLASK), ("django", DJANGO)):
            Path(folder, f"{name}_app.py").write_text(program)
            serve(Path(folder), name)
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"CPython {version}: Flask and Django are served")


main()
