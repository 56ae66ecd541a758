#include "sim/generate.h"

#include <algorithm>

#include "sim/choices.h"
#include "sim/client.h"
#include "sim/generate_parts.h"
#include "sim/generate_sockets.h"

namespace celadon::sim {
namespace {

void add_reads(Choices& c, Request& r) {
  if (c.percent(25)) add(r, Act::Wait, pause(c));
  if (c.percent(70)) return add(r, Act::Read);
  const auto times = c.between(1, 3);
  for (Number i = 0; i < times; ++i) {
    add(r, Act::Read, c.between(1, std::max<Number>(r.body, 1)));
    if (c.percent(30)) add(r, Act::Wait, pause(c));
  }
}

void add_stream(Choices& c, Request& r) {
  r.framed = c.percent(45) ? framing::Open : framing::Length;
  if (c.percent(6)) r.framed = c.any_of({framing::Long, framing::Short});
  add(r, Act::Head, c.percent(30) ? 0 : size(c));
  const auto times = c.between(0, 4);
  for (Number i = 0; i < times; ++i) {
    if (c.percent(25)) add(r, Act::Wait, pause(c));
    if (c.percent(5)) add(r, Act::Read);
    if (c.percent(3)) add(r, Act::Hold, pause(c));
    add(r, c.percent(20) ? Act::File : Act::Send, size(c));
  }
  if (c.percent(8)) add(r, Act::Abort);
  if (c.percent(1)) add(r, Act::Never);
}

void add_program(Choices& c, Request& r) {
  if (c.percent(r.body >= 0 ? 65 : 3)) add_reads(c, r);
  if (c.percent(25)) add(r, Act::Wait, pause(c));
  if (c.percent(4)) add(r, Act::Hold, pause(c));
  if (c.percent(4)) add(r, Act::Hint);
  if (c.percent(4)) add(r, Act::Spend, c.between(1, 5));
  const std::size_t dice = c.below(100);
  if (dice < 5) return add(r, Act::Raise);
  if (dice < 6) return add(r, Act::Never);
  if (dice < 55) {
    add(r, Act::Whole, size(c));
  } else {
    add_stream(c, r);
  }
  if (c.percent(15)) {
    add(r, Act::Finish);
    if (c.percent(60)) {
      add(r, Act::Wait, pause(c));
    } else {
      add(r, Act::Spend, c.between(1, 5));
    }
  }
}

void add_body(Choices& c, Request& r) {
  r.method = c.percent(85) ? methods::Post : methods::Get;
  r.body = size(c);
  if (r.minor == 1 && c.percent(45)) {
    r.chunk = c.percent(20) ? c.between(1, 20) : c.between(20, 20'000);
    r.body = std::min(r.body, r.chunk * 2'000);
  }
  if (r.chunk > 0 && c.percent(20)) r.trailer = c.between(1, 3);
  if (r.minor == 1 && r.body > 0 && c.percent(15)) r.expect = c.percent(70) ? 1 : 2;
}

// Both sides send, at once or in turns, and each may be the first to end.
void make_tunnel(Choices& c, Request& r) {
  const Number turn = r.turn;
  r = {};
  r.turn = turn;
  r.tunnel = c.percent(20) ? 0 : size(c);
  r.inline_ = c.percent(35) ? 1 : 0;
  r.together = c.percent(50) ? 1 : 0;
  if (c.percent(40)) {
    r.hurries = 1;
  } else if (c.percent(25)) {
    add(r, Act::Wait, pause(c));
  }
  add(r, Act::Tunnel);
  const auto times = c.between(0, 5);
  for (Number i = 0; i < times; ++i) {
    const std::size_t dice = c.below(100);
    if (dice < 50) {
      add(r, Act::Send, size(c));
    } else if (dice < 75) {
      add(r, Act::Read, c.between(1, std::max<Number>(r.tunnel, 1)));
    } else {
      add(r, Act::Wait, pause(c));
    }
  }
  if (c.percent(60)) add(r, Act::Read);
  if (c.percent(20)) add(r, Act::Send, size(c));
  if (c.percent(8)) add(r, Act::Abort);
  if (c.percent(30)) {
    add(r, c.percent(50) ? Act::Finish : Act::GiveUp);
    add(r, c.percent(70) ? Act::Wait : Act::Spend, pause(c));
    if (c.percent(30)) add(r, Act::Read);
    if (c.percent(50)) add(r, Act::Wait, pause(c));
  }
}

Request request(Choices& c) {
  Request r;
  if (c.percent(8)) r.method = methods::Head;
  if (c.percent(8)) {
    r.minor = 0;
    r.keep = c.percent(60) ? 1 : 0;
  }
  if (r.keep == 0 && c.percent(6)) r.close = 1;
  if (c.percent(35)) add_body(c, r);
  if (c.percent(3)) {
    r.bad = c.between(bad::Line, bad::Version);
    if (r.bad == bad::Chunk && r.chunk == 0) r.bad = bad::Line;
    if (r.bad == bad::Host && r.minor == 0) r.bad = bad::Field;
  }
  if (c.percent(6))
    r.padding = c.percent(50) ? c.between(1, 8'000) : c.between(8'000, 60'000);
  if (c.percent(10)) r.wait = pause(c);
  if (c.percent(8)) {
    r.stall_at = c.between(1, 200 + std::max<Number>(r.body, 0));
    r.stall = pause(c);
  }
  if (r.expect == 2 && r.stall_at == 0 && c.percent(50)) r.stall = pause(c);
  if (c.percent(25)) r.turn = 1;
  if (c.percent(8)) r.front = 1;
  if (c.percent(35)) r.inline_ = 1;
  if (c.percent(25)) r.together = 1;
  if (c.percent(3)) r.says_close = 1;
  add_program(c, r);
  return r;
}

Client client(Choices& c) {
  Client made;
  made.at = c.percent(60) ? 0 : pause(c);
  made.unix_socket = c.percent(25) ? 1 : 0;
  made.pieces = c.percent(60) ? 0 : c.any_of({1, 7, 100, 1'460, 5'000, 40'000});
  if (c.percent(6)) {
    made.pieces = c.any_of({1, 20, 300});
    made.pace = c.any_of({3, 40, 300});
  }
  if (c.percent(6)) made.cut = c.between(0, 400);
  const std::size_t dice = c.below(100);
  made.end = dice < 40   ? ends::Stay
             : dice < 60 ? ends::Done
             : dice < 82 ? ends::Half
             : dice < 93 ? ends::Close
                         : ends::Reset;
  if (c.percent(15)) made.end_wait = pause(c);
  const std::size_t reads = c.below(100);
  if (reads >= 65 && reads < 75) {
    made.reads = reading::Late;
    made.reads_ms = pause(c);
  } else if (reads >= 75 && reads < 83) {
    made.reads = reading::Slow;
    made.reads_n = c.any_of({500, 3'000, 20'000});
    made.reads_ms = c.any_of({1, 10, 300});
  } else if (reads >= 83 && reads < 90) {
    made.reads = reading::Stop;
    made.reads_n = c.between(0, 5'000);
  } else if (reads >= 90) {
    made.reads = reading::Last;
  }
  made.buffer = c.any_of({1'000, 4'096, 65'536, 65'536, 300'000});
  const Number requests = c.percent(45)   ? 1
                          : c.percent(80) ? c.between(2, 5)
                                          : c.between(6, 30);
  for (Number i = 0; i < requests; ++i) made.requests.push_back(request(c));
  if (c.percent(8)) {
    make_tunnel(c, made.requests.back());
  } else if (c.percent(18)) {
    make_socket(c, made.requests.back());
  }
  if (c.percent(3)) {
    make_bad_socket(c, made.requests[c.below(made.requests.size())]);
  }
  return made;
}

// One body that comes as fast as it is read.
void make_fast(Choices& c, Client& made) {
  made.fast = 1;
  made.buffer = 65'536;
  made.pieces = 0;
  made.cut = -1;
  Request upload;
  upload.method = methods::Post;
  upload.body = c.between(300'000, 2'000'000);
  if (c.percent(30)) upload.chunk = c.between(2'000, 60'000);
  if (c.percent(50)) add(upload, Act::Hold, c.any_of({5, 12'000}));
  add_reads(c, upload);
  add(upload, Act::Whole, 10);
  made.requests = {upload};
}

// An answer that leaves slowly, and behind it an upload that waits for its turn. The
// server looks at the connection now and then while less and less is queued.
void make_blocked(Choices& c, Client& made, Rules& rules) {
  rules.response_buffer = 16'000;
  rules.write_timeout = c.any_of({500, 2'000});
  rules.write_min_rate = 0;
  made.unix_socket = 0;
  made.buffer = 4'096;
  made.cut = -1;
  made.reads = reading::Slow;
  made.reads_n = 3'000;
  made.reads_ms = c.any_of({100, 300});
  Request large;
  const Number size = c.between(20'000, 150'000);
  if (c.percent(50)) {
    add(large, Act::Head);
    add(large, Act::File, size);
  } else {
    add(large, Act::Whole, size);
  }
  Request upload;
  upload.method = methods::Post;
  upload.body = c.between(300'000, 600'000);
  add_reads(c, upload);
  add(upload, Act::Whole, 10);
  made.requests = {large, upload};
}

// It leaves where it should be told to send.
void make_untold(Choices& c, Client& made) {
  made.end = c.any_of({ends::Close, ends::Reset});
  Request upload;
  upload.method = methods::Post;
  upload.body = c.between(1, 5'000);
  upload.expect = 2;
  add(upload, Act::Read);
  add(upload, Act::Whole, 10);
  made.requests = {upload};
  const Script script(made, 0, false);
  made.cut = static_cast<Number>(script.spans[0].head_end);
}

// It waits to be told for longer than a body may, and begins to send in the end.
void make_patient(Choices& c, Scenario& s) {
  s.rules.body_timeout = c.any_of({100, 1'000});
  Client made;
  made.pieces = c.any_of({2, 5, 20});
  made.pace = c.between(1, 3);
  Request upload;
  upload.method = methods::Post;
  upload.body = c.between(20, 2'000);
  upload.expect = 2;
  upload.stall = s.rules.body_timeout + c.between(10, 500);
  add(upload, Act::Wait, upload.stall + c.between(5, 3'000));
  add(upload, Act::Read);
  add(upload, Act::Whole, 10);
  made.requests = {upload};
  s.clients = {made};
}

// A body of which a part has room, while another one's view holds the loop.
void make_held(Choices& c, Scenario& s) {
  s.rules.body_buffer = 1'000;
  Client made;
  Request upload;
  upload.method = methods::Post;
  upload.body = c.between(1'001, 4'000);
  if (c.percent(50)) upload.chunk = c.between(1, 300);
  upload.stall_at = c.between(60, 400);
  upload.stall = 1;
  add(upload, Act::Read);
  made.requests = {upload};
  Client other;
  Request request;
  request.wait = c.between(0, 3);
  add(request, Act::Hold, c.between(9'990, 12'000));
  other.requests = {request};
  s.clients = {made, other};
}

// The time for a next request is over and its client has ended, by when the loop comes
// back from a view, and the first look finds nothing.
void make_met(Choices& c, Scenario& s) {
  s.rules.keepalive = 50;
  s.moods.spurious = 20;
  Client idle;
  idle.requests.push_back({});
  add(idle.requests[0], Act::Whole, 10);
  idle.end = c.any_of({ends::Done, ends::Half, ends::Close});
  idle.end_wait = c.between(0, 60);
  idle.copies = c.between(1, 10);
  Client held;
  held.requests.push_back({});
  held.requests[0].wait = c.between(0, 10);
  add(held.requests[0], Act::Hold, c.between(50, 200));
  s.clients = {idle, held};
}

// Answers leave together, places are handed out, and connections go to another worker.
void make_crossing(Choices& c, Scenario& s) {
  s.rules.max_concurrent = 1;
  s.plan.colleague = 1;
  s.plan.drain_at = c.between(5, 15);
  s.clients.clear();
  for (Number i = c.between(2, 4); i > 0; --i) {
    Client made;
    made.at = c.between(0, 6);
    Request small;
    small.together = 1;
    small.inline_ = c.percent(60) ? 1 : 0;
    if (c.percent(50)) add(small, Act::Wait, c.between(10, 30));
    add(small, Act::Whole, 10);
    if (c.percent(60)) add(small, Act::Spend, c.between(1, 5));
    made.requests.assign(static_cast<std::size_t>(c.between(1, 2)), small);
    s.clients.push_back(made);
  }
}

// All places are taken by idle ones, some of them asked again, and others come.
void make_idle(Choices& c, Scenario& s) {
  s.clients.clear();
  s.rules.worker_connections = c.between(2, 4);
  for (Number i = s.rules.worker_connections; i > 0; --i) {
    Client made;
    made.at = c.between(0, 5);
    Request small;
    small.front = c.percent(60) ? 1 : 0;
    add(small, Act::Whole, 10);
    made.requests.assign(static_cast<std::size_t>(c.between(1, 2)), small);
    made.requests.back().wait = c.between(0, 80);
    s.clients.push_back(made);
  }
  Client late;
  late.at = c.between(90, 150);
  late.requests.push_back({});
  late.copies = c.between(1, 3);
  s.clients.push_back(late);
}

// All places are taken, the oldest by one that does not read.
void make_lazy(Choices& c, Scenario& s) {
  s.clients.clear();
  Client lazy;
  lazy.buffer = 4'096;
  lazy.reads = reading::Late;
  lazy.reads_ms = c.between(300, 1'900);
  Request large;
  add(large, Act::Whole, c.between(10'000, 60'000));
  lazy.requests = {large};
  s.clients.push_back(lazy);
  for (Number i = c.between(2, 4); i > 0; --i) {
    Client made;
    made.at = c.between(20, 200);
    Request small;
    add(small, Act::Whole, 10);
    made.requests = {small};
    if (c.percent(30)) made.cut = 0;
    s.clients.push_back(made);
  }
  s.rules.worker_connections = c.between(2, 3);
}

// Some connect and say nothing, as health checks do, and the server ends.
void make_quiet(Choices& c, Scenario& s) {
  s.rules.proxy = c.percent(70) ? 1 : 0;
  s.plan.drain_at = c.between(0, 60);
  s.plan.grace = 30'000;
  for (Client& client : s.clients) {
    if (c.percent(60)) client.cut = c.percent(80) ? 0 : c.between(0, 60);
    client.end = ends::Stay;
  }
}

// The next requests of all come at once, while all places are taken and the oldest one
// lacks part of its answer.
void make_full(Choices& c, Scenario& s) {
  Client lazy;
  lazy.buffer = 4'096;
  lazy.reads = reading::Late;
  lazy.reads_ms = 5'000;
  lazy.requests.push_back({});
  add(lazy.requests[0], Act::Whole, 60'000);
  Client many;
  many.at = 5;
  many.copies = c.between(150, 250);
  Request small;
  small.front = 1;
  add(small, Act::Whole, 10);
  many.requests = {small, small};
  many.requests[1].wait = 50;
  Client held;
  held.at = 10;
  held.requests.push_back({});
  add(held.requests[0], Act::Hold, 100);
  Client late;
  late.at = 60;
  late.copies = 3;
  late.requests.push_back({});
  s.rules.worker_connections = many.copies + 3;
  s.moods.creep = 0;
  s.clients = {lazy, many, held, late};
}

// One whose view holds the loop while others wait for theirs.
Client holder(Choices& c) {
  Client made;
  Request request;
  request.wait = c.between(0, 60);
  add(request, Act::Hold, c.any_of({20, 2'000, 12'000}));
  add(request, Act::Whole, 10);
  made.requests = {request};
  return made;
}

// Many small ones alike, all at once.
void make_pipeline(Choices& c, Client& made) {
  Request small;
  small.front = c.percent(40) ? 1 : 0;
  small.inline_ = c.percent(60) ? 1 : 0;
  add(small, Act::Whole, c.between(0, 2'000));
  made.requests.assign(static_cast<std::size_t>(c.between(10, 300)), small);
}

// More connections than a poll returns at once.
void make_crowd(Choices& c, Scenario& s) {
  Client many;
  many.copies = c.between(257, 330);
  many.requests.push_back({});
  many.requests[0].wait = 10;
  add(many.requests[0], Act::Whole, 10);
  Client one;
  one.at = 5;
  one.requests.push_back({});
  add(one.requests[0], Act::Hold, c.any_of({5, 12'000}));
  add(one.requests[0], Act::Whole, 10);
  s.moods.creep = 0;
  s.clients = {one, many};
}

void choose_rules(Choices& c, Rules& r) {
  if (c.percent(10)) r.header_timeout = c.any_of({50, 1'000});
  if (c.percent(10)) r.body_timeout = c.any_of({50, 1'000});
  if (c.percent(20)) r.keepalive = c.any_of({50, 2'000});
  if (c.percent(20)) r.write_timeout = c.any_of({100, 2'000});
  if (c.percent(10)) r.body_min_rate = 0;
  if (c.percent(10)) r.write_min_rate = 0;
  if (c.percent(25)) r.body_buffer = c.any_of({1'000, 8'000});
  if (c.percent(40)) r.response_buffer = c.any_of({1'000, 16'000});
  if (c.percent(15)) r.linger_timeout = c.any_of({50, 500});
  if (c.percent(8)) r.linger_total = c.any_of({50, 1'000});
  if (c.percent(10)) r.body_total = c.any_of({100, 3'000});
  if (c.percent(8)) r.cancels = 1;
  if (c.percent(15)) r.linger_bytes = c.any_of({1'000, 10'000'000});
  if (c.percent(12)) r.worker_connections = c.between(1, 3);
  if (c.percent(15)) {
    r.max_concurrent = c.between(1, 3);
    r.queue_depth = c.any_of({0, 1, 1'000});
    if (c.percent(40)) r.queue_timeout = pause(c);
  }
  choose_socket_rules(c, r);
  r.buffering = c.percent(15) ? 1 : 0;
  r.proxy = c.percent(5) ? 1 : 0;
  r.inherited = c.percent(2) ? 1 : 0;
}

void choose_moods(Choices& c, Moods& m) {
  m.send_buffer = c.any_of({2'000, 16'000, 65'536, 65'536, 500'000});
  m.receive_buffer = c.any_of({2'000, 16'000, 65'536, 65'536});
  if (c.percent(30)) m.partial = c.any_of({5, 50});
  if (c.percent(15)) m.spurious = c.any_of({2, 20});
  m.spares = c.percent(40) ? 1 : 0;
  if (c.percent(5)) {
    m.no_fds = c.between(1, 3);
    m.no_fds_after = c.between(0, 2);
  }
  if (c.percent(5)) m.watches = c.between(1, 3);
  if (c.percent(5)) {
    m.strays = c.between(1, 3);
    m.strays_after = c.between(0, 2);
  }
  if (c.percent(5)) m.disk_full = c.between(1, 2);
  m.creep = c.any_of({0, 0, 1, 5});
}

void choose_plan(Choices& c, Plan& p) {
  if (c.percent(15)) {
    p.drain_at = c.percent(50) ? c.between(0, 60) : pause(c);
    p.grace = c.any_of({100, 5'000, 30'000});
  }
  if (c.percent(10)) {
    p.colleague = 1;
    p.colleague_full = c.any_of({0, 0, 50, 100});
    p.over_share = c.any_of({0, 30});
    if (c.percent(30)) p.alone_at = c.percent(30) ? 0 : pause(c);
  }
}

}  // namespace

Scenario generate(std::uint64_t seed) {
  Choices c(seed);
  Scenario s;
  s.schedule = static_cast<Number>(c.next() >> 1);
  choose_rules(c, s.rules);
  choose_moods(c, s.moods);
  choose_plan(c, s.plan);
  if (s.rules.buffering != 0) {
    if (c.percent(50)) s.rules.body_buffer = 1'000;
    if (c.percent(15)) s.moods.disk_full = c.between(1, 2);
  }
  if (c.below(1'000) == 0) {
    make_crowd(c, s);
    return s;
  }
  if (c.below(1'000) == 0) {
    make_full(c, s);
    return s;
  }
  if (c.below(1'000) == 0) {
    make_talking_crowd(c, s);
    return s;
  }
  using Make = void (*)(Choices&, Scenario&);
  for (const Make make : {make_patient, make_held, make_met, make_crossing, make_idle,
                          make_lazy, make_late_close, make_full_inbox}) {
    if (c.below(300) != 0) continue;
    make(c, s);
    return s;
  }
  const Number clients = c.percent(60)   ? 1
                         : c.percent(80) ? c.between(2, 4)
                                         : c.between(5, 9);
  for (Number i = 0; i < clients; ++i) {
    s.clients.push_back(client(c));
    if (s.rules.proxy != 0 && c.percent(30)) s.clients.back().proxy_stall = pause(c);
    if (c.percent(4)) make_pipeline(c, s.clients.back());
    if (c.percent(2)) make_fast(c, s.clients.back());
    if (c.percent(1)) make_blocked(c, s.clients.back(), s.rules);
    if (c.percent(2)) make_untold(c, s.clients.back());
    if (c.percent(4)) s.clients.back().vanish = pause(c);
  }
  end_while_it_talks(c, s);
  if (c.below(300) == 0) make_quiet(c, s);
  if (s.plan.colleague != 0 && c.percent(60)) s.clients.push_back(holder(c));
  return s;
}

}  // namespace celadon::sim
