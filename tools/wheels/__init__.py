"""Wheels that serve on every Linux since glibc 2.28 (Debian 10, RHEL 8), with no compiler.

`python -m tools.wheels --out dist`: one for the Python that runs this. Clang as `ziglang` has
it compiles for that glibc, with LLVM's C++ library within the extension, so that the wheel
needs glibc and zlib alone: `auditwheel` names it by PEP 600, nothing is bundled. A bill of
materials lies in it (PEP 770). The same sources give the same bytes: `SOURCE_DATE_EPOCH` is
when they are of, folders are not kept, and every version is pinned.
"""
