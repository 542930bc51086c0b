#include "delivery/rejection_budget.h"

#include "record/label_set.h"

#include <gtest/gtest.h>

namespace weir::delivery {
namespace {

loki::RejectedRecord refused(const record::Record& record, std::string_view reason, std::string_view text = "text") {
  return {400, reason, text, "", &record};
}

TEST(RejectionBudget, AdmitsAMebibyteAndThenSixteenKibibytesASecond) {
  const std::string line(10'000, 'x');
  record::Record record;
  record.line = record::Text::bytes(line);
  RejectionBudget budget;
  const auto admitted = [&](base::Monotonic now) {
    int count = 0;
    while (budget.admits(refused(record, "line_too_long"), now)) ++count;
    return count;
  };
  EXPECT_EQ(admitted(0), (1 << 20) / 10'512);
  EXPECT_EQ(admitted(0), 0);
  EXPECT_EQ(admitted(10 * base::kSecond), 15 + 1);       // with the rest of the first
  EXPECT_EQ(admitted(base::kHour), (1 << 20) / 10'512);  // it holds no more
}

TEST(RejectionBudget, NeverAdmitsARecordThatIsRefusedForItsTime) {
  record::Record record;
  record.line = record::Text::bytes("line");
  RejectionBudget budget;
  for (const auto* reason : {"greater_than_max_sample_age", "too_far_in_future", "too_far_behind", "out_of_order"})
    EXPECT_FALSE(budget.admits(refused(record, reason), 0)) << reason;
  EXPECT_TRUE(budget.admits(refused(record, "refused"), 0));
}

TEST(RejectionBudget, TheCommonReasonHasNothingOfOneRecord) {
  struct Case {
    std::string_view reason, text, common;
  };
  const record::Record record;
  for (const auto& [reason, text, common] : {
           Case{"too_far_in_future", "entry for stream 'x' has timestamp too new: 2030", "entry has timestamp too new"},
           Case{"too_far_behind", "entry too far behind, x", "entry too far behind its stream"},
           Case{"out_of_order", "entry out of order, x", "entry out of order"},
           Case{"greater_than_max_sample_age",
                "entry for stream 'x' has timestamp too old: 2025-10-01T00:00:00Z, oldest acceptable timestamp is: "
                "2025-10-09T06:00:00Z; more",
                "entry has timestamp too old, oldest acceptable timestamp is: 2025-10-09T06:00:00Z"},
           Case{"greater_than_max_sample_age", "too old", "entry has timestamp too old"},
           Case{"line_too_long", "max entry size '1' bytes exceeded", "max entry size '1' bytes exceeded"},
       })
    EXPECT_EQ(common_reason(refused(record, reason, text)), common) << text;
}

TEST(RejectionBudget, AWholeRecordIsALineWithTheReason) {
  const auto labels = record::LabelSet::intern({{"app", "x"}});
  record::Record record;
  record.timestamp = 1;
  record.labels = labels.get();
  record.line = record::Text::bytes("a \"line\"");
  record.source = record::Source::in_spool(1, 2, 3);
  const std::string line = whole_record(refused(record, "refused"), R"({"reason":"no"})");
  EXPECT_NE(line.find(R"("rejected":{"reason":"no"})"), std::string::npos) << line;
  EXPECT_NE(line.find(R"(a \"line\")"), std::string::npos) << line;
  EXPECT_EQ(line.find("source"), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace weir::delivery
