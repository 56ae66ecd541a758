// Bytes of a request body that wait for their reader: in memory, or, where the whole
// body is collected first and grows too large for that, in an unnamed file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace celadon::server {

// Where bodies above a size go.
struct Spooling {
  std::size_t above = 0;
  const std::string* folder = nullptr;
};

class BodyStore {
 public:
  BodyStore() noexcept = default;
  BodyStore(const BodyStore&) = delete;
  BodyStore& operator=(const BodyStore&) = delete;
  ~BodyStore();

  // As new. Memory that a large body needed is given back.
  void clear() noexcept;
  void append(std::string_view data);
  // Likewise, to disk above `rule.above`. False: the disk did not take it.
  // Small pieces are gathered before they are written.
  [[nodiscard]] bool append(std::string_view data, const Spooling& rule) noexcept;
  // The body is whole: what was gathered goes to the file, if there is one. False: it
  // did not.
  [[nodiscard]] bool finish() noexcept;

  // What is in memory and was not taken yet.
  [[nodiscard]] std::string_view unread() const noexcept {
    return std::string_view(bytes_).substr(at_);
  }
  void consume(std::size_t n) noexcept;
  // The file with the whole body; -1: it is in memory.
  [[nodiscard]] int file() const noexcept { return file_; }

 private:
  [[nodiscard]] bool write_gathered() noexcept;

  std::string bytes_;
  std::size_t at_ = 0;
  int file_ = -1;
};

}  // namespace celadon::server
