"""Native threads beside greenlets: what adapters remember is theirs too, and our own
threads are nobody's business."""

from __future__ import annotations

import pytest

from tests.support.green import run_green


@pytest.mark.row("R07")
def test_django_connects_in_native_threads_while_others_look() -> None:
    run_green(
        """
        from django.conf import settings
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
        import django; django.setup()
        from django.db import connections
        from celadon.drivers import budget, django as djangos
        sys.setswitchinterval(1e-6)
        done, kept = [], []
        def work():
            for _ in range(100):
                # As each thread has one of its own.
                wrapper = connections.create_connection("default")
                wrapper.connect(); wrapper.close(); kept.append(wrapper)
            done.append(True)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        while len(done) < 4: djangos._close_idle_one("postgresql://nobody:1")
        for thread in threads: thread.join()
        """,
        malloc="default",
    )


@pytest.mark.row("R07")
def test_what_is_remembered_may_go_and_come_while_it_is_looked_at() -> None:
    run_green(
        """
        from celadon.base.weakly import Weakly
        class One: pass
        sys.setswitchinterval(1e-6)
        known, kept, done = Weakly(), One(), []
        known.add(kept); known.add(kept)
        def work():
            for _ in range(3000): known.add(One())
            done.append(True)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        while len(done) < 4: assert kept in known.all()
        for thread in threads: thread.join()
        assert known.all() == [kept]
        """,
        malloc="default",
    )


@pytest.mark.row("R08")
def test_an_application_sees_no_threads_of_ours() -> None:
    run_green(
        """
        from celadon.green import offload
        from celadon.pools import background
        assert offload(lambda: threading.current_thread().name).startswith("celadon-offload")
        background._threads.run(lambda: None)
        assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
        assert threading.active_count() == 1
        seen = offload(threading.enumerate)
        assert seen == [threading.main_thread()], seen
        # The application's own are there.
        go = threading.Event()
        own = threading.Thread(target=go.wait); own.start()
        other = green.native_thread(go.wait)
        assert set(threading.enumerate()) == {threading.main_thread(), own, other}
        go.set(); own.join(); other.join()
        """,
        malloc="default",
    )
