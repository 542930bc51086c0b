#include "show/local_time.h"

#include <fmt/format.h>

#include <ctime>

namespace weir::show {
namespace {

using base::Timestamp;

Timestamp floor_to(Timestamp time, base::Duration unit) {
  const Timestamp rest = time % unit;
  return time - (rest < 0 ? rest + unit : rest);
}

std::tm local(Timestamp time) {
  const auto seconds = static_cast<std::time_t>(floor_to(time, base::kSecond) / base::kSecond);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

void LocalTime::set(Timestamp time) {
  time_ = time;
  // Two times may lie further apart than a Timestamp can say.
  const auto further = static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(minute_);
  if (!minute_text_.empty() && time >= minute_ && further < static_cast<std::uint64_t>(base::kMinute)) return;
  minute_ = floor_to(time, base::kMinute);
  const std::tm parts = local(minute_);
  minute_text_ = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                             parts.tm_min);
  zone_ = parts.tm_zone == nullptr ? "" : parts.tm_zone;
  const long minutes = parts.tm_gmtoff / 60;
  const long size = minutes < 0 ? -minutes : minutes;
  offset_ = minutes == 0 ? "Z" : fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', size / 60, size % 60);
}

void LocalTime::append_seconds(std::string& out, unsigned digits) const {
  const auto nanoseconds = static_cast<std::uint64_t>(time_ - minute_);
  const auto digit = [&out](std::uint64_t value) { out += static_cast<char>('0' + value % 10); };
  digit(nanoseconds / (10 * base::kSecond));
  digit(nanoseconds / base::kSecond);
  out += '.';
  std::uint64_t unit = base::kSecond / 10;
  for (unsigned i = 0; i < digits; ++i, unit /= 10) digit(nanoseconds / unit);
}

void LocalTime::append_full(std::string& out) const {
  out += minute_text_;
  append_seconds(out, 3);
}

void LocalTime::append_clock(std::string& out) const {
  out += std::string_view(minute_text_).substr(11);
  append_seconds(out, 3);
}

void LocalTime::append_rfc3339(std::string& out) const {
  out += day();
  out += 'T';
  out += std::string_view(minute_text_).substr(11);
  append_seconds(out, 9);
  out += offset_;
}

std::string clock_text(Timestamp time) {
  const std::tm parts = local(time);
  return fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string full_text(Timestamp time) {
  const std::tm parts = local(time);
  return fmt::format("{:04}-{:02}-{:02} {}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, clock_text(time));
}

base::Duration offset_at(Timestamp time) { return local(time).tm_gmtoff * base::kSecond; }

Ends ends_of(Timestamp first, Timestamp last) {
  const std::string one = full_text(first), other = full_text(last);
  constexpr std::size_t kDay = 10;
  if (one.substr(0, kDay) != other.substr(0, kDay)) return {one, other};
  return {clock_text(first), clock_text(last)};
}

}  // namespace weir::show
