// Regular expressions of Go's regexp package, run by RE2. The language is the same, except for a few spellings, which are
// translated. The error texts are Go's.
#pragma once

#include "base/result.h"
#include "gotext/regex_shape.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace weir::gotext {

// Immutable; searching is thread safe.
class Regex {
 public:
  enum class Mode {
    search,        // matches anywhere
    anchored,      // ^(?:re)$; the dot does not match a newline
    anchored_all,  // ^(?s:re)$, as in Prometheus matchers
  };
  // The error is Go's text, "error parsing regexp: missing closing ): `(`", with Code::parse.
  static base::Result<Regex> compile(std::string_view pattern, Mode mode = Mode::search);

  // Whether the expression matches these bytes. A byte that is not UTF-8 counts as U+FFFD.
  [[nodiscard]] bool matches(std::string_view text) const;

  // A text to be searched more than once. The text outlives it.
  class Subject {
   public:
    explicit Subject(std::string_view text);
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] bool is_utf8() const { return origin_.empty(); }

   private:
    friend class Regex;
    [[nodiscard]] std::size_t position(std::size_t of_text) const;
    [[nodiscard]] std::string_view of_text(std::size_t begin, std::size_t end) const;

    std::string_view text_;
    // Where it is not UTF-8: the text with every such byte replaced, as Go's engine sees it, and the place in text_ of each byte
    // of that, and of its end.
    std::string replaced_;
    std::vector<std::size_t> origin_;
  };

  // The first match from `from` on with its groups (0: the whole match); false when there is none.
  bool find(const Subject& subject, std::size_t from, std::vector<std::string_view>& groups) const;
  bool find(std::string_view text, std::vector<std::string_view>& groups) const { return find(Subject(text), 0, groups); }
  // All matches from left to right that are not empty, none of which overlap; `groups` gets the first `count` groups of each, one
  // match after the other (count from 1 to group_count() + 1). Returns how many matches there are.
  std::size_t find_all(std::string_view text, int count, std::vector<std::string_view>& groups) const;
  // Appends `replacement` to `out`, with `$1`, `$name` and `${name}` replaced by these groups of find(), as Go's Regexp.Expand.
  // Stops once `out` is longer than `limit`.
  void expand(std::string_view replacement, const std::vector<std::string_view>& groups, std::size_t limit, std::string& out) const;
  [[nodiscard]] int group_count() const;
  [[nodiscard]] const std::vector<std::string>& group_names() const { return names_; }  // [0] and unnamed groups: ""

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

 private:
  Regex();
  [[nodiscard]] bool has_literals(std::string_view text) const;
  std::unique_ptr<re2::RE2> re_;
  RequiredLiterals literals_;  // of the pattern, in mode search
  std::vector<std::string> names_;
};

}  // namespace weir::gotext
