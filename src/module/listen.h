// A listening socket from the text of the `bind` setting.
#pragma once

#include <optional>
#include <string_view>

#include "net/listener.h"

namespace celadon::module {

// Nothing, with an exception that names the address: ValueError where it is no address,
// else OSError.
[[nodiscard]] std::optional<net::ListenSocket> open_listener(
    std::string_view address, const net::ListenOptions& options) noexcept;

}  // namespace celadon::module
