#include "rules/redaction.h"

#include "base/byte_search.h"
#include "gotext/regex_shape.h"
#include "record/json.h"

#include <algorithm>

namespace weir::rules {

base::Result<Redaction> Redaction::compile(const Redact& action) {
  auto regex = gotext::Regex::compile(action.pattern);
  if (!regex) return base::fail(base::Code::config, "{}", regex.error().message);
  Redaction redaction(std::move(*regex));
  auto read = redaction.read_replacement(action.replacement);
  if (!read) return std::move(read).error();
  gotext::RequiredLiterals literals = gotext::required_literals(action.pattern);
  const auto is_plain = [](const std::string& literal) { return !literal.empty() && !record::may_be_escaped(literal); };
  std::copy_if(literals.all.begin(), literals.all.end(), std::back_inserter(redaction.all_), is_plain);
  if (std::all_of(literals.any.begin(), literals.any.end(), is_plain)) redaction.any_ = std::move(literals.any);
  return redaction;
}

base::Result<void> Redaction::read_replacement(std::string_view text) {
  const auto literal = [&](char c) {
    if (replacement_.empty() || replacement_.back().group >= 0) replacement_.emplace_back();
    replacement_.back().text += c;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      literal(text[i]);
      continue;
    }
    const char next = ++i < text.size() ? text[i] : '\0';
    if (next == '\\') {
      literal(next);
    } else if (next >= '0' && next <= '9') {
      const int group = next - '0';
      if (group > regex_.group_count())
        return base::fail(base::Code::config, "the replacement asks for group \\{}, the pattern has {}", group,
                          regex_.group_count());
      replacement_.push_back({group, {}});
      groups_asked_ = std::max(groups_asked_, group + 1);
    } else {
      base::Error error = base::fail(base::Code::config, "a backslash in a replacement needs a digit behind it");
      error.hint = "\\1 is the first group of the pattern, \\0 the whole match, \\\\ a backslash";
      return error;
    }
  }
  return {};
}

bool Redaction::may_match_escaped(std::string_view escaped) const {
  if (all_.empty() && any_.empty()) return true;
  const auto is_there = [&](const std::string& literal) { return base::contains_bytes(escaped, literal); };
  if (std::all_of(all_.begin(), all_.end(), is_there) && (any_.empty() || std::any_of(any_.begin(), any_.end(), is_there)))
    return true;
  return base::contains_bytes(escaped, "\\u");  // any byte may hide behind it
}

bool Redaction::apply(std::string_view text, std::string& out) {
  const std::size_t matches = regex_.find_all(text, groups_asked_, found_);
  if (matches == 0) return false;
  out.clear();
  std::size_t done = 0;
  for (std::size_t i = 0; i < matches && out.size() <= kMostBytes; ++i) {
    const std::string_view* groups = &found_[i * static_cast<std::size_t>(groups_asked_)];
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    out.append(text, done, begin - done);
    for (const Piece& piece : replacement_) out += piece.group < 0 ? std::string_view(piece.text) : groups[piece.group];
    done = begin + groups[0].size();
  }
  if (out.size() > kMostBytes) {
    out.resize(kMostBytes);
    return true;
  }
  out.append(text, done);
  return out != text;
}

}  // namespace weir::rules
