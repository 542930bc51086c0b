#include "cli/value_options.h"

#include "cli/value_error.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir::cli {
namespace {

using base::kMillisecond;
using base::kSecond;

// What is wrong with `--x TEXT`, "" for nothing.
template <typename Declare>
std::string wrong(Declare declare, const std::string& text) {
  CLI::App app;
  declare(app);
  try {
    app.parse(std::vector<std::string>{text, "--x"});
  } catch (const ValueError& error) {
    EXPECT_EQ(error.error.code, base::Code::usage);
    EXPECT_EQ(error.option, "--x");
    EXPECT_EQ(error.value, text);
    return error.error.message;
  }
  return {};
}

TEST(ValueOptions, Numbers) {
  const auto f = [](const std::string& text, const NumberBounds& bounds, std::uint64_t expected) {
    std::uint64_t value = 7;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_number(app, "--x", value, "", bounds); }, text), "");
    EXPECT_EQ(value, expected) << text;
    std::optional<std::uint64_t> maybe;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_number(app, "--x", maybe, "", bounds); }, text), "");
    EXPECT_EQ(maybe, expected) << text;
  };
  f("0", {}, 0);
  f("007", {}, 7);
  f("18446744073709551615", {}, std::numeric_limits<std::uint64_t>::max());
  f("64", {.least = 64, .most = 64}, 64);
}

TEST(ValueOptions, WrongNumbers) {
  const auto f = [](const std::string& text, const NumberBounds& bounds, std::string_view cause) {
    std::uint64_t value = 7;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_number(app, "--x", value, "", bounds); }, text),
              fmt::format("cannot use '{}' for --x: {}", text, cause));
    EXPECT_EQ(value, 7U);
  };
  f("many", {}, "it is not a whole number");
  f("1.5", {}, "it is not a whole number");
  f("-", {}, "it is not a whole number");
  f("-x", {}, "it is not a whole number");
  f("+1", {}, "it is not a whole number");
  f("-1", {}, "it must not be negative");
  f("-1", kAtLeastOne, "it must be greater than 0");
  f("0", kAtLeastOne, "it must be greater than 0");
  f("1", {.least = 2}, "it must be at least 2");
  f("65", {.most = 64}, "it must be at most 64");
  f("18446744073709551616", {}, "it must be at most 18446744073709551615");
}

TEST(ValueOptions, ANumberIsNoLargerThanItsType) {
  std::uint8_t value = 7;
  EXPECT_EQ(wrong([&](CLI::App& app) { add_number(app, "--x", value, ""); }, "256"),
            "cannot use '256' for --x: it must be at most 255");
  EXPECT_EQ(value, 7);
}

TEST(ValueOptions, Durations) {
  const auto f = [](const std::string& text, const DurationBounds& bounds, base::Duration expected) {
    base::Duration value = -7;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_duration(app, "-y,--x", value, "", bounds); }, text), "");
    EXPECT_EQ(value, expected) << text;
    std::optional<base::Duration> maybe;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_duration(app, "--x", maybe, "", bounds); }, text), "");
    EXPECT_EQ(maybe, expected) << text;
  };
  f("0", {}, 0);
  f("0s", {}, 0);
  f("1h30m", {}, 90 * base::kMinute);
  f("1ms", {.least = kMillisecond}, kMillisecond);
  f("1ns", kMoreThanZero, 1);
  f("1h", {.most = base::kHour}, base::kHour);
}

TEST(ValueOptions, WrongDurations) {
  const auto f = [](const std::string& text, const DurationBounds& bounds, std::string_view cause) {
    base::Duration value = 7;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_duration(app, "--x", value, "", bounds); }, text),
              fmt::format("cannot use '{}' for --x: {}", text, cause));
    EXPECT_EQ(value, 7);
  };
  f("5", {}, "it has no unit");
  f("1.5", {}, "it has no unit");
  f("soon", {}, "it is not a duration");
  f("", {}, "it is not a duration");
  f("5 parsecs", {}, "it is not a duration");
  f("-1s", {}, "it must not be negative");
  f("0", kMoreThanZero, "it must be greater than 0");
  f("-1s", kMoreThanZero, "it must be greater than 0");
  f("999us", {.least = kMillisecond}, "it must be at least 1ms");
  f("61m", {.most = base::kHour}, "it must be at most 1h");
}

TEST(ValueOptions, Sizes) {
  const auto f = [](const std::string& text, const SizeBounds& bounds, std::uint64_t expected) {
    std::uint64_t value = 7;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_size(app, "--x", value, "", bounds); }, text), "");
    EXPECT_EQ(value, expected) << text;
    std::optional<std::uint64_t> maybe;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_size(app, "--x", maybe, "", bounds); }, text), "");
    EXPECT_EQ(maybe, expected) << text;
  };
  f("0", {}, 0);
  f("64KiB", {.least = 64 << 10}, 64 << 10);
  f("0", {.least = 1024, .or_zero = true}, 0);
  f("1M", {.most = 1 << 20}, 1 << 20);
}

TEST(ValueOptions, WrongSizes) {
  const auto f = [](const std::string& text, const SizeBounds& bounds, std::string_view cause) {
    std::uint64_t value = 7;
    EXPECT_EQ(wrong([&](CLI::App& app) { add_size(app, "--x", value, "", bounds); }, text),
              fmt::format("cannot use '{}' for --x: {}", text, cause));
    EXPECT_EQ(value, 7U);
  };
  f("big", {}, "it is not a size");
  f("-1", {}, "it is not a size");
  f("1 furlong", {}, "it is not a size");
  f("63", {.least = 64}, "it must be at least 64");
  f("10", {.least = 1024, .or_zero = true}, "it must be 0 or at least 1KiB");
  f("65MiB", {.most = 64 << 20}, "it must be at most 64MiB");
}

enum class Fruit { apple, pear, none };

TEST(ValueOptions, Choices) {
  Fruit fruit = Fruit::none;
  CLI::App app;
  auto* option = add_choice<Fruit>(app, "--x", fruit, {{"apple", Fruit::apple}, {"pear", Fruit::pear}}, "");
  EXPECT_EQ(option->get_default_str(), "");
  app.parse("--x pear");
  EXPECT_EQ(fruit, Fruit::pear);
  EXPECT_EQ(wrong(
                [&](CLI::App& other) {
                  add_choice<Fruit>(other, "--x", fruit, {{"apple", Fruit::apple}, {"pear", Fruit::pear}}, "");
                },
                "plum"),
            "cannot use 'plum' for --x: it is one of apple, pear");
  EXPECT_EQ(add_choice<Fruit>(app, "--y", fruit, {{"apple", Fruit::apple}, {"pear", Fruit::pear}}, "")->get_default_str(), "pear");
}

TEST(ValueOptions, EachValueOfARepeatedOptionIsRead) {
  CLI::App app;
  std::vector<std::string> seen;
  add_value(
      app, "--x", [&](const std::string& text) { return seen.push_back(text), base::Result<void>(); }, "", Times::repeated);
  app.parse("--x a --x b");
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b"}));
}

TEST(ValueOptions, Texts) {
  EXPECT_EQ(duration_text(0), "0");
  EXPECT_EQ(duration_text(7 * 24 * base::kHour), "7d");
  EXPECT_EQ(duration_text(90 * kSecond), "1m30s");
  EXPECT_EQ(size_text(0), "0");
  EXPECT_EQ(size_text(1500), "1500");
  EXPECT_EQ(size_text(256 << 10), "256KiB");
  EXPECT_EQ(size_text(std::uint64_t{1} << 30), "1GiB");
}

}  // namespace
}  // namespace weir::cli
