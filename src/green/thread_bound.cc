#include "green/thread_bound.h"

#include <link.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "green/elf_imports.h"
#include "green/hub.h"
#include "py/error.h"

namespace celadon::green {
namespace {

using Address = std::uintptr_t;

// Who is known to keep one: each library built with it imports this, as few others do,
// and has this text somewhere.
struct Kind {
  std::string_view name;
  std::string_view import;
  std::string_view text;
};
constexpr std::array kKinds{
    Kind{"pybind11", "PyInstanceMethod_New", "__pybind11_internals_v"}};

struct Library {
  Address begin;
  Address end;
  const Kind* kind;
  std::string path;
  bool told = false;
};

// Guarded by the GIL.
std::vector<Library>& libraries() noexcept {
  static std::vector<Library> all;
  return all;
}
std::vector<Address>& seen() noexcept {
  static std::vector<Address> all;
  return all;
}

bool has_text(const dl_phdr_info& info, std::string_view text) noexcept {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info.dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & (PF_R | PF_W)) != PF_R)
      continue;
    const Address begin = info.dlpi_addr + segment.p_vaddr;
    const auto* bytes =
        reinterpret_cast<const char*>(begin);  // NOLINT(performance-no-int-to-ptr)
    if (::memmem(bytes, segment.p_filesz, text.data(), text.size())) return true;
  }
  return false;
}

const Kind* kind_of(const dl_phdr_info& info) noexcept {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info.dlpi_phdr[i];
    if (segment.p_type != PT_DYNAMIC) continue;
    const Address at = info.dlpi_addr + segment.p_vaddr;
    const ElfImports imports(
        reinterpret_cast<const ElfW(Dyn)*>(at),  // NOLINT(performance-no-int-to-ptr)
        info.dlpi_addr);
    if (!imports.known()) continue;
    for (const Kind& kind : kKinds) {
      const auto is_its = [&](std::string_view name) { return name == kind.import; };
      if (imports.any(is_its) && has_text(info, kind.text)) return &kind;
    }
  }
  return nullptr;
}

int add_library(dl_phdr_info* info, std::size_t, void*) noexcept {
  if (std::ranges::binary_search(seen(), info->dlpi_addr)) return 0;
  seen().insert(std::ranges::upper_bound(seen(), info->dlpi_addr), info->dlpi_addr);
  Library library{UINTPTR_MAX, 0, nullptr, info->dlpi_name ? info->dlpi_name : ""};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    const Address begin = info->dlpi_addr + segment.p_vaddr;
    library.begin = std::min(library.begin, begin);
    library.end = std::max(library.end, begin + segment.p_memsz);
  }
  library.kind = kind_of(*info);
  if (library.kind) libraries().push_back(std::move(library));
  return 0;
}

Library* library_at(Address address) noexcept {
  const auto found = std::ranges::find_if(libraries(), [address](const Library& each) {
    return address >= each.begin && address < each.end;
  });
  return found == libraries().end() ? nullptr : &*found;
}

// Each word may be an address to return to, or was one: cheap, and no word there means
// no call.
bool may_hold_call(const void* base) noexcept {
  const auto* word = static_cast<const Address*>(__builtin_frame_address(0));
  for (; word < base; ++word) {
    if (library_at(*word)) return true;
  }
  return false;
}

struct Walk {
  Address base;
  Library* found = nullptr;
};

_Unwind_Reason_Code on_frame(_Unwind_Context* context, void* argument) noexcept {
  Walk& walk = *static_cast<Walk*>(argument);
  if (_Unwind_GetCFA(context) >= walk.base) return _URC_END_OF_STACK;
  walk.found = library_at(_Unwind_GetIP(context));
  return walk.found ? _URC_END_OF_STACK : _URC_NO_REASON;
}

std::string place() {
  PyFrameObject* frame = PyEval_GetFrame();
  if (!frame) return "a place that is not known";
  const py::Object owned(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
  const auto* code = reinterpret_cast<PyCodeObject*>(owned.get());
  const char* file = PyUnicode_AsUTF8(code->co_filename);
  const char* name = PyUnicode_AsUTF8(code->co_name);
  PyErr_Clear();
  return std::string(file ? file : "?") + ":" +
         std::to_string(PyFrame_GetLineNumber(frame)) + " in " + (name ? name : "?");
}

void tell(Library& library) noexcept {
  if (std::exchange(library.told, true)) return;
  const std::string_view path = library.path;
  const std::string line =
      "a wait at " + place() + " holds the loop: it is called by " +
      std::string(path.substr(path.rfind('/') + 1)) + ", and " +
      std::string(library.kind->name) + " keeps a stack of its calls with the thread";
  const Hub* hub = Hub::here();
  if (hub && hub->log()) {
    hub->log()->log(Level::Warning, line);
  } else {
    PySys_FormatStderr("celadon: %s\n", line.c_str());
  }
}

}  // namespace

std::atomic<bool> any_thread_bound{false};

void look_at_loaded() noexcept {
  ::dl_iterate_phdr(add_library, nullptr);
  any_thread_bound.store(!libraries().empty(), std::memory_order_relaxed);
}

bool find_thread_bound(const void* base) noexcept {
  if (!may_hold_call(base)) return false;
  Walk walk{reinterpret_cast<Address>(base)};
  _Unwind_Backtrace(on_frame, &walk);
  if (!walk.found) return false;
  py::Object error = py::take_error();  // whoever asks may have one set
  tell(*walk.found);
  py::restore_error(std::move(error));
  return true;
}

}  // namespace celadon::green
