"""TLS: a greenlet waits in OpenSSL's stead."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.machine import program


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("tls")
    request = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        " -addext subjectAltName=DNS:localhost -keyout key -out cert"
    )
    command = [program("openssl", "openssl"), *request.split()]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (
        SOCKETS
        + f"""
server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_side.load_cert_chain({str(folder / "cert")!r}, {str(folder / "key")!r})
client_side = ssl.create_default_context(cafile={str(folder / "cert")!r})
def pair(timeout=None):
    # Two ends of one TLS connection, whose handshakes wait for each other.
    a, b = socket.socketpair()
    a.settimeout(timeout); b.settimeout(timeout)
    server = green.spawn(server_side.wrap_socket, a, server_side=True)
    client = client_side.wrap_socket(b, server_hostname="localhost")
    return server.get(), client
"""
    )


@pytest.mark.parametrize("timeout", [None, 20])
def test_others_run_while_one_waits(tls: str, timeout: float | None) -> None:
    run_green(
        f"""
        server, client = pair({timeout})
        assert type(server) is ssl.SSLSocket and server.gettimeout() == {timeout}
        for call in ("server.recv(100)", "server.read(100)",
                     "server.recv_into(bytearray(9))", "server.makefile('rb').read(5)"):
            soon(client.sendall, b"hello")
            got, count = ticks(lambda: eval(call))
            assert got in (b"hello", 5) and count >= 3, (got, count)
        data = os.urandom(3_000_000)
        def drain():
            got = bytearray()
            while len(got) < len(data): got += client.recv(65536)
            return bytes(got)
        reader = green.spawn(drain)
        _, count = ticks(server.sendall, data)
        assert reader.get() == data
        # One reader and two writers at once.
        writers = [green.spawn(server.sendall, bytes([n]) * 500_000) for n in (1, 2)]
        echo = green.spawn(server.recv, 10)
        client.sendall(b"up")
        got = bytearray()
        while len(got) < 1_000_000: got += client.recv(65536)
        assert echo.get() == b"up" and got.count(1) == got.count(2) == 500_000
        for writer in writers: writer.get()
        soon(client.unwrap)
        plain, count = ticks(server.unwrap)
        assert type(plain) is socket.socket or plain is not None
        """,
        prelude=tls,
    )


def test_a_slow_handshake_holds_up_nobody(tls: str) -> None:
    run_green(
        """
        a, b = socket.socketpair()
        def late():
            for _ in range(20): green.sleep(0.001)
            return client_side.wrap_socket(b, server_hostname="localhost")
        client = green.spawn(late)
        server, count = ticks(lambda: server_side.wrap_socket(a, server_side=True))
        assert count >= 5 and client.get().version() == server.version()
        a, b = socket.socketpair()
        a.settimeout(0.02)
        error = raises(TimeoutError, lambda: server_side.wrap_socket(a, server_side=True))
        assert "handshake operation timed out" in str(error)
        """,
        prelude=tls,
    )


def test_timeouts_ends_and_closing_are_those_of_cpython(tls: str) -> None:
    run_green(
        """
        server, client = pair()
        server.settimeout(0.02)
        assert str(raises(TimeoutError, server.recv, 1)) == "The read operation timed out"
        assert "write operation" in str(raises(TimeoutError, server.sendall, bytes(10**8)))
        server, client = pair()
        server.setblocking(False)
        raises(ssl.SSLWantReadError, server.recv, 1)
        server.setblocking(True)
        task = green.spawn(server.recv, 1); green.sleep(0.001)
        server.close(); task.join(TIMEOUT)
        assert task.exception.errno == errno.EBADF
        server, client = pair()
        # Both ways, and OpenSSL from 3.6 on finds a broken pipe first.
        socket.socket.shutdown(client, socket.SHUT_WR)
        assert server.recv(1) == b""  # a ragged end
        server, client = pair()
        task = green.spawn(server.recv, 1); green.sleep(0)
        task.kill()
        client.sendall(b"later"); assert server.recv(9) == b"later"
        fd = server.detach()
        assert os.get_blocking(fd)
        raises(ValueError, server.send, b"x", 1) if server._sslobj else None
        """,
        prelude=tls,
    )


def test_threads_and_callbacks(tls: str) -> None:
    run_green(
        """
        names = []
        lock = threading.Lock()
        def by_name(sock, name, context):
            # Inside of OpenSSL nothing may switch: this blocks the thread, and works.
            with lock: names.append(name); time.sleep(0.001)
        server_side.sni_callback = by_name
        server, client = pair()
        assert names == ["localhost"]
        got = []
        def work():
            client.sendall(b"from a thread"); got.append(client.recv(99))
        thread = threading.Thread(target=work); thread.start()
        assert server.recv(99) == b"from a thread"
        server.sendall(b"back"); thread.join()
        assert got == [b"back"]
        """,
        prelude=tls,
    )


@pytest.mark.row("G21")
@pytest.mark.library("OpenSSL.SSL")
@pytest.mark.parametrize("timeout", [None, 20])
def test_pyopenssl(tls: str, timeout: float | None) -> None:
    run_green(
        f"""
        from OpenSSL import SSL
        a, b = socket.socketpair(); a.settimeout(20); b.settimeout({timeout})
        conn = SSL.Connection(SSL.Context(SSL.TLS_METHOD), b)
        conn.set_connect_state()
        def patiently(call, *args):
            # As urllib3 does over a socket with a time limit.
            while True:
                try: return call(*args)
                except SSL.WantReadError: assert b.gettimeout() and select.select([b], [], [])
                except SSL.WantWriteError: assert b.gettimeout() and select.select([], [b], [])
        def accept():
            for _ in range(10): green.sleep(0.001)
            return server_side.wrap_socket(a, server_side=True)
        acceptor = green.spawn(accept)
        _, count = ticks(patiently, conn.do_handshake)
        assert count >= 3, count
        server = acceptor.get()
        for call in (lambda: conn.recv(100), lambda: conn.read(100), lambda: conn.recv_into(bytearray(9))):
            soon(server.sendall, b"hello")
            got, count = ticks(patiently, call)
            assert got in (b"hello", 5) and count >= 3, (got, count)
        if {timeout} is None:
            data = os.urandom(3_000_000)
            def drain():
                got = bytearray()
                while len(got) < len(data): got += server.recv(65536)
                return bytes(got)
            reader = green.spawn(drain)
            _, count = ticks(conn.sendall, data)
            assert reader.get() == data and count >= 3
        """,
        prelude=tls,
        malloc="default",
    )
