"""What a wheel may need of the machine that it is installed on."""

from __future__ import annotations

import io
import re
import sysconfig
import zipfile
from pathlib import Path

from elftools.elf.elffile import ELFFile

LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"}
LIBRARIES |= {"libz.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
LARGEST = 6 << 20  # bytes of the whole wheel
# The interpreter's, zlib's, and what the linker defines itself.
_UNVERSIONED = re.compile(
    r"_?Py|(de|in)flate|adler32|crc32|zlib|_ITM_|__gmon_start__|__cxa_finalize|__tls_get_addr"
)


def faults(wheel: Path) -> list[str]:
    """What is wrong with it; `auditwheel` says what is not in the policy of its name."""
    found = []
    size = wheel.stat().st_size
    if size > LARGEST:
        found.append(f"{size} bytes are more than {LARGEST}")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        extension = f"celadon/_core{suffix}"
        if extension not in names:
            return [*found, f"there is no {extension}"]
        found += _faults_of(file.read(extension))
        if not any(".dist-info/sboms/" in name for name in names):
            found.append("there is no bill of materials")
    return found


def _faults_of(extension: bytes) -> list[str]:
    elf = ELFFile(io.BytesIO(extension))
    tags = list(elf.get_section_by_name(".dynamic").iter_tags())
    needed = {tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"}
    found = [f"{name} is needed" for name in sorted(needed - LIBRARIES)]
    for tag in tags:
        if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
            path = getattr(tag, tag.entry.d_tag.removeprefix("DT_").lower())
            found.append(f"libraries are looked for in {path}")
    versions = elf.get_section_by_name(".gnu.version")
    symbols = elf.get_section_by_name(".dynsym")
    for at, symbol in enumerate(symbols.iter_symbols()):
        if symbol["st_shndx"] != "SHN_UNDEF" or not symbol.name:
            continue
        # One of a glibc that is newer than the target's is linked without a version, which
        # auditwheel passes over.
        versioned = isinstance(versions.get_symbol(at)["ndx"], int)
        if not versioned and not _UNVERSIONED.match(symbol.name):
            found.append(f"{symbol.name} is nobody's")
    return found
