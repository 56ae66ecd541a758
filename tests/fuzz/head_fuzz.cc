// A request head: the result does not depend on how the bytes are cut, nor on what is
// known again, and what is accepted has a method, a target, clean fields and bounded
// sizes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/chars.h"
#include "http/h1/parser.h"

using celadon::http::Limits;
using celadon::http::h1::HeadParser;
using celadon::http::h1::KnownBlocks;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_accepted(HeadParser& parser, std::string_view bytes, const Limits& limits) {
  const auto& r = parser.request();
  require(parser.consumed() <= bytes.size());
  require(celadon::http::is_token(r.text(r.method)));
  require(celadon::http::is_target_text(r.text(r.target)));
  require(!r.path_text().empty());
  require(r.fields.size() <= limits.fields);
  for (const auto& field : r.fields) {
    require(celadon::http::is_token(r.name(field)));
    require(celadon::http::is_field_value(r.value(field)));
  }
}

// With what earlier inputs have left there, and with this very one.
void check_known(HeadParser& whole, HeadParser::Step result, std::string_view bytes,
                 const Limits& limits) {
  static KnownBlocks known;
  KnownBlocks::Hint hint;
  for (int i = 0; i < 2; ++i) {
    HeadParser again(limits, known);
    again.reset(hint);
    require(again.feed(bytes) == result);
    if (result != HeadParser::Step::Done) return;
    check_accepted(again, bytes, limits);
    const auto& a = again.request();
    const auto& b = whole.request();
    require(again.consumed() == whole.consumed());
    require(a.fields.size() == b.fields.size() && a.body == b.body);
    require(a.content_length == b.content_length && a.close == b.close);
    for (std::size_t at = 0; at < a.fields.size(); ++at) {
      require(a.name(a.fields[at]) == b.name(b.fields[at]));
      require(a.value(a.fields[at]) == b.value(b.fields[at]));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Limits limits;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HeadParser whole(limits);
  const auto result = whole.feed(bytes);
  if (result == HeadParser::Step::Done) check_accepted(whole, bytes, limits);
  check_known(whole, result, bytes, limits);

  HeadParser pieces(limits);
  auto step = HeadParser::Step::NeedMore;
  const std::size_t stride = size > 256 ? 7 : 1;
  for (std::size_t at = 0; at < size && step == HeadParser::Step::NeedMore;) {
    at = at + stride < size ? at + stride : size;
    step = pieces.feed(bytes.substr(0, at));
  }
  require(step == result || size == 0);
  if (result == HeadParser::Step::Done) require(pieces.consumed() == whole.consumed());
  if (result == HeadParser::Step::Rejected) {
    require(pieces.rejection() == whole.rejection());
  }
  return 0;
}
