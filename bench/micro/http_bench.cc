// What one head costs on its way in and out, without sockets and Python.
#include <benchmark/benchmark.h>

#include "http/h1/chunked.h"
#include "http/h1/parser.h"
#include "http/h1/writer.h"

namespace {
using namespace celadon::http;

constexpr std::string_view kSmall = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
constexpr std::string_view kBrowser =
    "GET /articles/2026/11?page=2 HTTP/1.1\r\nHost: example.test\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 "
    "Firefox/140.0\r\nAccept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n"
    "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n\r\n";

void parse_head(benchmark::State& state, std::string_view head) {
  const Limits limits;
  h1::HeadParser parser(limits);
  for (auto _ : state) {
    parser.reset();
    benchmark::DoNotOptimize(parser.feed(head));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(head.size()));
}
BENCHMARK_CAPTURE(parse_head, small, kSmall);
BENCHMARK_CAPTURE(parse_head, browser, kBrowser);

void write_head(benchmark::State& state) {
  const HeaderView fields[] = {{"Content-Type", "text/html; charset=utf-8"},
                               {"X-Frame-Options", "DENY"}};
  ResponseHead head;
  head.reason = "OK";
  head.headers = fields;
  const h1::Extras extras{
      .lines = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: celadon\r\n"};
  std::string out;
  for (auto _ : state) {
    out.clear();
    h1::append_head(out, head, h1::Framing::Length, 1234, extras);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(write_head);

void decode_chunks(benchmark::State& state) {
  const Limits limits;
  std::string body;
  for (int i = 0; i < 16; ++i) body += "400\r\n" + std::string(1024, 'x') + "\r\n";
  body += "0\r\n\r\n";
  for (auto _ : state) {
    h1::ChunkedDecoder decoder(limits);
    std::string_view in = body;
    std::string_view data;
    while (decoder.next(in, data) == h1::ChunkedDecoder::Step::Data) {
      benchmark::DoNotOptimize(data);
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(decode_chunks);

}  // namespace
