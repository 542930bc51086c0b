#include "tail/rfc3339.h"

#include <algorithm>

namespace weir::tail {

std::optional<Rfc3339Line> parse_rfc3339_line(std::string_view line, SecondCache& cache) {
  constexpr std::string_view kOpening = "[pod/";
  constexpr std::size_t kLongestTime = 48;
  Rfc3339Line out;
  std::string_view rest = line;
  if (rest.starts_with(kOpening)) {
    const std::size_t close = rest.find("] ");
    if (close == std::string_view::npos) return std::nullopt;
    out.prefix = rest.substr(1, close - 1);
    const std::string_view names = rest.substr(kOpening.size(), close - kOpening.size());
    const std::size_t slash = names.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    out.pod = names.substr(0, slash);
    out.container = names.substr(slash + 1);
    if (out.pod.empty() || out.container.empty()) return std::nullopt;
    rest.remove_prefix(close + 2);
  }
  // A date with a space in it would be read, too, but nobody prints one here.
  const std::string_view time = rest.substr(0, rest.substr(0, kLongestTime).find(' '));
  if (time.size() > kLongestTime) return std::nullopt;
  const auto timestamp = parse_cached_time(time, cache);
  if (!timestamp) return std::nullopt;
  out.timestamp = *timestamp;
  rest.remove_prefix(std::min(time.size() + 1, rest.size()));
  out.size = line.size() - rest.size();
  return out;
}

}  // namespace weir::tail
