#include "gotext/time_zone.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::test {
namespace {

using gotext::TimeZone;

std::string big_endian(std::int64_t value, int size) {
  std::string out;
  for (int i = size - 1; i >= 0; --i) out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xff);
  return out;
}

// A file of version 2: summer time in 2001 only, and then what `rule` says.
std::string zone_file(const std::string& rule) {
  const std::string names("CET\0CEST\0", 9);
  const std::string empty = "TZif2" + std::string(15, '\0') + std::string(24, '\0');
  std::string out = empty + "TZif2" + std::string(15, '\0');
  for (const int count : {0, 0, 0, 2, 2, 9}) out += big_endian(count, 4);
  out += big_endian(985'482'000, 8) + big_endian(1'004'230'800, 8);
  out += std::string("\1\0", 2);
  out += big_endian(3600, 4) + std::string("\0\0", 2) + big_endian(7200, 4) + std::string("\1\4", 2);
  return out + names + "\n" + rule + "\n";
}

TEST(TimeZone, KnowsItsChangesAndTheRuleBehindThem) {
  const auto zone = TimeZone::parse("Test", zone_file("CET-1CEST,M3.5.0,M10.5.0/3"));
  ASSERT_NE(zone, nullptr);
  EXPECT_EQ(zone->name(), "Test");
  struct Row {
    std::int64_t second;
    std::string_view name;
    std::int64_t offset;
    bool daylight;
  };
  const Row rows[] = {
      {0, "CET", 3600, false},
      {985'481'999, "CET", 3600, false},
      {985'482'000, "CEST", 7200, true},
      {1'004'230'799, "CEST", 7200, true},
      {1'004'230'800, "CET", 3600, false},
      {1'711'846'799, "CET", 3600, false},  // 2024-03-31 01:00 UTC is the change
      {1'711'846'800, "CEST", 7200, true},
      {1'729'990'799, "CEST", 7200, true},
      {1'729'990'800, "CET", 3600, false},
      {4'118'619'600, "CEST", 7200, true},  // in July 2100
  };
  for (const Row& row : rows) {
    const TimeZone::Period period = zone->at(row.second);
    EXPECT_EQ(period.name, row.name) << row.second;
    EXPECT_EQ(period.offset, row.offset) << row.second;
    EXPECT_EQ(period.daylight, row.daylight) << row.second;
    EXPECT_LE(period.begin, row.second);
    EXPECT_GT(period.end, row.second);
  }
  EXPECT_EQ(zone->offset_of("CEST", 1'720'000'000), 7200);
  EXPECT_EQ(zone->offset_of("CEST", 0), 7200);
  EXPECT_EQ(zone->offset_of("PST", 0), std::nullopt);
}

TEST(TimeZone, ReadsEveryFormOfRule) {
  constexpr std::int64_t kJuly = 1'720'000'000;  // 2024
  struct Row {
    std::string rule;
    std::string_view name;
    std::int64_t offset;
  };
  const Row rows[] = {
      {"<+0330>-3:30", "+0330", 12'600}, {"AEST-10AEDT,M10.1.0,M4.1.0/3", "AEST", 36'000},
      {"EST5EDT", "EDT", -14'400},       {"AAA4BBB3:30,J60/0,J300", "BBB", -12'600},
      {"AAA0BBB,0/-1,100", "AAA", 0},    {"not a rule", "CET", 3600},
  };
  for (const Row& row : rows) {
    const auto zone = TimeZone::parse("Test", zone_file(row.rule));
    ASSERT_NE(zone, nullptr);
    EXPECT_EQ(zone->at(kJuly).name, row.name) << row.rule;
    EXPECT_EQ(zone->at(kJuly).offset, row.offset) << row.rule;
  }
}

TEST(TimeZone, RefusesDamagedFiles) {
  const std::string good = zone_file("CET-1");
  for (std::size_t size = 0; size + 8 < good.size(); ++size)
    EXPECT_EQ(TimeZone::parse("Test", good.substr(0, size)), nullptr) << size;
  std::string wild = good;
  wild[44 + 20 + 12] = '\x7f';  // a count of two thousand millions
  EXPECT_EQ(TimeZone::parse("Test", wild), nullptr);
}

TEST(TimeZone, OpensNoOtherFiles) {
  for (const std::string_view name : {"", "/etc/localtime", "../../../etc/passwd", "\\x", "No/Where", "Europe"})
    EXPECT_EQ(TimeZone::load(name), nullptr) << name;
}

TEST(TimeZone, HasFixedOnes) {
  const auto zone = TimeZone::fixed("", 19'800);
  EXPECT_EQ(zone->at(0).offset, 19'800);
  EXPECT_FALSE(zone->is_plain_offset());
  EXPECT_TRUE(TimeZone::fixed("", 3600)->is_plain_offset());
  EXPECT_EQ(TimeZone::local()->at(0).name, "UTC");
}

}  // namespace
}  // namespace weir::test
