#include "sim/coverage.h"

#include <iostream>
#include <set>

namespace celadon::sim {
namespace {

// Numbers that differ from the usual, and every value that has a name.
template <class Item>
void note(std::set<std::string>& into, const std::string& of, Item item) {
  item.fields([&](const FieldInfo& info, Number& value) {
    const std::string name = of + " " + std::string(info.name);
    if (info.names) {
      into.insert(name + "=" + info.names[value]);
    } else if (value != info.usual) {
      into.insert(name);
    }
  });
}

template <class Item>
void all(std::set<std::string>& into, const std::string& of) {
  Item item;
  item.fields([&](const FieldInfo& info, Number&) {
    const std::string name = of + " " + std::string(info.name);
    if (!info.names) {
      into.insert(name);
      return;
    }
    for (const char* const* each = info.names; *each; ++each) {
      into.insert(name + "=" + *each);
    }
  });
}

}  // namespace

void Coverage::add(const Scenario& scenario, const Outcome& outcome) {
  std::set<std::string> found;
  note(found, "rules", scenario.rules);
  note(found, "kernel", scenario.moods);
  note(found, "plan", scenario.plan);
  for (const Client& client : scenario.clients) {
    note(found, "client", client);
    for (const Request& request : client.requests) {
      note(found, "request", request);
      for (const Op& op : request.ops) {
        found.insert(std::string("app ") + kActNames[op.act]);
      }
      for (const Op& op : request.says) {
        found.insert(std::string("says ") + kSayNames[op.act]);
      }
    }
  }
  for (const std::string& each : outcome.seen) found.insert("saw " + each);
  for (const std::string& each : found) ++counts_[each];
}

void Coverage::print() const {
  for (const auto& [name, count] : counts_) {
    std::cout << "  " << count << "  " << name << "\n";
  }
}

std::string Coverage::missing() const {
  std::set<std::string> wanted;
  all<Rules>(wanted, "rules");
  all<Moods>(wanted, "kernel");
  all<Plan>(wanted, "plan");
  all<Client>(wanted, "client");
  all<Request>(wanted, "request");
  for (const char* const* each = kActNames; *each; ++each) {
    wanted.insert(std::string("app ") + *each);
  }
  for (const char* const* each = kSayNames; *each; ++each) {
    wanted.insert(std::string("says ") + *each);
  }
  wanted.erase("client proxy");  // always sent where it is wanted
  std::string text;
  for (const std::string& each : wanted) {
    if (!counts_.contains(each)) text += "\n  " + each;
  }
  return text;
}

}  // namespace celadon::sim
