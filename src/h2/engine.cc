#include "h2/engine.h"

#include <nghttp2/nghttp2.h>

#include "base/assert.h"
#include "h2/session.h"

namespace celadon::h2 {
namespace {

constexpr std::size_t kEncoderTable = 4096;  // bytes, whatever the peer allows (H214)
constexpr std::size_t kLargestAnswer = 1 << 20;  // of fields; HTTP/1 has no such limit

// Of a call that fails for want of memory alone.
void must(int result) noexcept {
  CHECK(result == 0, "nghttp2 has no memory");
}

}  // namespace

void Engine::Delete::operator()(nghttp2_session_callbacks* callbacks) const noexcept {
  nghttp2_session_callbacks_del(callbacks);
}
void Engine::Delete::operator()(nghttp2_option* option) const noexcept {
  nghttp2_option_del(option);
}

Engine::Engine(const Options& options, const http::Limits& limits)
    : options_(options), limits_(&limits), heads_(options.bounds.worker_heads) {
  nghttp2_session_callbacks* callbacks = nullptr;
  must(nghttp2_session_callbacks_new(&callbacks));
  callbacks_.reset(callbacks);
  Session::install(*callbacks);

  nghttp2_option* option = nullptr;
  must(nghttp2_option_new(&option));
  library_options_.reset(option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  // What requests may be is judged here, by the rules that HTTP/1 has too.
  nghttp2_option_set_no_http_messaging(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, options.bounds.control_queue);
  nghttp2_option_set_max_settings(option, options.bounds.settings_entries);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, kEncoderTable);
  nghttp2_option_set_max_send_header_block_length(option, kLargestAnswer);
  nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
}

}  // namespace celadon::h2
