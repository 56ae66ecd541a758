"""Real proxies with the configurations that we ship, their addresses replaced."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.support.machine import free_port, program
from tests.support.raw import Client, get
from tests.support.servers import ROOT, wait_until

HAPROXY = ROOT / "deploy/haproxy/haproxy.cfg"
PASSTHROUGH = ROOT / "deploy/haproxy/tls-passthrough.cfg"
NGINX = ROOT / "deploy/nginx/celadon.conf"


class Proxy:
    """A proxy that runs; clients connect to it as to a server."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port = port
        self._log = log.open("w")
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=subprocess.STDOUT
        )
        wait_until(lambda: (log.read_text(), self._listens()))

    def _listens(self) -> bool:
        assert self._process.poll() is None
        try:
            self.client().close()
        except ConnectionRefusedError:
            return False
        return True

    def client(self) -> Client:
        return Client(("127.0.0.1", self.port))

    def answers(self) -> bool:
        """Whether it has a server behind it that does."""
        with self.client() as client:
            client.send(get("/"))
            return client.response().status == 200

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()


def haproxy(
    folder: Path, servers: list[tuple[int, int]], configuration: Path = HAPROXY
) -> Proxy:
    """In front of `servers`, each a port and that of its admin pages."""
    port = free_port()
    text = re.sub(r"bind :\d+", f"bind 127.0.0.1:{port}", configuration.read_text())
    for number, (own, admin) in enumerate(servers, 1):
        text = re.sub(
            rf"10\.0\.0\.{number}:\d+ port 9000", f"127.0.0.1:{own} port {admin}", text
        )
    text = text.replace("inter 500ms", "inter 50ms")
    # One that is slow on a busy machine is there all the same.
    text = text.replace(
        "  timeout connect 2s", "  timeout connect 60s\n  timeout check 60s"
    )
    file = folder / "haproxy.cfg"
    file.write_text(text)
    command = [program("haproxy", "haproxy"), "-db", "-f", str(file)]
    return Proxy(command, port, folder / "haproxy.log")


def nginx(folder: Path, sockets: list[Path]) -> Proxy:
    """In front of servers at unix sockets."""
    port = free_port()
    text = NGINX.read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    for name, path in zip(("one", "two"), sockets, strict=True):
        text = text.replace(f"unix:/run/celadon/{name}.sock", f'"unix:{path}"')
    text = text.replace("/srv/shop/static/", f"{folder}/static/")
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "".join(
        f'{kind}_temp_path "{folder}/{kind}";'
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f'daemon off; {user} pid "{folder}/nginx.pid"; error_log stderr;\n'
        f"events {{}}\nhttp {{ access_log off; keepalive_requests 1000000; {temporary}\n{text}\n}}\n"
    )
    command = [program("nginx", "nginx-light"), "-p", str(folder), "-c", str(file)]
    return Proxy([*command, "-e", "stderr"], port, folder / "nginx.log")
