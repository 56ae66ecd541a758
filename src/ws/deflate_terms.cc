#include "ws/deflate_terms.h"

#include <algorithm>

#include "http/chars.h"
#include "ws/deflate.h"

namespace celadon::ws {
namespace {

constexpr std::uint8_t kSmallestWindow = 8;  // which raw zlib cannot deflate with
constexpr std::uint8_t kLargestWindow = 15;

// Reads a list of extensions from the front.
class ExtensionReader {
 public:
  explicit ExtensionReader(std::string_view text) noexcept : rest_(text) {}

  [[nodiscard]] bool read(std::vector<Extension>& out) {
    while (true) {
      skip_space();
      if (rest_.empty()) return true;
      if (take(',')) continue;  // a list may have empty elements (RFC 9110 5.6.1)
      Extension extension;
      extension.name = token();
      if (extension.name.empty() || !read_parameters(extension)) return false;
      out.push_back(std::move(extension));
    }
  }

 private:
  // Up to the comma, which goes with it, or the end.
  bool read_parameters(Extension& extension) {
    while (true) {
      skip_space();
      if (rest_.empty() || take(',')) return true;
      if (!take(';')) return false;
      skip_space();
      const std::string_view name = token();
      if (name.empty()) return false;
      skip_space();
      std::optional<std::string> value;
      if (take('=')) {
        value = read_value();
        if (!http::is_token(*value)) return false;
      }
      extension.parameters.emplace_back(name, std::move(value));
    }
  }
  // Of a parameter; empty where it is malformed. Within quotes is a token as well.
  std::string read_value() {
    skip_space();
    if (!take('"')) return std::string(token());
    std::string value;
    while (!rest_.empty()) {
      if (take('"')) return value;
      take('\\');
      if (rest_.empty()) break;
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    return {};
  }
  std::string_view token() noexcept {
    const auto end = std::ranges::find_if_not(rest_, http::is_token_char);
    const auto size = static_cast<std::size_t>(end - rest_.begin());
    const std::string_view found = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return found;
  }
  bool take(char c) noexcept {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_space() noexcept {
    while (take(' ') || take('\t')) {
    }
  }

  std::string_view rest_;
};

// 8 to 15, without leading zeros.
std::optional<std::uint8_t> parse_window(std::string_view text) noexcept {
  if (text.size() == 1 && (text[0] == '8' || text[0] == '9'))
    return static_cast<std::uint8_t>(text[0] - '0');
  if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5')
    return static_cast<std::uint8_t>(10 + text[1] - '0');
  return std::nullopt;
}

// What one offer says, once nothing of it is amiss.
struct Offer {
  bool forgets_sent = false;                // server_no_context_takeover
  bool forgets_got = false;                 // client_no_context_takeover
  std::optional<std::uint8_t> sent_window;  // server_max_window_bits
  std::optional<std::uint8_t> got_window;   // client_max_window_bits
};

// False: repeated, or with a value.
bool take_flag(bool& flag, const std::optional<std::string>& value) noexcept {
  return !std::exchange(flag, true) && !value;
}

// False: repeated, or no such window. `otherwise` stands for the lack of a value.
bool take_window(std::optional<std::uint8_t>& window,
                 const std::optional<std::string>& value,
                 std::optional<std::uint8_t> otherwise) noexcept {
  if (window) return false;
  window = value ? parse_window(*value) : otherwise;
  return window.has_value();
}

std::optional<Offer> read_offer(const Extension& extension) {
  Offer offer;
  for (const auto& [name, value] : extension.parameters) {
    const bool fine = http::equals_ignoring_case(name, "server_no_context_takeover")
                          ? take_flag(offer.forgets_sent, value)
                      : http::equals_ignoring_case(name, "client_no_context_takeover")
                          ? take_flag(offer.forgets_got, value)
                      : http::equals_ignoring_case(name, "server_max_window_bits")
                          ? take_window(offer.sent_window, value, std::nullopt)
                      : http::equals_ignoring_case(name, "client_max_window_bits")
                          ? take_window(offer.got_window, value, kLargestWindow)
                          : false;
    if (!fine) return std::nullopt;
  }
  return offer;
}

// Nothing: zlib cannot do what the client asks for.
std::optional<DeflateTerms> meet(const Offer& offer, const DeflateOptions& options) {
  if (offer.sent_window == kSmallestWindow) return std::nullopt;
  DeflateTerms terms;
  terms.keeps_sent = options.keeps_sent && !offer.forgets_sent;
  terms.keeps_got = options.keeps_got && !offer.forgets_got;
  terms.sent_window =
      std::min(options.sent_window, offer.sent_window.value_or(kLargestWindow));
  terms.says_sent_window = offer.sent_window || terms.sent_window < kLargestWindow;
  // A client that does not offer it need not understand it.
  terms.got_window = offer.got_window ? std::min(options.got_window, *offer.got_window)
                                      : kLargestWindow;
  return terms;
}

}  // namespace

bool parse_extensions(std::string_view value, std::vector<Extension>& out) {
  return ExtensionReader(value).read(out);
}

std::string DeflateTerms::text() const {
  std::string out = "permessage-deflate";
  if (!keeps_sent) out += "; server_no_context_takeover";
  if (!keeps_got) out += "; client_no_context_takeover";
  if (says_sent_window)
    out += "; server_max_window_bits=" + std::to_string(unsigned{sent_window});
  if (got_window < kLargestWindow)
    out += "; client_max_window_bits=" + std::to_string(unsigned{got_window});
  return out;
}

std::optional<DeflateTerms> choose_deflate(const std::vector<Extension>& offers,
                                           const DeflateOptions& options) {
  if (!options.enabled || !deflate_available()) return std::nullopt;
  for (const Extension& extension : offers) {
    if (!http::equals_ignoring_case(extension.name, "permessage-deflate")) continue;
    const auto offer = read_offer(extension);
    if (!offer) continue;
    if (const auto terms = meet(*offer, options)) return terms;
  }
  return std::nullopt;
}

}  // namespace celadon::ws
