// The rules of a time zone: which offset from UTC was in force when. From the system's time zone database.
// RFC 8536.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotext {

// Immutable.
class TimeZone {
 public:
  struct Period {
    std::string_view name;    // "CEST"; it lives as long as the zone
    std::int64_t offset = 0;  // seconds east of UTC
    bool daylight = false;
    std::int64_t begin = 0;  // seconds since 1970, in UTC
    std::int64_t end = 0;    // the first second behind it
  };

  // The zone of a name like "Europe/Berlin"; nullptr when there is none, or when the file of it is damaged. A zone is read once.
  // May be called by several threads.
  static std::shared_ptr<const TimeZone> load(std::string_view name);
  // The zone of this machine for templates. That is UTC, so that a query gives the same everywhere.
  static std::shared_ptr<const TimeZone> local();
  static std::shared_ptr<const TimeZone> fixed(std::string_view name, std::int64_t offset);
  // From the content of a file of the database; nullptr when it is damaged.
  static std::shared_ptr<const TimeZone> parse(std::string_view name, std::string_view file);

  [[nodiscard]] Period at(std::int64_t second) const;
  // The offset that the abbreviation `name` means at about `second` of local time, if it is one of this zone.
  [[nodiscard]] std::optional<std::int64_t> offset_of(std::string_view name, std::int64_t second) const;
  [[nodiscard]] const std::string& name() const { return name_; }
  // A number of whole hours without a name. Go keeps one of each.
  [[nodiscard]] bool is_plain_offset() const;

 private:
  struct Local {
    std::string name;
    std::int64_t offset = 0;
    bool daylight = false;
  };
  struct Change {
    std::int64_t second = 0;
    std::size_t local = 0;
  };
  // A day of the year on which daylight saving begins or ends.
  struct Rule {
    enum class Kind : std::uint8_t { julian, day_of_year, month_week_day };
    Kind kind = Kind::julian;
    int month = 0;
    int week = 0;
    int day = 0;
    std::int64_t time = 0;  // seconds after midnight
  };
  // What holds behind the last change.
  struct Tail {
    Local standard;
    Local daylight;
    bool changes = false;
    Rule begin;
    Rule end;
  };
  class TailReader;
  static std::int64_t second_of_year(std::int64_t year, const Rule& rule, std::int64_t offset);
  [[nodiscard]] Period tail_at(std::int64_t second, std::int64_t last_change) const;
  [[nodiscard]] std::size_t first_local() const;

  std::string name_;
  std::vector<Local> locals_;
  std::vector<Change> changes_;
  std::optional<Tail> tail_;
};

}  // namespace weir::gotext
