#include "spool/line_values.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace weir::spool {
namespace {

constexpr base::Timestamp kOrigin = 1'764'496'800'000'000'000;  // 2025-11-30T10:00:00Z

// Values out of lines, as a block stores them.
struct Taken {
  std::string left;
  std::string ids;
  std::array<std::string, 8> times;
  [[nodiscard]] wire::Planes planes() const {
    wire::Planes planes;
    std::ranges::copy(times, planes.begin());
    return planes;
  }
  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(std::ranges::count(left, '\x16')); }
};

Taken take(std::string lines, base::Timestamp origin = kOrigin) {
  LineValues values;
  lines.resize(take_values(lines.data(), lines.size(), origin, values));
  Taken taken{.left = std::move(lines), .ids = std::move(values.ids), .times = {}};
  for (std::size_t i = 0; i < 8; ++i) {
    for (const std::uint64_t time : values.times) taken.times[i].push_back(static_cast<char>(time >> (8 * i)));
    if (std::ranges::all_of(taken.times[i], [](char c) { return c == 0; })) taken.times[i].clear();
  }
  return taken;
}

// Nullopt: damaged.
std::optional<std::string> put_back(const Taken& taken, std::size_t size, base::Timestamp origin = kOrigin) {
  std::string lines(std::max(size, taken.left.size()), '?');
  std::ranges::copy(taken.left, lines.end() - static_cast<std::ptrdiff_t>(taken.left.size()));
  if (!put_values_back(lines.data(), size, taken.left.size(), taken.ids, taken.planes(), origin)) return std::nullopt;
  return lines;
}

void expect_same(const std::string& lines) {
  const Taken taken = take(lines);
  if (taken.left.size() == lines.size()) {
    EXPECT_EQ(taken.left, lines);
    return;
  }
  const auto back = put_back(taken, lines.size());
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, lines);
}

TEST(LineValues, IdsAndTimesAreTaken) {
  const struct {
    std::string lines, left;
    std::size_t id_bytes;
  } cases[] = {
      {"0123456789abcdef", "\x16\x48", 8},
      {"ABCDEF0123456789", "\x16\x88", 8},
      {"trace=27f940f7f3af5dcb42e3edc8d574efc9 user", "trace=\x16\x50 user", 16},
      {"0123456789abcdef0",
       "\x16\x48"
       "0",
       8},
      {"xabcdefabcdefabcdefy\n", "x\x16\x49y\n", 9},
      {std::string(126, 'a'), "\x16\x7f", 63},
      {std::string(142, 'a'), "\x16\x7f\x16\x48", 71},
      {std::string(141, 'a'), "\x16\x7f" + std::string(15, 'a'), 63},
      {"aBcDeF 0123456789abcdefABCDEF",
       "aBcDeF \x16\x48"
       "ABCDEF",
       8},
      {"123456789012ABCDEF12", "\x16\x8a", 10},
      {"id 123e4567-e89b-12d3-a456-426614174000;", "id \x16\xc0;", 16},
      {"123E4567-E89B-12D3-A456-426614174000", "\x16\xc1", 16},
      {"12345678-1234-1234-1234-123456789012", "\x16\xc0", 16},
      {"0123456789abcdef-123e4567-e89b-12d3-a456-426614174000-9",
       "\x16\x48-\x16\xc0"
       "-9",
       24},
      {"{\"time\":\"2025-11-30T10:00:00.123456789Z\"}", "{\"time\":\"\x16\x09Z\"}", 0},
      {"2025-11-30T10:00:00Z", std::string("\x16\0Z", 3), 0},
      {"2025-11-30T10:00:00", std::string("\x16\0", 2), 0},
      {"2025-11-30T10:00:00.", std::string("\x16\0.", 3), 0},
      {"2025-11-30 10:00:00,123 INFO", "\x16\x21 INFO", 0},
      {"2025-11-30 10:00:00.5+02:00", "\x16\x15+02:00", 0},
      {"2025-11-30T10:00:00,5", "\x16\x0b", 0},
      {"2025-11-30T10:00:00.1234567891",
       "\x16\x09"
       "1",
       0},
      {"1678-01-01T00:00:00 2261-12-31T23:59:59.999999999", std::string("\x16\0 \x16\x09", 5), 0},
      {"12025-02-28T10:00:00", std::string("1\x16\0", 3), 0},
  };
  for (const auto& [lines, left, id_bytes] : cases) {
    SCOPED_TRACE(lines);
    const Taken taken = take(lines);
    EXPECT_EQ(taken.left, left);
    EXPECT_EQ(taken.ids.size(), id_bytes);
    expect_same(lines);
  }
}

TEST(LineValues, OtherTextStays) {
  for (const std::string_view lines : {"",
                                       "\n\n\n",
                                       "0123456789abcde",
                                       "0123456789abcdeg",
                                       "01234567 89abcdef",
                                       "1234567890123456789",
                                       "0123456ABCDEFabcdef0123",
                                       "123e4567-e89b-12d3-a456-42661417400",
                                       "123e4567-e89b-12d3-a456-42661417400x",
                                       "123e4567-E89b-12d3-a456-426614174000",
                                       "123e4567_e89b-12d3-a456-426614174000",
                                       "2025-11-30T10:00:0",
                                       "2025-11-30T24:00:00",
                                       "2025-11-30T10:60:00",
                                       "2025-11-30T10:00:60",
                                       "2025-11-31T10:00:00",
                                       "2025-02-29T10:00:00",
                                       "2025-00-10T10:00:00",
                                       "2025-13-10T10:00:00",
                                       "2025-11-00T10:00:00",
                                       "1677-12-31T23:59:59",
                                       "2262-01-01T00:00:00",
                                       "2025-11-30t10:00:00",
                                       "2025-11-30T1a:00:00",
                                       "20a5-11-30T10:00:00",
                                       "2025-11-30T10.00.00",
                                       "-",
                                       "----------------------------------------",
                                       "0123456789abcdef and the mark \x16"}) {
    SCOPED_TRACE(lines);
    const Taken taken = take(std::string(lines));
    EXPECT_EQ(taken.left, lines);
    EXPECT_EQ(taken.ids, "");
  }
}

TEST(LineValues, TimesAreDifferences) {
  const auto lowest = [](const Taken& taken) { return std::vector<int>(taken.times[0].begin(), taken.times[0].end()); };
  // In zigzag form, in units of the last digit.
  EXPECT_EQ(lowest(take("2025-11-30T10:00:00.003Z 2025-11-30T10:00:00.005Z 2025-11-30T10:00:00.004Z")),
            (std::vector<int>{6, 4, 1}));
  EXPECT_EQ(lowest(take("2025-11-30T10:00:07.999Z 2025-11-30T10:00:08Z 2025-11-30T10:00:08.000001")),
            (std::vector<int>{126, 2, 2}));
  EXPECT_EQ(lowest(take("2025-11-30T10:00:00Z")), (std::vector<int>{}));
}

TEST(LineValues, HexOfAllLengthsComesBackInAllPlaces) {
  std::mt19937 random(7);
  const std::string_view all = "0123456789abcdefABCDEF";
  for (std::size_t length = 0; length <= 300; ++length) {
    for (const auto& [first, count] : {std::pair<std::size_t, std::size_t>{0, 16}, {0, 10}, {10, 6}, {0, 22}, {16, 6}, {6, 16}}) {
      std::string run(length, '0');
      for (char& c : run) c = all[first + random() % count];
      for (const auto& [before, behind] :
           {std::pair<std::string_view, std::string_view>{"", ""}, {"x", ""}, {"", "\n"}, {"\n", "-\n"}})
        expect_same(std::string(before) + run + std::string(behind));
    }
  }
}

// Pieces of values and of what looks like them, in any order.
std::string random_lines(std::mt19937& random) {
  const auto below = [&random](std::size_t limit) { return random() % limit; };
  const auto run = [&](std::string_view digits, std::size_t size) {
    std::string text(size, '0');
    for (char& c : text) c = digits[below(digits.size())];
    return text;
  };
  const auto number = [&](int width, std::size_t limit) { return fmt::format("{:0{}}", below(limit), width); };
  std::string lines;
  for (std::size_t pieces = below(40); pieces > 0; --pieces) {
    const std::string_view digits = below(2) == 0 ? "0123456789abcdef" : "0123456789ABCDEF";
    switch (below(10)) {
      case 0:
        lines += run(digits, below(70));
        break;
      case 1:
        lines += run("0123456789abcdefABCDEF", below(40));
        break;
      case 2:
        lines +=
            run(digits, 8) + "-" + run(digits, 4) + "-" + run(digits, 4) + "-" + run(digits, 4) + "-" + run(digits, 11 + below(3));
        break;
      case 3:
      case 4:
        lines += number(4, below(2) == 0 ? 9999 : 2100) + "-" + number(2, 14) + "-" + number(2, 33) + (below(2) == 0 ? "T" : " ") +
                 number(2, 25) + ":" + number(2, 61) + ":" + number(2, 61) +
                 (below(3) == 0   ? ""
                  : below(3) == 0 ? ","
                                  : ".") +
                 run("0123456789", below(12));
        break;
      case 5:
        lines += "2025-11-30T10:00:" + number(2, 60) + "." + number(6, 1'000'000) + "Z";
        break;
      case 6:
        lines += "\n";
        break;
      case 7:
        for (std::size_t bytes = below(12); bytes > 0; --bytes) lines.push_back(static_cast<char>(below(256)));
        if (below(20) != 0) std::erase(lines, '\x16');
        break;
      case 8:
        lines += run("-:T. 0a", below(30));
        break;
      default:
        lines += " level=debug ";
    }
  }
  return lines;
}

TEST(LineValues, RandomLinesComeBackEqual) {
  std::mt19937 random(1);
  std::size_t values = 0;
  for (int i = 0; i < 20'000 && !testing::Test::HasFailure(); ++i) {
    const std::string lines = random_lines(random);
    if (const Taken taken = take(lines); taken.left.size() < lines.size()) values += taken.count();
    expect_same(lines);
  }
  EXPECT_GT(values, 100'000U);
}

TEST(LineValues, AnyOriginWillDo) {
  const std::string lines = "1678-01-01T00:00:00.000000001 2025-11-30T10:00:00.5 2261-12-31T23:59:59";
  for (const base::Timestamp origin : {std::numeric_limits<base::Timestamp>::min(), base::Timestamp{-1}, base::Timestamp{0},
                                       std::numeric_limits<base::Timestamp>::max()}) {
    EXPECT_EQ(put_back(take(lines, origin), lines.size(), origin), lines);
  }
}

// Each of these would take minutes if a byte were looked at again and again.
TEST(LineValues, LongRunsTakeNoLongTime) {
  for (const std::string_view piece :
       {"0", "a", "-", "0-", "0000000000000000A", "00000000-0000-", "2025-11-", "2025-11-30T10:00:00"}) {
    std::string lines;
    while (lines.size() < (8U << 20)) lines += piece;
    expect_same(lines);
  }
}

TEST(LineValuesDamage, WhatCannotBeIsRefused) {
  const std::string lines = "2025-11-30T10:00:00.123 0123456789abcdef";
  const Taken good = take(lines);
  ASSERT_EQ(put_back(good, lines.size()), lines);
  const auto expect_refused = [&](auto&& change, std::size_t size) {
    Taken bad = good;
    change(bad);
    EXPECT_FALSE(put_back(bad, size));
  };
  expect_refused([](Taken&) {}, lines.size() - 1);
  expect_refused([](Taken&) {}, lines.size() + 1);
  expect_refused([](Taken&) {}, 1);
  expect_refused([](Taken& bad) { bad.ids.pop_back(); }, lines.size());
  expect_refused([](Taken& bad) { bad.ids += "x"; }, lines.size());
  expect_refused([](Taken& bad) { bad.left.back() = '\x7f'; }, lines.size());
  expect_refused([](Taken& bad) { bad.left.pop_back(); }, lines.size());
  expect_refused([](Taken& bad) { bad.times[1] = bad.times[0] + "x"; }, lines.size());
  expect_refused([](Taken& bad) { bad.times[0] += "x"; }, lines.size());
  expect_refused([](Taken& bad) { bad.times[7] = "\x7f"; }, lines.size());
  for (const int code : {40, 63, 64, 128, 194, 255}) {  // no value has such a code
    expect_refused([&](Taken& bad) { bad.left.back() = static_cast<char>(code); }, lines.size());
  }
}

TEST(LineValuesDamage, EveryCutAndFlippedByteIsRefusedOrGivesOtherLines) {
  std::mt19937 random(3);
  for (int i = 0; i < 60; ++i) {
    const std::string lines = random_lines(random);
    const Taken good = take(lines);
    if (good.left.size() == lines.size()) continue;
    for (std::size_t at = 0; at < good.left.size(); ++at) {
      Taken bad = good;
      bad.left[at] = static_cast<char>(random());
      (void)put_back(bad, lines.size());
      bad.left = good.left.substr(0, at);
      EXPECT_FALSE(put_back(bad, lines.size()));
      bad = good;
      for (std::string* part : {&bad.ids, bad.times.data() + random() % 8}) {
        if (!part->empty()) (*part)[random() % part->size()] = static_cast<char>(random());
      }
      (void)put_back(bad, lines.size());
    }
  }
}

}  // namespace
}  // namespace weir::spool
