#include "http/date.h"

#include <chrono>
#include <cstring>

namespace celadon::http {
namespace {

void two_digits(unsigned value, char* out) noexcept {
  out[0] = static_cast<char>('0' + value / 10 % 10);
  out[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

void format_date(std::int64_t unix_seconds, char* out) noexcept {
  using namespace std::chrono;
  const sys_seconds at{seconds{unix_seconds}};
  const sys_days day = floor<days>(at);
  const year_month_day ymd{day};
  const hh_mm_ss time{at - day};
  static constexpr char kDays[] = "SunMonTueWedThuFriSat";
  static constexpr char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  std::memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", kDateSize);
  std::memcpy(out, kDays + std::size_t{3} * weekday{day}.c_encoding(), 3);
  two_digits(static_cast<unsigned>(ymd.day()), out + 5);
  std::memcpy(out + 8,
              kMonths + std::size_t{3} * (static_cast<unsigned>(ymd.month()) - 1), 3);
  const auto year = static_cast<unsigned>(static_cast<int>(ymd.year()));
  two_digits(year / 100, out + 12);
  two_digits(year % 100, out + 14);
  two_digits(static_cast<unsigned>(time.hours().count()), out + 17);
  two_digits(static_cast<unsigned>(time.minutes().count()), out + 20);
  two_digits(static_cast<unsigned>(time.seconds().count()), out + 23);
}

}  // namespace celadon::http
