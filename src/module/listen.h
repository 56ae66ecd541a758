// A listening socket from the text of the `bind` setting.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/listener.h"
#include "py/python.h"

namespace celadon::module {

// Nothing, with an exception that names the address: ValueError where it is no address,
// else OSError.
[[nodiscard]] std::optional<net::ListenSocket> open_listener(
    std::string_view address, const net::ListenOptions& options) noexcept;

// (description, number). The path of a socket that was handed over may be any bytes.
[[nodiscard]] PyObject* described(const net::ListenSocket& socket, int number) noexcept;

// Of what it gave. Nothing, with an exception.
[[nodiscard]] std::optional<std::string> description(PyObject* text) noexcept;

}  // namespace celadon::module
