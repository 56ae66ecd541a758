// The table of request bytes (tests/protocol/cases.txt) through the parser alone: no
// socket, no Python, whole and split at every byte.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "http/h1/chunked.h"
#include "http/h1/parser.h"

namespace celadon::http::h1 {
namespace {

struct Case {
  std::string id;
  std::vector<int> statuses;
  std::string data;
};

char simple(char c) {
  switch (c) {
    case 'r': return '\r';
    case 'n': return '\n';
    case 't': return '\t';
    case 's': return ' ';
    default: return c;
  }
}

std::string decode(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && text[i + 1] == 'x') {
      out += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else if (c == '\\') {
      out += simple(text[++i]);
    } else if (c == '{' && i + 2 < text.size() && text[i + 2] == '*') {
      const auto end = text.find('}', i);
      out += std::string(std::stoul(text.substr(i + 3, end - i - 3)), text[i + 1]);
      i = end;
    } else if (c == '$' && text[i + 1] == 'H') {
      out += "Host: a\r\n";
      ++i;
    } else if (c == '$' && text[i + 1] == 'C') {
      out += "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
      ++i;
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<Case> load() {
  std::ifstream file(CELADON_SOURCE_DIR "/tests/protocol/cases.txt");
  std::vector<Case> cases;
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    const auto first = line.find(' ');
    const auto second = line.find(' ', first + 1);
    Case item{line.substr(0, first), {}, decode(line.substr(second + 1))};
    std::istringstream statuses(line.substr(first + 1, second - first - 1));
    for (std::string one; std::getline(statuses, one, ',');) {
      item.statuses.push_back(std::stoi(one));
    }
    cases.push_back(std::move(item));
  }
  return cases;
}

// A connection without anything around it: what statuses would these bytes get?
class Driver {
 public:
  Driver() = default;
  // One that knows header blocks again.
  explicit Driver(KnownBlocks& known) : parser_(limits_, known), knows_(true) {
    reset();
  }
  void feed(std::string_view bytes) {
    input_.append(bytes);
    while (!refused_ && step()) {
    }
  }
  std::vector<int> statuses;
  std::vector<std::string> targets;

 private:
  // False: nothing more can be done with what is there.
  bool step() {
    if (!in_body_) return parse_head();
    if (request_.body == BodyKind::Length) return take_length();
    return take_chunks();
  }
  bool parse_head() {
    if (input_.empty()) return false;
    switch (parser_.feed(input_)) {
      case HeadParser::Step::NeedMore: return false;
      case HeadParser::Step::Rejected: return refuse(parser_.rejection());
      case HeadParser::Step::Done: break;
    }
    request_ = parser_.request();
    left_ = request_.content_length;
    targets.emplace_back(request_.text(request_.target));
    input_.erase(0, parser_.consumed());
    reset();
    decoder_ = ChunkedDecoder(limits_);
    in_body_ = true;
    if (request_.body == BodyKind::None) finish();
    return true;
  }
  void reset() { knows_ ? parser_.reset(hint_) : parser_.reset(); }
  bool take_length() {
    const auto n = std::min<std::uint64_t>(left_, input_.size());
    input_.erase(0, n);
    left_ -= n;
    if (left_ > 0) return false;
    finish();
    return true;
  }
  bool take_chunks() {
    std::string_view in = input_;
    std::string_view data;
    auto step = ChunkedDecoder::Step::Data;
    while (step == ChunkedDecoder::Step::Data) step = decoder_.next(in, data);
    input_.erase(0, input_.size() - in.size());
    if (step == ChunkedDecoder::Step::Rejected) return refuse(decoder_.rejection());
    if (step == ChunkedDecoder::Step::NeedMore) return false;
    finish();
    return true;
  }
  void finish() {
    in_body_ = false;
    statuses.push_back(200);
  }
  bool refuse(Rejection why) {
    refused_ = true;
    statuses.push_back(rejection_info(why).status);
    return false;
  }

  Limits limits_;
  HeadParser parser_{limits_};
  bool knows_ = false;
  KnownBlocks::Hint hint_;
  ChunkedDecoder decoder_{limits_};
  Request request_;
  std::string input_;
  std::uint64_t left_ = 0;
  bool in_body_ = false;
  bool refused_ = false;
};

// Behind what is refused nothing is looked at.
std::string with_what_follows(const Case& item) {
  const bool refused = item.statuses.back() != 200;
  return item.data + (refused ? "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n" : "");
}

class CasesTest : public ::testing::TestWithParam<Case> {};

TEST_P(CasesTest, SameAnswerHoweverTheBytesAreCut) {
  const Case& item = GetParam();
  const std::string data = with_what_follows(item);
  const auto check = [&](const Driver& driver, const std::string& how) {
    EXPECT_EQ(driver.statuses, item.statuses) << item.id << " " << how;
    for (const auto& target : driver.targets) EXPECT_NE(target, "/evil") << item.id;
  };
  Driver whole;
  whole.feed(data);
  check(whole, "whole");
  Driver bytes;
  for (const char c : data) bytes.feed({&c, 1});
  check(bytes, "byte by byte");
  for (std::size_t at = 1; at < data.size(); at += data.size() > 3000 ? 997 : 1) {
    Driver split;
    split.feed(std::string_view(data).substr(0, at));
    split.feed(std::string_view(data).substr(at));
    check(split, "split at " + std::to_string(at));
  }
}

// Requests of many connections, and each of them twice.
TEST(CasesTable, WhatIsKnownAgainIsAnsweredAlike) {
  KnownBlocks known;
  for (const Case& item : load()) {
    for (int i = 0; i < 2; ++i) {
      Driver driver(known);
      driver.feed(with_what_follows(item));
      EXPECT_EQ(driver.statuses, item.statuses) << item.id;
    }
  }
}

TEST(CasesTable, IsThere) {
  EXPECT_GT(load().size(), 200u);
}

INSTANTIATE_TEST_SUITE_P(Table, CasesTest, ::testing::ValuesIn(load()),
                         [](const auto& one) {
                           return one.param.id + "_" + std::to_string(one.index);
                         });

}  // namespace
}  // namespace celadon::http::h1
