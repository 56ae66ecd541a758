"""Servers that are no databases, throwaway ones on free ports: caches, brokers, a directory."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.daemons import account_of, call, daemon, data_folder
from tests.support.machine import free_port, program
from tests.support.raw import TIMEOUT


@contextmanager
def memcached() -> Iterator[int]:
    server, port = program("memcached", "memcached"), free_port()
    command = [server, "-vv", "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
    with daemon(command, account_of("nobody"), "server listening"):
        yield port


@contextmanager
def mosquitto() -> Iterator[int]:
    """A broker of MQTT."""
    server, port = program("mosquitto", "mosquitto"), free_port()
    account = account_of("nobody")
    with data_folder(account) as folder:
        settings = folder / "settings"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        settings.chmod(0o644)
        with daemon([server, "-c", str(settings)], account, " running"):
            _greet_mosquitto(port)
            yield port


def _greet_mosquitto(port: int) -> None:
    """Says hello and is answered: a signal that comes before that is forgotten."""
    with socket.create_connection(("127.0.0.1", port)) as conn:
        conn.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
        assert conn.recv(4)[:1] == b"\x20"


@contextmanager
def rabbitmq() -> Iterator[int]:
    """A broker of AMQP, with the daemon for names of Erlang that it asks for."""
    found = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    server = found if found.exists() else program("rabbitmq-server", "rabbitmq-server")
    names = program("epmd", "rabbitmq-server")
    account, port, names_port = account_of("nobody"), free_port(), free_port()
    with data_folder(account) as folder:
        (folder / "plugins").write_text("[].")
        (folder / "plugins").chmod(0o644)
        variables = {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_FEATURE_FLAGS": "",  # each that a new broker has is compiled at its start
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_NODENAME": f"celadon-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            # One processor, for which it does not wait busily.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
            "RUNNING_UNDER_SYSTEMD": "1",  # it shall be the process that is started
        }
        # It takes five seconds of a processor to start.
        patience = TIMEOUT * 10
        with (
            daemon([names, "-debug"], account, "epmd running", **variables),
            daemon([str(server)], account, "completed with", patience, **variables),
        ):
            yield port


_DIRECTORY = """
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
database mdb
suffix dc=celadon
rootdn cn=admin,dc=celadon
rootpw secret
directory {folder}
"""


@contextmanager
def directory() -> Iterator[int]:
    """LDAP; `cn=admin,dc=celadon` with the password `secret` may do everything."""
    installed, port = program("slapd", "slapd"), free_port()
    account = account_of("nobody")
    with data_folder(account) as folder:
        settings, server = folder / "settings", folder / "slapd"
        settings.write_text(_DIRECTORY.format(folder=folder))
        settings.chmod(0o644)
        # Where a profile says what the distribution's own may open, this is another.
        shutil.copy(installed, server)
        command = [str(server), "-d", "256", "-f", str(settings)]
        command += ["-h", f"ldap://127.0.0.1:{port}/"]
        with daemon(command, account, "slapd starting"):
            yield port


@contextmanager
def object_store() -> Iterator[int]:
    """What speaks S3."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with daemon(command, None, "Running on http"):
        yield port


_SHELL = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""


@contextmanager
def secure_shell(ours: Path) -> Iterator[tuple[int, str, str]]:
    """SSH: port, user, and the file with that user's key, which lies in the folder `ours`."""
    server, port = program("sshd", "openssh-server"), free_port()
    make_key = [
        program("ssh-keygen", "openssh-server"),
        "-q",
        "-N",
        "",
        "-t",
        "ed25519",
    ]
    # As root it would want folders of the whole machine. This one has a shell.
    account = account_of("postgres")
    ours.mkdir(parents=True, exist_ok=True)
    call([*make_key, "-f", str(ours / "client")], None)
    with data_folder(account) as folder:
        call([*make_key, "-f", str(folder / "host")], account)
        shutil.copy(ours / "client.pub", folder / "client.pub")
        (folder / "client.pub").chmod(0o644)
        settings = folder / "settings"
        settings.write_text(_SHELL.format(port=port, folder=folder))
        settings.chmod(0o644)
        with daemon(
            [server, "-D", "-e", "-f", str(settings)], account, "Server listening"
        ):
            user = account or pwd.getpwuid(os.getuid()).pw_name
            yield port, user, str(ours / "client")
