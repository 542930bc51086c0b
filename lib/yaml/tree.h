// YAML as a tree that knows the place of everything in it. It accepts what Go's yaml.v2 accepts: anchors, aliases and merge keys
// are resolved.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::yaml {

struct Place {
  std::size_t line = 1, column = 1;  // columns in characters
  friend bool operator==(const Place&, const Place&) = default;
};

struct Entry;

struct Node {
  enum class Kind : std::uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;   // of a scalar
  bool plain = true;  // a scalar without quotes: may be a number or a boolean
  Place place;
  std::vector<Node> items;     // of a list
  std::vector<Entry> entries;  // of a map, in the order of the text; keys are unique

  [[nodiscard]] const Node* find(std::string_view key) const;  // of a map; null: not there
  [[nodiscard]] bool is_null() const { return kind == Kind::null; }
  [[nodiscard]] bool is_scalar() const { return kind == Kind::scalar; }
  [[nodiscard]] bool is_list() const { return kind == Kind::list; }
  [[nodiscard]] bool is_map() const { return kind == Kind::map; }
};

struct Entry {
  std::string key;
  Place place;  // of the key
  Node value;
};

struct Document {
  Node root;
  bool has_more = false;  // another document follows, which is not read
};

inline constexpr std::size_t kMostBytes = 1 << 20;

// What an error may show of the text: a configuration may hold secrets, and its lines that look like one are not shown.
enum class Content : std::uint8_t { may_hold_secrets, open };

// Errors: Code::config, "NAME:LINE:COLUMN: cause" with the line and a caret as hint.
[[nodiscard]] base::Result<Document> parse(std::string_view text, std::string_view name,
                                           Content content = Content::may_hold_secrets);

// The same error for a place of a text that was parsed.
[[nodiscard]] base::Error error_at(std::string_view text, std::string_view name, Place place, std::string_view cause,
                                   std::string_view hint = {}, Content content = Content::may_hold_secrets);

}  // namespace weir::yaml
