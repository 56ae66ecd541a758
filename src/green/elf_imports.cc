#include "green/elf_imports.h"

namespace celadon::green {
namespace {

// The loader says where things are in numbers.
template <class T>
const T* at_address(std::uintptr_t address) noexcept {
  return reinterpret_cast<const T*>(address);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

ElfImports::ElfImports(const ElfW(Dyn) * entry, std::uintptr_t base) noexcept {
  // Some loaders leave addresses as they are in the file.
  const auto at = [base](std::uintptr_t value) {
    return value < base ? base + value : value;
  };
  for (; entry->d_tag != DT_NULL; ++entry) {
    const std::uintptr_t address = at(entry->d_un.d_ptr);
    switch (entry->d_tag) {
      case DT_SYMTAB: symbols_ = at_address<ElfW(Sym)>(address); break;
      case DT_STRTAB: names_ = at_address<char>(address); break;
      // Symbols that are not hashed, the imported ones among them, come first.
      case DT_GNU_HASH: count_ = at_address<std::uint32_t>(address)[1]; break;
      case DT_HASH:
        if (count_ == 0) count_ = at_address<std::uint32_t>(address)[1];
        break;
      default: break;
    }
  }
}

}  // namespace celadon::green
