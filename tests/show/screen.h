// What a terminal would make of text: checks that nothing drives it and no line is too wide.
#pragma once

#include "base/visible.h"
#include "show/columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace weir::test {

// Without the renditions that weir itself writes.
inline std::string without_styles(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.starts_with("\x1b[") ? text.find('m') : std::string_view::npos;
    if (end != std::string_view::npos && text.substr(2, end - 2).find_first_not_of("0123456789;") == std::string_view::npos) {
      text.remove_prefix(end + 1);
    } else {
      out += text[0];
      text.remove_prefix(1);
    }
  }
  return out;
}

// Every line ends, has at most `width` columns, and holds no byte that moves the cursor or changes anything; and every style ends
// in its line.
inline void expect_fits(std::string_view text, std::size_t width) {
  ASSERT_TRUE(text.empty() || text.back() == '\n') << text;
  while (!text.empty()) {
    const std::string_view styled = text.substr(0, text.find('\n'));
    text.remove_prefix(styled.size() + 1);
    const std::string line = without_styles(styled);
    EXPECT_EQ(base::visible_prefix(line), line.size()) << line;
    EXPECT_LE(show::columns_of(line), width) << line;
    const std::size_t last = styled.rfind('\x1b');
    EXPECT_TRUE(last == std::string_view::npos || styled.substr(last).starts_with("\x1b[0m")) << line;
  }
}

}  // namespace weir::test
