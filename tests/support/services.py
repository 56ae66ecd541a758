"""Real databases: throwaway clusters on free ports, in a folder of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.raw import TIMEOUT

# For code that defines `ask(connection, query)`.
RUNNING = """
def running(count, connect):
    # Until so many queries run on the server.
    watcher = connect()
    while ask(watcher, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
              " AND query LIKE 'SELECT pg_sleep(%0)'") < count:
        watcher.rollback()
    watcher.close()
"""


def free_port() -> int:
    """A port that was free a moment ago: for services that cannot choose one."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _account(name: str) -> str | None:
    """The account to run as: the databases refuse to run as root."""
    if os.getuid() != 0:
        return None
    pwd.getpwnam(name)
    return name


@contextmanager
def _folder(parent: Path, account: str | None) -> Iterator[Path]:
    """A folder for `account`, until the end of the block.

    That of another account lies outside of `parent`: each run of pytest closes the folder
    of all its runs to others, and databases open files by their whole path at any time.
    """
    if account is None:
        folder = parent / "data"
        folder.mkdir(parents=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="celadon-") as outside:
        Path(outside).chmod(0o711)
        folder = Path(outside) / "data"
        folder.mkdir()
        shutil.chown(folder, account)
        yield folder


def _call(command: list[str], account: str | None) -> None:
    done = subprocess.run(
        command, user=account, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _server(
    command: list[str], account: str | None, ready: str
) -> Iterator[subprocess.Popen[str]]:
    """Runs `command` until the end of the block; it is up once it said `ready`."""
    process = subprocess.Popen(
        command,
        user=account,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    up = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if ready in line:
                up.set()
        up.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert up.wait(TIMEOUT * 3), "".join(lines)
        assert process.poll() is None, "".join(lines)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        process.stdout.close()


@dataclass
class Services:
    """Where the databases listen. Users and databases are called celadon."""

    postgres_port: int
    postgres_folder: str
    mariadb_port: int
    mariadb_socket: str
    redis_port: int
    mongo_port: int
    mongo_file: str

    def names(self) -> str:
        """Python code that binds the fields, for `run_green`."""
        return "".join(f"{name} = {value!r}\n" for name, value in vars(self).items())


@contextmanager
def postgres(parent: Path, *settings: str) -> Iterator[tuple[int, str]]:
    """PostgreSQL over TCP, TLS and a Unix socket in the folder that it gives."""
    account, port = _account("postgres"), free_port()
    with _folder(parent, account) as data, _postgres(data, port, account, settings):
        yield port, str(data)


@contextmanager
def _postgres(
    data: Path, port: int, account: str | None, settings: tuple[str, ...]
) -> Iterator[None]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    cluster = str(data / "cluster")
    _call(
        f"{programs}/initdb -D {cluster} -A trust -U celadon -N -E UTF8"
        " --no-instructions".split(),
        account,
    )
    key, cert = str(data / "key.pem"), str(data / "cert.pem")
    _call(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        f" -keyout {key} -out {cert}".split(),
        account,
    )
    options = [
        f"port={port}",
        "listen_addresses=127.0.0.1",
        f"unix_socket_directories={data}",
        "fsync=off",
        "ssl=on",
        f"ssl_key_file={key}",
        f"ssl_cert_file={cert}",
        *settings,
    ]
    command = [str(programs / "postgres"), "-D", cluster]
    for option in options:
        command += ["-c", option]
    with _server(command, account, "ready to accept connections"):
        create = ["-h", "127.0.0.1", "-p", str(port), "-U", "celadon", "celadon"]
        _call([str(programs / "createdb"), *create], None)
        yield


@contextmanager
def mariadb(parent: Path) -> Iterator[tuple[int, str]]:
    """MariaDB over TCP and the Unix socket that it gives."""
    account, port = _account("mysql"), free_port()
    with _folder(parent, account) as data, _mariadb(data, port, account) as path:
        yield port, path


@contextmanager
def _mariadb(data: Path, port: int, account: str | None) -> Iterator[str]:
    _call(
        f"mariadb-install-db --no-defaults --datadir={data}/cluster --skip-test-db"
        " --auth-root-authentication-method=normal".split(),
        account,
    )
    path = str(data / "s")
    command = [
        shutil.which("mariadbd") or "/usr/sbin/mariadbd",
        "--no-defaults",
        f"--datadir={data}/cluster",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={path}",
        f"--pid-file={data}/pid",
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-log-bin",
    ]
    with _server(command, account, "ready for connections"):
        sql = (
            "CREATE DATABASE celadon; CREATE USER celadon@'%'; "
            "GRANT ALL ON *.* TO celadon@'%';"
        )
        _call(
            ["mariadb", "--no-defaults", f"--socket={path}", "-u", "root", "-e", sql],
            None,
        )
        yield path


@contextmanager
def redis() -> Iterator[int]:
    """Redis over TCP."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--save", "", "--daemonize", "no"]
    with _server(command, None, "Ready to accept connections"):
        yield port


@contextmanager
def mongo(parent: Path, port: int = 0) -> Iterator[tuple[int, str, int]]:
    """MongoDB's protocol over TCP (NeoSQLite), and the SQLite file that is behind it: who
    locks it makes the server take its time. Gives the process as well."""
    parent.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    program = [sys.executable, "-c", "from nx_27017 import main; main()"]
    files = [
        f"--db={parent}/db",
        f"--pid-file={parent}/pid",
        f"--log-file={parent}/log",
    ]
    command = [*program, *files, f"--port={port}"]
    with _server(command, None, "Listening on") as process:
        yield port, str(parent / "db"), process.pid


@contextmanager
def all_services(parent: Path) -> Iterator[Services]:
    with ExitStack() as stack:
        pg = stack.enter_context(postgres(parent / "postgres"))
        my = stack.enter_context(mariadb(parent / "mariadb"))
        cache = stack.enter_context(redis())
        documents = stack.enter_context(mongo(parent / "mongo"))
        yield Services(*pg, *my, cache, *documents[:2])


@contextmanager
def prometheus(folder: Path, *targets: str) -> Iterator[str]:
    """A real Prometheus that scrapes `targets` five times a second; gives its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    listed = ", ".join(f'"{target}"' for target in targets)
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        "scrape_configs:\n"
        f"- {{job_name: celadon, static_configs: [{{targets: [{listed}]}}]}}\n"
    )
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=info",
    ]
    with _server(command, None, "Server is ready to receive web requests"):
        yield f"http://127.0.0.1:{port}"
