#include "logql/logfmt_parser.h"

#include "base/byte_search.h"
#include "base/utf8.h"
#include "gotext/json_reader.h"
#include "gotext/scratch.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::logql {
namespace {

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' '; }
// False for U+FFFD and for bytes that are not UTF-8.
bool is_clean_value(std::string_view value) {
  if (base::is_ascii(value)) return true;
  for (std::size_t i = 0; i < value.size();) {
    std::size_t length = 0;
    if (base::decode_utf8(value.substr(i), length) == base::kReplacement) return false;
    i += length;
  }
  return true;
}

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

bool LogfmtReader::fail(std::size_t at, std::string_view why, char found) {
  why_ = why;
  error_at_ = at + 1;
  found_ = found;
  return false;
}

std::string LogfmtReader::error() const {
  return found_ == '\0' ? fmt::format("logfmt syntax error at pos {} : {}", error_at_, why_)
                        : fmt::format("logfmt syntax error at pos {} : {} '{}'", error_at_, why_, found_);
}

bool LogfmtReader::next(std::string_view& key, std::string_view& value, gotext::Scratch& scratch) {
  if (broken() && position_ < line_.size()) {
    // Whatever is left of the broken pair is passed over.
    while (position_ < line_.size() && !is_blank(line_[position_])) ++position_;
  }
  why_ = {};
  value = {};
  while (position_ < line_.size() && is_blank(line_[position_])) ++position_;
  if (position_ >= line_.size()) return false;
  const std::size_t begin = position_;
  while (position_ < line_.size() && line_[position_] > ' ' && line_[position_] != '=' && line_[position_] != '"') ++position_;
  bool multibyte = false;
  while (position_ < line_.size() && !is_blank(line_[position_]) && line_[position_] != '=' && line_[position_] != '"') {
    multibyte = true;  // chars are signed here: this goes on behind bytes from 0x80 on
    ++position_;
  }
  if (position_ < line_.size() && line_[position_] == '"') return fail(position_, "unexpected", '"');
  if (position_ == begin) return fail(position_, "unexpected", '=');
  key = line_.substr(begin, position_ - begin);
  if (multibyte) {
    for (std::size_t i = 0; i < key.size();) {
      std::size_t length = 0;
      if (base::decode_utf8(key.substr(i), length) == base::kReplacement) return fail(position_, "invalid key");
      i += length;
    }
  }
  if (position_ >= line_.size() || line_[position_] != '=') return true;
  ++position_;
  if (position_ >= line_.size() || is_blank(line_[position_])) return true;
  if (line_[position_] == '"') return quoted(value, scratch);
  const std::size_t start = position_;
  while (position_ < line_.size() && !is_blank(line_[position_])) {
    if (line_[position_] == '=' || line_[position_] == '"') return fail(position_, "unexpected", line_[position_]);
    ++position_;
  }
  value = line_.substr(start, position_ - start);
  return true;
}

bool LogfmtReader::quoted(std::string_view& value, gotext::Scratch& scratch) {
  const std::size_t start = position_ + 1;
  bool escapes = false;
  std::size_t i = start;
  while (true) {
    i = base::find_quote_or_backslash(line_, i);
    if (i >= line_.size()) {
      position_ = line_.size();
      return fail(position_, "unterminated quoted value");
    }
    if (line_[i] == '"') break;
    escapes = true;
    i += 2;
  }
  position_ = i + 1;
  const auto text = gotext::logfmt_unescape(line_.substr(start, i - start), escapes, scratch);
  if (!text) return fail(position_, "invalid quoted value");
  value = *text;
  return true;
}

bool LogfmtParser::process(Scope& scope) const {
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
    scope.put(label, is_clean_value(value) ? value : std::string_view());
  }
}

}  // namespace weir::logql
