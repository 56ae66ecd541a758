"""Relative paths, and a folder that is a link to the release of today."""

from __future__ import annotations

import os
import shutil
import signal
from ast import literal_eval
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command, wait_until
from tests.support.site import Site, ask, kill_worker, ready, renewed, wait_ready


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def reload(server: Command) -> list[int]:
    before = wait_ready(server, 1)
    server.signal(signal.SIGHUP)
    return renewed(server, before)


def test_s05_relative_paths_mean_the_same_at_each_reload(site: Site) -> None:
    (site.folder / "sub").mkdir()
    (site.folder / "site_app.py").rename(site.folder / "sub" / "site_app.py")
    (site.folder / "variables").write_text("A=1\n")
    (site.folder / "celadon.toml").write_text('chdir = "sub"\nenv_file = "variables"\n')
    with site.serve("--preload") as server:
        for _ in range(2):
            reload(server)
            assert ask(server)[0] == "1"


IN_SUB = """
chdir = "sub"
errorlog, accesslog, pidfile = "error.log", "access.log", "it.pid"
bind = ["127.0.0.1:0", "unix:it.sock"]
tmp_upload_dir, reload_extra_files = ".", ["more"]
"""


@pytest.mark.row("S22")
def test_relative_paths_are_those_of_chdir(site: Site) -> None:
    """Files are where gunicorn makes them, also after a reload from where it was started."""
    sub = site.folder / "sub"
    sub.mkdir()
    (site.folder / "site_app.py").rename(sub / "site_app.py")
    (site.folder / "gunicorn.conf.py").write_text(IN_SUB)
    made = {"error.log", "access.log", "it.pid", "it.sock"}

    def ready(count: int) -> tuple[str, bool]:
        log = sub / "error.log"
        text = log.read_text() if log.exists() else ""
        return text, text.count(" is ready") >= count

    with Command("site_app:app", cwd=site.folder, bind=None) as server:
        wait_until(lambda: ready(1))
        server.signal(signal.SIGHUP)
        wait_until(lambda: ready(2))
        assert made <= {each.name for each in sub.iterdir()}
    assert not made & {each.name for each in site.folder.iterdir()}


WHERE_BODIES_ARE = """
import os
def app(environ, start_response):
    start_response("200 OK", [])
    files = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
             if os.path.islink(f"/proc/self/fd/{fd}")]
    length = len(environ["wsgi.input"].read())
    return [repr((length, [name for name in files if "/deep/" in name])).encode()]
"""


def test_temporary_files_may_lie_deep(site: Site) -> None:
    """Deeper than the path of a socket may be."""
    deep = site.folder / "deep" / "/".join(["folder"] * 30)
    deep.mkdir(parents=True)
    (site.folder / "site_app.py").write_text(WHERE_BODIES_ARE)
    body = bytes(3 << 20)
    with Command(
        "site_app:app",
        *("--request-buffering", "--header-timeout", "2m"),
        cwd=site.folder,
        env={"TMPDIR": str(deep)},
    ) as server:
        answer = server.request(raw.post("/", body)).body.decode()
        length, files = literal_eval(answer)
        assert length == len(body)
        assert len(files) == 1
        assert files[0].startswith(str(deep))
        assert reload(server)


def release(site: Site, version: int) -> Path:
    folder = site.folder / f"release-{version}"
    folder.mkdir()
    Site(folder).write(version)
    return folder


def point(site: Site, folder: Path) -> None:
    fresh = site.folder / "fresh"
    fresh.symlink_to(folder)
    fresh.replace(site.folder / "current")


def test_s31_a_reload_serves_where_the_link_leads_now(site: Site) -> None:
    first = release(site, 1)
    point(site, first)
    current = site.folder / "current"
    env = {"PWD": str(current)}
    with Command("site_app:app", cwd=current, env=env) as server:
        wait_ready(server, 1)
        assert ask(server)[0] == "1"
        point(site, release(site, 2))
        reload(server)
        assert ask(server)[0] == "2"
        shutil.rmtree(first)
        kill_worker(server, ready(server)[0])
        assert ask(server)[0] == "2"


def test_s31_a_worker_starts_where_the_old_folder_is_gone(site: Site) -> None:
    first = release(site, 1)
    point(site, first)
    current = site.folder / "current"
    with Command("site_app:app", cwd=current, env={"PWD": str(current)}) as server:
        wait_ready(server, 1)
        point(site, release(site, 2))
        shutil.rmtree(first)
        kill_worker(server, ready(server)[0])
        assert ask(server)[0] == "2"


def test_s31_a_name_that_is_not_of_this_folder_is_not_believed(site: Site) -> None:
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    with Command(
        "site_app:app", cwd=site.folder, env={"PWD": str(elsewhere)}
    ) as server:
        wait_ready(server, 1)
        assert ask(server)[0] == "1"
        assert Path(os.readlink(f"/proc/{server.process.pid}/cwd")) == site.folder
