"""Who tries the documentation, by which pages, and what is typed that they do not say."""

from __future__ import annotations

from tests.docs import given
from tools.try_docs.newcomer import Newcomer

SOURCES = "/srv/celadon.git"  # where a newcomer's machine has them
# Who can clone has git, who is told `make` has make; curl is what every page looks with.
PACKAGES = ("git", "make", "curl")
_CLONE = f"git clone -q {SOURCES} celadon"
# He comes back to a new terminal.
_FOLDER = (". env/bin/activate", "mkdir mine", "cd mine")

INSTALL = Newcomer(
    "install",
    ("docs/install.md",),
    added={"docs/install.md": (_CLONE,)},
    said={"docs/install.md": ("celadon --help",)},
    left_out={"make serve": "who reads the README does so"},
)
# Each of them begins where INSTALL has ended, in a folder of his own.
OTHERS = (
    Newcomer(
        "django",
        ("docs/howto/django.md", "docs/howto/from-gunicorn.md"),
        added={"docs/howto/django.md": _FOLDER},
        files={name: given.FILES[name] for name in ("shop.py", "gunicorn.conf.py")},
        said={
            "docs/howto/from-gunicorn.md": (
                "gunicorn -k celadon.contrib.gunicorn.Worker shop:app",
            )
        },
    ),
    Newcomer(
        "flask",
        ("docs/howto/flask.md", "docs/howto/from-uwsgi.md"),
        added={"docs/howto/flask.md": _FOLDER},
        files={"shop.py": given.FILES["shop.py"]},
    ),
    Newcomer(
        "pyramid",
        ("docs/howto/pyramid.md",),
        added={"docs/howto/pyramid.md": _FOLDER},
        said={
            "docs/howto/pyramid.md": (
                "celadon --check-config --paste production.ini",
                "celadon check --paste production.ini",
            )
        },
    ),
    Newcomer(
        "tutorial",
        ("docs/tutorial/studio.md",),
        added={"docs/tutorial/studio.md": (*_FOLDER, "export CELADON=~/celadon")},
    ),
)
README = Newcomer(
    "readme",
    ("README.md",),
    added={
        "README.md": (_CLONE, "cd celadon"),
        "hello.py": ("export PATH=~/celadon/.venv/bin:$PATH", "cd ../mine"),
        "pytest -p celadon.pytest_plugin --celadon-concurrency 8": (
            "pip install -q pytest",
        ),
    },
    files={
        f"../mine/{name}": given.FILES[name] for name in ("myapp.py", "test_shop.py")
    },
    said={"README.md": ("celadon config",)},
    begins_at="## Two commands",
    user="root",
)
