"""Extension modules in C++: what belongs to a call of theirs stays with its greenlet."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.support.compiled import library
from tests.support.green import PRELUDE, run_green

# Calls back below a catch block, and from a destructor while an exception is on its way.
CATCHING = r"""
#include <Python.h>
#include <exception>
#include <string>
static PyObject* below_catch(PyObject*, PyObject* args) {
  const char* name; PyObject* call;
  if (!PyArg_ParseTuple(args, "sO", &name, &call)) return nullptr;
  std::string told;
  try {
    try { throw std::string(name); }
    catch (...) {
      Py_XDECREF(PyObject_CallNoArgs(call));
      throw;  // the exception of this call
    }
  } catch (const std::string& mine) { told = mine; }
  return PyUnicode_FromString(told.c_str());
}
struct Calls {
  PyObject* call; int* seen;
  ~Calls() {
    Py_XDECREF(PyObject_CallNoArgs(call));
    *seen = std::uncaught_exceptions();
  }
};
static PyObject* on_the_way(PyObject*, PyObject* call) {
  int seen = -1;
  try { Calls calls{call, &seen}; throw 1; } catch (int) {}
  return PyLong_FromLong(seen);
}
static PyObject* on_their_way(PyObject*, PyObject*) {
  return PyLong_FromLong(std::uncaught_exceptions());
}
static PyMethodDef methods[] = {
  {"below_catch", below_catch, METH_VARARGS, nullptr},
  {"on_the_way", on_the_way, METH_O, nullptr},
  {"on_their_way", on_their_way, METH_NOARGS, nullptr}, {}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "catching", nullptr, -1, methods};
PyMODINIT_FUNC PyInit_catching() { return PyModule_Create(&module); }
"""

BOUND = r"""
#include <pybind11/pybind11.h>
#include <string>
PYBIND11_MODULE(bound, m) {
  // The conversion of the argument keeps something alive for as long as the call lasts.
  m.def("call", [](const std::string& name, pybind11::function f) {
    f();
    return name;
  });
}
"""


def run(folder: Path, source: str) -> str:
    return run_green(f"sys.path.insert(0, {str(folder)!r})\n" + source, prelude=PRELUDE)


@pytest.fixture(scope="module")
def catching(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catching")
    library(folder, "catching", CATCHING)
    return folder


def test_g27_each_call_throws_on_its_own_exception(catching: Path) -> None:
    run(
        catching,
        """
import catching
gates = {name: green.Event() for name in "abc"}
entered = []
def work(name):
    def wait():
        entered.append(name)
        gates[name].wait()
    return catching.below_catch(name, wait)
tasks = {name: green.spawn(work, name) for name in "abc"}
while len(entered) < 3: green.sleep(0)
for name in "bac":  # in another order than they came
    gates[name].set()
    assert tasks[name].get() == name
""",
    )


def test_g27_what_is_on_its_way_is_on_its_own_greenlets(catching: Path) -> None:
    run(
        catching,
        """
import catching
gate, entered = green.Event(), green.Event()
def wait(): entered.set(); gate.wait()
task = green.spawn(catching.on_the_way, wait)
entered.wait()
assert catching.on_their_way() == 0
gate.set()
assert task.get() == 1
""",
    )


def test_g27_also_where_a_greenlet_is_preempted(catching: Path) -> None:
    run(
        catching,
        """
import catching
green.preempt(0.002)
running, ended = set(), set()
def work(name):
    def compute():
        running.add(name)
        while len(running) < 2: pass  # until the other was let in between
        while name == "b" and "a" not in ended: pass  # in another order than they came
    told = catching.below_catch(name, compute)
    ended.add(name)
    return told
tasks = [green.spawn(work, name) for name in "ab"]
assert [task.get() for task in tasks] == ["a", "b"]
""",
    )


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = importlib.util.find_spec("pybind11")
    assert spec
    assert spec.origin
    include = Path(spec.origin).parent / "include"
    folder = tmp_path_factory.mktemp("bound")
    library(folder, "bound", BOUND, f"-I{include}", "-std=c++17", "-fvisibility=hidden")
    return folder


@pytest.mark.slow("headers of pybind11 are compiled")
def test_g27_a_wait_below_pybind11_is_the_threads(bound: Path) -> None:
    """It would end the process: each call pops what it pushed on a stack of the thread."""
    said = run(
        bound,
        """
import bound, io
sys.stderr = io.StringIO()
order = []
def work(name, pause):
    def wait():
        assert not celadon._core.green.can_park()
        order.append(name); time.sleep(pause); order.append(name)
    assert bound.call(name, wait) == name
    assert celadon._core.green.can_park()
tasks = [green.spawn(work, "a", 0.02), green.spawn(work, "b", 0.001)]
for task in tasks: task.get()
assert order == ["a", "a", "b", "b"], order
lines = sys.stderr.getvalue().splitlines()
assert len(lines) == 1, lines
assert "in wait holds the loop: it is called by bound." in lines[0], lines
assert "pybind11" in lines[0], lines
""",
    )
    assert said == ""
