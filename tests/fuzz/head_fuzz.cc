// A request head: the result does not depend on how the bytes are cut, and what is
// accepted has a method, a target, clean fields and bounded sizes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/chars.h"
#include "http/h1/parser.h"

using celadon::http::Limits;
using celadon::http::h1::HeadParser;

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Limits limits;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HeadParser whole(limits);
  const auto result = whole.feed(bytes);
  if (result == HeadParser::Step::Done) check_accepted(whole, bytes, limits);

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
