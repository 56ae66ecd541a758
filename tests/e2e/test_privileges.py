"""A server that root starts for another user: what each of its processes is, has and may."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from celadon.command.asking import ask
from celadon.errors import CeladonError

from tests.support import raw
from tests.support.certificates import Authority
from tests.support.raw import TIMEOUT, Client
from tests.support.servers import CELADON, Command, Started, wait_until
from tests.support.site import Site, renewed, wait_ready
from tests.support.tls import Secure

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may become somebody else"
)
USER = pwd.getpwnam("nobody")


@pytest.fixture
def site() -> Iterator[Site]:
    """In a folder that others may look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Site(Path(folder))


class Process:
    """What the kernel says of one."""

    def __init__(self, pid: int) -> None:
        self.folder = Path("/proc", str(pid))
        lines = (self.folder / "status").read_text().splitlines()
        self._status = {
            name: rest.split() for name, _, rest in (x.partition(":") for x in lines)
        }

    @property
    def name(self) -> str:
        return (self.folder / "comm").read_text().strip()

    def numbers(self, name: str) -> set[int]:
        return {int(each) for each in self._status[name]}

    def capabilities(self, name: str) -> int:
        return int(self._status[name][0], 16)

    @property
    def parent(self) -> int:
        return int(self._status["PPid"][0])

    @property
    def sockets(self) -> set[str]:
        return {link for link in self.links if link.startswith("socket:")}

    def _descriptors(self) -> Iterator[tuple[str, int]]:
        """What each leads to, and its flags; those that go meanwhile are none."""
        for each in (self.folder / "fd").iterdir():
            with suppress(FileNotFoundError):
                about = (self.folder / "fdinfo" / each.name).read_text()
                flags = int(about.partition("flags:")[2].split()[0], 8)
                yield os.readlink(each), flags

    @property
    def links(self) -> list[str]:
        return [link for link, _ in self._descriptors()]

    @property
    def written(self) -> set[str]:
        """Files that it has open and may write to."""
        return {
            link
            for link, flags in self._descriptors()
            if link.startswith("/") and flags & os.O_ACCMODE != os.O_RDONLY
        }


def family(master: int) -> list[Process]:
    """A master's children."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                process = Process(int(each.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
            if process.parent == master:
                found.append(process)
    return found


def all_there(master: int, count: int) -> list[Process]:
    """Once each has its name."""

    def look() -> tuple[list[Process], bool]:
        found = family(master)
        names = [each.name for each in found]
        return found, len(names) == count and names.count("celadon:admin") == 1

    found: list[Process] = wait_until(look)
    return found


def inode(path: Path) -> str:
    """What descriptors of a listening unix socket are called."""
    for line in Path("/proc/net/unix").read_text().splitlines():
        if line.endswith(f" {path}"):
            return f"socket:[{line.split()[6]}]"
    raise AssertionError(f"nobody listens at {path}")


@pytest.mark.parametrize("group", [(), ("--group", "daemon"), ("--initgroups",)])
def test_s10_nothing_of_root_is_left(site: Site, group: tuple[str, ...]) -> None:
    files = {name: site.folder / name for name in ("http", "admin", "control", "pid")}
    options = (
        *("--user", USER.pw_name, *group, "--workers", "2"),
        *("--admin-bind", f"unix:{files['admin']}"),
        *("--control-socket", str(files["control"]), "--pid", str(files["pid"])),
        *("--access-logfile", str(site.folder / "access.log")),
    )
    gid = 1 if "daemon" in group else USER.pw_gid
    os.setgroups([0, 4, 27])  # those of an administrator; inherited
    bind = f"unix:{files['http']}"
    with Command("site_app:app", *options, cwd=site.folder, bind=bind) as server:
        wait_ready(server, 2)
        master = Process(server.process.pid)
        assert master.numbers("Uid") == {0}
        children = all_there(server.process.pid, 3)
        for each in children:
            assert each.numbers("Uid") == {USER.pw_uid}, each.name
            assert each.numbers("Gid") == {gid}, each.name
            assert each.numbers("Groups") == {gid}, each.name
            for kind in ("CapPrm", "CapEff", "CapAmb"):
                assert each.capabilities(kind) == 0, (each.name, kind)
            own = {str(site.folder / "access.log"), "/dev/null"}
            files_of = {x for x in each.written if not x.startswith("/memfd:")}
            assert files_of <= own, each.name
        http, admin, ctl = (inode(files[n]) for n in ("http", "admin", "control"))
        for each in children:
            of_admin = each.name == "celadon:admin"
            assert (http in each.sockets) is not of_admin
            assert {admin, ctl} & each.sockets == ({admin, ctl} if of_admin else set())
        owners = {
            name: (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
            for name, path in files.items()
            for status in [path.lstat()]
        }
        assert owners["control"] == (0, 0, 0o600)
        assert owners["pid"] == (0, 0, 0o644)
        assert owners["http"][:2] == owners["admin"][:2] == (USER.pw_uid, gid)


@pytest.fixture(autouse=True)
def groups() -> Iterator[None]:
    before = os.getgroups()
    yield
    os.setgroups(before)


def test_s10_a_user_without_an_account_needs_a_group(site: Site) -> None:
    with Started(
        sys.executable, "-m", "celadon", "--user", "54321", "site_app:app",
        cwd=site.folder,
    ) as server:  # fmt: skip
        server.said("group: user 54321 has no account")
        assert server.wait() == 2


def test_s08_a_unix_socket_belongs_to_the_workers(site: Site) -> None:
    path = site.folder / "sock"
    options = ("--user", USER.pw_name, "--group", "daemon", "--umask", "0o007")
    bind = f"unix:{path}"
    with Command("site_app:app", *options, cwd=site.folder, bind=bind) as server:
        wait_ready(server, 1)
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (USER.pw_uid, 1)
        assert stat.S_IMODE(status.st_mode) == 0o770
        with Client(str(path)) as client:
            client.send(raw.get("/"))
            assert client.response().status == 200
    assert not path.exists()


LOGGING = """
import logging
def on_starting(server):
    logging.getLogger("shop").addHandler(logging.FileHandler("logs/shop.log"))
"""
LOGS = """
import logging, os
logging.getLogger("shop").setLevel("INFO")
if os.path.exists("hold"):
    open(f"booting-{os.getpid()}", "x").close()
    import time
    while os.path.exists("hold"): time.sleep(0.01)
def app(environ, start_response):
    logging.getLogger("shop").info("sold %s", environ["PATH_INFO"])
    environ["wsgi.errors"].write("told " + environ["PATH_INFO"] + "\\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""


def test_s09_rotation_in_a_folder_of_root(site: Site) -> None:
    """All files, and in a worker that boots while they are rotated."""
    logs = site.folder / "logs"
    logs.mkdir()
    names = ("shop.log", "error.log", "access.log")
    os.chmod(site.folder, 0o777)  # where the application writes
    (site.folder / "site_app.py").write_text(LOGS)
    (site.folder / "celadon.conf.py").write_text(LOGGING)
    options = (
        *("--user", USER.pw_name, "--error-logfile", "logs/error.log"),
        *("--access-logfile", "logs/access.log"),
    )

    def has(name: str, text: str) -> bool:
        return text in (logs / name).read_text() if (logs / name).exists() else False

    bind = f"unix:{site.folder / 'sock'}"
    with Command("site_app:app", *options, cwd=site.folder, bind=bind) as server:
        wait_until(lambda: (None, has("error.log", "is ready")))

        def get(path: str) -> None:
            with Client(str(site.folder / "sock")) as client:
                client.send(raw.get(path))
                assert client.response().status == 200

        get("/before")
        (site.folder / "hold").touch()
        server.signal(signal.SIGHUP)
        (booting,) = wait_until(
            lambda: (found := [*site.folder.glob("booting-*")], len(found) == 1)
        )
        for name in names:
            (logs / name).rename(logs / (name + ".1"))
        server.signal(signal.SIGUSR1)
        wait_until(lambda: (None, (logs / "error.log").exists()))
        pid = int(booting.name.rpartition("-")[2])
        wait_until(lambda: (None, str(logs / "error.log") in Process(pid).links))
        (site.folder / "hold").unlink()
        wait_until(lambda: (None, has("error.log", f"{pid} is ready")))
        get("/after")
        for name, text in zip(names, ("sold", "told", "GET"), strict=True):
            wait_until(lambda n=name, t=text: (None, has(n, f"{t} /after")))  # type: ignore[misc]
            assert "/after" not in (logs / (name + ".1")).read_text()
            assert (logs / name).stat().st_uid == USER.pw_uid


def test_s09_what_a_log_file_may_not_be_keeps_its_owner(tmp_path: Path) -> None:
    from celadon import logging

    precious = tmp_path / "precious"
    precious.touch()
    (tmp_path / "link").symlink_to(precious)
    os.link(precious, tmp_path / "name")
    (tmp_path / "plain").touch()
    for name in ("link", "name", "plain"):
        logging.give_away(USER.pw_uid, USER.pw_gid, str(tmp_path / name))
    assert precious.stat().st_uid == 0
    assert (tmp_path / "plain").stat().st_uid == USER.pw_uid


SETTINGS = (
    f"user={USER.pw_name!r}, pidfile='pid', raw_env=['A=1'], admin_bind='127.0.0.1:0'"
)
RUNS = """
import os, celadon
def app(environ, start_response):
    body = f"{{os.getuid()}} {{os.environ.get('A')}}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
celadon.run(app, bind="127.0.0.1:0", {settings})
"""


def test_s07_run_honours_what_is_about_processes(site: Site) -> None:
    (site.folder / "script.py").write_text(RUNS.format(settings=SETTINGS))
    with Started(sys.executable, "script.py", cwd=site.folder) as server:
        wait_ready(server, 1)
        server.said("admin pages at")
        assert server.request(raw.get("/")).body == f"{USER.pw_uid} 1".encode()
        pid = (site.folder / "pid").read_text()
        assert int(pid) == server.process.pid
    assert not (site.folder / "pid").exists()


def test_keys_are_read_by_the_master_alone(site: Site, authority: Authority) -> None:
    """Also those of a reload, and for workers that come later."""
    issued = authority.issue()
    issued.key.chmod(0o600)
    issued.cert.parent.chmod(0o700)
    words = ("--user", USER.pw_name, "--workers", "2")
    pair = (authority.trusted(), issued)
    with Secure("site_app:app", *pair, *words, cwd=site.folder) as server:
        for _ in range(2):
            old = wait_ready(server, 2)
            assert {Process(pid).numbers("Uid").pop() for pid in old} == {USER.pw_uid}
            with server.client() as client:
                client.send(raw.get("/"))
                assert client.response().status == 200
                assert client.serial == issued.serial
            fresh = authority.issue()
            issued.replace(fresh)
            server.signal(signal.SIGHUP)
            renewed(server, old)
            with server.client() as client:
                assert client.serial == fresh.serial
            issued = replace(fresh, cert=issued.cert, key=issued.key)
            issued.key.chmod(0o600)


LISTENS = """
import socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.bind("\\0" + sys.argv[1])
    server.listen()
    print("listens", flush=True)
    connection, _ = server.accept()
    print(connection.recv(100), flush=True)
"""


@pytest.mark.row("S19")
def test_who_answers_for_another_is_told_nothing() -> None:
    name = f"@celadon-test-{os.getpid()}"
    with subprocess.Popen(
        [sys.executable, "-c", LISTENS, name[1:]],
        stdout=subprocess.PIPE, text=True, user=USER.pw_uid,
    ) as squatter:  # fmt: skip
        assert squatter.stdout
        assert squatter.stdout.readline() == "listens\n"
        with pytest.raises(CeladonError, match=f"is user {USER.pw_uid}, not you"):
            ask(name, "shutdown")
        assert squatter.stdout.readline() == "b''\n"
        squatter.wait(TIMEOUT)


def test_who_is_not_root_is_told_that_only_root_can() -> None:
    code = f"""
import os
from celadon.base.process import Account, become
os.setresuid(*[{USER.pw_uid}] * 3)
become(Account(1, 1, (1,), ""))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.endswith(
        "cannot become 1:1: Operation not permitted; "
        "only root can: leave user and group out\n"
    )


@pytest.mark.row("S35")
def test_a_folder_for_bodies_is_looked_at_as_the_workers_will(site: Site) -> None:
    folder = site.folder / "bodies"
    folder.mkdir(mode=0o755)
    words = (
        *("--user", USER.pw_name, "--tmp-upload-dir", str(folder)),
        *("-b", "127.0.0.1:0", "site_app:app"),
    )

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CELADON, *more, *words],
            cwd=site.folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    for done in (run("--check-config"), run()):
        assert done.returncode in (1, 2)
        assert done.stderr == (
            f"celadon: tmp_upload_dir: nothing can be made in '{folder}'\n"
        )
    folder.chmod(0o777)
    assert run("--check-config").stdout == "configuration is fine\n"
    with site.serve(*words[:4]) as server:
        wait_ready(server, 1)
        folder.chmod(0o755)
        server.signal(signal.SIGHUP)
        server.wait_line("tmp_upload_dir: nothing can be made in")
        assert server.request(raw.get()).status == 200


@pytest.mark.row("S09")
def test_standard_streams_have_names_too(site: Site) -> None:
    """A pipe of root's cannot be opened again, and need not be."""
    logs = ("--access-logfile", "/dev/stdout", "--error-logfile", "/dev/stderr")
    with site.serve("--user", USER.pw_name, *logs) as server:
        wait_ready(server, 1)
        assert server.request(raw.get()).status == 200
        server.out.wait(r'"GET / HTTP/1.1" 200')
        server.signal(signal.SIGUSR1)
        assert server.request(raw.get("/again")).status == 200
        server.out.wait(r'"GET /again HTTP/1.1" 200')
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert not any("opened again" in line for line in server.lines)
