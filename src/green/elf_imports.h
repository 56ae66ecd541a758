// The names that a loaded library imports, read where the loader left them.
#pragma once

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace celadon::green {

class ElfImports {
 public:
  ElfImports(const ElfW(Dyn) * dynamic, std::uintptr_t base) noexcept;

  // False: this library does not say.
  [[nodiscard]] bool known() const noexcept { return symbols_ && names_ && count_ > 0; }
  template <class Matches>
  [[nodiscard]] bool any(Matches matches) const noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      const ElfW(Sym)& symbol = symbols_[i];
      if (symbol.st_shndx == SHN_UNDEF &&
          matches(std::string_view(names_ + symbol.st_name)))
        return true;
    }
    return false;
  }

 private:
  const ElfW(Sym) * symbols_ = nullptr;
  const char* names_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace celadon::green
