"""`celadon dev-cert`: a certificate for development, by an authority of the developer's own.

The authority is made once and trusted once. Its key stays with its user: who has it can
make certificates for any name that this user's browser believes.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from celadon import _core
from celadon.errors import UsageError

_LOCAL = ["localhost", "127.0.0.1", "::1"]
_LIFE = 365  # days; browsers take no more than 825 of a server's
_AUTHORITY_LIFE = 3650
_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def run(argv: Sequence[str]) -> int:
    """Writes ``dev-cert.pem`` and ``dev-cert.key``, and says what to do with them. Raises
    `UsageError`, and `OSError` where they cannot be written."""
    folder, names = _read(argv)
    if not hasattr(_core, "Tls"):
        raise UsageError("dev-cert: this celadon was built without OpenSSL")
    authority = authority_folder() / "authority.pem"
    is_new = not authority.exists()
    issued = _core.Tls.issue(*_authority(authority), names, _LIFE)
    cert, key = folder / "dev-cert.pem", folder / "dev-cert.key"
    _write(key, issued[1], secret=True)
    _write(cert, issued[0])
    print(f"for {', '.join(names)}, {_LIFE} days: {cert} and {key}")
    made = "made now; " if is_new else ""
    print(f"signed by {authority} ({made}what trusts that trusts this)")
    print(f"celadon module:app --certfile {cert} --keyfile {key}")
    print(f"curl --cacert {authority} https://localhost:8000/")
    return 0


def authority_folder() -> Path:
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if os.path.isabs(data) else Path.home() / ".local/share"
    return base / "celadon"


def _read(argv: Sequence[str]) -> tuple[Path, list[str]]:
    folder, names, words = Path(), [], iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if option == "--folder":
            folder = Path(value if equals else next(words, ""))
        elif word.startswith("-"):
            raise UsageError(f"celadon dev-cert takes no {word}")
        else:
            names.append(_checked(word))
    if not folder.is_dir():
        raise UsageError(f"--folder: no directory {str(folder)!r}")
    return folder, names or _LOCAL


def _checked(name: str) -> str:
    with suppress(ValueError):
        return str(ipaddress.ip_address(name))
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a host, and no IP address")
    return name


def _authority(cert: Path) -> tuple[str, str]:
    """Its certificate and its key; they are made where there are none."""
    key = cert.with_suffix(".key")
    if cert.exists() and key.exists():
        return cert.read_text(), key.read_text()
    made = _core.Tls.make_authority(os.uname().nodename, _AUTHORITY_LIFE)
    cert.parent.mkdir(0o700, parents=True, exist_ok=True)
    _write(key, made[1], secret=True)
    _write(cert, made[0])
    return made


def _write(path: Path, text: str, *, secret: bool = False) -> None:
    """Whole or not at all; a secret is never anybody else's to read."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(os.open(aside, flags, 0o600 if secret else 0o644), "w") as file:
        file.write(text)
    os.replace(aside, path)
