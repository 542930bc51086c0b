#include "logql/json_parser.h"

#include "gotemplate/budget.h"
#include "gotext/json_reader.h"
#include "gotext/scratch.h"
#include "gotext/unicode.h"

#include <algorithm>
#include <cstring>

namespace weir::logql {
namespace {

// A label's value: strings decoded ("" when they cannot be) and cleaned, anything else its text.
std::string_view json_label_value(const gotext::JsonValue& value, gotext::Scratch& scratch) {
  if (value.type == gotext::JsonValue::Type::null) return {};
  // Loki takes the escapes out of an array's text, too.
  const bool array = value.type == gotext::JsonValue::Type::array;
  if (value.type != gotext::JsonValue::Type::string && !array) return value.text;
  const auto text = gotext::json_unescape(value.text, array || value.has_escapes, scratch);
  return text ? clean_value(*text, scratch) : std::string_view();
}

constexpr int kMaxDepth = 128;  // Loki has no limit; a stack has

enum class Walk { done, broken, dropped, satisfied };

// One object with everything below it. With `extract` off it is only read, so that its errors are found.
class Walker {
 public:
  explicit Walker(Scope& scope) : scope_(scope) {}

  // `prefix_size` is what the names above take as they stand in the text.
  Walk object(std::string_view text, std::string_view prefix, std::size_t prefix_size, bool extract, int depth) {
    if (depth > kMaxDepth) return broken("object is nested too deeply");
    gotext::JsonCursor cursor(text);
    if (!cursor.enter_object()) return broken(cursor.error());
    while (true) {
      std::string_view key;
      bool escapes = false;
      bool done = false;
      gotext::JsonValue value;
      if (!cursor.next_member(key, escapes, done)) return broken(cursor.error());
      if (done) return Walk::done;
      const auto decoded = gotext::json_unescape(key, escapes, scope_.scratch());
      if (!decoded) return broken(gotext::kJsonBadEscape);
      if (!cursor.value(value)) return broken(cursor.error());
      const Walk walk = member(*decoded, value, prefix, prefix_size, extract, depth);
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

  Walk member(std::string_view key, const gotext::JsonValue& value, std::string_view prefix, std::size_t prefix_size, bool extract,
              int depth) {
    using Type = gotext::JsonValue::Type;
    if (scope_.satisfied()) return Walk::satisfied;
    if (value.type == Type::array || value.type == Type::null) return Walk::done;
    // Each name repeats all of the names above it. Whether it is asked for must not matter here, or verdict and answer would
    // differ.
    const std::size_t name_size = prefix_size + 1 + key.size();
    if (depth > 0 && !scope_.budget().spend(name_size)) return broken(gotemplate::kTooMuchText);
    if (value.type == Type::object) {
      const std::string_view name = extract ? join(prefix, key) : std::string_view();
      return object(value.text, name, name_size, extract && scope_.wants_below(name), depth + 1);
    }
    if (!extract) return Walk::done;
    const std::string_view name = join(prefix, key);
    if (name.empty() || !scope_.wants(name)) return Walk::done;
    const std::string_view text = json_label_value(value, scope_.scratch());
    // Below an object Loki appends to the key before it looks at blanks in it, so that they become part of the name.
    const bool blank_end = key.empty() || gotext::trim_space(key).end() != key.end();
    if (!prefix.empty() && blank_end && scope_.collides(name)) {
      const std::string_view other = join(prefix, scope_.scratch().copy(std::string(key) + "_extracted"));
      return scope_.extract_as(other, text) ? Walk::done : Walk::dropped;
    }
    return scope_.extract(name, text) ? Walk::done : Walk::dropped;
  }

  std::string_view join(std::string_view prefix, std::string_view key) {
    gotext::Scratch& scratch = scope_.scratch();
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
  if (scope.satisfied()) return true;
  Walker walker(scope);
  switch (walker.object(scope.line(), {}, 0, true, 0)) {
    case Walk::done:
    case Walk::satisfied:
      return true;
    case Walk::dropped:
      return false;
    case Walk::broken:
      scope.set_error(kJsonError, walker.error());
      return true;
  }
  return true;
}

base::Result<JsonExtractor> JsonExtractor::compile(const std::vector<Extraction>& extractions) {
  auto paths = JsonPaths::compile(extractions);
  if (!paths) return std::move(paths).error();
  JsonExtractor extractor(std::move(*paths));
  for (const Extraction& extraction : extractions) extractor.names_.push_back(extraction.name);
  return extractor;
}

bool JsonExtractor::process(Scope& scope) const {
  const std::string_view line = scope.line();
  if (line.empty() || scope.satisfied()) return true;
  if (line.front() != '{' && line.front() != '[' && line.front() != '"') {
    scope.set_error(kJsonError);
    return true;
  }
  struct Labels : JsonPaths::Sink {
    Scope& scope;
    const std::vector<std::string>& names;
    std::size_t count = 0;
    Labels(Scope& s, const std::vector<std::string>& n) : scope(s), names(n) {}
    void found(std::size_t path, const gotext::JsonValue& value) override {
      scope.put(scope.free_name(names[path]), json_label_value(value, scope.scratch()));
      ++count;
    }
    void broken(std::string_view why) override { scope.set_error(kJsonError, why); }
  };
  Labels labels(scope, names_);
  paths_.search(line, scope.scratch(), labels);
  if (labels.count >= names_.size()) return true;
  // Once one is missing, every name that is no label now is set, also one whose value went to <name>_extracted.
  std::string_view value;
  for (const std::string& name : names_) {
    if (!scope.find(name, value)) scope.put(name, {});
  }
  return true;
}

bool Unpack::process(Scope& scope) const {
  const std::string_view line = scope.line();
  if (line.empty() || scope.satisfied()) return true;
  const auto broken = [&scope](std::string_view why) {
    scope.set_error(kJsonError, why);
    return true;
  };
  if (line.front() != '{') return broken("expecting json object(6), but it is not");
  // Nothing is taken over before all of it could be read.
  labels_.clear();
  std::string_view entry;
  bool packed = false;
  gotext::JsonCursor cursor(line);
  cursor.enter_object();
  while (true) {
    std::string_view key;
    bool escapes = false;
    bool done = false;
    gotext::JsonValue value;
    if (!cursor.next_member(key, escapes, done)) return broken(cursor.error());
    if (done) break;
    const auto name = gotext::json_unescape(key, escapes, scope.scratch());
    if (!name) return broken(gotext::kJsonBadEscape);
    if (!cursor.value(value)) return broken(cursor.error());
    if (value.type == gotext::JsonValue::Type::string) {
      if (*name == "_entry") {
        const auto text = gotext::json_unescape(value.text, value.has_escapes, scope.scratch());
        if (!text) return broken(gotext::kJsonBadEscape);
        entry = *text;
        packed = true;
      } else if (const std::string_view as = scope.free_name(*name); !scope.was_set(as)) {
        // Names are compared as they stand and sanitised afterwards; of a repeated one the last counts.
        labels_.push_back({sanitize_name(as, true, scope.scratch()), json_label_value(value, scope.scratch())});
      }
    }
    if (!cursor.separator()) return broken(cursor.error());
  }
  if (!packed) return true;
  scope.set_line(entry);
  return std::all_of(labels_.begin(), labels_.end(), [&scope](const record::Label& label) {
    return !scope.wants(label.name) || scope.put_as(label.name, label.value);
  });
}

}  // namespace weir::logql
