#include "sim/generate_sockets.h"

#include <algorithm>

#include "sim/generate_parts.h"

namespace celadon::sim {
namespace {

void say(Request& r, Say what, Number n = 0) {
  r.says.push_back({static_cast<Number>(what), n});
}

Number message_size(Choices& c) {
  const std::size_t dice = c.below(100);
  if (dice < 15) return c.between(0, 3);
  if (dice < 45) return c.between(4, 300);
  if (dice < 60) return c.any_of({125, 126, 127, 65'535, 65'536});
  return std::min<Number>(size(c), 200'000);
}

void say_in_fragments(Choices& c, Request& r) {
  say(r, Say::Begin, c.between(0, 400));
  for (Number i = c.between(0, 3); i > 0; --i) {
    if (c.percent(40)) say(r, Say::Ping, c.between(0, 125));
    if (c.percent(15)) say(r, Say::Wait, pause(c));
    say(r, Say::More, c.percent(80) ? c.between(0, 900) : message_size(c));
  }
  if (c.percent(90)) say(r, Say::Last, c.between(0, 400));
}

// What a client says, and how it ends that.
void add_says(Choices& c, Request& r) {
  Number heard = 0;
  for (Number i = c.percent(15) ? c.between(8, 60) : c.between(0, 7); i > 0; --i) {
    const std::size_t dice = c.below(100);
    if (dice < 35) {
      say(r, c.percent(50) ? Say::Text : Say::Binary, message_size(c));
    } else if (dice < 50) {
      say_in_fragments(c, r);
    } else if (dice < 65) {
      say(r, Say::Ping, c.between(0, 125));
    } else if (dice < 70) {
      say(r, Say::Pong, c.between(0, 125));
    } else if (dice < 74) {
      say(r, Say::Shreds, c.percent(90) ? c.between(1, 300) : c.between(1'000, 1'100));
    } else if (dice < 87) {
      say(r, Say::Wait, pause(c));
    } else if (dice < 95) {
      say(r, Say::Hear, heard += c.between(0, 2));
    } else if (c.percent(30)) {
      say(r, Say::Wrong, c.between(0, 40));
    }
  }
  const std::size_t dice = c.below(100);
  if (dice < 12) say(r, Say::Wrong, c.between(0, 40));
  if (dice < 55) say(r, Say::Close, c.any_of({0, 1000, 1001, 3000, 4999}));
  if (c.percent(5)) say(r, Say::Text, 10);
  if (c.percent(5)) say(r, Say::Ping, 3);
}

// It is accepted, and both sides talk and end as they like; or refused.
void add_talk(Choices& c, Request& r) {
  if (c.percent(20)) add(r, Act::Wait, pause(c));
  if (c.percent(10)) {
    add(r, c.percent(60) ? Act::Whole : Act::Raise, 10);
    return;
  }
  add(r, Act::Accept);
  for (Number i = c.percent(10) ? c.between(6, 40) : c.between(0, 6); i > 0; --i) {
    const std::size_t dice = c.below(100);
    if (dice < 40) {
      add(r, c.percent(50) ? Act::Text : Act::Binary, message_size(c));
    } else if (dice < 75) {
      add(r, Act::Get, c.between(1, 4));
    } else if (dice < 94) {
      add(r, Act::Wait, pause(c));
    } else if (c.percent(50)) {
      add(r, Act::Spend, c.between(1, 5));
    } else if (c.percent(30)) {
      add(r, Act::Hold, c.any_of({5, 2'000, 12'000}));
    }
  }
  if (c.percent(60)) add(r, Act::Get);
  if (c.percent(25)) add(r, Act::Bye, c.any_of({0, 1000, 1001, 3000, 4999}));
  if (c.percent(20)) add(r, c.percent(50) ? Act::Text : Act::Binary, message_size(c));
  if (c.percent(20)) add(r, Act::Get);
  if (c.percent(20)) add(r, Act::Wait, pause(c));
  if (c.percent(8)) add(r, Act::Raise);
  if (c.percent(4)) add(r, Act::Never);
}

}  // namespace

void choose_socket_rules(Choices& c, Rules& r) {
  if (c.percent(40)) r.ws_queue = c.any_of({1, 2, 5});
  if (c.percent(30)) r.ws_message = c.any_of({1'000, 20'000, 70'000});
  if (c.percent(40)) r.ping_interval = c.any_of({0, 50, 1'000});
  if (c.percent(40)) r.ping_timeout = c.any_of({0, 50, 1'000});
  if (c.percent(40)) r.close_timeout = c.any_of({50, 1'000});
  if (c.percent(50)) r.deflate = c.between(1, 2);
}

void make_socket(Choices& c, Request& r) {
  const Number turn = r.turn;
  r = {};
  r.turn = turn;
  r.ws = upgrade::Good;
  r.inline_ = c.percent(35) ? 1 : 0;
  r.together = c.percent(50) ? 1 : 0;
  if (c.percent(30)) r.pongs = c.between(0, 10);
  if (c.percent(12)) r.replies = 0;
  r.deflate = c.percent(50) ? 1 : 0;
  add_says(c, r);
  add_talk(c, r);
  if (c.percent(15)) r.hurries = 1;
}

void make_bad_socket(Choices& c, Request& r) {
  const Number turn = r.turn;
  r = {};
  r.turn = turn;
  r.ws = c.between(upgrade::NoKey, upgrade::Plain);
  if (r.ws == upgrade::Body) r.body = c.between(1, 2'000);
  if (r.ws == upgrade::Post) r.method = methods::Post;
  if (r.ws == upgrade::Old) {
    r.minor = 0;
    r.keep = 1;
  }
  r.inline_ = c.percent(35) ? 1 : 0;
  if (c.percent(30)) add(r, Act::Accept);
  add(r, Act::Whole, 10);
}

void end_while_it_talks(Choices& c, Scenario& s) {
  const bool talks = std::ranges::any_of(s.clients, [](const Client& each) {
    return each.requests.back().asks_for_socket();
  });
  if (talks && s.plan.drain_at < 0 && c.percent(20)) {
    s.plan.drain_at = c.percent(50) ? c.between(0, 60) : pause(c);
    s.plan.grace = c.any_of({100, 5'000, 30'000});
  }
}

void make_late_close(Choices& c, Scenario& s) {
  s.rules.close_timeout = c.any_of({50, 1'000, 5'000});
  Client made;
  made.requests.push_back({});
  Request& r = made.requests[0];
  r.ws = upgrade::Good;
  say(r, Say::Text, c.between(0, 300));
  if (c.percent(50)) say(r, Say::Wait, c.between(0, 6'000));
  add(r, Act::Accept);
  add(r, Act::Hold, s.rules.close_timeout + c.between(-30, 2'000));
  if (c.percent(50)) add(r, Act::Get, 1);
  if (c.percent(70)) add(r, Act::Bye, 1000);
  add(r, Act::Get);
  s.clients = {made};
}

void make_full_inbox(Choices& c, Scenario& s) {
  s.rules.ws_queue = c.any_of({1, 2, 5});
  Client made;
  made.requests.push_back({});
  Request& r = made.requests[0];
  r.ws = upgrade::Good;
  for (Number i = s.rules.ws_queue + c.between(-1, 4); i > 0; --i) {
    say(r, Say::Text, c.between(0, 2'000));
    if (c.percent(20)) say(r, Say::Ping, c.between(0, 10));
  }
  if (c.percent(50)) say(r, Say::Close, 1000);
  add(r, Act::Accept);
  for (Number i = c.between(1, 4); i > 0; --i) {
    add(r, Act::Wait, c.between(1, 300));
    add(r, Act::Get, c.between(1, 2));
  }
  add(r, Act::Wait, c.between(1, 1'500));
  if (c.percent(50)) add(r, Act::Get);
  s.clients = {made};
}

void make_talking_crowd(Choices& c, Scenario& s) {
  s.rules.ping_interval = c.any_of({50, 1'000});
  s.rules.ping_timeout = s.rules.ping_interval;
  Client many;
  many.copies = c.between(257, 330);
  many.requests.push_back({});
  many.requests[0].ws = upgrade::Good;
  add(many.requests[0], Act::Accept);
  add(many.requests[0], Act::Get);
  Client one;
  one.requests.push_back({});
  add(one.requests[0], Act::Wait, s.rules.ping_interval + c.between(-1, 2));
  add(one.requests[0], Act::Hold, s.rules.ping_timeout + c.between(0, 500));
  add(one.requests[0], Act::Whole, 10);
  s.moods.creep = 0;
  s.clients = {one, many};
}

}  // namespace celadon::sim
