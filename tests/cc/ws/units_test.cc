#include <gtest/gtest.h>

#include <random>
#include <string>

#include "model.h"
#include "ws/accept_key.h"
#include "ws/close_code.h"
#include "ws/fault.h"
#include "ws/frame_writer.h"
#include "ws/mask.h"
#include "ws/sha1.h"
#include "ws/utf8.h"

namespace celadon::ws {
namespace {

// --- masks ---

TEST(Mask, EverySizeFromEveryPlaceIsUnmasked) {
  constexpr MaskKey kKey{0x37, 0xFA, 0x21, 0x3D};
  for (std::size_t size = 0; size < 80; ++size) {
    for (std::size_t at = 0; at < 9; ++at) {
      std::string plain;
      std::string masked;
      for (std::size_t i = 0; i < size; ++i) {
        plain += static_cast<char>(i * 7);
        masked += static_cast<char>(plain[i] ^ static_cast<char>(kKey[(at + i) % 4]));
      }
      std::string out(size + 1, '#');
      unmask(masked, out.data(), kKey, at);
      EXPECT_EQ(out, plain + '#') << size << " from " << at;
      unmask(masked, masked.data(), kKey, at);
      EXPECT_EQ(masked, plain);
    }
  }
}

// --- UTF-8 ---

std::string encoded(std::uint32_t c) {
  const auto low = [&](unsigned shift) {
    return static_cast<char>(0x80 | (c >> shift & 0x3F));
  };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), low(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), low(6), low(0)};
  return {static_cast<char>(0xF0 | c >> 18), low(12), low(6), low(0)};
}

TEST(Utf8, EveryCharacterIsTakenAndNoSurrogate) {
  for (std::uint32_t c = 0; c < 0x120000; ++c) {
    const bool good = c < 0xD800 || (c > 0xDFFF && c < 0x110000);
    Utf8 text;
    ASSERT_EQ(text.take(encoded(c)) && text.is_whole(), good) << c;
  }
}

TEST(Utf8, EveryThreeBytesAreJudgedAsTheirCharactersSay) {
  // Whatever is good is the encoding of some character; nothing else is.
  std::vector<bool> good(1 << 24);
  for (std::uint32_t c = 0x800; c < 0x10000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    const std::string text = encoded(c);
    good[static_cast<std::uint8_t>(text[0]) << 16 |
         static_cast<std::uint8_t>(text[1]) << 8 | static_cast<std::uint8_t>(text[2])] =
        true;
  }
  for (std::uint32_t bytes = 0xC00000; bytes < 0xF00000; bytes += 1) {
    if (bytes >> 16 < 0xE0) continue;
    Utf8 text;
    const std::array three{static_cast<char>(bytes >> 16),
                           static_cast<char>(bytes >> 8), static_cast<char>(bytes)};
    // With three bytes of which the first asks for two more, nothing else can be whole.
    ASSERT_EQ(text.take({three.data(), 3}) && text.is_whole(), good[bytes]) << bytes;
  }
}

TEST(Utf8, WS04ABadByteIsKnownAtOnceWhereverPiecesEnd) {
  const std::string good =
      "Gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x90\x98 ascii tail";
  for (std::size_t bad = 0; bad <= good.size(); ++bad) {
    // A byte that is never one of UTF-8.
    const std::string text = good.substr(0, bad) + '\xFF' + good.substr(bad);
    for (std::size_t cut = 0; cut <= bad; ++cut) {
      Utf8 judge;
      EXPECT_TRUE(judge.take(text.substr(0, cut)));
      EXPECT_TRUE(judge.take(text.substr(cut, bad - cut)));
      EXPECT_FALSE(judge.take(text.substr(bad, 1))) << bad;
    }
  }
}

// --- what a server sends ---

TEST(FrameWriter, LengthsAreOfTheShortestForm) {
  for (const std::size_t size : {0, 1, 125, 126, 127, 65535, 65536, 70000}) {
    const std::string payload(size, 'x');
    const std::string sent =
        std::string(FrameHead(Opcode::Binary, size).bytes()) + payload;
    EXPECT_EQ(sent, model::frame(Opcode::Binary, payload, {.masked = false})) << size;
  }
  EXPECT_EQ(FrameHead(Opcode::Text, 0x0102030405060708).bytes(),
            std::string_view("\x81\x7F\x01\x02\x03\x04\x05\x06\x07\x08", 10));
}

TEST(FrameWriter, FragmentsAndCompressionAreSaid) {
  using enum FrameHead::Last;
  const FrameHead first(Opcode::Text, 2, No, FrameHead::Compressed::Yes);
  EXPECT_EQ(first.bytes(), "\x41\x02");
  EXPECT_EQ(FrameHead(Opcode::Continuation, 0, No).bytes(),
            std::string_view("\0\0", 2));
  EXPECT_EQ(FrameHead(Opcode::Continuation, 1).bytes(), "\x80\x01");
}

TEST(FrameWriter, ClosePayloads) {
  EXPECT_EQ(ClosePayload(1000, "bye").bytes(),
            "\x03\xE8"
            "bye");
  EXPECT_EQ(ClosePayload(1001, std::string(kLongestReason, 'r')).bytes().size(),
            kMostControl);
}

TEST(CloseCodes, WS04ThoseOfTheRegistryAndOfApplications) {
  for (unsigned code = 0; code < 65536; ++code) {
    const bool good = (code >= 1000 && code < 1004) || (code > 1006 && code < 1015) ||
                      (code >= 3000 && code < 5000);
    EXPECT_EQ(is_close_code(code), good) << code;
  }
}

TEST(Faults, EachHasACodeThatMayBeSentAndWordsThatFit) {
  for (int i = 0; i <= static_cast<int>(Fault::NoMemory); ++i) {
    const FaultInfo info = fault_info(static_cast<Fault>(i));
    EXPECT_TRUE(is_close_code(info.code));
    EXPECT_LE(info.text.size(), kLongestReason);
    EXPECT_EQ(info.text.empty(), i == 0);
  }
}

// --- the key of a handshake ---

std::string hex(const Sha1Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const auto byte : digest) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

TEST(Sha1, VectorsOfRfc3174AndEveryPadding) {
  EXPECT_EQ(hex(sha1("")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex(sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(hex(sha1(std::string(1'000'000, 'a'))),
            "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  // The digests of no to 129 times "a", one after another.
  std::string all;
  for (std::size_t size = 0; size < 130; ++size)
    all += hex(sha1(std::string(size, 'a')));
  EXPECT_EQ(hex(sha1(all)), "020e571fd23e2a086018fa9bfa2fb3269f35017a");
}

TEST(AcceptKey, TheExampleOfRfc6455) {
  EXPECT_EQ(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(AcceptKey, WS01OnlyTheCanonicalBase64OfSixteenBytes) {
  EXPECT_TRUE(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
  EXPECT_TRUE(is_key("AAAAAAAAAAAAAAAAAAAAAA=="));
  EXPECT_TRUE(is_key("/+//////////////////+w=="));
  for (const char* bad : {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=",
                          "dGhlIHNhbXBsZSBub25jZR==",  // bits behind the last byte
                          "dGhlIHNhbXBsZSBub25jZQ=a",  // not filled up
                          "dGhlIHNhbXBsZSBub25jZQA=",  // seventeen bytes
                          "dGhlIHNhbXBsZSBub25jZQAA",  // eighteen
                          "dGhlIHNhbXBsZSBub25=ZQ==", "dGhlIHNhbXBsZSBub-_jZQ==",
                          "dGhlIHNhbXBsZSBub25 ZQ==", "dGhlIHNhbXBsZSBub25jZQ== ",
                          "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ=="}) {
    EXPECT_FALSE(is_key(bad)) << bad;
  }
}

}  // namespace
}  // namespace celadon::ws
