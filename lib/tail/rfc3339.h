// A line with its time in front, as `kubectl logs --timestamps [--prefix]` and `docker logs -t` print it:
//
//   2024-05-01T10:00:00.123456789Z content
//   [pod/web-0/app] 2024-05-01T10:00:00.123456789Z content
#pragma once

#include "base/clock.h"
#include "tail/format.h"

#include <cstddef>
#include <optional>
#include <string_view>

namespace weir::tail {

// Views into the line.
struct Rfc3339Line {
  std::string_view prefix;  // pod/web-0/app; "" for none
  std::string_view pod, container;
  base::Timestamp timestamp = 0;
  std::size_t size = 0;  // bytes before the content
};

// `line` without its newline. Nothing when it is not of this form.
[[nodiscard]] std::optional<Rfc3339Line> parse_rfc3339_line(std::string_view line, SecondCache& cache);

}  // namespace weir::tail
