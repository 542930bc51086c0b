#include "stages/value_budget.h"

#include "stages/enrich.h"
#include "support/run_stage.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using test::Lines;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Said : public base::Diagnostics {
 public:
  void say(std::string_view text) override { lines.emplace_back(text); }
  void warn(std::string_view, std::string_view text) override { lines.emplace_back(text); }
  std::vector<std::string> lines;
};

class ValueBudgetTest : public testing::Test {
 protected:
  test::TempDir dir_;
  test::FakeClock clock_;
  Said said_;
  metrics::Registry registry_;

  pipeline::Context context() {
    pipeline::Context context;
    context.clock = &clock_;
    context.diagnostics = &said_;
    context.metrics = &registry_;
    return context;
  }
  std::unique_ptr<ValueBudget> open(std::uint32_t most, const std::string& file = "") {
    auto budget = ValueBudget::open({.limits = {{"a", most}}, .file = file}, context());
    if (!budget) ADD_FAILURE() << budget.error().message;
    return budget ? *std::move(budget) : nullptr;
  }
  // Which of these values have a place, asked in this order in one batch.
  static std::vector<std::string> placed(ValueBudget& budget, const std::vector<std::string>& values) {
    std::vector<std::string> out;
    static_cast<void>(budget.begin());
    for (const std::string& value : values) {
      if (ValueBudget::Place* const place = budget.find_place(0, value)) {
        budget.use(*place);
        out.push_back(value);
      }
    }
    budget.end();
    return out;
  }
};

TEST_F(ValueBudgetTest, TheFirstValuesHaveThePlaces) {
  const auto budget = open(2);
  EXPECT_EQ(budget->limit_of("a"), 0);
  EXPECT_EQ(budget->limit_of("b"), -1);
  EXPECT_THAT(placed(*budget, {"x", "y", "z", "x"}), ElementsAre("x", "y", "x"));
  EXPECT_THAT(placed(*budget, {"z", "y"}), ElementsAre("y"));
  EXPECT_THAT(said_.lines, ElementsAre(HasSubstr("label \"a\" has 2 values, which is all that --max-values lets it have")));
}

TEST_F(ValueBudgetTest, APlaceIsFreeAfterTwoIdleDays) {
  const auto budget = open(2);
  placed(*budget, {"x", "y"});
  clock_.advance(47 * base::kHour);
  EXPECT_FALSE(budget->begin());
  EXPECT_THAT(placed(*budget, {"x", "z"}), ElementsAre("x"));
  clock_.advance(2 * base::kHour);
  EXPECT_TRUE(budget->begin());
  EXPECT_THAT(placed(*budget, {"z", "y", "x"}), ElementsAre("z", "x"));
}

TEST_F(ValueBudgetTest, ARestartFindsThePlaces) {
  const std::string file = dir_ / "values";
  const std::string odd = "sl/ash \n\xc3\xa9%41\"";
  {
    const auto budget = open(2, file);
    EXPECT_THAT(placed(*budget, {odd, "y"}), ElementsAre(odd, "y"));
    budget->close();
  }
  struct stat status = {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_THAT(placed(*open(2, file), {"z", "y", odd}), ElementsAre("y", odd));
}

// A kill: nobody calls close(). The values of a batch are there before it goes on.
TEST_F(ValueBudgetTest, AKillCostsNoPlace) {
  const std::string file = dir_ / "values";
  {
    const auto budget = open(3, file);
    placed(*budget, {"x"});
    placed(*budget, {"y"});
  }
  EXPECT_THAT(placed(*open(2, file), {"z", "y", "x"}), ElementsAre("y", "x"));
}

// A value that is in use all the time is written again, so that it is not taken for an idle one.
TEST_F(ValueBudgetTest, TheFileKnowsWhatIsInUse) {
  const std::string file = dir_ / "values";
  {
    const auto budget = open(1, file);
    for (int hour = 0; hour < 100; ++hour) {
      placed(*budget, {"x"});
      clock_.advance(base::kHour);
    }
    static_cast<void>(budget->begin());
  }
  EXPECT_THAT(placed(*open(1, file), {"z", "x"}), ElementsAre("x"));
}

TEST_F(ValueBudgetTest, FewerPlacesKeepTheLatestValues) {
  const std::string file = dir_ / "values";
  {
    const auto budget = open(3, file);
    placed(*budget, {"x", "y", "z"});
    clock_.advance(base::kHour);
    placed(*budget, {"z", "y"});
    budget->close();
  }
  const auto budget = open(2, file);
  const auto kept = placed(*budget, {"x", "y", "z"});
  EXPECT_THAT(kept, ElementsAre("y", "z"));
}

TEST_F(ValueBudgetTest, ACutLineIsLeftOut) {
  const std::string file = dir_ / "values";
  const std::int64_t hour = clock_.wall() / base::kHour;
  dir_.write("values", fmt::format("weir-values 1\n{} a x\nnonsense\n{} other y\n{} a \n{} a cut", hour, hour, hour, hour));
  const auto budget = open(2, file);
  EXPECT_THAT(placed(*budget, {"y", "x", "cut"}), ElementsAre("y", "x"));
  budget->close();
  EXPECT_THAT(dir_.read("values"), testing::Not(HasSubstr("cut")));
  EXPECT_THAT(said_.lines, ElementsAre(HasSubstr("1 line has no form"), HasSubstr("break off within their last line"),
                                       HasSubstr("label \"a\"")));
}

TEST_F(ValueBudgetTest, AFileOfSomebodyElseIsLeftAlone) {
  for (const char* const theirs : {"precious = 1\n", "weir-val", "\n"}) {
    dir_.write("precious.conf", theirs);
    const auto refused = ValueBudget::open({.limits = {{"a", 1}}, .file = dir_ / "precious.conf"}, context());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::config);
    EXPECT_THAT(refused.error().message, HasSubstr("a file of somebody else"));
    EXPECT_EQ(dir_.read("precious.conf"), theirs);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()), {}), 1);
  }
}

TEST_F(ValueBudgetTest, ALinkIsFollowedAndAFifoIsRefused) {
  std::filesystem::create_symlink("values", dir_ / "link");
  placed(*open(1, dir_ / "link"), {"x"});
  EXPECT_THAT(dir_.read("values"), HasSubstr(" a x\n"));
  EXPECT_TRUE(std::filesystem::is_symlink(dir_ / "link"));
  EXPECT_THAT(placed(*open(1, dir_ / "link"), {"y", "x"}), ElementsAre("x"));

  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  const auto refused = ValueBudget::open({.limits = {{"a", 1}}, .file = dir_ / "fifo"}, context());
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("it is a FIFO"));
}

TEST_F(ValueBudgetTest, AFileOfAnotherReleaseIsPutAside) {
  dir_.write("values", "weir-values 9\nwhatever\n");
  const auto budget = open(1, dir_ / "values");
  EXPECT_THAT(placed(*budget, {"x"}), ElementsAre("x"));
  EXPECT_EQ(dir_.read("values-unreadable"), "weir-values 9\nwhatever\n");
  EXPECT_THAT(said_.lines, ElementsAre(HasSubstr("places are given anew")));
}

TEST_F(ValueBudgetTest, AFileBelongsToOneStage) {
  const auto first = open(1, dir_ / "values");
  const auto f = [this] {
    const auto second = ValueBudget::open({.limits = {{"a", 1}}, .file = dir_ / "values"}, context());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::busy);
    EXPECT_THAT(second.error().hint, HasSubstr("--values-file"));
  };
  f();
  clock_.advance(base::kHour);
  static_cast<void>(first->begin());  // the file is another one now
  f();
  first->close();
  EXPECT_NE(open(1, dir_ / "values"), nullptr);
}

TEST_F(ValueBudgetTest, AFileThatCannotBeWritten) {
  const auto missing = ValueBudget::open({.limits = {{"a", 1}}, .file = dir_ / "no/values"}, context());
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Code::io);

  // Later it costs only what a restart would find.
  std::filesystem::create_directory(dir_.path() / "gone");
  const auto budget = open(2, dir_ / "gone/values");
  std::filesystem::remove_all(dir_.path() / "gone");
  for (int i = 0; i < 3; ++i) {
    clock_.advance(base::kHour);
    EXPECT_THAT(placed(*budget, {"x"}), ElementsAre("x"));
  }
  EXPECT_THAT(said_.lines, ElementsAre(HasSubstr("a restart may give places of --max-values to other values")));
  std::filesystem::create_directory(dir_.path() / "gone");
  clock_.advance(base::kHour);
  placed(*budget, {"y"});
  EXPECT_THAT(dir_.read("gone/values"), testing::AllOf(HasSubstr("a x\n"), HasSubstr("a y\n")));
}

// A machine whose clock is set late, and one whose clock was ahead.
TEST_F(ValueBudgetTest, AWrongClockFreesNothing) {
  const std::string file = dir_ / "values";
  {
    const auto budget = open(1, file);
    placed(*budget, {"x"});
    budget->close();
  }
  const base::Timestamp right = clock_.wall();
  clock_.set(-right);
  {
    const auto budget = open(1, file);
    EXPECT_THAT(placed(*budget, {"z", "x"}), ElementsAre("x"));
    clock_.set(right);
    EXPECT_FALSE(budget->begin());
    EXPECT_THAT(placed(*budget, {"z", "x"}), ElementsAre("x"));
    clock_.advance(10'000 * base::kHour);
    placed(*budget, {"y"});  // its hour lies far ahead
    clock_.set(-9'000 * base::kHour);
    EXPECT_FALSE(budget->begin());
    clock_.advance(49 * base::kHour);
    EXPECT_TRUE(budget->begin());
  }
}

TEST_F(ValueBudgetTest, BadSpecs) {
  const auto f = [](const ValueBudgetSpec& spec, std::string_view message) {
    const auto checked = check(spec);
    ASSERT_FALSE(checked.ok()) << message;
    EXPECT_EQ(checked.error().code, Code::usage);
    EXPECT_THAT(checked.error().message, HasSubstr(message));
  };
  f({.limits = {{"a", 0}}}, "from 1 to 10,000");
  f({.limits = {{"a", 10'001}}}, "from 1 to 10,000");
  f({.limits = {{"a", 1}, {"a", 2}}}, "twice");
  f({.limits = {}, .file = "x"}, "--values-file needs --max-values");
}

// ---- as part of enrich

std::string record(std::string_view labels, std::string_view rest = "") {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"x","labels":{{{}}}{}}})", labels, rest);
}

EnrichSpec limited(std::vector<ValueBudgetSpec::Limit> limits) {
  EnrichSpec spec;
  spec.path = false;
  spec.service_name = false;
  spec.budget.limits = std::move(limits);
  return spec;
}

class EnrichWithLimits : public ValueBudgetTest {
 protected:
  Lines run(const EnrichSpec& spec, const Lines& input) {
    return test::run_stage(
        [&] {
          auto stage = make_enrich(spec, context());
          EXPECT_TRUE(stage.ok());
          return *std::move(stage);
        },
        input);
  }
};

TEST_F(EnrichWithLimits, ANewValueBecomesMetadata) {
  EXPECT_EQ(run(limited({{"a", 1}}), {record(R"("a":"1","b":"1")"), record(R"("a":"2","b":"2")"), record(R"("a":"1","b":"3")"),
                                      record(R"("a":"2","b":"4")", R"(,"metadata":{"a":"m","k":"v"})")}),
            (Lines{record(R"("a":"1","b":"1")"), record(R"("b":"2")", R"(,"metadata":{"a":"2"})"), record(R"("a":"1","b":"3")"),
                   record(R"("b":"4")", R"(,"metadata":{"a_extracted":"m","k":"v","a":"2"})")}));
}

TEST_F(EnrichWithLimits, OnlyLabelsThatAreKeptTakePlaces) {
  EnrichSpec spec = limited({{"a", 1}, {"b", 1}});
  spec.keep_labels = std::vector<std::string>{"b"};
  EXPECT_EQ(run(spec, {record(R"("a":"1","b":"1")"), record(R"("a":"2","b":"1")"), record(R"("a":"2","b":"2")")}),
            (Lines{record(R"("b":"1")", R"(,"metadata":{"a":"1"})"), record(R"("b":"1")", R"(,"metadata":{"a":"2"})"),
                   R"({"timestamp":"2024-05-01T10:00:00Z","line":"x","metadata":{"a":"2","b":"2"}})"}));
}

TEST_F(EnrichWithLimits, LabelsOfLinesAndOfThePath) {
  EnrichSpec spec = limited({{"pod", 1}, {"user", 1}});
  spec.path = true;
  spec.fields = {.parse = "logfmt", .to_labels = {{"user", "user"}}};
  const auto line = [](std::string_view pod, std::string_view user) {
    return fmt::format(
        R"({{"timestamp":"2024-05-01T10:00:00Z","line":"user={}","labels":{{"filename":"/var/log/pods/n_{}_1/c/0.log"}}}})", user,
        pod);
  };
  const Lines out = run(spec, {line("p", "u"), line("q", "u"), line("p", "w")});
  EXPECT_THAT(out[0], HasSubstr(R"("pod":"p","user":"u"},"metadata":{"pod_uid":"1"})"));
  EXPECT_THAT(out[1], HasSubstr(R"("namespace":"n","user":"u"},"metadata":{"pod":"q","pod_uid":"1"})"));
  EXPECT_THAT(out[2], HasSubstr(R"("pod":"p"},"metadata":{"user":"w","pod_uid":"1"})"));
}

TEST_F(EnrichWithLimits, CountsByLabelAndFollowsFreePlaces) {
  auto stage = make_enrich(limited({{"a", 1}, {"b", 5}}), context());
  ASSERT_TRUE(stage.ok());
  const Lines input = {record(R"("a":"1","b":"1")"), record(R"("a":"2","b":"1")"), record(R"("a":"2","b":"1")")};
  test::LinesOutlet out;
  const auto consume = [&](const Lines& lines) {
    record::JsonlReader reader(clock_);
    record::Batch batch;
    for (const std::string& text : lines) static_cast<void>(reader.parse(batch.copy(text), batch));
    ASSERT_TRUE((*stage)->consume(batch, out).ok());
  };
  consume(input);
  const auto counted = [this](std::string_view label) -> std::optional<std::uint64_t> {
    for (const metrics::Sample& sample : registry_.read())
      if (sample.metric->name == "weir_enrich_demoted_records_total" && sample.label_value == label) return sample.value;
    return std::nullopt;
  };
  EXPECT_EQ(counted("a"), 2U);
  EXPECT_EQ(counted("b"), 0U);
  clock_.advance(49 * base::kHour);
  out.lines.clear();
  consume({input[1], input[0]});
  EXPECT_EQ(out.lines[0], input[1]);
  EXPECT_EQ(counted("a"), 3U);
}

TEST_F(EnrichWithLimits, FinishStoresTheValues) {
  EnrichSpec spec = limited({{"a", 1}});
  spec.budget.file = dir_ / "values";
  EXPECT_EQ(run(spec, {record(R"("a":"1")")}), Lines{record(R"("a":"1")")});
  EXPECT_THAT(dir_.read("values"), HasSubstr("a 1\n"));
  EXPECT_EQ(run(spec, {record(R"("a":"2")")}), Lines{R"({"timestamp":"2024-05-01T10:00:00Z","line":"x","metadata":{"a":"2"}})"});
}

}  // namespace
}  // namespace weir::stages
