// wsgi.file_wrapper: blocks of a file for whoever iterates, sendfile(2) for the server.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "py/ref.h"

namespace celadon::wsgi {

// What sendfile(2) needs. Only for real files read through plain io objects: others may
// have a descriptor whose bytes are not what read() gives (a gzip member, for one).
struct FileRange {
  int fd = -1;  // -1: read it in blocks
  off_t offset = 0;
  std::uint64_t size = 0;  // from offset to the end
};

[[nodiscard]] bool is_file_wrapper(PyObject* object) noexcept;
// Never leaves an exception set.
[[nodiscard]] FileRange file_range(PyObject* wrapper) noexcept;
// The type, which is the value of environ["wsgi.file_wrapper"]. Borrowed.
[[nodiscard]] PyObject* file_wrapper_type() noexcept;
[[nodiscard]] int add_file_wrapper_type(PyObject* module) noexcept;

}  // namespace celadon::wsgi
