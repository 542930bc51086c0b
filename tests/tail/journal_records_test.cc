#include "tail/journal_records.h"

#include <gtest/gtest.h>

namespace weir::tail {
namespace {

struct Fixture {
  std::vector<JournalField> fields = {{"_PID", "pid"}, {"PRIORITY", "priority"}};
  JournalRecords records{fields};
  record::Batch batch;

  void entry(std::initializer_list<record::Label> all) {
    records.begin();
    for (const record::Label& one : all) records.field(one.name, one.value, batch);
  }
  std::string metadata() {
    std::string text;
    for (const record::Label& pair : records.metadata({}, 0, batch))
      text += std::string(pair.name) + "=" + std::string(pair.value) + " ";
    return text;
  }
};

TEST(JournalRecords, LabelsAndMetadata) {
  Fixture f;
  f.entry({{"_SYSTEMD_UNIT", "a.service"}, {"_HOSTNAME", "n"}, {"PRIORITY", "2"}, {"_PID", "7"}, {"MESSAGE", "m"}, {"X", "y"}});
  EXPECT_EQ(f.records.labels(nullptr, f.batch)->json(), R"({"job":"systemd-journal","node_name":"n","unit":"a.service"})");
  EXPECT_EQ(f.records.message(), "m");
  EXPECT_EQ(f.metadata(), "detected_level=critical pid=7 priority=2 ");
  f.entry({{"_HOSTNAME", "n"}});
  EXPECT_EQ(f.records.labels(nullptr, f.batch)->json(), R"({"job":"systemd-journal","node_name":"n"})");
  EXPECT_FALSE(f.records.message());
  EXPECT_EQ(f.metadata(), "");
}

TEST(JournalRecords, TheFirstOfSeveralCounts) {
  Fixture f;
  f.entry({{"MESSAGE", "one"}, {"MESSAGE", "two"}, {"_HOSTNAME", "a"}, {"_HOSTNAME", "b"}, {"_PID", "1"}, {"_PID", "2"}});
  EXPECT_EQ(f.records.message(), "one");
  EXPECT_EQ(f.records.labels(nullptr, f.batch)->get("node_name"), "a");
  EXPECT_EQ(f.metadata(), "pid=1 ");
}

TEST(JournalRecords, OneSetForEqualLabelsAndAnotherForAnotherBase) {
  Fixture f;
  const auto base = record::LabelSet::intern({{"filename", "x"}, {"job", "files"}});
  f.entry({{"_HOSTNAME", "n"}, {"_SYSTEMD_UNIT", "u"}});
  const record::LabelSet* const alone = f.records.labels(nullptr, f.batch);
  f.entry({{"_HOSTNAME", "nu"}, {"_SYSTEMD_UNIT", ""}});
  EXPECT_NE(f.records.labels(nullptr, f.batch), alone);
  f.entry({{"_HOSTNAME", "n"}, {"_SYSTEMD_UNIT", "u"}});
  EXPECT_EQ(f.records.labels(nullptr, f.batch), alone);
  EXPECT_EQ(f.records.labels(base.get(), f.batch)->json(),
            R"({"filename":"x","job":"systemd-journal","node_name":"n","unit":"u"})");
}

TEST(JournalRecords, OddPrioritiesAreNoLevel) {
  for (const std::string_view odd : {"8", "", "10", "x"}) {
    Fixture f;
    f.fields.clear();
    JournalRecords records(f.fields);
    records.begin();
    records.field("PRIORITY", odd, f.batch);
    EXPECT_TRUE(records.metadata({}, 0, f.batch).empty()) << odd;
  }
}

}  // namespace
}  // namespace weir::tail
