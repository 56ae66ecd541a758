// celadon._core.Tls: certificates and what goes with them, read and checked. The master
// makes it, before it forks and as whoever may read keys; its workers use it.
#pragma once

#include <memory>

#include "base/shared_memory.h"
#include "py/ref.h"
#include "tls/context.h"
#include "tls/ticket_keys.h"

namespace celadon::module {

// In memory that processes share which are forked later.
class SharedKeys {
 public:
  // Null where the kernel gives no memory.
  [[nodiscard]] static std::shared_ptr<SharedKeys> make() noexcept;
  explicit SharedKeys(SharedMemory memory) noexcept;
  [[nodiscard]] tls::TicketKeys& get() const noexcept { return *keys_; }

 private:
  SharedMemory memory_;
  tls::TicketKeys* keys_;
};

struct TlsMaterial {
  std::shared_ptr<SharedKeys> keys;
  std::shared_ptr<const tls::Context> context;
};

// None: nothing of it. False with an exception where it is neither.
[[nodiscard]] bool get_tls(PyObject* object, TlsMaterial& out) noexcept;

[[nodiscard]] int add_tls(PyObject* module) noexcept;

}  // namespace celadon::module
