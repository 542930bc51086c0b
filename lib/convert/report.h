// Collects the findings of a conversion, and the first error of the text.
#pragma once

#include "base/result.h"
#include "convert/conversion.h"
#include "yaml/tree.h"

#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

// Where something stands, by its line and by its path.
struct Spot {
  yaml::Place place;
  std::string path;
  [[nodiscard]] Spot key(std::string_view name) const;
  [[nodiscard]] Spot index(std::size_t i) const;
};
[[nodiscard]] Spot at(const Spot& base, std::string_view key, const yaml::Node& value);

class Report {
 public:
  void exact(const Spot& spot, std::string what = {}) { add(spot, Severity::exact, std::move(what), {}); }
  void note(const Spot& spot, std::string what, std::string advice = {}) {
    add(spot, Severity::note, std::move(what), std::move(advice));
  }
  void missing(const Spot& spot, std::string what, std::string advice) {
    add(spot, Severity::not_expressible, std::move(what), std::move(advice));
  }
  // The text is no configuration of Promtail. The first one counts.
  void wrong(const Spot& spot, std::string cause);

  [[nodiscard]] std::size_t size() const { return findings_.size(); }
  // Whether something was found there, or below it, since `size` findings.
  [[nodiscard]] bool speaks_of(const Spot& spot, std::size_t since) const;
  [[nodiscard]] bool failed() const { return mistake_.has_value(); }

  struct Mistake {
    yaml::Place place;
    std::string cause;
  };
  [[nodiscard]] const std::optional<Mistake>& mistake() const { return mistake_; }
  // By their places. What was said twice is there once.
  [[nodiscard]] std::vector<Finding> take();

 private:
  void add(const Spot& spot, Severity severity, std::string what, std::string advice);
  std::vector<Finding> findings_;
  std::optional<Mistake> mistake_;
};

// A map of the configuration. What nobody has asked for is a finding at the end.
class MapReader {
 public:
  // A node that is no map is a mistake; null is an empty map.
  MapReader(const yaml::Node& node, Spot spot, Report& report);
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;

  [[nodiscard]] const yaml::Node* take(std::string_view key);  // null: not there, or null
  [[nodiscard]] bool has(std::string_view key) { return take(key) != nullptr; }
  [[nodiscard]] std::string text(std::string_view key, std::string_view missing = {});
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view key);
  [[nodiscard]] bool boolean(std::string_view key, bool missing);
  [[nodiscard]] Spot spot(std::string_view key) const;  // of what stands there
  [[nodiscard]] const Spot& own() const { return spot_; }

  // These change nothing in weir: `what` says why.
  void accept(std::initializer_list<std::string_view> keys, std::string_view what);
  // Keys that nobody has taken are unknown to Promtail: `strict` maps make it refuse the file.
  void finish();

 private:
  const yaml::Node& node_;
  const Spot spot_;
  Report& report_;
  std::set<std::string, std::less<>> taken_;
};

// A scalar as text; anything else is a mistake.
[[nodiscard]] std::string text_of(const yaml::Node& node, const Spot& spot, Report& report);
// A list of texts, or one text where that is allowed.
[[nodiscard]] std::vector<std::string> texts_of(const yaml::Node& node, const Spot& spot, Report& report,
                                                bool one_is_enough = false);
[[nodiscard]] std::optional<bool> boolean_of(std::string_view text);

}  // namespace weir::convert
