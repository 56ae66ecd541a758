// os.read and os.write of what may block: pipes, sockets and terminals. The descriptor
// stays blocking, for those who share it.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// The bytes; None: a file of another kind, or one that does not block, or no place to
// park: the caller's own call is right. Null with an exception.
[[nodiscard]] PyObject* read_pipe(int fd, Py_ssize_t size) noexcept;
// The length, once all is out; None as above.
[[nodiscard]] PyObject* write_pipe(int fd, const Py_buffer& data) noexcept;

// read_pipe(fd, length) and write_pipe(fd, data)
PyObject* py_read_pipe(PyObject*, PyObject* args) noexcept;
PyObject* py_write_pipe(PyObject*, PyObject* args) noexcept;

}  // namespace celadon::green
