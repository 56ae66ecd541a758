#include "gateway/spooled_body.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gateway/cold_file.h"
#include "py/ref.h"

namespace celadon::gateway {

std::optional<off_t> SpooledBody::cold_block(int file) const noexcept {
  const auto offset = static_cast<off_t>(offset_);
  if (at_ < block_.size() || bytes_in_memory(file, offset, kBlock) == kBlock) return {};
  return offset;
}

bool SpooledBody::fill(int file, bool may_park) noexcept {
  if (at_ < block_.size()) return true;
  auto offset = static_cast<off_t>(offset_);
  std::size_t size = may_park ? bytes_in_memory(file, offset, kBlock) : kBlock;
  if (size == 0) {
    size = kBlock;
    if (!warm_up(file, offset, size)) return false;
    // Another greenlet may have read meanwhile.
    if (at_ < block_.size()) return true;
    offset = static_cast<off_t>(offset_);
  }
  block_.resize(size);
  ssize_t n = 0;
  do {
    n = ::pread(file, block_.data(), block_.size(), offset);
  } while (n < 0 && errno == EINTR);
  const auto got = static_cast<std::size_t>(std::max<ssize_t>(n, 0));
  block_.resize(got);
  at_ = 0;
  offset_ += got;
  if (n < 0) PyErr_SetFromErrno(PyExc_OSError);
  return n >= 0;
}

}  // namespace celadon::gateway
