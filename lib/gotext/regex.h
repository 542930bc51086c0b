// Regular expressions as Go's regexp package takes them, run by RE2: the same language, but for a few spellings that are
// translated and for the error texts, which are Go's.
#pragma once

#include "base/result.h"
#include "gotext/regex_shape.h"

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
    search,        // found anywhere
    anchored,      // ^(?:re)$, the dot does not match a newline
    anchored_all,  // ^(?s:re)$, as Prometheus matchers
  };
  // The error is Go's text, "error parsing regexp: missing closing ): `(`", with Code::parse.
  static base::Result<Regex> compile(std::string_view pattern, Mode mode = Mode::search);

  // Whether it is found in bytes that may be anything: a byte that is not UTF-8 counts as U+FFFD.
  [[nodiscard]] bool matches(std::string_view text) const;

  // The first match with its groups (0: the whole); false without one. `groups` must have group_count() + 1 places.
  bool find(std::string_view text, std::size_t from, std::vector<std::string_view>& groups) const;
  [[nodiscard]] int group_count() const;
  [[nodiscard]] const std::vector<std::string>& group_names() const { return names_; }  // [0] and unnamed ones: ""

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

 private:
  Regex();
  std::unique_ptr<re2::RE2> re_;
  RequiredLiterals literals_;  // of the text, when searching
  std::vector<std::string> names_;
};

}  // namespace weir::gotext
