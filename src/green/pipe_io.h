// os.read and os.write of what may block: pipes, sockets and terminals. The descriptor
// stays blocking, for those who share it.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// read_pipe(fd, length) -> bytes; None: a file of another kind, or one that does not
// block, or no place to park: the caller's own call is right.
PyObject* py_read_pipe(PyObject*, PyObject* args) noexcept;
// write_pipe(fd, data) -> length, once all is out; None as above.
PyObject* py_write_pipe(PyObject*, PyObject* args) noexcept;

}  // namespace celadon::green
