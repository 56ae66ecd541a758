#include "sim/shrink.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace celadon::sim {
namespace {

class Shrinker {
 public:
  Shrinker(Scenario scenario, std::string_view kind, double seconds, Runner runner)
      : best_(std::move(scenario)), kind_(kind), runner_(runner) {
    using namespace std::chrono;
    end_ = steady_clock::now() +
           duration_cast<steady_clock::duration>(duration<double>(seconds));
  }
  Scenario run() {
    while (round() && !late()) {
    }
    return best_;
  }

 private:
  [[nodiscard]] bool late() const { return std::chrono::steady_clock::now() > end_; }

  // Takes the candidate over if it fails too, with any of a few schedules.
  bool accept(Scenario candidate) {
    constexpr int kSchedules = 6;
    const Number first = candidate.schedule;
    for (int i = 0; i < kSchedules && !late(); ++i) {
      candidate.schedule = i == 0 ? first : i;
      if (runner_(candidate).verdict.kind != kind_) continue;
      best_ = std::move(candidate);
      return true;
    }
    return false;
  }

  // Leaves out what `list` gives, by halves first, then one by one.
  template <class List>
  bool drop_from(List list) {
    bool any = false;
    for (std::size_t n = std::max<std::size_t>(list(best_).size() / 2, 1); n > 0;
         n /= 2) {
      for (std::size_t at = 0; at < list(best_).size() && !late();) {
        Scenario candidate = best_;
        auto& items = list(candidate);
        const std::size_t count = std::min(n, items.size() - at);
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(at),
                    items.begin() + static_cast<std::ptrdiff_t>(at + count));
        if (accept(std::move(candidate))) {
          any = true;
        } else {
          at += n;
        }
      }
    }
    return any;
  }

  // Sets each number to what is usual, or halves it.
  template <class Item>
  bool simplify(Item item) {
    bool any = false;
    std::size_t fields = 0;
    item(best_).fields([&fields](const FieldInfo&, Number&) { ++fields; });
    for (std::size_t which = 0; which < fields && !late(); ++which) {
      for (const int way : {0, 1}) {
        Scenario candidate = best_;
        std::size_t at = 0;
        bool changed = false;
        item(candidate).fields([&](const FieldInfo& info, Number& value) {
          if (at++ != which || value == info.usual) return;
          const Number half = std::max(value / 2, std::min(value, info.least));
          const Number to = way == 0 ? info.usual : info.names ? value : half;
          changed = to != value;
          value = to;
        });
        if (changed && accept(std::move(candidate))) {
          any = true;
          break;
        }
      }
    }
    return any;
  }

  template <class List>
  bool shrink_ops(List ops) {
    bool any = drop_from(ops);
    for (std::size_t i = 0; i < ops(best_).size() && !late(); ++i) {
      for (const Number to : {Number{0}, Number{1}, ops(best_)[i].n / 2}) {
        if (to >= ops(best_)[i].n) continue;
        Scenario candidate = best_;
        ops(candidate)[i].n = to;
        if (accept(std::move(candidate))) {
          any = true;
          break;
        }
      }
    }
    return any;
  }

  bool shrink_client(std::size_t client) {
    bool any = drop_from([=](Scenario& s) -> std::vector<Request>& {
      return s.clients[client].requests;
    });
    any |= simplify([=](Scenario& s) -> Client& { return s.clients[client]; });
    for (std::size_t r = 0; r < best_.clients[client].requests.size(); ++r) {
      any |= shrink_ops([=](Scenario& s) -> std::vector<Op>& {
        return s.clients[client].requests[r].ops;
      });
      any |= shrink_ops([=](Scenario& s) -> std::vector<Op>& {
        return s.clients[client].requests[r].says;
      });
      any |= simplify(
          [=](Scenario& s) -> Request& { return s.clients[client].requests[r]; });
    }
    return any;
  }

  bool round() {
    bool any = drop_from([](Scenario& s) -> std::vector<Client>& { return s.clients; });
    any |= simplify([](Scenario& s) -> Plan& { return s.plan; });
    any |= simplify([](Scenario& s) -> Moods& { return s.moods; });
    any |= simplify([](Scenario& s) -> Rules& { return s.rules; });
    for (std::size_t c = 0; c < best_.clients.size() && !late(); ++c) {
      any |= shrink_client(c);
    }
    return any;
  }

  Scenario best_;
  std::string_view kind_;
  Runner runner_;
  std::chrono::steady_clock::time_point end_;
};

}  // namespace

Scenario shrink(Scenario scenario, std::string_view kind, double seconds,
                Runner runner) {
  return Shrinker(std::move(scenario), kind, seconds, runner).run();
}

}  // namespace celadon::sim
