// Times for people, in the zone of the process (TZ, /etc/localtime). Not thread safe where an object is shared.
#pragma once

#include "base/clock.h"

#include <string>
#include <string_view>

namespace weir::show {

// The parts of one minute are computed once, since records come in the order of time.
class LocalTime {
 public:
  // Takes the time of what follows.
  void set(base::Timestamp time);
  [[nodiscard]] std::string_view day() const { return std::string_view(minute_text_).substr(0, 10); }  // "2026-05-01"
  [[nodiscard]] std::string_view zone() const { return zone_; }                                        // "CEST", "UTC", "+03"
  // "2026-05-01 12:00:00.001" and "12:00:00.001": milliseconds, cut.
  void append_full(std::string& out) const;
  void append_clock(std::string& out) const;
  // RFC 3339 with all nine digits and the offset, "2026-05-01T12:00:00.001900000+02:00"; an offset of zero is Z.
  void append_rfc3339(std::string& out) const;

 private:
  void append_seconds(std::string& out, unsigned digits) const;

  base::Timestamp time_ = 0, minute_ = 0;
  std::string minute_text_;  // "2026-05-01 12:00:"
  std::string zone_, offset_;
};

// "2026-05-01 12:00:00" and "12:00:00".
[[nodiscard]] std::string full_text(base::Timestamp time);
[[nodiscard]] std::string clock_text(base::Timestamp time);

// How far local time is ahead of UTC then.
[[nodiscard]] base::Duration offset_at(base::Timestamp time);

// What the ends of an axis say: clocks when all lies on one day, else dates with them.
struct Ends {
  std::string first, last;
};
[[nodiscard]] Ends ends_of(base::Timestamp first, base::Timestamp last);

}  // namespace weir::show
