// Which lines of a block contain certain texts: asked of all lines in one piece, so that only those that do are split off.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

// A wanted line contains at least one of these texts. None of them is empty, and there is at least one.
using Needles = std::vector<std::string>;

// Not thread safe. The groups must outlive it.
class NeedleSearch {
 public:
  // A wanted line contains one text of each group.
  explicit NeedleSearch(std::span<const Needles> groups);

  // False when no line can be wanted, judged by what is left of the lines without their values (line_values.h).
  [[nodiscard]] bool possible(std::string_view left) const;

  // Begins with all lines of a block, which stay where they are until the last call of wanted(). False when none is wanted.
  [[nodiscard]] bool begin(std::string_view lines);
  // Whether the line of these bytes is wanted. Asked in the order of the lines; some may be left out.
  [[nodiscard]] bool wanted(std::size_t offset, std::size_t length);

 private:
  struct Hit {
    std::string_view needle;
    std::size_t at = 0;  // the first place that is not before the latest line; npos: there is none
  };
  [[nodiscard]] bool any_within(std::size_t offset, std::size_t length);

  std::span<const Needles> groups_;
  std::size_t rarest_ = 0;  // the group whose texts are looked for in all lines
  std::vector<Hit> hits_;   // its texts
  std::string_view lines_;
};

}  // namespace weir::spool
