// What is raised at applications on behalf of their client.
#pragma once

#include "http/rejection.h"
#include "py/ref.h"

namespace celadon::gateway {

struct Exceptions {
  PyObject* body_error = nullptr;           // OSError: malformed, slow or too large
  PyObject* client_disconnected = nullptr;  // ConnectionResetError
};
[[nodiscard]] Exceptions& exceptions() noexcept;
// Makes them, in that module. -1 with an exception.
[[nodiscard]] int add_exceptions(PyObject* module) noexcept;

// Whether the current exception is one of these, or an OSError that was raised from one
// (Django's UnreadablePostError). Where the client `has_left`, also one by which a
// framework says that, as Starlette's ClientDisconnect. What an application raises
// while it handles one is its own.
[[nodiscard]] bool is_of_client(bool has_left = false) noexcept;
// Both return false.
bool raise_gone() noexcept;
bool raise_body_error(http::Rejection why) noexcept;

}  // namespace celadon::gateway
