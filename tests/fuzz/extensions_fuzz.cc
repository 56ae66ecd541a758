// The extensions that a client offers: what is answered is well-formed, is what that
// very offer would get again, and asks zlib for nothing that it cannot do.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/chars.h"
#include "ws/deflate_terms.h"

using namespace celadon::ws;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const std::vector<Extension>& offers, const DeflateOptions& options) {
  const auto terms = choose_deflate(offers, options);
  if (!terms) return;
  require(terms->sent_window >= 9 && terms->sent_window <= options.sent_window);
  require(terms->got_window >= 8 && terms->got_window <= 15);
  require(options.keeps_sent || !terms->keeps_sent);
  require(options.keeps_got || !terms->keeps_got);
  const std::string text = terms->text();
  std::vector<Extension> answer;
  require(parse_extensions(text, answer) && answer.size() == 1);
  // Who offered what was answered would get it.
  require(choose_deflate(answer, options) == terms);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<Extension> offers;
  if (!parse_extensions(bytes, offers)) return 0;
  for (const Extension& extension : offers) {
    require(celadon::http::is_token(extension.name));
    for (const auto& [name, value] : extension.parameters) {
      require(celadon::http::is_token(name));
      require(!value || celadon::http::is_token(*value));
    }
  }
  check(offers, {.enabled = true});
  check(offers, {.enabled = true, .keeps_sent = true, .keeps_got = true});
  check(offers,
        {.enabled = true, .keeps_got = true, .sent_window = 9, .got_window = 9});
  return 0;
}
