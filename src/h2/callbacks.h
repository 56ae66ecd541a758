// What nghttp2 calls. Each function finds the session and the stream, and says what it
// is; none of them decides anything, and none of them throws.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

#include "h2/session.h"

namespace celadon::h2 {

struct Session::Callbacks {
  static int on_begin_headers(nghttp2_session* library, const nghttp2_frame* frame,
                              void* user) noexcept;
  static int on_header(nghttp2_session* library, const nghttp2_frame* frame,
                       const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t flags, void* user) noexcept;
  static int on_frame(nghttp2_session* library, const nghttp2_frame* frame,
                      void* user) noexcept;
  static int on_data_chunk(nghttp2_session* library, std::uint8_t flags,
                           std::int32_t id, const std::uint8_t* data, std::size_t size,
                           void* user) noexcept;
  static int on_stream_close(nghttp2_session* library, std::int32_t id,
                             std::uint32_t code, void* user) noexcept;
  static int on_invalid_frame(nghttp2_session* library, const nghttp2_frame* frame,
                              int error, void* user) noexcept;
  static int on_frame_sent(nghttp2_session* library, const nghttp2_frame* frame,
                           void* user) noexcept;
  static int on_frame_not_sent(nghttp2_session* library, const nghttp2_frame* frame,
                               int error, void* user) noexcept;
  static ssize_t read_data(nghttp2_session* library, std::int32_t id,
                           std::uint8_t* buffer, std::size_t most, std::uint32_t* flags,
                           nghttp2_data_source* source, void* user) noexcept;
  static int send_data(nghttp2_session* library, nghttp2_frame* frame,
                       const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source* source, void* user) noexcept;
};

}  // namespace celadon::h2
