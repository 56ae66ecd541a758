#include "sim/scenario.h"

#include <charconv>
#include <sstream>

namespace celadon::sim {

const char* const kActNames[] = {
    "read",    "wait",   "hold",  "spend", "hint",   "head",   "send",
    "file",    "whole",  "raise", "abort", "never",  "finish", "tunnel",
    "give_up", "accept", "get",   "text",  "binary", "bye",    nullptr};
const char* const kSayNames[] = {"text",   "binary", "begin", "more",  "last",
                                 "shreds", "ping",   "pong",  "close", "wrong",
                                 "wait",   "hear",   nullptr};
const char* const kEndNames[] = {"stay", "done", "half", "close", "reset", nullptr};
const char* const kReadingNames[] = {"always", "late", "slow", "stop", "last", nullptr};
const char* const kBadNames[] = {"none", "line",  "host",  "field",   "length",
                                 "both", "chunk", "trace", "version", nullptr};
const char* const kFramingNames[] = {"length", "open", "long", "short", nullptr};
const char* const kMethodNames[] = {"GET", "POST", "HEAD", nullptr};
const char* const kUpgradeNames[] = {"none",      "good",    "no_key",   "short_key",
                                     "two_keys",  "version", "versions", "protocol",
                                     "extension", "origin",  "body",     "post",
                                     "old",       "plain",   nullptr};

namespace {

std::string spell(Number value, const char* const* names) {
  return names ? names[value] : std::to_string(value);
}

bool unspell(const std::string& word, const char* const* names, Number& value) {
  if (!names) {
    const char* end = word.data() + word.size();
    const auto [at, error] = std::from_chars(word.data(), end, value);
    return error == std::errc{} && at == end;
  }
  for (Number i = 0; names[i]; ++i) {
    if (word == names[i]) {
      value = i;
      return true;
    }
  }
  return false;
}

template <class Item>
std::string line_of(const char* name, Item item) {
  std::string line = name;
  item.fields([&line](const FieldInfo& info, Number& value) {
    if (value == info.usual) return;
    line += ' ';
    line += info.name;
    line += '=';
    line += spell(value, info.names);
  });
  return line + '\n';
}

// `name=value` into the field of that name.
template <class Item>
bool set(Item& item, const std::string& word) {
  const auto equals = word.find('=');
  if (equals == std::string::npos) return false;
  bool done = false;
  item.fields([&](const FieldInfo& info, Number& value) {
    if (info.name != std::string_view(word).substr(0, equals)) return;
    done = unspell(word.substr(equals + 1), info.names, value);
  });
  return done;
}

template <class Item>
bool set_all(Item& item, std::istringstream& words) {
  std::string word;
  while (words >> word) {
    if (!set(item, word)) return false;
  }
  return true;
}

bool read_ops(std::vector<Op>& ops, const char* const* names,
              std::istringstream& words) {
  std::string word;
  while (words >> word) {
    const auto colon = word.find(':');
    Op op;
    if (!unspell(word.substr(0, colon), names, op.act)) return false;
    if (colon != std::string::npos && !unspell(word.substr(colon + 1), nullptr, op.n)) {
      return false;
    }
    ops.push_back(op);
  }
  return true;
}

std::string line_of(const char* name, const std::vector<Op>& ops,
                    const char* const* names) {
  if (ops.empty()) return {};
  std::string line = name;
  for (const Op& op : ops) {
    line += ' ';
    line += names[op.act];
    if (op.n != 0) line += ':' + std::to_string(op.n);
  }
  return line + '\n';
}

bool read_line(Scenario& s, const std::string& line) {
  std::istringstream words(line);
  std::string first;
  if (!(words >> first) || first.starts_with('#')) return true;
  if (first == "schedule") return static_cast<bool>(words >> s.schedule);
  if (first == "rules") return set_all(s.rules, words);
  if (first == "kernel") return set_all(s.moods, words);
  if (first == "plan") return set_all(s.plan, words);
  if (first == "client") return set_all(s.clients.emplace_back(), words);
  if (s.clients.empty()) return false;
  auto& requests = s.clients.back().requests;
  if (first == "request") return set_all(requests.emplace_back(), words);
  if (requests.empty()) return false;
  if (first == "app") return read_ops(requests.back().ops, kActNames, words);
  if (first == "says") return read_ops(requests.back().says, kSayNames, words);
  return false;
}

}  // namespace

std::string to_text(const Scenario& scenario) {
  std::string text = "schedule " + std::to_string(scenario.schedule) + '\n';
  text += line_of("rules", scenario.rules);
  text += line_of("kernel", scenario.moods);
  text += line_of("plan", scenario.plan);
  for (const Client& client : scenario.clients) {
    text += line_of("client", client);
    for (const Request& request : client.requests) {
      text += line_of("  request", request);
      text += line_of("    says", request.says, kSayNames);
      text += line_of("    app", request.ops, kActNames);
    }
  }
  return text;
}

std::optional<Scenario> from_text(std::string_view text, std::string& error) {
  Scenario scenario;
  std::istringstream lines{std::string(text)};
  std::string line;
  while (std::getline(lines, line)) {
    if (!read_line(scenario, line)) {
      error = line;
      return std::nullopt;
    }
  }
  return scenario;
}

}  // namespace celadon::sim
