"""An application that brings gevent along: it changes nothing, and says so if it must."""

from __future__ import annotations

import pytest

from tests.support.green import run_green


@pytest.mark.library("gevent")
def test_monkey_patching_does_nothing() -> None:
    run_green(
        """
        import socket, ssl
        before = [time.sleep, threading.Lock, socket.socket, ssl.SSLContext, queue.SimpleQueue,
                  threading.get_ident, threading.local, socket.socket.recv]
        from gevent import monkey
        monkey.patch_all()
        monkey.patch_thread(); monkey.patch_socket(); monkey.patch_time()
        after = [time.sleep, threading.Lock, socket.socket, ssl.SSLContext, queue.SimpleQueue,
                 threading.get_ident, threading.local, socket.socket.recv]
        assert before == after
        assert monkey.is_module_patched("time") and monkey.is_module_patched("threading")
        assert monkey.is_object_patched("time", "sleep")
        from celadon.patch import original
        assert monkey.get_original("time", "sleep") is original("time", "sleep")
        a, b = socket.socketpair()
        task = green.spawn(a.recv, 1)
        green.sleep(0); b.send(b"x")
        assert task.get() == b"x"
        """,
        malloc="default",
    )


@pytest.mark.library("gevent")
def test_its_hub_is_refused_with_a_reason() -> None:
    run_green(
        """
        import gevent
        # Agents look whether there is one, and whose it is.
        assert gevent.get_hub().thread_ident == threading.get_ident()
        import gevent.event, gevent.pool
        for use in (lambda: gevent.sleep(0), lambda: gevent.spawn(int).join(),
                    lambda: gevent.event.Event().wait(1), lambda: gevent.idle(),
                    lambda: gevent.pool.Pool(2).spawn(int), lambda: gevent.get_hub().join()):
            try: use()
            except RuntimeError as error: assert "celadon --no-green" in str(error)
            else: raise AssertionError
        green.sleep(0)
        """,
        malloc="default",
    )
