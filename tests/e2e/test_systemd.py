"""systemd: a real notify socket, handed-over sockets, units that verify."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.machine import program
from tests.support.raw import TIMEOUT, Client
from tests.support.servers import CELADON, ROOT, Command, Started, wait_until
from tests.support.site import Site, gone, renewed, wait_ready


class Manager:
    """The service manager's end of sd_notify."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(TIMEOUT)
        self._socket.bind(self.path)
        self.stored: dict[str, int] = {}
        self.beats = 0

    def hear(self) -> dict[str, str]:
        """The next message, but for descriptors and signs of life, which are kept."""
        while True:
            if said := self.hear_one():
                return said

    def hear_one(self) -> dict[str, str] | None:
        data, descriptors, _, _ = socket.recv_fds(self._socket, 4096, 4)
        said = dict(line.split("=", 1) for line in data.decode().splitlines())
        if "FDSTORE" in said:
            self.stored[said["FDNAME"]] = descriptors[0]
        elif "FDSTOREREMOVE" in said:
            os.close(self.stored.pop(said["FDNAME"]))
        elif "WATCHDOG" in said:
            self.beats += 1
        else:
            return said
        return None

    def is_full(self) -> bool:
        """Whether nobody can say anything more before some of it is read."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            try:
                other.sendto(b"WATCHDOG=1", self.path)
            except BlockingIOError:
                return True
        return False

    def close(self) -> None:
        self._socket.close()
        for descriptor in self.stored.values():
            os.close(descriptor)


def test_ready_reloading_and_stopping(site: Site) -> None:
    manager = Manager(site.folder)
    env = {"NOTIFY_SOCKET": manager.path}
    with Command("site_app:app", "--workers", "2", cwd=site.folder, env=env) as server:
        first = manager.hear()
        assert (first["READY"], first["MAINPID"]) == ("1", str(server.process.pid))
        # Said only once somebody serves.
        assert server.request(raw.get("/")).status == 200
        wait_ready(server, 2)
        server.signal(signal.SIGHUP)
        reloading = manager.hear()
        assert reloading["RELOADING"] == "1"
        assert int(reloading["MONOTONIC_USEC"]) > 0
        assert manager.hear()["READY"] == "1"
        site.spoil()
        server.signal(signal.SIGHUP)
        assert manager.hear()["RELOADING"] == "1"
        assert manager.hear()["READY"] == "1"  # the old ones stay
        server.signal(signal.SIGTERM)
        assert manager.hear()["STOPPING"] == "1"
        assert server.wait() == 0
    manager.close()


def test_a_refused_reload_is_told(site: Site) -> None:
    manager = Manager(site.folder)
    (site.folder / "celadon.toml").write_text("workers = 1")
    env = {"NOTIFY_SOCKET": manager.path}
    with Command("site_app:app", cwd=site.folder, env=env) as server:
        assert manager.hear()["READY"] == "1"
        (site.folder / "celadon.toml").write_text("workers = ")
        server.signal(signal.SIGHUP)
        assert manager.hear()["RELOADING"] == "1"
        assert "refused" in manager.hear()["STATUS"]
        assert server.request(raw.get("/")).status == 200
    manager.close()


def test_a_reload_that_is_refused_makes_nobody_ready(site: Site) -> None:
    manager = Manager(site.folder)
    (site.folder / "site_app.py").write_text(
        "import os, time\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "def app(environ, start_response): ...\n"
    )
    env = {"NOTIFY_SOCKET": manager.path}
    with Command("site_app:app", cwd=site.folder, env=env) as server:
        server.wait_line("listening at")
        (site.folder / "celadon.toml").write_text("workers = ")
        server.signal(signal.SIGHUP)
        said = manager.hear()
        assert said == {"STATUS": "the reload was refused: the log says why"}
        site.go()
        assert manager.hear()["READY"] == "1"
        wait_ready(server, 1)
    manager.close()


def test_the_application_cannot_speak_for_the_server(site: Site) -> None:
    (site.folder / "site_app.py").write_text(
        "import os\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    names = ('NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID')\n"
        "    return [str([n for n in names if n in os.environ]).encode()]\n"
    )
    manager = Manager(site.folder)
    env = {"NOTIFY_SOCKET": manager.path, "LISTEN_FDS": "1", "LISTEN_PID": "1"}
    with Command("site_app:app", cwd=site.folder, env=env) as server:
        assert server.request(raw.get("/")).body == b"[]"
    manager.close()


ACTIVATE = """
import os, sys
given = [int(number) for number in sys.argv[1].split(",")]
for at, number in enumerate(given): os.dup2(number, 100 + at)
for at in range(len(given)): os.dup2(100 + at, 3 + at)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


def activated(
    sockets: dict[str, int], *options: str, folder: Path, **env: str
) -> Started:
    """The command as the service manager starts it, with sockets by their names."""
    command = (CELADON, "site_app:app", *options)
    return activated_command(sockets, *command, folder=folder, env=env)


def activated_command(
    sockets: dict[str, int], *command: str, folder: Path, env: dict[str, str]
) -> Started:
    given = (",".join(map(str, sockets.values())), ":".join(sockets))
    return Started(
        *(sys.executable, "-c", ACTIVATE, *given),
        *command,
        cwd=folder,
        env=env,
        pass_fds=tuple(sockets.values()),
    )


def test_sockets_that_were_handed_over(site: Site) -> None:
    """LISTEN_FDS: used where no address was asked for; named ones are for the admin."""
    pages, admin = (
        socket.create_server(("127.0.0.1", 0)),
        socket.create_server(("127.0.0.1", 0)),
    )
    ports = [listener.getsockname()[1] for listener in (pages, admin)]
    handed = {"web": pages.fileno(), "admin": admin.fileno()}
    with activated(handed, "--no-control-socket", folder=site.folder) as server:
        wait_ready(server, 1)
        for port, path, status in (
            (ports[0], "/", 200),
            (ports[1], "/-/ready", 200),
            (ports[1], "/", 421),
        ):
            with Client(("127.0.0.1", port)) as client:
                client.send(raw.get(path))
                assert client.response().status == status
    pages.close()
    admin.close()


ALONE = """
import celadon, sys
if "patched" in sys.argv: import celadon.patch; celadon.patch.all()
import site_app; celadon.run(site_app.app)
"""


@pytest.mark.parametrize("patched", ["patched", "plain"])
def test_a_program_without_a_master_keeps_the_protocol(
    site: Site, patched: str
) -> None:
    """`celadon.run`: its unit may be as the command's."""
    manager = Manager(site.folder)
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"}
    with socket.create_server(("127.0.0.1", 0)) as pages:
        handed = {"web": pages.fileno()}
        command = (sys.executable, "-c", ALONE, patched)
        with activated_command(handed, *command, folder=site.folder, env=env) as server:
            first = manager.hear()
            assert (first["READY"], first["MAINPID"]) == ("1", str(server.process.pid))
            with Client(pages.getsockname()) as client:
                client.send(raw.get("/"))
                assert client.response().status == 200
            while manager.beats < 5:
                manager.hear_one()
            server.signal(signal.SIGTERM)
            assert manager.hear()["STOPPING"] == "1"
            assert server.wait() == 0
    manager.close()


def test_sockets_that_nobody_serves_are_named(site: Site) -> None:
    """gunicorn takes them before its `bind`; who connects to one here waits for ever."""
    with socket.create_server(("127.0.0.1", 0)) as pages:
        handed = {"web": pages.fileno()}
        bind = ("--bind", "127.0.0.1:0")
        with activated(handed, *bind, folder=site.folder) as server:
            server.said(
                r"bind \(command line\) says .* nobody serves fd://3 of systemd: leave"
            )
            wait_ready(server, 1)
        with activated(handed, "--bind", "fd://3", folder=site.folder) as server:
            wait_ready(server, 1)
            assert not any("nobody serves" in line for line in server.lines)


@pytest.mark.row("S19")
@pytest.mark.parametrize("by_path", [False, True])
def test_the_control_socket_of_one_that_was_activated_is_found(
    site: Site, by_path: bool
) -> None:
    with socket.socket(socket.AF_UNIX if by_path else socket.AF_INET) as pages:
        pages.bind(str(site.folder / "sock") if by_path else ("127.0.0.1", 0))
        pages.listen()
        handed = {"web": pages.fileno()}
        with activated(handed, folder=site.folder) as server:
            wait_ready(server, 1)
            # A path may be relative, from where the question is asked.
            where = "unix:sock" if by_path else f"127.0.0.1:{pages.getsockname()[1]}"
            done = subprocess.run(
                [CELADON, "ctl", "--bind", where, "health"],
                cwd=site.folder,
                capture_output=True,
                text=True,
                timeout=raw.TIMEOUT,
            )
            assert done.returncode == 0, done.stderr


def test_the_watchdog_hears_of_a_master_whose_workers_turn(site: Site) -> None:
    manager = Manager(site.folder)
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"}
    with Command("site_app:app", cwd=site.folder, env=env) as server:
        assert manager.hear()["READY"] == "1"
        while manager.beats < 5:
            manager.hear_one()
        server.signal(signal.SIGHUP)
        assert manager.hear()["RELOADING"] == "1"
    manager.close()
    # For another process.
    env["WATCHDOG_PID"] = "1"
    manager = Manager(site.folder / "..")
    env["NOTIFY_SOCKET"] = manager.path
    with Command("site_app:app", cwd=site.folder, env=env) as server:
        assert manager.hear()["READY"] == "1"
        # Three times as long as the one of the other would be silent.
        assert server.request(raw.get("/sleep")).status == 200
        server.signal(signal.SIGTERM)
        assert manager.hear()["STOPPING"] == "1"
        assert manager.beats == 0
    manager.close()


@pytest.mark.parametrize("beats", ["2000", ""])
def test_a_manager_that_does_not_read_holds_no_master(site: Site, beats: str) -> None:
    manager = Manager(site.folder)
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": beats}
    with Command("site_app:app", cwd=site.folder, env=env) as server:
        assert manager.hear()["READY"] == "1"
        wait_until(lambda: (None, manager.is_full()))
        old = wait_ready(server, 1)
        server.signal(signal.SIGHUP)
        renewed(server, old)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    manager.close()


def test_a_master_that_dies_leaves_its_sockets_to_the_next(site: Site) -> None:
    """A connection that was made in between is answered."""
    manager = Manager(site.folder)
    env = {"NOTIFY_SOCKET": manager.path}
    with Command("site_app:app", cwd=site.folder, env=env) as server:
        assert manager.hear()["READY"] == "1"
        port = server.port
        [name] = manager.stored
        assert ":" not in name
        worker = server.worker
        server.process.kill()
        server.process.wait()
        wait_until(lambda: (None, gone(worker)))
    with Client(("127.0.0.1", port)) as waiting:
        waiting.send(raw.get("/"))
        with restarted(site, manager) as next_one:
            assert manager.hear()["READY"] == "1"
            assert waiting.response().status == 200
            assert next_one.port == port
    manager.close()


def restarted(site: Site, manager: Manager) -> Started:
    """As the manager starts it again, with what it has kept."""
    options = ("--bind", "127.0.0.1:0")
    return activated(
        manager.stored, *options, folder=site.folder, NOTIFY_SOCKET=manager.path
    )


def test_a_kept_socket_that_nobody_wants_is_given_up(site: Site) -> None:
    manager = Manager(site.folder)
    with socket.create_server(("127.0.0.1", 0)) as kept:
        manager.stored = {"celadon-0123456789abcdef": os.dup(kept.fileno())}
        with restarted(site, manager) as server:
            assert manager.hear()["READY"] == "1"
            assert "celadon-0123456789abcdef" not in manager.stored
            assert server.port != kept.getsockname()[1]
    manager.close()


def test_units_verify(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    for unit in (ROOT / "deploy/systemd").iterdir():
        text = unit.read_text().replace("/srv/shop/.venv/bin/celadon", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", str(tmp_path / "celadon.service")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "celadon" in line]
    assert (done.returncode, ours) == (0, [])
