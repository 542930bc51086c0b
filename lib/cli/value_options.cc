#include "cli/value_options.h"

#include "base/diagnostics.h"
#include "base/suggestion.h"
#include "cli/value_error.h"
#include "record/timestamp.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace weir::cli {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Result;

// The first long name of "-f,--follow"; an argument stands in capitals.
std::string shown(std::string_view names) {
  std::string first(names.substr(0, names.find(',')));
  while (!names.empty()) {
    const auto name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    if (name.starts_with("--")) return std::string(name);
  }
  if (!first.starts_with('-')) {
    for (char& c : first) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return first;
}

bool is_number(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos; }

Result<base::Duration> read_duration(const std::string& text, const DurationBounds& bounds) {
  auto value = record::parse_duration(text);
  if (!value)
    return fail(Code::usage, "{}", is_number(text) ? "it has no unit" : "it is not a duration").with_hint(value.error().hint);
  if (*value < bounds.least && bounds.least <= 1) {
    return fail(Code::usage, "it must {}", bounds.least == 1 ? "be greater than 0" : "not be negative");
  }
  if (*value < bounds.least) return fail(Code::usage, "it must be at least {}", duration_text(bounds.least));
  if (*value > bounds.most) return fail(Code::usage, "it must be at most {}", duration_text(bounds.most));
  return *value;
}

Result<std::uint64_t> read_size(const std::string& text, const SizeBounds& bounds) {
  auto value = record::parse_size(text);
  if (!value) return fail(Code::usage, "it is not a size").with_hint(value.error().hint);
  if (bounds.or_zero && *value == 0) return *value;
  if (*value < bounds.least) {
    return fail(Code::usage, "it must be {}at least {}", bounds.or_zero ? "0 or " : "", size_text(bounds.least));
  }
  if (*value > bounds.most) return fail(Code::usage, "it must be at most {}", size_text(bounds.most));
  return *value;
}

// What reads a value of type T into `target`.
template <typename T, typename Target, typename Read>
auto into(Target& target, Read read) {
  return [&target, read = std::move(read)](const std::string& text) -> Result<void> {
    Result<T> value = read(text);
    if (!value) return std::move(value).error();
    target = *value;
    return {};
  };
}

// As much of a value as a message has room for: a path is shown whole.
std::string shortened(std::string_view text) {
  constexpr std::size_t kMost = 300;  // bytes
  if (text.size() <= kMost) return std::string(text);
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace

CLI::Option* add_value(CLI::App& app, const std::string& names, std::function<Result<void>(const std::string& text)> read,
                       const std::string& what, Times times) {
  const auto one = [name = shown(names), read = std::move(read)](const std::string& text) {
    auto done = read(text);
    if (done) return;
    Error error = std::move(done).error();
    error.code = Code::usage;
    error.message = fmt::format("cannot use '{}' for {}: {}", base::escape_control(shortened(text)), name, error.message);
    throw ValueError(name, text, std::move(error));
  };
  if (times == Times::once) return app.add_option_function<std::string>(names, one, what);
  return app.add_option_function<std::vector<std::string>>(
      names,
      [one](const std::vector<std::string>& all) {
        for (const auto& text : all) one(text);
      },
      what);
}

Result<std::uint64_t> read_number(const std::string& text, const NumberBounds& bounds) {
  const std::string_view digits = std::string_view(text).substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return fail(Code::usage, "it is not a whole number");
  if (text.starts_with('-')) return fail(Code::usage, "it must {}", bounds.least > 0 ? "be greater than 0" : "not be negative");
  std::uint64_t number = 0;
  const bool fits = std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc();
  if (!fits || number > bounds.most) return fail(Code::usage, "it must be at most {}", bounds.most);
  if (number >= bounds.least) return number;
  if (bounds.least == 1) return fail(Code::usage, "it must be greater than 0");
  return fail(Code::usage, "it must be at least {}", bounds.least);
}

CLI::Option* add_number(CLI::App& app, const std::string& names, std::function<void(std::uint64_t number)> take,
                        const std::string& what, const NumberBounds& bounds, const std::string& standard) {
  const auto read = [bounds, take = std::move(take)](const std::string& text) -> Result<void> {
    auto number = read_number(text, bounds);
    if (!number) return std::move(number).error();
    take(*number);
    return {};
  };
  return add_value(app, names, read, what)->type_name("N")->default_str(standard);
}

CLI::Option* add_duration(CLI::App& app, const std::string& names, base::Duration& value, const std::string& what,
                          const DurationBounds& bounds) {
  auto* option = add_value(
      app, names, into<base::Duration>(value, [bounds](const std::string& text) { return read_duration(text, bounds); }), what);
  return option->type_name("DURATION")->default_str(duration_text(value));
}

CLI::Option* add_duration(CLI::App& app, const std::string& names, std::optional<base::Duration>& value, const std::string& what,
                          const DurationBounds& bounds) {
  return add_value(app, names,
                   into<base::Duration>(value, [bounds](const std::string& text) { return read_duration(text, bounds); }), what)
      ->type_name("DURATION");
}

CLI::Option* add_size(CLI::App& app, const std::string& names, std::uint64_t& value, const std::string& what,
                      const SizeBounds& bounds) {
  return add_value(app, names, into<std::uint64_t>(value, [bounds](const std::string& text) { return read_size(text, bounds); }),
                   what)
      ->type_name("SIZE")
      ->default_str(size_text(value));
}

CLI::Option* add_size(CLI::App& app, const std::string& names, std::optional<std::uint64_t>& value, const std::string& what,
                      const SizeBounds& bounds) {
  return add_value(app, names, into<std::uint64_t>(value, [bounds](const std::string& text) { return read_size(text, bounds); }),
                   what)
      ->type_name("SIZE");
}

CLI::Option* add_words(CLI::App& app, const std::string& names, const std::vector<std::string>& words,
                       std::function<void(std::size_t index)> take, std::optional<std::size_t> standard, const std::string& what) {
  const auto read = [words, take = std::move(take)](const std::string& text) -> Result<void> {
    const auto found = std::find(words.begin(), words.end(), text);
    if (found == words.end()) {
      return fail(Code::usage, "it is one of {}", fmt::join(words, ", ")).with_hint(base::suggestion(text, words, ""));
    }
    take(static_cast<std::size_t>(found - words.begin()));
    return {};
  };
  auto* option = add_value(app, names, read, what);
  // It refuses nothing; its description tells OptionFacts which words there are.
  option->check(
      CLI::Validator([](const std::string&) { return std::string(); }, fmt::format("{{{}}}", fmt::join(words, ",")), "words"));
  if (standard) option->default_str(words[*standard]);
  return option;
}

std::string duration_text(base::Duration duration) { return duration == 0 ? "0" : record::print_duration(duration); }

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::pair<std::uint64_t, std::string_view>, 4> units = {{{std::uint64_t{1} << 40, "TiB"},
                                                                                {std::uint64_t{1} << 30, "GiB"},
                                                                                {std::uint64_t{1} << 20, "MiB"},
                                                                                {std::uint64_t{1} << 10, "KiB"}}};
  for (const auto& [size, name] : units) {
    if (bytes >= size && bytes % size == 0) return fmt::format("{}{}", bytes / size, name);
  }
  return fmt::format("{}", bytes);
}

}  // namespace weir::cli
