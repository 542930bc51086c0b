#include "logql/json_parser.h"

#include <algorithm>
#include <cstring>

namespace weir::logql {
namespace {

constexpr int kMaxDepth = 128;  // Loki has no limit; a stack has

enum class Walk { done, broken, dropped };

// One object with everything below it. With `extract` off it is only read, so that its errors are found.
class Walker {
 public:
  explicit Walker(Scope& scope) : scope_(scope) {}

  Walk object(std::string_view text, std::string_view prefix, bool extract, int depth) {
    if (depth > kMaxDepth) return broken("object is nested too deeply");
    JsonCursor cursor(text);
    if (!cursor.enter_object()) return broken(cursor.error());
    while (true) {
      std::string_view key;
      bool escapes = false;
      bool done = false;
      JsonValue value;
      if (!cursor.next_member(key, escapes, done)) return broken(cursor.error());
      if (done) return Walk::done;
      const auto decoded = json_unescape(key, escapes, scope_.scratch());
      if (!decoded) return broken(kJsonBadEscape);
      if (!cursor.value(value)) return broken(cursor.error());
      const Walk walk = member(*decoded, value, prefix, extract, depth);
      if (walk != Walk::done) return walk;
      if (!cursor.separator()) return broken(cursor.error());
    }
  }

  [[nodiscard]] std::string_view error() const { return error_; }

 private:
  Walk broken(std::string_view why) {
    error_ = why;
    return Walk::broken;
  }

  Walk member(std::string_view key, const JsonValue& value, std::string_view prefix, bool extract, int depth) {
    using Type = JsonValue::Type;
    if (value.type == Type::object) {
      const std::string_view name = extract ? join(prefix, key) : std::string_view();
      return object(value.text, name, extract && scope_.wants_below(name), depth + 1);
    }
    if (!extract || value.type == Type::array || value.type == Type::null) return Walk::done;
    const std::string_view name = join(prefix, key);
    if (name.empty() || !scope_.wants(name)) return Walk::done;
    return scope_.extract(name, json_label_value(value, scope_.scratch())) ? Walk::done : Walk::dropped;
  }

  std::string_view join(std::string_view prefix, std::string_view key) {
    Scratch& scratch = scope_.scratch();
    const std::string_view part = sanitize_name(key, prefix.empty(), scratch);
    if (prefix.empty()) return part;
    if (part.empty()) return prefix;
    char* out = scratch.allocate(prefix.size() + 1 + part.size());
    std::memcpy(out, prefix.data(), prefix.size());
    out[prefix.size()] = '_';
    std::memcpy(out + prefix.size() + 1, part.data(), part.size());
    return {out, prefix.size() + 1 + part.size()};
  }

  Scope& scope_;
  std::string_view error_;
};

}  // namespace

bool JsonParser::process(Scope& scope) const {
  Walker walker(scope);
  switch (walker.object(scope.line(), {}, true, 0)) {
    case Walk::done: return true;
    case Walk::dropped: return false;
    case Walk::broken: scope.set_error(kJsonError, walker.error()); return true;
  }
  return true;
}

base::Result<JsonExtractor> JsonExtractor::compile(const std::vector<Extraction>& extractions) {
  JsonExtractor extractor;
  for (const Extraction& extraction : extractions) {
    auto path = JsonPath::compile(extraction.expression);
    if (!path) return std::move(path).error();
    std::erase_if(extractor.fields_, [&](const Field& field) { return field.name == extraction.name; });
    extractor.fields_.push_back({extraction.name, std::move(*path)});
  }
  return extractor;
}

bool JsonExtractor::process(Scope& scope) const {
  const std::string_view line = scope.line();
  if (line.empty()) return true;
  if (line.front() != '{' && line.front() != '[' && line.front() != '"') {
    scope.set_error(kJsonError, {});
    return true;
  }
  for (const Field& field : fields_) {
    JsonValue value;
    std::string_view error;
    switch (field.path.find(line, value, error, scope.scratch())) {
      case JsonPath::Outcome::found: scope.put_extracted(field.name, json_label_value(value, scope.scratch())); break;
      case JsonPath::Outcome::broken: scope.set_error(kJsonError, error); [[fallthrough]];
      case JsonPath::Outcome::missing:
        if (!scope.collides(field.name)) scope.put(field.name, {});
        break;
    }
  }
  return true;
}

bool Unpack::process(Scope& scope) const {
  const std::string_view line = scope.line();
  if (line.empty()) return true;
  if (line.front() != '{') {
    scope.set_error(kJsonError, "expecting json object(6), but it is not");
    return true;
  }
  // Nothing is taken over before all of it could be read: so it is read twice.
  std::string_view entry;
  bool packed = false;
  for (const bool take : {false, true}) {
    JsonCursor cursor(line);
    cursor.enter_object();
    while (true) {
      std::string_view key;
      bool escapes = false;
      bool done = false;
      JsonValue value;
      if (!cursor.next_member(key, escapes, done) || (!done && !cursor.value(value))) {
        scope.set_error(kJsonError, cursor.error());
        return true;
      }
      if (done) break;
      const auto name = json_unescape(key, escapes, scope.scratch());
      if (name && value.type == JsonValue::Type::string) {
        if (*name == "_entry") {
          if (!take) entry = json_unescape(value.text, value.has_escapes, scope.scratch()).value_or(std::string_view());
          packed = true;
        } else if (take) {
          const std::string_view label = sanitize_name(*name, true, scope.scratch());
          if (!label.empty() && scope.wants(label) && !scope.extract(label, json_label_value(value, scope.scratch()))) return false;
        }
      }
      if (!cursor.separator()) {
        scope.set_error(kJsonError, cursor.error());
        return true;
      }
    }
    if (!packed) return true;
  }
  scope.set_line(entry);
  return true;
}

}  // namespace weir::logql
