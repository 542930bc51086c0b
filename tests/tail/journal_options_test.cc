#include "tail/journal_options.h"

#include <gtest/gtest.h>

namespace weir::tail {
namespace {

TEST(JournalOptions, Fields) {
  const auto f = [](std::string_view text, std::string_view name, std::string_view key) {
    const auto field = parse_journal_field(text);
    ASSERT_TRUE(field) << text;
    EXPECT_EQ(field->name, name);
    EXPECT_EQ(field->key, key);
  };
  f("_TRANSPORT", "_TRANSPORT", "transport");
  f("SYSLOG_IDENTIFIER", "SYSLOG_IDENTIFIER", "syslog_identifier");
  f("__CURSOR", "__CURSOR", "cursor");
  f("_PID=Process", "_PID", "Process");
  for (const std::string_view bad : {"", "_", "lower", "A B", "=x", "_PID=", "X=weir_gap_bytes", "WEIR_GAP_BYTES"})
    EXPECT_FALSE(parse_journal_field(bad)) << bad;
}

TEST(JournalOptions, Priorities) {
  const auto f = [](std::string_view text) { return static_cast<int>(parse_priorities(text).value()); };
  EXPECT_EQ(f("emerg"), 0x01);
  EXPECT_EQ(f("err"), 0x0f);
  EXPECT_EQ(f("3"), 0x0f);
  EXPECT_EQ(f("error"), 0x0f);
  EXPECT_EQ(f("debug"), 0xff);
  EXPECT_EQ(f("warning..err"), 0x18);
  EXPECT_EQ(f("3..4"), 0x18);
  for (const std::string_view bad : {"", "8", "loud", "err..", "..", "err..loud"}) EXPECT_FALSE(parse_priorities(bad)) << bad;
}

TEST(JournalOptions, Units) {
  EXPECT_EQ(unit_name("kubelet"), "kubelet.service");
  EXPECT_EQ(unit_name("getty@tty1"), "getty@tty1.service");
  EXPECT_EQ(unit_name("a.b"), "a.b.service");
  EXPECT_EQ(unit_name("docker.socket"), "docker.socket");
  EXPECT_EQ(unit_name("session-1.scope"), "session-1.scope");
}

TEST(JournalOptions, WhatIsSelected) {
  using Fields = std::vector<std::string>;
  const auto f = [](const JournalOptions& options, const Fields& fields) { return selects(options.terms(), fields); };
  EXPECT_TRUE(f({}, {"MESSAGE=a"}));
  EXPECT_FALSE(JournalOptions{}.filters());
  const JournalOptions unit{.units = {"a.service", "b.slice"}};
  EXPECT_TRUE(unit.filters());
  EXPECT_TRUE(f(unit, {"MESSAGE=a", "_SYSTEMD_UNIT=a.service"}));
  EXPECT_TRUE(f(unit, {"_SYSTEMD_UNIT=b.slice"}));
  EXPECT_TRUE(f(unit, {"_SYSTEMD_SLICE=b.slice"}));
  EXPECT_TRUE(f(unit, {"_PID=1", "UNIT=a.service"}));
  EXPECT_TRUE(f(unit, {"_UID=0", "OBJECT_SYSTEMD_UNIT=a.service"}));
  EXPECT_TRUE(f(unit, {"COREDUMP_UNIT=a.service", "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1", "_UID=0"}));
  for (const Fields& fields : {Fields{},
                               {"_SYSTEMD_UNIT=c.service"},
                               {"_SYSTEMD_SLICE=a.service"},
                               {"_PID=2", "UNIT=a.service"},
                               {"OBJECT_SYSTEMD_UNIT=a.service"},
                               {"COREDUMP_UNIT=a.service", "_UID=0"}}) {
    EXPECT_FALSE(f(unit, fields)) << (fields.empty() ? "" : fields[0]);
  }
  const JournalOptions both{.units = {"a.service"}, .priorities = 0x0f};
  EXPECT_TRUE(f(both, {"PRIORITY=3", "_SYSTEMD_UNIT=a.service"}));
  EXPECT_FALSE(f(both, {"PRIORITY=4", "_SYSTEMD_UNIT=a.service"}));
  EXPECT_FALSE(f(both, {"_SYSTEMD_UNIT=a.service"}));
  EXPECT_FALSE(f(both, {"PRIORITY=3"}));
}

TEST(JournalOptions, Cursors) {
  const std::string id(32, 'a');
  const auto cursor = parse_cursor("s=" + id + ";i=1f;b=" + id + ";m=5;t=644c4912a1d18;x=f6");
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->id, id);
  EXPECT_EQ(cursor->sequence, 31U);
  EXPECT_EQ(cursor->realtime, 0x644c4912a1d18U);
  EXPECT_TRUE(parse_cursor("t=5"));
  EXPECT_TRUE(parse_cursor("s=" + id + ";i=1"));
  for (const std::string& bad : {std::string(), std::string("i=1"), "s=" + id, std::string("s=abc;i=1"), std::string("s=;i=;t=x")})
    EXPECT_FALSE(parse_cursor(bad)) << bad;
}

}  // namespace
}  // namespace weir::tail
