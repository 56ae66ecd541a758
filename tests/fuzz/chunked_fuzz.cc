// A chunked body: the same bytes come out however they are cut, never more than went
// in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/h1/chunked.h"

using celadon::http::Limits;
using celadon::http::h1::ChunkedDecoder;
using Step = ChunkedDecoder::Step;

namespace {

struct Outcome {
  Step step = Step::NeedMore;
  std::string body;
  std::size_t consumed = 0;
};

Outcome decode(std::string_view bytes, std::size_t stride) {
  const Limits limits;
  ChunkedDecoder decoder(limits);
  Outcome out;
  for (std::size_t at = 0; at < bytes.size();) {
    std::string_view in = bytes.substr(at, stride);
    const std::size_t before = in.size();
    std::string_view data;
    do {
      out.step = decoder.next(in, data);
      if (out.step == Step::Data) out.body.append(data);
    } while (out.step == Step::Data);
    at += before - in.size();
    out.consumed = at;
    if (out.step != Step::NeedMore) break;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = decode(bytes, size + 1);
  if (whole.body.size() > size || whole.consumed > size) std::abort();
  for (const std::size_t stride : {std::size_t{1}, std::size_t{3}}) {
    const Outcome cut = decode(bytes, stride);
    if (cut.step != whole.step || cut.body != whole.body) std::abort();
    if (whole.step == Step::Done && cut.consumed != whole.consumed) std::abort();
  }
  return 0;
}
