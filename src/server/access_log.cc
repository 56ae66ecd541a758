#include "server/access_log.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <tuple>
#include <utility>

namespace celadon::server {
namespace {

constexpr int kPatience = 200;       // ms that a full pipe is waited for at a time
constexpr int kLastPatience = 1000;  // likewise, when the worker ends
constexpr std::size_t kAlignment = 64;

std::uint64_t count_lines(std::string_view text) noexcept {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

bool AccessFilter::passes(const AccessRecord& record,
                          std::uint32_t dice) const noexcept {
  if (record.status >= 500 || record.gone) return true;
  if (record.status < min_status || record.duration < slow) return false;
  if (record.request && !skip.empty() &&
      std::ranges::find(skip, record.request->path_text()) != skip.end()) {
    return false;
  }
  return sample >= 1.0 || dice < sample * static_cast<double>(UINT32_MAX);
}

AccessLog::AccessLog(AccessFormat format, Options options, LineFile file, LogRing ring)
    : format_(std::move(format)),
      options_(std::move(options)),
      ring_(ring),
      file_(std::move(file)) {
  if (!ring_) {
    const std::size_t bytes = LogRing::footprint(kCapacity);
    own_memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes + kAlignment);
    void* memory = own_memory_.get();
    std::size_t room = bytes + kAlignment;
    memory = std::align(kAlignment, bytes, memory, room);
    std::fill_n(static_cast<std::byte*>(memory), LogRing::footprint(0), std::byte{});
    ring_ = LogRing(memory, kCapacity);
  }
  dropped_seen_ = ring_.dropped();
  LineFile& out = file_.value();
  [[maybe_unused]] const auto started =
      thread_.start([this, &out]() noexcept { run(out); });
}

AccessLog::AccessLog(AccessFormat format, Options options, AccessSink& sink)
    : format_(std::move(format)), options_(std::move(options)), sink_(&sink) {}

AccessLog::~AccessLog() {
  if (thread_.started()) {
    order(kStop);
    thread_.join();
  } else if (LineFile* file = loops_file(); file && !write_out(*file, kLastPatience)) {
    lose_all();
  }
}

void AccessLog::order(std::uint32_t what) noexcept {
  orders_.fetch_or(what, std::memory_order_release);
  orders_.notify_one();
}

void AccessLog::write(const AccessRecord& record, Nanos wall) {
  // xorshift: a share of requests needs no better.
  dice_ ^= dice_ << 13;
  dice_ ^= dice_ >> 17;
  dice_ ^= dice_ << 5;
  if (!options_.filter.passes(record, dice_)) return;
  line_.clear();
  format_.render(record, wall, line_);
  if (sink_) {
    line_.pop_back();
    return sink_->take_line(line_);
  }
  put(line_);
}

void AccessLog::put(std::string_view line) noexcept {
  // One that never fits is not waited for.
  const bool may_wait = options_.block && line.size() <= ring_.capacity();
  while (may_wait && !ring_.has_room(line.size())) {
    if (LineFile* file = loops_file()) {
      static_cast<void>(write_out(*file, kPatience));
      continue;
    }
    order(kLines);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (ring_.put(line)) unpublished_ = true;
}

void AccessLog::publish() {
  if (LineFile* file = loops_file()) {
    static_cast<void>(write_out(*file, 0));
  } else if (std::exchange(unpublished_, false)) {
    order(kLines);
  }
}

std::uint64_t AccessLog::take_dropped() noexcept {
  if (!ring_) return 0;
  const std::uint64_t all = ring_.dropped();
  return all - std::exchange(dropped_seen_, all);
}

void AccessLog::reopen() {
  if (thread_.started()) return order(kReopen);
  LineFile* file = loops_file();
  if (!file) return;
  static_cast<void>(write_out(*file, 0));
  file->reopen();
}

void AccessLog::abandon() noexcept {
  if (!file_) return;
  thread_.forget();
  ring_ = {};
  file_->close();
}

void AccessLog::run(LineFile& file) noexcept {
  while (true) {
    orders_.wait(0, std::memory_order_acquire);
    const std::uint32_t what = orders_.exchange(0, std::memory_order_acquire);
    const bool last = (what & kStop) != 0;
    while (!write_out(file, last ? kLastPatience : kPatience)) {
      if (last) return lose_all();
      if ((orders_.load(std::memory_order_relaxed) & kStop) != 0) break;
    }
    if ((what & kReopen) != 0) file.reopen();
    if (last) return;
  }
}

// What there is now. False: nobody takes what is left.
bool AccessLog::write_out(LineFile& file, int wait_ms) noexcept {
  Patience patience(wait_ms);
  for (auto [first, second] = ring_.peek(); !first.empty();
       std::tie(first, second) = ring_.peek()) {
    const LineFile::Written written = file.write(first, second);
    // At once: who inherits this from a worker that is killed writes all that was not
    // taken, and a pipe may have no room for anything twice.
    ring_.take(written.bytes);
    if (written.failed) {
      lose_all();  // a full disk, or a pipe that nobody reads
    } else if (written.bytes == 0 && !patience.wait_for(file)) {
      return false;
    }
  }
  return true;
}

void AccessLog::lose_all() noexcept {
  const auto [first, second] = ring_.peek();
  ring_.drop(count_lines(first) + count_lines(second));
  ring_.take(first.size() + second.size());
}

}  // namespace celadon::server
