#include "h2/trailer_reader.h"

#include "h2/head_reader.h"

namespace celadon::h2 {

void TrailerReader::reset() noexcept {
  rules_ = http::TrailerRules(*limits_);
  bytes_.clear();
  places_.clear();
  decoded_ = 0;
  why_ = http::Rejection::None;
}

void TrailerReader::take(std::string_view name, std::string_view value) noexcept {
  constexpr std::size_t kFieldOverhead = 32;
  decoded_ += name.size() + value.size() + kFieldOverhead;
  if (why_ != http::Rejection::None) return;
  // A pseudo-header is no token.
  const bool is_field = !name.empty() && judge_field(http::header_id(name), name,
                                                     value) == http::Rejection::None;
  why_ = is_field ? rules_.take(name, value) : http::Rejection::BadTrailer;
  if (why_ != http::Rejection::None) return;
  places_.push_back({bytes_.size(), name.size(), value.size()});
  bytes_.append(name).append(value);
}

std::vector<http::HeaderView> TrailerReader::fields() const {
  std::vector<http::HeaderView> fields;
  fields.reserve(places_.size());
  const std::string_view all = bytes_;
  for (const Place& place : places_) {
    fields.push_back({all.substr(place.at, place.name_size),
                      all.substr(place.at + place.name_size, place.value_size)});
  }
  return fields;
}

}  // namespace celadon::h2
