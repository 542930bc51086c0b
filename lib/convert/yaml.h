// YAML as a tree that knows the place of everything in it. What Promtail's own reader (yaml.v2) accepts for configurations:
// anchors, aliases and merge keys are resolved.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

struct Place {
  std::size_t line = 1, column = 1;  // columns in characters
  friend bool operator==(const Place&, const Place&) = default;
};

struct YamlEntry;

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;   // of a scalar
  bool plain = true;  // a scalar without quotes: may be a number or a boolean
  Place place;
  std::vector<YamlNode> items;     // of a list
  std::vector<YamlEntry> entries;  // of a map, in the order of the text; keys are unique

  [[nodiscard]] const YamlNode* find(std::string_view key) const;  // of a map; null: not there
  [[nodiscard]] bool is_null() const { return kind == Kind::null; }
  [[nodiscard]] bool is_scalar() const { return kind == Kind::scalar; }
  [[nodiscard]] bool is_list() const { return kind == Kind::list; }
  [[nodiscard]] bool is_map() const { return kind == Kind::map; }
};

struct YamlEntry {
  std::string key;
  Place place;  // of the key
  YamlNode value;
};

struct YamlDocument {
  YamlNode root;
  bool has_more = false;  // another document follows, which Promtail does not read
};

inline constexpr std::size_t kMostYamlBytes = 1 << 20;

// Errors: Code::config, "NAME:LINE:COLUMN: cause" with the line and a caret as hint.
[[nodiscard]] base::Result<YamlDocument> parse_yaml(std::string_view text, std::string_view name);

// The same error for a place of a text that was parsed.
[[nodiscard]] base::Error yaml_error(std::string_view text, std::string_view name, Place place, std::string_view cause,
                                     std::string_view hint = {});

}  // namespace weir::convert
