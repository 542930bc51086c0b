// Steps over a logfmt line as the reader that Loki uses does: `key=value key="quoted value" key`. What it refuses is named, so that
// `| logfmt --strict` can say so; values stay as they stand in the line, so that looking for one key decodes nothing.
#pragma once

#include "base/byte_search.h"
#include "base/utf8.h"

#include <cstddef>
#include <string_view>

namespace weir::names {

// Throws nothing, allocates nothing.
class LogfmtScanner {
 public:
  explicit LogfmtScanner(std::string_view line) : line_(line) {}

  // The pair at hand, views into the line.
  std::string_view key;
  std::string_view value;  // between the quotes
  bool escaped = false;    // quoted, with a backslash

  // Why next() was false: nullptr at the end of the line.
  const char* why = nullptr;
  char found = '\0';  // the byte that was not expected, if that was it

  // The next pair; false at the end or at a broken pair. Going on behind a broken pair passes over what is left of it, but for one
  // that the caller has refused: there it goes on right behind the quote.
  bool next() {
    if (why != nullptr && !refused_) {
      while (at_ < line_.size() && !is_blank(line_[at_])) ++at_;
    }
    why = nullptr;
    refused_ = false;
    value = {};
    escaped = false;
    while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
    if (at_ >= line_.size()) return false;
    const std::size_t begin = at_;
    bool ascii = true;
    for (; at_ < line_.size() && !is_blank(line_[at_]) && line_[at_] != '=' && line_[at_] != '"'; ++at_) {
      ascii = ascii && static_cast<unsigned char>(line_[at_]) < 0x80;
    }
    if (at_ < line_.size() && line_[at_] == '"') return fail("unexpected", '"');
    if (at_ == begin) return fail("unexpected", '=');
    key = line_.substr(begin, at_ - begin);
    if (!ascii && !is_clean(key)) return fail("invalid key");
    if (at_ >= line_.size() || line_[at_] != '=') return true;
    ++at_;
    if (at_ >= line_.size() || is_blank(line_[at_])) return true;
    if (line_[at_] == '"') return quoted();
    const std::size_t start = at_;
    for (; at_ < line_.size() && !is_blank(line_[at_]); ++at_) {
      if (line_[at_] == '=' || line_[at_] == '"') return fail("unexpected", line_[at_]);
    }
    value = line_.substr(start, at_ - start);
    return true;
  }

  // For a caller that cannot decode the value: the pair is broken.
  bool refuse(const char* reason) {
    refused_ = true;
    return fail(reason);
  }
  [[nodiscard]] std::size_t position() const { return at_; }

  // Neither U+FFFD nor bytes that are not UTF-8.
  [[nodiscard]] static bool is_clean(std::string_view text) {
    return base::is_utf8(text) && text.find(base::kReplacementText) == std::string_view::npos;
  }

 private:
  static bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' '; }

  bool fail(const char* reason, char byte = '\0') {
    why = reason;
    found = byte;
    return false;
  }

  bool quoted() {
    const std::size_t start = at_ + 1;
    for (at_ = start;; at_ += 2) {
      at_ = base::find_quote_or_backslash(line_, at_);
      if (at_ >= line_.size()) {
        at_ = line_.size();
        return fail("unterminated quoted value");
      }
      if (line_[at_] == '"') break;
      escaped = true;
    }
    value = line_.substr(start, at_ - start);
    ++at_;
    return true;
  }

  std::string_view line_;
  std::size_t at_ = 0;
  bool refused_ = false;
};

}  // namespace weir::names
