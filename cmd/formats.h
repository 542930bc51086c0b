// The manual pages of formats and metrics (man/*.5, man/*.7), which are written by hand and kept in the binary, so that it can
// print all of its pages.
#pragma once

#include <span>
#include <string_view>

namespace weir::cmd {

struct FormatPage {
  std::string_view name;  // "record" of weir-record(5)
  int section = 5;
  std::string_view text;
};

[[nodiscard]] std::span<const FormatPage> format_pages();

}  // namespace weir::cmd
