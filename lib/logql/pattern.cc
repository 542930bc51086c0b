#include "logql/pattern.h"

#include "base/byte_search.h"

#include <algorithm>

namespace weir::logql {
namespace {

bool is_name_character(char c, bool first) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

// The length of `<name>` at the beginning of `text`, 0 when there is none.
std::size_t capture_length(std::string_view text) {
  if (text.size() < 3 || text[0] != '<') return 0;
  std::size_t i = 1;
  while (i < text.size() && is_name_character(text[i], i == 1)) ++i;
  return i > 1 && i < text.size() && text[i] == '>' ? i + 1 : 0;
}

}  // namespace

base::Result<Pattern> Pattern::parse(std::string_view text) {
  Pattern pattern;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = capture_length(text.substr(i));
    if (length > 0) {
      if (!pattern.pieces_.empty() && pattern.pieces_.back().is_capture) {
        return base::fail(base::Code::parse, "found consecutive capture '<{}>{}': invalid expression", pattern.pieces_.back().text,
                          text.substr(i, length));
      }
      pattern.pieces_.push_back({true, std::string(text.substr(i + 1, length - 2))});
      i += length;
      continue;
    }
    if (pattern.pieces_.empty() || pattern.pieces_.back().is_capture) pattern.pieces_.push_back({false, {}});
    pattern.pieces_.back().text += text[i++];
  }
  return pattern;
}

base::Result<Pattern> Pattern::compile_parser(std::string_view text) {
  if (text.empty()) {
    return base::fail(base::Code::parse,
                      "parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL");
  }
  auto pattern = parse(text);
  if (!pattern) return pattern;
  for (const Piece& piece : pattern->pieces_) {
    if (!piece.named()) continue;
    if (std::find(pattern->names_.begin(), pattern->names_.end(), piece.text) != pattern->names_.end()) {
      return base::fail(base::Code::parse, "duplicate capture name ({}): invalid expression", piece.text);
    }
    pattern->names_.push_back(piece.text);
  }
  if (pattern->names_.empty()) return base::fail(base::Code::parse, "at least one capture is required");
  return pattern;
}

base::Result<Pattern> Pattern::compile_filter(std::string_view text) {
  auto pattern = parse(text);
  if (!pattern) return pattern;
  for (const Piece& piece : pattern->pieces_) {
    if (piece.named()) return base::fail(base::Code::parse, "named captures are not allowed: found '<{}>'", piece.text);
  }
  return pattern;
}

bool Pattern::matches(std::string_view line) const {
  if (pieces_.empty()) return line.empty();
  std::string_view rest = line;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].is_capture) continue;
    const std::string& literal = pieces_[i].text;
    const std::size_t at = base::find_bytes(rest, literal);
    if (at == std::string_view::npos) return false;
    if (at == 0 && i > 0) return false;  // nothing for the capture before it
    rest.remove_prefix(at + literal.size());
  }
  return pieces_.back().is_capture ? !rest.empty() : rest.empty();
}

std::size_t Pattern::capture(std::string_view line, std::vector<std::string_view>& values) const {
  values.clear();
  if (line.empty()) return 0;
  std::size_t i = 0;
  if (!pieces_.front().is_capture) {
    if (!line.starts_with(pieces_.front().text)) return 0;
    line.remove_prefix(pieces_.front().text.size());
    i = 1;
  }
  while (i < pieces_.size()) {
    const Piece& capture = pieces_[i++];
    const std::size_t end = i < pieces_.size() ? base::find_bytes(line, pieces_[i].text) : line.size();
    const bool missing = end == std::string_view::npos;
    if (capture.named()) values.push_back(missing ? line : line.substr(0, end));
    if (missing || i == pieces_.size()) break;
    line.remove_prefix(end + pieces_[i++].text.size());
  }
  return values.size();
}

bool Pattern::fits(std::string_view line) const {
  if (line.empty()) return false;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].is_capture) continue;
    const std::size_t at = base::find_bytes(line, pieces_[i].text);
    if (at == std::string_view::npos || (i == 0 && at != 0)) return false;
    line.remove_prefix(at + pieces_[i].text.size());
  }
  return true;
}

std::vector<std::string> Pattern::literals() const {
  std::vector<std::string> out;
  for (const Piece& piece : pieces_) {
    if (!piece.is_capture) out.push_back(piece.text);
  }
  return out;
}

}  // namespace weir::logql
