"""Servers that speak TLS, and clients that do."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import celadon
import pytest

from tests.apps import tls_site
from tests.support.certificates import Authority, Issued
from tests.support.machine import program
from tests.support.raw import TIMEOUT, Client, get
from tests.support.servers import Command, Running, serving

SITE = "tests.apps.tls_site:app"
SITE_OF_ASGI = "tests.apps.tls_site:of_asgi"
# On a busy machine ten seconds pass from a connection to its handshake, and to its request.
PATIENT = ("--tls-handshake-timeout", "2m", "--header-timeout", "2m")


class TlsClient(Client):
    """One connection. Whose end the server has not told it of, it takes for cut off."""

    sock: ssl.SSLSocket

    def __init__(
        self,
        address: str | tuple[str, int],
        context: ssl.SSLContext,
        name: str = "localhost",
        session: ssl.SSLSession | None = None,
    ) -> None:
        super().__init__(address)
        self.sock = context.wrap_socket(
            self.sock,
            server_hostname=name or None,
            session=session,
            suppress_ragged_eofs=False,
        )

    @property
    def serial(self) -> str:
        """Of the certificate that it was shown."""
        found = self.sock.getpeercert()
        assert found
        return str(found["serialNumber"])

    def ask(self, path: str = "/") -> Any:
        """What a page of the site's says, which is JSON."""
        self.send(get(path))
        answer = self.response()
        assert answer.status == 200, answer
        return json.loads(answer.body)


class Secure(Command):
    """`celadon` with a certificate; its clients are `trusted` unless a test says otherwise."""

    def __init__(
        self,
        target: str,
        trusted: ssl.SSLContext,
        issued: Issued,
        *options: str,
        **more: Any,
    ) -> None:
        self.trusted = trusted
        pair = ("--certfile", str(issued.cert), "--keyfile", str(issued.key))
        super().__init__(target, *pair, *PATIENT, *options, **more)

    def client(
        self,
        context: ssl.SSLContext | None = None,
        name: str = "localhost",
        session: ssl.SSLSession | None = None,
    ) -> TlsClient:
        where = ("127.0.0.1", self.port)
        return TlsClient(where, context or self.trusted, name, session)

    def in_clear(self) -> Client:
        return Client(("127.0.0.1", self.port))

    def ask(self, path: str = "/", context: ssl.SSLContext | None = None) -> Any:
        with self.client(context) as client:
            return client.ask(path)

    def alert(self, context: ssl.SSLContext, name: str = "localhost") -> str:
        """Why the server does not talk with such a client, which hears of it with the
        handshake or, where its own part of that was done, behind it."""
        with pytest.raises(ssl.SSLError) as refused:
            with self.client(context, name) as client:
                client.send(get())
                client.response()
        return str(refused.value.reason)


class SecureRunning(Running):
    def __init__(self, server: celadon.Server, trusted: ssl.SSLContext) -> None:
        super().__init__(server)
        self.trusted = trusted

    def client(self) -> TlsClient:
        return TlsClient(self.address, self.trusted)

    def in_clear(self) -> Client:
        return super().client()


@contextmanager
def in_thread(
    authority: Authority, app: Callable[..., Any] = tls_site.app
) -> Iterator[SecureRunning]:
    """An application, or the site, from a thread of this process."""
    issued = authority.issue()
    pair = {"certfile": str(issued.cert), "keyfile": str(issued.key)}
    patient = {"tls_handshake_timeout": 120, "header_timeout": 120}
    with serving(app, validate=False, **pair, **patient) as running:
        yield SecureRunning(running.server, authority.trusted())


class ByHand:
    """A client whose bytes a test moves itself, so many at a time, each time in a packet."""

    def __init__(
        self, wire: Client, context: ssl.SSLContext, at_once: int = 65536
    ) -> None:
        self._wire = wire
        self._at_once = at_once
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname="localhost"
        )

    def do(self, call: Callable[..., Any], *args: Any) -> Any:
        """One of `tls`, until it is done."""
        while True:
            try:
                return call(*args)
            except ssl.SSLWantReadError:
                pass
            finally:
                self._send()
            received = self._wire.sock.recv(self._at_once)
            if received:
                self._incoming.write(received)
            else:
                self._incoming.write_eof()

    def end(self) -> None:
        """Says that nothing more comes, and goes on to listen."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self._send()

    def _send(self) -> None:
        said = self._outgoing.read()
        steps = range(0, len(said), self._at_once)
        self._wire.send_pieces(said[i : i + self._at_once] for i in steps)


def hello(context: ssl.SSLContext) -> bytes:
    """The first that such a client says."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def openssl(server: Command, *options: str, say: bytes = b"") -> str:
    """What OpenSSL's own client tells of a connection, on which it says that."""
    done = subprocess.run(
        [
            *(program("openssl", "openssl"), "s_client", "-ign_eof"),
            *("-connect", f"127.0.0.1:{server.port}", *options),
        ],
        input=say,
        capture_output=True,
        timeout=TIMEOUT,
    )
    return (done.stdout + done.stderr).decode("utf-8", "replace")
