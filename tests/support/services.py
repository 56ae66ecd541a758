"""Real databases: throwaway clusters on free ports, in a folder of their own."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support.brokers import (
    directory,
    memcached,
    mosquitto,
    object_store,
    rabbitmq,
    secure_shell,
)
from tests.support.daemons import account_of, call, daemon, data_folder
from tests.support.machine import free_port, program

# For code that defines `ask(connection, query)`.
SCRAPE_TIME = 0.2  # of a Prometheus here: from one to the next, and for each
RUNNING = """
def running(count, connect):
    # Until so many queries run on the server.
    watcher = connect()
    while ask(watcher, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
              " AND query LIKE 'SELECT pg_sleep(%0)'") < count:
        watcher.rollback()
    watcher.close()
"""


@contextmanager
def postgres(*settings: str) -> Iterator[tuple[int, str]]:
    """PostgreSQL over TCP, TLS and a Unix socket in the folder that it gives."""
    programs, openssl = postgres_programs(), program("openssl", "openssl")
    account, port = account_of("postgres"), free_port()
    with data_folder(account) as data:
        cluster = _Cluster(programs, openssl, data, port, account)
        with cluster.running(settings):
            yield port, str(data)


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs, which distributions keep off the PATH."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: float(path.parts[-3]), default=None)
    return Path(newest or program("initdb", "postgresql")).parent


@dataclass
class _Cluster:
    programs: Path
    openssl: str
    data: Path
    port: int
    account: str | None

    @contextmanager
    def running(self, settings: tuple[str, ...]) -> Iterator[None]:
        cluster = str(self.data / "cluster")
        initdb = [str(self.programs / "initdb"), "-D", cluster, "-A", "trust"]
        call(
            [*initdb, *["-U", "celadon", "-N", "-E", "UTF8", "--no-instructions"]],
            self.account,
        )
        self._make_certificate()
        command = [str(self.programs / "postgres"), "-D", cluster]
        for option in (*self._options(), *settings):
            command += ["-c", option]
        # At the usual signal it waits for all clients, of whom a test may have killed some.
        said, at_once = "ready to accept connections", signal.SIGQUIT
        with daemon(command, self.account, said, stop=at_once):
            create = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "celadon"]
            call([str(self.programs / "createdb"), *create, "celadon"], None)
            yield

    def _make_certificate(self) -> None:
        request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        files = ["-keyout", str(self.data / "key.pem")]
        files += ["-out", str(self.data / "cert.pem")]
        call([self.openssl, *request.split(), *files], self.account)

    def _options(self) -> list[str]:
        return [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.data}",
            "fsync=off",
            "authentication_timeout=10min",  # a client may be slow on a busy machine
            "ssl=on",
            f"ssl_key_file={self.data}/key.pem",
            f"ssl_cert_file={self.data}/cert.pem",
        ]


@contextmanager
def mariadb() -> Iterator[tuple[int, str]]:
    """MariaDB over TCP and the Unix socket that it gives."""
    program_ = program("mariadbd", "mariadb-server")
    account, port = account_of("mysql"), free_port()
    with data_folder(account) as data, _mariadb(program_, data, port, account) as path:
        yield port, path


@contextmanager
def _mariadb(
    program_: str, data: Path, port: int, account: str | None
) -> Iterator[str]:
    install = "mariadb-install-db --no-defaults --skip-test-db"
    install += " --auth-root-authentication-method=normal"
    call([*install.split(), f"--datadir={data}/cluster", f"--tmpdir={data}"], account)
    path = str(data / "s")
    command = [
        program_,
        "--no-defaults",
        f"--datadir={data}/cluster",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={path}",
        f"--tmpdir={data}",
        f"--pid-file={data}/pid",
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-log-bin",
        "--connect-timeout=600",  # seconds; a client may be slow on a busy machine
    ]
    with daemon(command, account, "ready for connections"):
        sql = (
            "CREATE DATABASE celadon; CREATE USER celadon@'%'; "
            "GRANT ALL ON *.* TO celadon@'%';"
        )
        call(
            ["mariadb", "--no-defaults", f"--socket={path}", "-u", "root", "-e", sql],
            None,
        )
        yield path


@contextmanager
def redis() -> Iterator[int]:
    """Redis over TCP."""
    server, port = program("redis-server", "redis-server"), free_port()
    command = [server, "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--save", "", "--daemonize", "no"]
    with daemon(command, None, "Ready to accept connections"):
        yield port


@contextmanager
def mongo(parent: Path, port: int = 0) -> Iterator[tuple[int, str, int]]:
    """MongoDB's protocol over TCP (NeoSQLite), and the SQLite file that is behind it: who
    locks it makes the server take its time. Gives the process as well."""
    parent.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    server = [sys.executable, "-c", "from nx_27017 import main; main()"]
    files = [
        f"--db={parent}/db",
        f"--pid-file={parent}/pid",
        f"--log-file={parent}/log",
    ]
    command = [*server, *files, f"--port={port}"]
    with daemon(command, None, "Listening on") as process:
        yield port, str(parent / "db"), process.pid


class Services:
    """Where the databases listen, each started for the first one that asks. Users and
    databases are called celadon."""

    FIELDS = (
        *("postgres_port", "postgres_folder", "mariadb_port", "mariadb_socket"),
        *("redis_port", "mongo_port", "mongo_file", "memcached_port", "mosquitto_port"),
        *("rabbitmq_port", "directory_port", "store_port", "shell_port", "shell_key"),
        "shell_user",
    )

    def __init__(self, parent: Path, stack: ExitStack) -> None:
        self._parent = parent
        self._stack = stack

    def names(self, *texts: str) -> str:
        """Python code that binds the fields which `texts` name, for `run_green`."""
        wanted = [name for name in self.FIELDS if any(name in text for text in texts)]
        return "".join(f"{name} = {getattr(self, name)!r}\n" for name in wanted)

    @cached_property
    def _postgres(self) -> tuple[int, str]:
        return self._stack.enter_context(postgres())

    @cached_property
    def _mariadb(self) -> tuple[int, str]:
        return self._stack.enter_context(mariadb())

    @cached_property
    def redis_port(self) -> int:
        return self._stack.enter_context(redis())

    @cached_property
    def _mongo(self) -> tuple[int, str, int]:
        return self._stack.enter_context(mongo(self._parent / "mongo"))

    @cached_property
    def memcached_port(self) -> int:
        return self._stack.enter_context(memcached())

    @cached_property
    def mosquitto_port(self) -> int:
        return self._stack.enter_context(mosquitto())

    @cached_property
    def rabbitmq_port(self) -> int:
        return self._stack.enter_context(rabbitmq())

    @cached_property
    def directory_port(self) -> int:
        return self._stack.enter_context(directory())

    @cached_property
    def store_port(self) -> int:
        return self._stack.enter_context(object_store())

    @cached_property
    def _shell(self) -> tuple[int, str, str]:
        return self._stack.enter_context(secure_shell(self._parent / "shell"))

    @property
    def shell_port(self) -> int:
        return self._shell[0]

    @property
    def shell_user(self) -> str:
        return self._shell[1]

    @property
    def shell_key(self) -> str:
        return self._shell[2]

    @property
    def postgres_port(self) -> int:
        return self._postgres[0]

    @property
    def postgres_folder(self) -> str:
        return self._postgres[1]

    @property
    def mariadb_port(self) -> int:
        return self._mariadb[0]

    @property
    def mariadb_socket(self) -> str:
        return self._mariadb[1]

    @property
    def mongo_port(self) -> int:
        return self._mongo[0]

    @property
    def mongo_file(self) -> str:
        return self._mongo[1]


@contextmanager
def all_services(parent: Path) -> Iterator[Services]:
    with ExitStack() as stack:
        yield Services(parent, stack)


@contextmanager
def prometheus(folder: Path, *targets: str) -> Iterator[str]:
    """A real Prometheus that scrapes `targets` every `SCRAPE_TIME` s; gives its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    server, port = program("prometheus", "prometheus"), free_port()
    listed = ", ".join(f'"{target}"' for target in targets)
    every = f"{SCRAPE_TIME * 1000:.0f}ms"
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: {every}, scrape_timeout: {every}}}\n"
        "scrape_configs:\n"
        f"- {{job_name: celadon, static_configs: [{{targets: [{listed}]}}]}}\n"
    )
    command = [
        server,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=info",
    ]
    with daemon(command, None, "Server is ready to receive web requests"):
        yield f"http://127.0.0.1:{port}"
