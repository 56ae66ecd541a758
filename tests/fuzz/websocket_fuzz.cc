// What a client of a WebSocket sends: however it is cut, the application hears the
// same, the same is answered, and it ends alike. No message is larger than it may be,
// and all text is UTF-8. The first byte says what was agreed on.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "../cc/ws/drain.h"
#include "ws/conversation.h"

using namespace celadon;
using namespace celadon::ws;

namespace {

constexpr std::uint8_t kMostWindow = 15;  // bits, of zlib

void require(bool condition) {
  if (!condition) std::abort();
}

// Everything that can be seen of a conversation.
struct Seen {
  std::string events;  // kind, size, data
  std::string answers;
  State state = State::Open;
  std::uint16_t code = 0;
  std::string reason;
  Fault fault = Fault::None;
  bool operator==(const Seen&) const = default;
};

void note(Seen& seen, const Event& event, const Options& options) {
  require(event.data.size() <= options.message || event.kind >= Event::Kind::Ping);
  if (event.kind == Event::Kind::Text) {
    Utf8 text;
    require(text.take(event.data) && text.is_whole());
  }
  seen.events += static_cast<char>('a' + static_cast<int>(event.kind));
  seen.events += std::to_string(event.data.size());
  seen.events += ':';
  seen.events += event.data;
}

Seen hear(std::string_view bytes, std::size_t stride, const Options& options,
          const std::optional<DeflateTerms>& terms) {
  static DeflatePool pool(1);
  Conversation talk(options, 0, terms, pool);
  OutQueue out;
  Seen seen;
  for (std::size_t at = 0; at < bytes.size(); at += stride) {
    std::string_view in = bytes.substr(at, stride);
    while (const auto event = talk.receive(in, 0, out)) note(seen, *event, options);
    require(in.empty());
  }
  seen.answers = model::drain(out);
  seen.state = talk.state();
  seen.code = talk.ending().code;
  seen.reason = talk.ending().reason;
  seen.fault = talk.ending().fault;
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned chosen = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Options options;
  options.message = (chosen & 1) != 0 ? 1000 : 70'000;
  std::optional<DeflateTerms> terms;
  if ((chosen & 2) != 0 && deflate_available()) {
    terms = DeflateTerms{.got_window = static_cast<std::uint8_t>(8 + (chosen >> 4) % 8),
                         .keeps_got = (chosen & 4) != 0};
  }
  const Seen whole = hear(bytes, size, options, terms);
  // A pong is shorter than its ping, and one close frame ends it.
  require(whole.answers.size() <= size + kMostControl + 2);
  const std::size_t least = size > 2000 ? 7 : 1;
  // A peer that goes back behind the window it has agreed on is found out by zlib only
  // where what it goes back to was not made by the same call.
  const bool is_alike = !terms || terms->got_window == kMostWindow;
  for (const std::size_t stride : {least, 3 * least, size / 2 + 1}) {
    const Seen cut = hear(bytes, stride, options, terms);
    require(!is_alike || cut == whole);
  }
  return 0;
}
