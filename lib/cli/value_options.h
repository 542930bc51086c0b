// Options whose values are numbers, durations, sizes, times or words of an enumeration: read while the arguments are parsed,
// straight into the member of a spec, with one wording for what is wrong:
//
//   cannot use '5' for --wait: it has no unit              use for example 500ms, 90s, 15m, 1h30m or 7d
//   cannot use '0' for --timeout: it must be greater than 0
//   cannot use '-1' for --limit: it must not be negative
//
// What is bound must outlive the parse. A default is shown in help where the bound member has one.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace weir::cli {

struct NumberBounds {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
};
inline constexpr NumberBounds kAtLeastOne = {.least = 1};

// A whole number in digits. Code::usage; the message is the cause alone, as that of add_value's `read`.
[[nodiscard]] base::Result<std::uint64_t> read_number(const std::string& text, const NumberBounds& bounds = {});

CLI::Option* add_number(CLI::App& app, const std::string& names, std::function<void(std::uint64_t number)> take,
                        const std::string& what, const NumberBounds& bounds, const std::string& standard);

template <std::integral T>
CLI::Option* add_number(CLI::App& app, const std::string& names, T& value, const std::string& what, NumberBounds bounds = {}) {
  bounds.most = std::min<std::uint64_t>(bounds.most, std::numeric_limits<T>::max());
  return add_number(
      app, names, [&value](std::uint64_t number) { value = static_cast<T>(number); }, what, bounds, std::to_string(value));
}

template <std::integral T>
CLI::Option* add_number(CLI::App& app, const std::string& names, std::optional<T>& value, const std::string& what,
                        NumberBounds bounds = {}) {
  bounds.most = std::min<std::uint64_t>(bounds.most, std::numeric_limits<T>::max());
  return add_number(app, names, [&value](std::uint64_t number) { value = static_cast<T>(number); }, what, bounds, {});
}

struct DurationBounds {
  base::Duration least = 0;
  base::Duration most = std::numeric_limits<base::Duration>::max();
};
inline constexpr DurationBounds kMoreThanZero = {.least = 1};

CLI::Option* add_duration(CLI::App& app, const std::string& names, base::Duration& value, const std::string& what,
                          const DurationBounds& bounds = {});
CLI::Option* add_duration(CLI::App& app, const std::string& names, std::optional<base::Duration>& value, const std::string& what,
                          const DurationBounds& bounds = {});

struct SizeBounds {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  bool or_zero = false;  // 0 is allowed, too
};

CLI::Option* add_size(CLI::App& app, const std::string& names, std::uint64_t& value, const std::string& what,
                      const SizeBounds& bounds = {});
CLI::Option* add_size(CLI::App& app, const std::string& names, std::optional<std::uint64_t>& value, const std::string& what,
                      const SizeBounds& bounds = {});

// `read` takes the value into a member; the message of its error is the cause, such as "it must be a percentage from 0 to 99". For
// an option that is repeated it is called with each value.
enum class Times : std::uint8_t { once, repeated };
CLI::Option* add_value(CLI::App& app, const std::string& names, std::function<base::Result<void>(const std::string& text)> read,
                       const std::string& what, Times times = Times::once);

// One of a few words, which help and completions list. A default is shown where the member holds the value of one of them.
CLI::Option* add_words(CLI::App& app, const std::string& names, const std::vector<std::string>& words,
                       std::function<void(std::size_t index)> take, std::optional<std::size_t> standard, const std::string& what);

template <typename T>
CLI::Option* add_choice(CLI::App& app, const std::string& names, T& value, const std::vector<std::pair<std::string, T>>& choices,
                        const std::string& what) {
  std::vector<std::string> words;
  std::optional<std::size_t> standard;
  for (const auto& [word, one] : choices) {
    if (one == value) standard = words.size();
    words.push_back(word);
  }
  return add_words(
      app, names, words, [&value, choices](std::size_t index) { value = choices[index].second; }, standard, what);
}

// As an option takes it: "7d", "1h30m", "0"; "64KiB", "1GiB", "1500".
[[nodiscard]] std::string duration_text(base::Duration duration);
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace weir::cli
