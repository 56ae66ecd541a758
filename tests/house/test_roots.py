"""`tools/roots.sh`, in a root that was not made by debootstrap: folders, and this machine's /usr."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tools.try_docs.machine import Machine
from tools.try_docs.newcomer import Newcomer, Session, Stopped

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="a root is entered by root")
Done = subprocess.CompletedProcess[str]
USR = ("--bind", "/usr:/usr")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small one, with a root named `tiny`."""
    for name in ("roots.sh", "place.sh"):
        (tmp_path / "tools").mkdir(exist_ok=True)
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools" / name)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/.place").write_text(f"{tmp_path}\n")
    root = tmp_path / "build/roots/tiny"
    for name in ("dev", "proc", "sys", "run", "root", "usr", "etc/apt/apt.conf.d"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    return tmp_path


def roots(checkout: Path, *words: str) -> Done:
    return subprocess.run(
        [checkout / "tools/roots.sh", *words],
        env={**os.environ, "OF_THE_MACHINE": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("words", [(), ("--help",), ("tiny", "--nosuch")])
def test_who_asks_for_no_root_is_told_how(checkout: Path, words: tuple[str]) -> None:
    done = roots(checkout, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "tools/roots.sh SUITE [OPTION ...]" in done.stderr
    assert "set -euo" not in done.stderr


@needs_root
def test_a_command_in_a_root_has_its_own_processes_mounts_and_network(
    checkout: Path,
) -> None:
    script = """
        pwd; env | sort; echo processes $(ls /proc | grep -c '^[0-9]')
        tail -n +3 /proc/net/dev | tr -s ' ' | cut -d: -f1
        echo x > /dev/null; echo x > /dev/full || echo full
        touch /sys/x || echo the system is no business of ours
        sleep 1000 & echo left behind; exit 7
    """
    options = (*USR, "--offline", "--env", "A=a word", "--bind", f"{checkout}:/mine")
    done = roots(checkout, "tiny", *options, "--", "bash", "-c", script)
    assert done.returncode == 7, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "/root"
    assert {"A=a word", "HOME=/root", "USER=root"} <= set(said)
    assert "OF_THE_MACHINE=1" not in said
    assert int(said[-5].split()[1]) < 10
    assert [word.strip() for word in said[-4:]] == [
        *("lo", "full", "the system is no business of ours", "left behind")
    ]
    assert str(checkout) not in Path("/proc/self/mountinfo").read_text()
    root = checkout / "build/roots/tiny"
    assert [*(root / "usr").iterdir()] == [*(root / "mine").iterdir()] == []


@needs_root
def test_a_copy_is_made_once_and_the_root_stays_as_it_is(checkout: Path) -> None:
    words = ("tiny", "--copy", "mine", *USR, "--", "bash", "-c")
    assert roots(checkout, *words, "echo 1 > /root/one").returncode == 0
    assert roots(checkout, *words, "cat /root/one").stdout == "1\n"
    assert [*(checkout / "build/roots/tiny/root").iterdir()] == []


@needs_root
def test_who_removes_a_root_that_is_in_use_removes_nothing_of_this_machine(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    mine = checkout / "mine"
    mine.mkdir()
    (mine / "precious").touch()
    with Machine("used", "tiny", "root", ("/usr:/usr", f"{mine}:/mine")) as machine:
        assert machine.run("root", "ls /mine") == (0, "precious\n")
        shutil.rmtree(checkout / "build")
    assert (mine / "precious").exists()


# --- who tries the documentation ---


PAGE = """
```python
# mine/hello.py
print("hello", flush=True)
```

```console
$ cd mine
$ export WORD=well
$ python3 hello.py    # a comment
hello
$ echo "$WORD, $(basename $PWD)"
well, ...
```
"""
SERVER = """
```python
# gunicorn.py
import signal
try:
    print("Listening at", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("it ends")
```

```console
$ mkdir bin; echo "exec python3 -B $PWD/gunicorn.py" > bin/gunicorn; chmod +x bin/gunicorn
$ export PATH=$PWD/bin:$PATH
$ gunicorn mine
$ echo beside it
$ gunicorn mine
```
"""


@pytest.fixture
def read(checkout: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(checkout)

    def read(text: str, **more: object) -> int:
        (checkout / "page.md").write_text(text)
        who = Newcomer("somebody", ("page.md",), user="root", **more)  # type: ignore[arg-type]
        with Machine("somebodys", "tiny", "root", ("/usr:/usr",)) as machine:
            with Session(who, machine) as session:
                session.read_all(checkout)
        return session.typed

    return read


@needs_root
def test_a_newcomer_types_what_a_page_says(read, capfd) -> None:  # type: ignore[no-untyped-def]
    assert read(PAGE, added={"cd mine": ("pwd",)}) == 4
    assert "+ pwd\n    /root\n$ cd mine\n" in capfd.readouterr().out
    assert read(SERVER) == 5


@needs_root
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```console\n$ nosuchcommand\n```\n", "nosuchcommand: command not found"),
        ("```console\n$ echo one\ntwo\n```\n", "one\n\nand not\ntwo"),
        ("```console\n$ echo one; false\none\n```\n", "ended with status 1"),
        ("```console\n$ gunicorn app:app\n```\n", "it ended, and served nothing"),
    ],
)
def test_a_newcomer_stops_where_a_page_is_wrong(read, text: str, why: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Stopped, match=why):
        read(text)


@needs_root
def test_a_newcomer_minds_what_a_server_says(read) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Stopped, match="has something to tell"):
        read(SERVER.replace("it ends", "Traceback (most recent call last):"))
