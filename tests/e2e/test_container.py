"""As in a container: process 1, a read-only file system, no home; and the manifests."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from celadon import config
from celadon.config import flags

from tests.support import raw
from tests.support.raw import Client, get
from tests.support.servers import CELADON, ROOT, Command, wait_until
from tests.support.site import wait_ready

USER = 10001
APP = """
import os, time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/orphan":
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(0.3)
            os._exit(0)
        os.wait()
    body = f"{os.getpid()} {os.getppid()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def may_unshare() -> bool:
    """Namespaces, and an interpreter that another user may start in them."""
    program = ["setpriv", "--reuid", str(USER), "--clear-groups", sys.executable]
    done = subprocess.run(
        [
            *("unshare", "--mount", "--pid", "--fork", "--mount-proc"),
            *(*program, "-c", ""),
        ],
        capture_output=True,
    )
    return done.returncode == 0


class Contained(Command):
    """Its master is process 1, and may write to its socket's folder alone."""

    def __init__(self, folder: Path) -> None:
        (folder / "run").mkdir()
        (folder / "contained_app.py").write_text(APP)
        (folder / "contained_app.py").chmod(0o644)  # whatever the umask is
        self.socket = folder / "run" / "app.sock"
        shutil.chown(folder / "run", USER)
        self.environ = {
            **os.environ,
            "HOME": "/nonexistent",
            "PYTHONPATH": str(ROOT / "python"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CELADON_BIND": f"unix:{self.socket}",
            "CELADON_WORKERS": "2",
        }
        script = (
            f"mount --bind {folder}/run {folder}/run && mount -o remount,bind,ro / && "
            f"cd {folder} && exec setpriv --reuid {USER} --clear-groups "
            f"{shlex.quote(CELADON)} contained_app:app"
        )
        unshare = ("unshare", "--mount", "--pid", "--fork", "--mount-proc")
        self.start([*unshare, "sh", "-c", script], folder, self.environ)
        wait_ready(self, 2)

    @property
    def master(self) -> int:
        """By the number that it has outside."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0])

    def signal(self, number: int) -> None:
        self.kill(self.master, number)

    def ask(self, path: str) -> raw.Response:
        with Client(str(self.socket)) as client:
            client.send(get(path))
            return client.response()


@pytest.fixture
def contained() -> Iterator[Contained]:
    if not may_unshare():
        pytest.skip("this machine lends no namespaces, or its Python is root's alone")
    # Not below a folder that only root may enter.
    folder = Path(tempfile.mkdtemp(prefix="celadon-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with Contained(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.mark.row("T31")
def test_process_1_reaps_what_is_left_to_it(contained: Contained) -> None:
    answer = contained.ask("/")
    assert answer.body.split()[1] == b"1"
    for _ in range(3):
        assert contained.ask("/orphan").status == 200

    def zombies() -> list[str]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = stat.read_text().rpartition(") ")[2].split()[:2]
            except OSError:
                continue
            if parent == str(contained.master) and state == "Z":
                found.append(stat.parent.name)
        return found

    children = Path(f"/proc/{contained.master}/task/{contained.master}/children")
    # Two workers and the admin process; nothing else stays.
    wait_until(lambda: (c := children.read_text().split(), len(c) == 3))
    assert zombies() == []
    assert not any("exited" in line for line in contained.lines)


def test_process_1_hears_signals_and_its_health_is_asked(contained: Contained) -> None:
    health = subprocess.run(
        [
            *("setpriv", "--reuid", str(USER), "--clear-groups"),
            *(CELADON, "ctl", "health"),
        ],
        env=contained.environ,
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert health.returncode == 0, health.stderr
    contained.signal(signal.SIGHUP)
    contained.wait_line("stopping: finishing requests")
    contained.signal(signal.SIGTERM)
    assert contained.process.wait(raw.TIMEOUT) == 0
    contained.wait_line("stopped")


# --- what we ship ---


def test_kubernetes_manifests_are_valid() -> None:
    text = (ROOT / "deploy/kubernetes/celadon.yaml").read_text()
    kinds = []
    for document in yaml.safe_load_all(text):
        kubernetes_validate.validate(document, "1.30", strict=True)
        kinds.append(document["kind"])
        if document["kind"] == "Deployment":
            deployment = document
    assert kinds[:2] == ["Deployment", "Service"]
    pod = deployment["spec"]["template"]["spec"]
    given = flags.parse(pod["containers"][0]["args"])
    given.pop("target")
    settings = config.load(given, {})
    grace = settings.drain_delay + settings.graceful_timeout
    assert pod["terminationGracePeriodSeconds"] > grace


def test_the_image_starts_the_command() -> None:
    text = (ROOT / "deploy/docker/Dockerfile").read_text()
    lines = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    assert json.loads(lines["ENTRYPOINT"]) == ["celadon"]
    assert flags.parse(json.loads(lines["CMD"])) == {"target": "shop:app"}
    environ = dict(pair.split("=", 1) for pair in lines["ENV"].split())
    assert config.load({}, environ).bind == ["0.0.0.0:8000"]
    assert lines["STOPSIGNAL"] == "SIGTERM"
    assert lines["USER"] == str(USER)
    assert 'CMD ["celadon", "ctl", "health"]' in lines["HEALTHCHECK"]
