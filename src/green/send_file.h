// sendfile(2) to a socket that blocks: the kernel cannot be asked not to wait there.
#pragma once

#include <sys/types.h>

#include <optional>

#include "py/ref.h"

namespace celadon::green {

// As os.sendfile; without an offset, from where the file is at. None: nothing that
// could wait here, the call itself does it.
[[nodiscard]] PyObject* send_file(int out, int in, std::optional<off_t> offset,
                                  Py_ssize_t count) noexcept;

}  // namespace celadon::green
