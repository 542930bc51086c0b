#include "logql/logfmt_parser.h"

#include "base/utf8.h"
#include "gotext/json_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::logql {
namespace {

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' '; }
bool is_letter_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// The key that an expression names: bare or in quotes.
base::Result<std::string> parse_expression(std::string_view text) {
  auto refuse = [&](std::string_view why) { return base::fail(base::Code::parse, "cannot parse expression [{}]: {}", text, why); };
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  std::string_view rest = text.substr(begin);
  while (!rest.empty() && is_blank(rest.back())) rest.remove_suffix(1);
  if (rest.size() >= 2 && rest.front() == '"' && rest.back() == '"') return std::string(rest.substr(1, rest.size() - 2));
  std::size_t end = 0;
  while (end < rest.size() && (is_letter_byte(rest[end]) || (end > 0 && rest[end] >= '0' && rest[end] <= '9'))) ++end;
  if (end == 0) return refuse("syntax error: unexpected $end, expecting STRING or KEY");
  if (end == rest.size()) return std::string(rest);
  if (is_blank(rest[end])) return refuse("syntax error: unexpected KEY");
  return refuse(fmt::format("unexpected char {}", rest.substr(end, std::max<std::size_t>(base::utf8_length(rest.substr(end)), 1))));
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
