#include "green/c_stack.h"

#include <link.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "green/elf_imports.h"

namespace celadon::green {
namespace {

using Address = std::uintptr_t;

// The loader says where things are in numbers.
template <class T>
const T* at_address(Address address) noexcept {
  return reinterpret_cast<const T*>(address);  // NOLINT(performance-no-int-to-ptr)
}

// One loaded program or library.
struct Module {
  Address begin;
  Address end;
  bool takes_locks;
};

// Who imports one of these may call back into Python with a native lock held. What
// takes locks through a library has that library on the stack, too. Rust takes its own
// by system call.
bool is_lock_function(std::string_view name) noexcept {
  static constexpr std::array kParts{
      std::string_view("mutex"),     std::string_view("rwlock"),
      std::string_view("spin_lock"), std::string_view("sem_wait"),
      std::string_view("cond_wait"), std::string_view("mtx_"),
      std::string_view("syscall"),   std::string_view("PyThread_acquire_lock"),
      std::string_view("semaphore"), std::string_view("CRYPTO_THREAD_"),
  };
  return std::ranges::any_of(kParts, [name](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  });
}

bool imports_locks(const ElfW(Dyn) * dynamic, Address base) noexcept {
  const ElfImports imports(dynamic, base);
  return !imports.known() || imports.any(is_lock_function);
}

// It has its locks from nobody, and calls back with some of them held.
bool is_libc(const dl_phdr_info& info) noexcept {
  const std::string_view path = info.dlpi_name ? info.dlpi_name : "";
  const std::string_view file = path.substr(path.rfind('/') + 1);
  return file.starts_with("libc.") || file.starts_with("ld-");
}

// The interpreter knows its greenlets, and so do we.
bool is_trusted(const dl_phdr_info& info, const Module& module) noexcept {
  const std::string_view path = info.dlpi_name ? info.dlpi_name : "";
  const std::string_view file = path.substr(path.rfind('/') + 1);
  const auto self = reinterpret_cast<Address>(&is_trusted);
  return path.empty() || file.starts_with("libpython") ||
         file.starts_with("linux-vdso") || (self >= module.begin && self < module.end);
}

int add_module(dl_phdr_info* info, std::size_t, void* out) noexcept {
  Module module{UINTPTR_MAX, 0, true};
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    const Address begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_DYNAMIC) dynamic = at_address<ElfW(Dyn)>(begin);
    if (segment.p_type != PT_LOAD) continue;
    module.begin = std::min(module.begin, begin);
    module.end = std::max(module.end, begin + segment.p_memsz);
  }
  module.takes_locks =
      is_libc(*info) || (!is_trusted(*info, module) &&
                         (!dynamic || imports_locks(dynamic, info->dlpi_addr)));
  static_cast<std::vector<Module>*>(out)->push_back(module);
  return 0;
}

// All that is loaded; read again when an address is in none of them. CPython never
// unloads an extension module. Guarded by the GIL.
class Modules {
 public:
  [[nodiscard]] bool takes_locks(Address address) noexcept {
    if (const Module* module = find(address)) return module->takes_locks;
    loaded_.clear();
    ::dl_iterate_phdr(add_module, &loaded_);
    const Module* module = find(address);
    return !module || module->takes_locks;
  }

 private:
  [[nodiscard]] const Module* find(Address address) const noexcept {
    const auto found = std::ranges::find_if(loaded_, [address](const Module& module) {
      return address >= module.begin && address < module.end;
    });
    return found == loaded_.end() ? nullptr : &*found;
  }

  std::vector<Module> loaded_;
};

struct Walk {
  Modules& modules;
  Address base;
  bool reached = false;
};

_Unwind_Reason_Code on_frame(_Unwind_Context* context, void* argument) noexcept {
  Walk& walk = *static_cast<Walk*>(argument);
  if (_Unwind_GetCFA(context) >= walk.base) {
    walk.reached = true;
    return _URC_END_OF_STACK;
  }
  return walk.modules.takes_locks(_Unwind_GetIP(context)) ? _URC_END_OF_STACK
                                                          : _URC_NO_REASON;
}

}  // namespace

bool c_stack_holds_no_lock(const void* base) noexcept {
  static Modules modules;
  Walk walk{modules, reinterpret_cast<Address>(base)};
  _Unwind_Backtrace(on_frame, &walk);
  return walk.reached;
}

}  // namespace celadon::green
