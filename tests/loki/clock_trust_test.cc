// The clock of this machine judges the age of records only when nothing speaks against it.
#include "loki/clock_trust.h"

#include "pusher_fixture.h"

namespace weir::loki {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
constexpr base::Duration kYear = 365 * 24 * base::kHour;

TEST(ClockTrust, BelongsToTheClockOfTheLatestAnswer) {
  ClockTrust trust(10, 1000);
  EXPECT_TRUE(trust.may_judge(10, 1000));
  EXPECT_TRUE(trust.may_judge(10 + base::kHour, 1000 + base::kHour + base::kSecond));
  EXPECT_FALSE(trust.may_judge(10, 1000 + kYear));
  EXPECT_FALSE(trust.may_judge(10, 1000 - base::kHour));
  trust.answered(10, 1000 + kYear, 1000);
  EXPECT_FALSE(trust.may_judge(10, 1000 + kYear));
  EXPECT_EQ(trust.off_by(), -kYear);
  trust.answered(10, 1000 + kYear, 1000 + kYear - base::kSecond);
  EXPECT_TRUE(trust.may_judge(10, 1000 + kYear));
  EXPECT_EQ(trust.off_by(), 0);
  trust.doubt();
  EXPECT_FALSE(trust.may_judge(10, 1000 + kYear));
}

class AgeTest : public PusherTest {
 protected:
  static constexpr base::Duration kOld = 8 * 24 * base::kHour;
  static std::vector<http::Header> date(base::Timestamp time) {
    char text[64];
    const time_t seconds = time / base::kSecond;
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    return {{"date", std::string(text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts))}};
  }
};

TEST_F(AgeTest, AClockInDoubtWaitsForAnAnswerThatTellsTheTime) {
  config_.doubt_clock = true;
  for (const bool tells : {false, true}) {
    add("a", "old", kOld);
    due();
    EXPECT_THAT(flying(), ElementsAre("a: old;"));
    transport_.answer(204, "", tells ? date(clock_.wall()) : std::vector<http::Header>());
    EXPECT_THAT(ledger_.refused, IsEmpty());
  }
  add("a", "old again", kOld);
  due();
  EXPECT_THAT(flying(), IsEmpty());
  EXPECT_THAT(ledger_.refused, ElementsAre("2 0 greater_than_max_sample_age old again"));
}

TEST_F(AgeTest, AClockThatIsSetRejectsNothingByItself) {
  for (const base::Duration by : {kYear, -base::kHour}) {
    trust({"a"});
    const auto record = record_of("a", "good");
    clock_.set(by);
    ASSERT_TRUE(pusher().add(record, 100));
    due();
    EXPECT_THAT(flying(), ElementsAre("a: good;")) << by;
    transport_.answer(204);
    EXPECT_THAT(ledger_.refused, IsEmpty());
    clock_.set(-by);
    add("a", "old", kOld);
    EXPECT_EQ(ledger_.refused.size(), 1U);
    ledger_.refused.clear();
  }
}

TEST_F(AgeTest, ATargetWithAnotherTimeJudgesItself) {
  add("a", "first");
  due();
  transport_.answer(204, "", date(clock_.wall() - kYear));
  EXPECT_THAT(diagnostics_.said().back(), HasSubstr("the clock of this machine is 365d ahead of that of http://loki"));
  add("a", "old", kOld);
  due();
  EXPECT_THAT(flying(), ElementsAre("a: old;"));
  transport_.answer(204, "", date(clock_.wall()));
  add("a", "old again", kOld);
  EXPECT_THAT(ledger_.refused, ElementsAre("2 0 greater_than_max_sample_age old again"));
}

}  // namespace
}  // namespace weir::loki
