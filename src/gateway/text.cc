#include "gateway/text.h"

#include <cstdint>
#include <cstring>

namespace celadon::gateway {
namespace {

bool is_ascii(std::string_view bytes) noexcept {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  std::uint64_t high = 0;
  for (; end - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    high |= word;
  }
  for (; at < end; ++at) high |= static_cast<std::uint8_t>(*at);
  return (high & 0x8080808080808080ULL) == 0;
}

}  // namespace

py::Object to_str(std::string_view bytes) noexcept {
  const auto size = static_cast<Py_ssize_t>(bytes.size());
  if (!is_ascii(bytes)) {
    return py::Object(PyUnicode_DecodeLatin1(bytes.data(), size, nullptr));
  }
  py::Object text(PyUnicode_New(size, 0x7f));
  if (text && size > 0)
    std::memcpy(PyUnicode_1BYTE_DATA(text.get()), bytes.data(), bytes.size());
  return text;
}

}  // namespace celadon::gateway
