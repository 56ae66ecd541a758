#include "sim/answers.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "sim/content.h"

namespace celadon::sim {
namespace {

std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return made;
}

template <class Value>
bool number(std::string_view text, Value& value, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value, base);
  return error == std::errc{} && at == end && !text.empty();
}

}  // namespace

void AnswerReader::fail(std::string why) {
  if (error_.empty()) error_ = std::move(why);
}

bool AnswerReader::collect(std::string_view& bytes, std::string_view end,
                           std::string& into) {
  // Bytes are few here: heads and lines.
  while (!bytes.empty()) {
    into += bytes.front();
    bytes.remove_prefix(1);
    if (into.ends_with(end)) {
      into.resize(into.size() - end.size());
      return true;
    }
  }
  return false;
}

// Where no tunnel is opened, what came ahead for it is a request, and none that is
// understood.
bool AnswerReader::is_of_what_came_ahead(const Answer& answer) const {
  return answers_.size() == questions_.size() && !questions_.empty() &&
         questions_.back().hurries && answers_.back().status != 101 &&
         answer.status == 400 && answer.says_close;
}

void AnswerReader::take(std::string_view bytes) {
  bytes_ += bytes.size();
  while (!bytes.empty() && error_.empty()) {
    switch (part_) {
      case Part::Head:
        if (!collect(bytes, "\r\n\r\n", kept_)) return;
        on_head(std::exchange(kept_, {}));
        break;
      case Part::Body:
      case Part::ChunkData: bytes.remove_prefix(on_body(bytes, left_)); break;
      case Part::ChunkSize:
        if (!collect(bytes, "\r\n", kept_)) return;
        on_chunk_size(std::exchange(kept_, {}));
        break;
      case Part::Rest: return;
      case Part::ChunkEnd:
      case Part::LastEnd:
        if (!collect(bytes, "\r\n", kept_)) {
          if (kept_.size() > 1) fail("a chunk does not end with its line");
          return;
        }
        if (!kept_.empty()) fail("a chunk does not end with its line");
        kept_.clear();
        if (part_ == Part::LastEnd) {
          finish();
        } else {
          part_ = Part::ChunkSize;
        }
        break;
    }
  }
}

void AnswerReader::on_field_of_socket(Answer& answer, const std::string& name,
                                      std::string_view value) {
  if (name == "upgrade") {
    answer.upgrade = value;
  } else if (name == "sec-websocket-accept") {
    answer.accept = value;
  } else if (name == "sec-websocket-protocol") {
    answer.subprotocol = value;
  } else if (name == "sec-websocket-extensions") {
    answer.extensions = value;
  } else if (name == "sec-websocket-version") {
    answer.version = value;
  }
}

void AnswerReader::on_head(std::string_view head) {
  const auto line_end = std::min(head.find("\r\n"), head.size());
  const std::string_view line = head.substr(0, line_end);
  Answer answer;
  if (line.size() < 13 || !line.starts_with("HTTP/1.") || line[8] != ' ' ||
      line[12] != ' ' || !number(line.substr(9, 3), answer.status)) {
    return fail("no status line: " + std::string(line.substr(0, 60)));
  }
  answer.minor = line[7] - '0';
  bool has_length = false;
  bool chunked = false;
  head.remove_prefix(std::min(line_end + 2, head.size()));
  while (!head.empty()) {
    const auto end = std::min(head.find("\r\n"), head.size());
    const std::string_view field = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const auto colon = field.find(": ");
    if (colon == std::string_view::npos) return fail("no field: " + std::string(field));
    const std::string name = lower(field.substr(0, colon));
    const std::string_view value = field.substr(colon + 2);
    if (name == "content-length") {
      if (has_length) return fail("two Content-Length");
      has_length = true;
      if (!number(value, answer.length)) return fail("bad Content-Length");
    } else if (name == "transfer-encoding") {
      if (chunked || value != "chunked") return fail("bad Transfer-Encoding");
      chunked = true;
    } else if (name == "connection") {
      answer.says_close = answer.says_close || lower(value) == "close";
      answer.says_keep_alive = answer.says_keep_alive || lower(value) == "keep-alive";
      answer.says_upgrade = answer.says_upgrade || lower(value) == "upgrade";
    } else if (name == "x-id") {
      answer.id = value;
    } else {
      on_field_of_socket(answer, name, value);
    }
  }
  const bool is_tunnel = answer.status == 101 && answers_.size() < questions_.size() &&
                         questions_[answers_.size()].tunnel;
  if (is_tunnel && (has_length || chunked)) return fail("a tunnel with a length");
  if (answer.status < 200 && !is_tunnel) {
    if (has_length || chunked) return fail("an interim answer with a body");
    interims_.push_back(answer.status);
    return;
  }
  if (is_of_what_came_ahead(answer)) {
    part_ = Part::Rest;
    return;
  }
  if (answers_.size() >= questions_.size()) return fail("more answers than requests");
  const Question& question = questions_[answers_.size()];
  if (has_length && chunked) return fail("Content-Length and Transfer-Encoding");
  answer.head_done = true;
  const bool is_socket = is_tunnel && question.socket;
  answer.content = answer.id.empty() || is_socket ? 0 : question.content;
  if (is_socket) frames_.emplace(question.content, answer.extensions);
  answer.interims = std::exchange(interims_, {});
  const bool bodyless =
      question.head_request || answer.status == 204 || answer.status == 304;
  answer.framed = bodyless     ? Answer::Framed::None
                  : chunked    ? Answer::Framed::Chunked
                  : has_length ? Answer::Framed::Length
                               : Answer::Framed::Close;
  answers_.push_back(answer);
  left_ = answer.length;
  switch (answer.framed) {
    case Answer::Framed::None: return finish();
    case Answer::Framed::Length:
      if (left_ == 0) return finish();
      part_ = Part::Body;
      return;
    case Answer::Framed::Chunked: part_ = Part::ChunkSize; return;
    case Answer::Framed::Close:
      left_ = UINT64_MAX;
      part_ = Part::Body;
      return;
  }
}

const std::vector<int>& AnswerReader::interims(std::size_t request) const {
  return request < answers_.size() ? answers_[request].interims : interims_;
}

bool AnswerReader::told_to_go_on(std::size_t request) const {
  return request <= answers_.size() &&
         std::ranges::find(interims(request), 100) != interims(request).end();
}

std::size_t AnswerReader::on_body(std::string_view bytes, std::uint64_t most) {
  Answer& answer = answers_.back();
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), most));
  if (answer.content != 0 &&
      !is_content(bytes.data(), n, answer.content, answer.body)) {
    answer.content_ok = false;
    fail("wrong bytes in the body of answer " + std::to_string(answers_.size()));
  }
  if (frames_) frames_->take(bytes.substr(0, n));
  answer.body += n;
  left_ -= n;
  if (left_ > 0) return n;
  if (part_ == Part::ChunkData) {
    part_ = Part::ChunkEnd;
  } else {
    finish();
  }
  return n;
}

void AnswerReader::on_chunk_size(std::string_view line) {
  if (!number(line, left_, 16)) return fail("bad chunk size: " + std::string(line));
  part_ = left_ == 0 ? Part::LastEnd : Part::ChunkData;
}

void AnswerReader::finish() {
  answers_.back().done = true;
  part_ = Part::Head;
  ++whole_;
}

}  // namespace celadon::sim
