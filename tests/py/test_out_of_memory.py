"""There is no memory for one object that the bridge makes: that request fails, and no other."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support import raw
from tests.support.compiled import library
from tests.support.servers import serving

# fail_once(size): the next object of that size is not to be had. failed(): how many were not.
SOURCE = """
#include <Python.h>
#include <atomic>
static PyMemAllocatorEx before;
static std::atomic<size_t> wanted{0};
static std::atomic<long> count{0};
static void *give(void *, size_t size) {
  size_t expected = size;
  if (size != 0 && wanted.compare_exchange_strong(expected, 0)) { ++count; return nullptr; }
  return before.malloc(before.ctx, size);
}
static void *give_zeros(void *, size_t n, size_t size) { return before.calloc(before.ctx, n, size); }
static void *resize(void *, void *p, size_t size) { return before.realloc(before.ctx, p, size); }
static void take(void *, void *p) { before.free(before.ctx, p); }
static PyObject *fail_once(PyObject *, PyObject *size) {
  wanted = PyLong_AsSize_t(size);
  Py_RETURN_NONE;
}
static PyObject *failed(PyObject *, PyObject *) { return PyLong_FromLong(count); }
static PyObject *stop(PyObject *, PyObject *) {
  PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &before);
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"fail_once", fail_once, METH_O, ""},
                                {"failed", failed, METH_NOARGS, ""},
                                {"stop", stop, METH_NOARGS, ""},
                                {nullptr, nullptr, 0, nullptr}};
static PyModuleDef definition{PyModuleDef_HEAD_INIT, "scarce", nullptr, -1, methods};
PyMODINIT_FUNC PyInit_scarce() {
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &before);
  PyMemAllocatorEx ours{nullptr, give, give_zeros, resize, take};
  PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &ours);
  return PyModule_Create(&definition);
}
"""


@pytest.fixture
def scarce(tmp_path: Path) -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location(
        "scarce", library(tmp_path, "scarce", SOURCE)
    )
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    module.stop()


def test_a_name_of_a_field_is_made_again(scarce: Any) -> None:
    name = "X-" + "n" * 3001  # no other object is as large
    key = "HTTP_" + name.upper().replace("-", "_")

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ[key].encode()]

    request = raw.get("/", f"{name}: its value")
    with serving(app, validate=False) as server:
        scarce.fail_once(sys.getsizeof(key))
        assert server.request(request).status == 500
        assert scarce.failed() == 1
        assert server.request(request).body == b"its value"
