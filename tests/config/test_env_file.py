"""Files of variables: what python-dotenv takes means here what it means there."""

from __future__ import annotations

from pathlib import Path

import pytest
from celadon.config import env_file

VALUES = [
    ("A=b", "b"),
    ("A=", ""),
    (" A = b ", "b"),
    ("\ufeffA=1", "1"),
    ("export A=b", "b"),
    ("\texport\t'A'=b", "b"),
    ("'A'=b", "b"),
    ("A=several words  ", "several words"),
    ("A=a=b", "a=b"),
    ("A=à", "à"),
    ("A=\\", "\\"),
    ("A=C:\\new", "C:\\new"),
    ("A=it's", "it's"),
    ('A=5" and 6"', '5" and 6"'),
    # Comments.
    ("# A=2\n   # A=3\n\nA=4\n# A=5", "4"),
    ("A=postgres://u:p#ss@h/db", "postgres://u:p#ss@h/db"),
    ("A=p#ss # don't tell", "p#ss"),
    ("A=#b", "#b"),
    ("A= # nothing", ""),
    ("A=b\t#c", "b"),
    ("A=b # c # d", "b"),
    ("A='x # y'#z", "x # y"),
    ("A='x'  # y", "x"),
    ('export A="a\\" # b" # c', 'a" # b'),
    # Quotes.
    ("A=' b '", " b "),
    ('A=" b "', " b "),
    ("A=''", ""),
    ('A=""', ""),
    ("A='a\\nb'", "a\\nb"),
    ('A="a\\nb"', "a\nb"),
    ('A="\\t\\\\\\d\\\'"', "\t\\\\d'"),
    ("A='it\\'s'", "it's"),
    ("A='C:\\dir\\\\'", "C:\\dir\\"),
    ("A='a\nb'", "a\nb"),
    ('A="-----BEGIN\n# no comment\nEND"\n', "-----BEGIN\n# no comment\nEND"),
    # The last one counts.
    ("A=1\nA=2", "2"),
    ("A=1\r\nB=2\r\n", "1"),
    # Others.
    ("B=1\nA=${B}2", "12"),
    ("A=${B}2\nB=1", "2"),
    ("A=${NO:-not there}", "not there"),
    ("A=${NO:-}", ""),
    ("A=${KNOWN:-not there}", "of the environment"),
    ("KNOWN=of the file\nA='${KNOWN}'", "of the environment"),
    ("A=$B ${B ${B:x} $${B}", "$B ${B ${B:x} $"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, value: str
) -> None:
    monkeypatch.setenv("KNOWN", "of the environment")
    for name in ("A", "B", "NO"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "site.env").write_bytes(text.encode())
    assert env_file.read(str(tmp_path / "site.env"))["A"] == value


def test_names(tmp_path: Path) -> None:
    (tmp_path / "site.env").write_text(
        "a.b-c=1\n[=2\nexport export=3\nexport=4\n'with space'=5\nodd[%$=6\n"
    )
    assert env_file.read(str(tmp_path / "site.env")) == {
        "a.b-c": "1",
        "[": "2",
        "export": "4",
        "with space": "5",
        "odd[%$": "6",
    }


@pytest.mark.parametrize(
    "line",
    [
        "A",
        "export A",
        "A: b",
        "=b",
        "two words=b",
        "A='b",
        'A="b\nC=d',
        "A='b' c",
        "A='b''c'",
        "A=b\0c",
    ],
)
def test_what_is_refused(tmp_path: Path, line: str) -> None:
    """There it is passed over, some of it with a warning."""
    path = str(tmp_path / "site.env")
    Path(path).write_text(f"FIRST=1\n\n{line}\nLAST='2'\n")
    with pytest.raises(ValueError, match=rf"{path}:3: expected NAME=value"):
        env_file.read(path)
