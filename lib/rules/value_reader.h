// Reads the values of a rule from its line, from left to right: words, quoted texts, amounts, durations, times and lists of labels.
// rules/line_parser.cc says in which order they stand.
#pragma once

#include "base/clock.h"
#include "rules/mistake.h"
#include "rules/rule.h"
#include "rules/rule_lexis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::rules {

// The base of the parser of a line, which moves `at_` too. Every function that returns a bool has left a Mistake when it is false.
// A value that was read lies in front of `at_`. `what` names a value in messages, `form` is the hint that shows how to write it.
class ValueReader {
 protected:
  // `line` must outlive the reader. With `now`, hints propose times that fit.
  ValueReader(std::string_view line, std::optional<base::Timestamp> now) : line_(line), now_(now) {}
  ~ValueReader() = default;

  template <typename... Args>
  bool wrong(std::size_t offset, std::string hint, fmt::format_string<Args...> why, Args&&... args) {
    mistake_ = {std::min(offset, line_.size()), fmt::format(why, std::forward<Args>(args)...), std::move(hint)};
    return false;
  }

  // ---- what follows

  [[nodiscard]] std::string_view rest() const { return line_.substr(at_); }
  void skip_blanks() { at_ = std::min(line_.find_first_not_of(kBlank, at_), line_.size()); }
  [[nodiscard]] bool at_end() const { return at_ >= line_.size(); }
  // Whether a query or nothing follows, rather than an argument.
  [[nodiscard]] bool at_query() const { return at_end() || rest().front() == '{' || rest().front() == '|'; }
  [[nodiscard]] std::string_view word(std::string_view stops = kWordStops) const { return leading_word(rest(), stops); }
  [[nodiscard]] std::string_view letters() const { return leading_letters(rest()); }
  bool accept(std::string_view wanted);  // false, without a Mistake, when another word follows

  // ---- values

  // The word of an argument, which stays; it is not empty.
  bool argument(std::string_view& found, std::string_view what, std::string_view form);
  // A text in double quotes or backquotes, as LogQL writes it.
  bool quoted(std::string& out, std::string_view what, std::string_view form);
  // 100, 10k, 1MiB. `text` stands at `offset`; `at_` stays.
  bool amount(std::string_view text, std::size_t offset, std::uint64_t& out, Limit::Unit& unit);
  // by (a, b). The word by follows.
  bool by(std::vector<std::string>& out);
  bool duration(base::Duration& out, std::string_view what, std::string_view form, base::Duration most);
  // `lifetime` is that of a rule that begins at this time; 0 for none.
  bool time(base::Timestamp& out, base::Duration lifetime = 0);

  std::string_view line_;
  std::optional<base::Timestamp> now_;
  std::size_t at_ = 0;
  Mistake mistake_;

 private:
  [[nodiscard]] base::Timestamp nearest_day(std::string_view text, base::Timestamp latest, base::Duration lifetime) const;
};

}  // namespace weir::rules
