"""What a wheel is made of, by CycloneDX: for `.dist-info/sboms` (PEP 770)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

_GREENLET_LICENSE = "MIT AND PSF-2.0"
_LLVM_LICENSE = "Apache-2.0 WITH LLVM-exception"


def make(project: dict[str, Any], llvm: str, epoch: int) -> str:
    """Of `project`, a table of pyproject.toml, linked with LLVM's libraries of the version
    `llvm`, by sources of `epoch`, seconds since 1970. ValueError if it is not valid."""
    celadon = _component(
        ComponentType.APPLICATION, "pypi", project["name"], project["version"], "MIT"
    )
    linked = [
        _component(ComponentType.LIBRARY, "generic", name, llvm, _LLVM_LICENSE)
        for name in ("libc++", "libc++abi", "libunwind", "compiler-rt")
    ]
    compiler = _component(
        ComponentType.APPLICATION, "pypi", "ziglang", version("ziglang"), "MIT"
    )
    headers = _component(
        ComponentType.LIBRARY,
        "pypi",
        "greenlet",
        version("greenlet"),
        _GREENLET_LICENSE,
    )
    bom = Bom(components=[*linked, headers])
    bom.metadata.component = celadon
    bom.metadata.tools.components.add(compiler)
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    # Of what it says, so that the same sources give the same bytes.
    words = "\n".join(str(each.purl) for each in (celadon, compiler, headers, *linked))
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{words}\n{epoch}")
    bom.register_dependency(celadon, [*linked, headers])
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"not valid by CycloneDX: {wrong}")
    return f"{text}\n"


def _component(
    kind: ComponentType, registry: str, name: str, its_version: str, license_: str
) -> Component:
    purl = PackageURL(registry, name=name, version=its_version)
    return Component(
        type=kind,
        name=name,
        version=its_version,
        purl=purl,
        bom_ref=str(purl),
        licenses=[LicenseExpression(license_)],
    )


def write(folder: Path, project: dict[str, Any], llvm: str, epoch: int) -> Path:
    """The same as a file in `folder`."""
    file = folder / f"{project['name']}.cdx.json"
    file.write_text(make(project, llvm, epoch))
    return file
