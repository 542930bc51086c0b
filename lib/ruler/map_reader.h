// The maps of a YAML file with a fixed set of keys: values of the kinds that are wanted, and an error with its place and a hint for
// everything else.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "ruler/rule_file.h"
#include "yaml/tree.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::ruler {

// The text of a file. All messages are about its places. The text must live as long.
struct FileText {
  std::string_view text;
  std::string_view name;

  [[nodiscard]] base::Error error(yaml::Place place, std::string_view cause, std::string_view hint = {}) const {
    return yaml::error_at(text, name, place, cause, hint, yaml::Content::open);
  }
};

// Reads one map. The first mistake is kept, and what is asked for after it has no meaning: ask for everything, then for failed().
class MapReader {
 public:
  // `what`: what messages call it ("a rule"). A node that is no map is a mistake. `keys`: all there may be.
  MapReader(const FileText& file, const yaml::Node& node, std::string_view what, std::initializer_list<std::string_view> keys);

  [[nodiscard]] const yaml::Node* find(std::string_view key) const;  // null: not there, or null
  [[nodiscard]] yaml::Place place(std::string_view key) const;       // of its value; of the map where it is not there
  // Absent values are "", 0, no entries.
  [[nodiscard]] std::string text(std::string_view key);
  [[nodiscard]] base::Duration duration(std::string_view key);
  [[nodiscard]] std::uint64_t count(std::string_view key);
  [[nodiscard]] std::optional<double> number(std::string_view key);
  [[nodiscard]] bool flag(std::string_view key);
  [[nodiscard]] Pairs pairs(std::string_view key);
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  [[nodiscard]] const std::vector<yaml::Node>& list(std::string_view key);

  void fail(yaml::Place place, std::string_view cause, std::string_view hint = {});
  void fail(base::Error error) {
    if (!mistake_) mistake_ = std::move(error);
  }
  [[nodiscard]] bool failed() const { return mistake_.has_value(); }
  [[nodiscard]] base::Error error() && { return *std::move(mistake_); }

 private:
  const FileText& file_;
  const yaml::Node& node_;
  std::string what_;
  std::optional<base::Error> mistake_;
};

// Sums of a few of them, and of a time before the year 2100, do not overflow.
inline constexpr base::Duration kMostDuration = 100 * 365 * 24 * base::kHour;

// A duration as Prometheus writes it, up to kMostDuration: "1m30s". nullopt: `error` says what is wrong, at that place.
[[nodiscard]] std::optional<base::Duration> read_duration(const FileText& file, const yaml::Node& node, std::string_view key,
                                                          base::Error& error);

}  // namespace weir::ruler
