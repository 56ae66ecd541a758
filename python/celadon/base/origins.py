"""Whose a file of code is: told by where it lies, never by words in its path.

A checkout, an application or a user may be called celadon, importlib or site-packages.
"""

from __future__ import annotations

import os
import site
import sys

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
# Below the standard library's folder in a Python that is not a distribution's.
_INSTALLED = tuple(
    os.path.join(folder, "")
    for folder in site.getsitepackages([sys.base_prefix, sys.base_exec_prefix])
)


def is_ours(file: str) -> bool:
    """Whether it is a file of this package."""
    return file.startswith(_OURS)


def is_standard(file: str) -> bool:
    """Whether it is the standard library's, also one that is frozen into Python."""
    if file.startswith(_STANDARD):
        return not file.startswith(_INSTALLED)
    return file.startswith("<frozen ")
