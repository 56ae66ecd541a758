// A client of the tests: frames as RFC 9113 4.1 and 6 draw them, made and read in the
// plainest way, so that both sides of the wire are not wrong alike. Field blocks are
// made and read by nghttp2's coder, which is not what is tested here.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h2/frame.h"

namespace celadon::h2::model {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string number(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}
inline std::uint64_t read_number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value * 256 + static_cast<std::uint8_t>(c);
  return value;
}

inline std::string frame(FrameType type, unsigned flags, StreamId stream,
                         std::string_view payload) {
  std::string out = number(payload.size(), 3);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  out += number(static_cast<std::uint32_t>(stream), 4);
  return out.append(payload);
}

using Settings = std::vector<std::pair<unsigned, std::uint32_t>>;
inline std::string settings(const Settings& entries = {}) {
  std::string payload;
  for (const auto& [id, value] : entries) payload += number(id, 2) + number(value, 4);
  return frame(FrameType::Settings, 0, 0, payload);
}
inline std::string settings_ack() {
  return frame(FrameType::Settings, flag::kAck, 0, "");
}
inline std::string ping(std::string_view text = "12345678") {
  return frame(FrameType::Ping, 0, 0, text);
}
inline std::string rst(StreamId stream, ErrorCode code = ErrorCode::Cancel) {
  return frame(FrameType::RstStream, 0, stream,
               number(static_cast<std::uint32_t>(code), 4));
}
inline std::string window_update(StreamId stream, std::uint32_t by) {
  return frame(FrameType::WindowUpdate, 0, stream, number(by, 4));
}
inline std::string priority(StreamId stream, StreamId parent) {
  return frame(FrameType::Priority, 0, stream,
               number(static_cast<std::uint32_t>(parent), 4) + '\x0f');
}
inline std::string priority_update(StreamId stream, std::string_view value) {
  return frame(FrameType::PriorityUpdate, 0, 0,
               number(static_cast<std::uint32_t>(stream), 4).append(value));
}
inline std::string data(StreamId stream, std::string_view bytes, bool end) {
  return frame(FrameType::Data, end ? flag::kEndStream : 0, stream, bytes);
}
// With so much padding, and one byte that says so.
inline std::string padded_data(StreamId stream, std::string_view bytes,
                               std::uint8_t padding, bool end) {
  std::string payload(1, static_cast<char>(padding));
  payload.append(bytes).append(padding, '\0');
  return frame(FrameType::Data, flag::kPadded | (end ? flag::kEndStream : 0), stream,
               payload);
}
inline std::string headers(StreamId stream, std::string_view block, bool end,
                           bool whole = true) {
  return frame(FrameType::Headers,
               (end ? flag::kEndStream : 0) | (whole ? flag::kEndHeaders : 0), stream,
               block);
}
inline std::string continuation(StreamId stream, std::string_view block, bool whole) {
  return frame(FrameType::Continuation, whole ? flag::kEndHeaders : 0, stream, block);
}

class Encoder {
 public:
  Encoder() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  ~Encoder() { nghttp2_hd_deflate_del(deflater_); }

  std::string block(const Fields& fields, bool indexed = true) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back({bytes(name), bytes(value), name.size(), value.size(),
                      static_cast<std::uint8_t>(indexed ? NGHTTP2_NV_FLAG_NONE
                                                        : NGHTTP2_NV_FLAG_NO_INDEX)});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()),
                    '\0');
    const auto size = nghttp2_hd_deflate_hd(deflater_, bytes(out), out.size(),
                                            list.data(), list.size());
    out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return out;
  }

 private:
  static std::uint8_t* bytes(std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  nghttp2_hd_deflater* deflater_ = nullptr;
};

class Decoder {
 public:
  Decoder() { nghttp2_hd_inflate_new(&inflater_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { nghttp2_hd_inflate_del(inflater_); }

  Fields fields(std::string_view block) {
    Fields found;
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    while (true) {
      nghttp2_nv field;
      int flags = 0;
      const auto taken = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (taken < 0) return {};
      at += taken;
      left -= static_cast<std::size_t>(taken);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        found.emplace_back(
            std::string(reinterpret_cast<char*>(field.name), field.namelen),
            std::string(reinterpret_cast<char*>(field.value), field.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return found;
  }
  // The encoder's table may be larger than the usual 4096 bytes.
  void allow(std::size_t table) {
    nghttp2_hd_inflate_change_table_size(inflater_, table);
  }
  [[nodiscard]] std::size_t table() const {
    return nghttp2_hd_inflate_get_dynamic_table_size(inflater_);
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

struct Frame {
  FrameType type;
  unsigned flags;
  StreamId stream;
  std::string payload;

  [[nodiscard]] bool ends() const { return (flags & flag::kEndStream) != 0; }
  // Of RST_STREAM and GOAWAY.
  [[nodiscard]] ErrorCode code() const {
    const std::size_t at = type == FrameType::Goaway ? 4 : 0;
    return static_cast<ErrorCode>(read_number(std::string_view(payload).substr(at, 4)));
  }
  // Of GOAWAY.
  [[nodiscard]] StreamId last() const {
    return static_cast<StreamId>(read_number(std::string_view(payload).substr(0, 4)));
  }
};

// What a server has sent; bytes that are no whole frames make an empty list.
inline std::vector<Frame> read_frames(std::string_view bytes) {
  std::vector<Frame> out;
  while (!bytes.empty()) {
    if (bytes.size() < 9) return {};
    const auto size = static_cast<std::size_t>(read_number(bytes.substr(0, 3)));
    if (bytes.size() - 9 < size) return {};
    out.push_back({static_cast<FrameType>(bytes[3]),
                   static_cast<std::uint8_t>(bytes[4]),
                   static_cast<StreamId>(read_number(bytes.substr(5, 4))),
                   std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  return out;
}

}  // namespace celadon::h2::model
