#include "logql/logfmt_parser.h"

#include "base/utf8.h"
#include "gotext/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace weir::logql {
namespace {

bool is_letter_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

constexpr std::string_view kNoKey = "\"";

// The words of an expression, as Loki reads them: a name, or what stands behind a quote up to the next quote, `]` or the end.
// Source: Loki 3.7, pkg/logql/log/logfmt.
class ExpressionWords {
 public:
  enum class Kind : std::uint8_t { key, string, end, wrong };
  explicit ExpressionWords(std::string_view text) : rest_(text.substr(0, text.find('\0'))) {}

  Kind next(std::string_view& word) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size()));
    if (rest_.empty()) return Kind::end;
    if (rest_.front() == '"') {
      rest_.remove_prefix(1);
      word = rest_.substr(0, rest_.find_first_of("\"]"));
      rest_.remove_prefix(std::min(word.size() + 1, rest_.size()));
      return Kind::string;
    }
    std::size_t end = 0;
    while (end < rest_.size() && (is_letter_byte(rest_[end]) || (end > 0 && rest_[end] >= '0' && rest_[end] <= '9'))) ++end;
    word = rest_.substr(0, end > 0 ? end : std::max<std::size_t>(base::utf8_length(rest_), 1));
    rest_.remove_prefix(word.size());
    return end > 0 ? Kind::key : Kind::wrong;
  }

 private:
  std::string_view rest_;
};

// The key that an expression names: the first word. Quoted words may follow it; Loki then looks for a key that no line has.
base::Result<std::string> parse_expression(std::string_view text) {
  using Kind = ExpressionWords::Kind;
  auto refuse = [&](std::string_view why) { return base::fail(base::Code::parse, "cannot parse expression [{}]: {}", text, why); };
  ExpressionWords words(text);
  std::string_view word;
  const Kind first = words.next(word);
  if (first != Kind::key && first != Kind::string) return refuse("syntax error: unexpected $end, expecting STRING or KEY");
  std::string key(word);
  while (true) {
    switch (words.next(word)) {
      case Kind::end:
        return key;
      case Kind::string:
        key = kNoKey;
        break;
      case Kind::key:
        return refuse("syntax error: unexpected KEY");
      case Kind::wrong:
        return refuse(fmt::format("unexpected char {}", word));
    }
  }
}

}  // namespace

std::string LogfmtReader::error() const {
  const std::size_t at = in_.position() + 1;
  return in_.found == '\0' ? fmt::format("logfmt syntax error at pos {} : {}", at, in_.why)
                           : fmt::format("logfmt syntax error at pos {} : {} '{}'", at, in_.why, in_.found);
}

bool LogfmtReader::next(std::string_view& key, std::string_view& value, gotext::Scratch& scratch) {
  if (!in_.next()) return false;
  key = in_.key;
  const auto text = gotext::logfmt_unescape(in_.value, in_.escaped, scratch);
  if (!text) return in_.refuse("invalid quoted value");
  value = *text;
  return true;
}

bool LogfmtParser::process(Scope& scope) const {
  if (scope.satisfied()) return true;
  LogfmtReader reader(scope.line());
  gotext::Scratch& scratch = scope.scratch();
  std::string_view key;
  std::string_view value;
  while (true) {
    if (!reader.next(key, value, scratch)) {
      if (!reader.broken()) return true;
      if (!strict_) continue;
      scope.set_error(kLogfmtError, scope.explains() ? reader.error() : std::string());
      return scope.passes_early(kErrorLabel);
    }
    if (value.empty() && !keep_empty_) continue;
    const std::string_view name = sanitize_name(key, true, scratch);
    if (name.empty() || !scope.wants(name)) continue;
    if (!scope.extract(name, clean_value(value, scratch))) return false;
    if (scope.satisfied()) return true;
  }
}

base::Result<LogfmtExtractor> LogfmtExtractor::compile(const LogfmtExpr& expr) {
  LogfmtExtractor extractor;
  extractor.strict_ = expr.strict;
  for (const Extraction& extraction : expr.extractions) {
    auto key = parse_expression(extraction.expression);
    if (!key) return std::move(key).error();
    std::erase_if(extractor.fields_, [&](const Field& field) { return field.name == extraction.name; });
    extractor.fields_.push_back({extraction.name, std::move(*key)});
  }
  return extractor;
}

std::vector<std::string> LogfmtExtractor::keys() const {
  std::vector<std::string> keys;
  for (const Field& field : fields_) keys.push_back(field.key);
  return keys;
}

bool LogfmtExtractor::process(Scope& scope) const {
  if (scope.satisfied()) return true;
  for (const Field& field : fields_) {
    if (!scope.collides(field.name)) scope.put(field.name, {});
  }
  const auto named = [this](std::string_view name, auto member) {
    return std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) { return field.*member == name; });
  };
  LogfmtReader reader(scope.line());
  gotext::Scratch& scratch = scope.scratch();
  std::string_view key;
  std::string_view value;
  while (true) {
    if (!reader.next(key, value, scratch)) {
      if (!reader.broken()) return true;
      if (!strict_) continue;
      scope.set_error(kLogfmtError, scope.explains() ? reader.error() : std::string());
      return true;
    }
    const std::string_view name = sanitize_name(key, true, scratch);
    const auto of_name = named(name, &Field::name);
    // What an earlier stage has extracted under its own name is not looked at again, unless that is a name asked for here.
    if (of_name == fields_.end() && scope.was_set(name)) continue;
    // A key that some expression names goes there; one that only has the name of a label goes to that label, too.
    auto field = named(name, &Field::key);
    if (field == fields_.end()) field = of_name;
    if (field == fields_.end()) continue;
    const std::string_view label = scope.free_name(field->name);
    if (label != field->name && scope.was_set(label)) return true;  // Loki reads no further then
    scope.put(label, names::LogfmtScanner::is_clean(value) ? value : std::string_view());
  }
}

}  // namespace weir::logql
