// `weir replay --export`: a new spool of what matches, as the rules leave it.
#include "stages/spool_export.h"

#include "rules/parser.h"
#include "spool/consumer.h"
#include "spool/inspection.h"
#include "stages/buffer.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::stages {
namespace {

namespace fs = std::filesystem;
using base::Code;
using Lines = std::vector<std::string>;

std::string at(int second, std::string_view text, std::string_view rest = "", std::string_view app = "shop") {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:{:02}Z","line":"{}","labels":{{"app":"{}"}}{}}})", second, text, app, rest);
}

constexpr std::string_view kGap = R"(,"metadata":{"weir_gap_bytes":"17"})";

class SpoolExportTest : public testing::Test {
 protected:
  std::string path() const { return dir_ / "spool.db"; }
  std::string target() const { return dir_ / "case.db"; }

  void store(const std::vector<Lines>& blocks) {
    BufferSpec spec;
    spec.spool.path = path();
    spec.spool.min_free = 0;
    spec.store_only = true;
    auto buffer = make_buffer(spec, test_.context);
    ASSERT_TRUE(buffer) << buffer.error().message;
    const std::vector<std::unique_ptr<pipeline::Stage>> none;
    const auto outlet = pipeline::make_outlet(none);
    for (const Lines& block : blocks) {
      pipeline::Batch batch = test::batch_of(block);
      ASSERT_TRUE((*buffer)->consume(batch, *outlet));
      ASSERT_TRUE((*buffer)->flush(*outlet, base::kNever));
    }
    ASSERT_TRUE((*buffer)->finish(*outlet, base::kNever));
  }

  base::Result<Exported> run(ReplaySpec replay, std::string_view rules = "") {
    replay.spool = path();
    std::optional<rules::RuleSet> set;
    if (!rules.empty()) {
      auto parsed = rules::parse(rules, "rules", test_.clock.wall());
      EXPECT_TRUE(parsed) << parsed.error().message;
      auto compiled = rules::RuleSet::compile(*std::move(parsed));
      EXPECT_TRUE(compiled) << compiled.error().message;
      set.emplace(*std::move(compiled));
    }
    return export_spool({replay, target()}, set ? &*set : nullptr, test_.context);
  }

  Exported exported(const ReplaySpec& replay, std::string_view rules = "") {
    fs::remove(target());
    auto done = run(replay, rules);
    EXPECT_TRUE(done) << done.error().message;
    return done ? *std::move(done) : Exported();
  }

  struct Lend : pipeline::Stage {
    explicit Lend(test::Collector& to) : to_(to) {}
    base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override { return to_.consume(batch, out); }
    [[nodiscard]] std::string_view name() const override { return "lend"; }
    test::Collector& to_;
  };
  // What replay prints of the export.
  Lines contents() {
    auto source = make_replay({.spool = target()}, test_.context);
    EXPECT_TRUE(source) << source.error().message;
    if (!source) return {};
    test::Collector collector;
    std::vector<std::unique_ptr<pipeline::Stage>> below;
    below.push_back(std::make_unique<Lend>(collector));
    EXPECT_TRUE((*source)->run(*pipeline::make_outlet(below), *test_.stop));
    return collector.all();
  }
  Lines names() const {
    Lines all;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      if (entry.path().filename().string().starts_with("case")) all.push_back(entry.path().filename());
    }
    std::ranges::sort(all);
    return all;
  }

  test::TempDir dir_;
  test::TestContext test_;
};

TEST_F(SpoolExportTest, HoldsWhatReplayPrintsAndIsOneFile) {
  const Lines in = {at(1, "plain"),
                    at(2, R"(tab\tquote\"ä€😀)"),
                    at(3, R"(\udcff\udc80binary)"),
                    at(4, "meta", R"(,"metadata":{"trace":"1"})"),
                    at(5, "tenant", R"(,"tenant":"team-a")"),
                    at(6, "more", R"(,"mine":[1,{"a":null}])"),
                    at(7, "other", "", "cart")};
  store({{in[3], in[0]}, {in[6], in[1], in[2]}, {in[5], in[4]}});
  const Exported done = exported({.query = R"({app="shop"})"});
  EXPECT_EQ(names(), Lines{"case.db"});
  EXPECT_EQ(contents(), Lines(in.begin(), in.end() - 1));
  EXPECT_EQ(done.records, 6U);
  EXPECT_EQ(done.line_bytes, 46U);
  EXPECT_EQ(done.oldest, 1714557601 * base::kSecond);
  EXPECT_EQ(done.newest, 1714557606 * base::kSecond);
  EXPECT_EQ(done.file_bytes, fs::file_size(target()));
  EXPECT_EQ(fs::status(target()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const auto status = spool::read_status(target(), 0), source = spool::read_status(path(), 0);
  EXPECT_TRUE(status->consumers.empty());
  EXPECT_TRUE(status->positions.empty());
  EXPECT_NE(status->id, source->id) << "positions of the one mean nothing in the other";
  EXPECT_EQ(status->max_size, 0U) << "it has no limit that somebody set";
  EXPECT_TRUE(spool::check_spool(target(), 0)->problems.empty());
}

TEST_F(SpoolExportTest, StatesEndHere) {
  store({{at(1, "delivered"), at(2, "undelivered"), at(3, "held", R"(,"held":true)")}});
  {
    auto main = spool::Consumer::open({.path = path(), .name = "main", .spool = 0, .match = "", .wait = 0}, test_.clock);
    ASSERT_TRUE(main);
    (*main)->acknowledge(2, 0, 0);  // the held one has block 1
    ASSERT_TRUE((*main)->commit());
  }
  EXPECT_EQ(exported({}).records, 2U);
  EXPECT_EQ(contents(), (Lines{at(1, "delivered"), at(2, "undelivered")}));
  exported({.delivered = true, .undelivered = true, .held = true});
  EXPECT_EQ(contents(), (Lines{at(1, "delivered"), at(2, "undelivered"), at(3, "held")}));
  exported({.undelivered = true});
  EXPECT_EQ(contents(), Lines{at(2, "undelivered")});
}

TEST_F(SpoolExportTest, RulesRedactAndLeaveOut) {
  store({{at(1, "card 4111111111111111 ok", R"(,"metadata":{"user":"mail a@b.example"},"mine":"4111111111111111")"),
          at(2, "GET /healthz"), at(3, "debug of everything"), at(4, "plain", "", "a@b.example")}});
  constexpr std::string_view kRules =
      "redact `[0-9]{13,16}` with \"****\"\nname mail: redact `\\S+@\\S+` with \"(mail)\"\ndrop |= \"/healthz\"\nhold |= "
      "\"debug\"\n";
  Exported done = exported({}, kRules);
  EXPECT_EQ(contents(), (Lines{at(1, "card **** ok", R"j(,"metadata":{"user":"mail (mail)"})j"), at(4, "plain", "", "(mail)")}))
      << "no rule looks into a key that weir does not know";
  EXPECT_EQ(done.records, 2U);
  EXPECT_EQ(done.redacted, 2U) << "two rules changed the first record, which counts once";
  EXPECT_EQ(done.left_out, (std::array<std::uint64_t, 6>{0, 1, 1, 0, 0, 0}));
  ASSERT_EQ(done.rules.size(), 4U);
  EXPECT_EQ(done.rules[1].id, "mail");
  EXPECT_EQ(done.rules[1].records, 2U);
  EXPECT_EQ(done.rules[2].action, "drop");
  EXPECT_EQ(done.rules[2].records, 1U);
  const std::string text = done.to_text("case.db");
  EXPECT_NE(text.find("2 records exported to 'case.db'"), std::string::npos) << text;
  EXPECT_NE(text.find("2 records were redacted"), std::string::npos) << text;
  EXPECT_NE(text.find("2 records were left out by the rules: 1 by drop, 1 by hold"), std::string::npos) << text;
  EXPECT_NE(text.find("\n  rules:2: redact mail: 2 records\n"), std::string::npos) << text;
  const std::string json = done.to_json("spool.db", "case.db");
  for (const char* part :
       {R"("redacted":2,)", R"("drop":1,"hold":1,)", R"("id":"mail","file":"rules","line":2,"records":2,"failed":0})",
        R"("newest":"2024-05-01T10:00:04Z")"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  }

  done = exported({.delivered = true, .undelivered = true, .held = true}, kRules);
  EXPECT_EQ(done.records, 3U) << "what a rule holds comes when held records are wanted";
  EXPECT_EQ(spool::read_status(target(), 0)->held, 0U);
}

TEST_F(SpoolExportTest, GapsComeWhateverTheLinesAreSearchedFor) {
  store(
      {{at(1, "an error"), at(2, "fine"), at(3, "weir: 17 bytes are lost", kGap), at(4, "weir: 17 bytes are lost", kGap, "cart")}});
  const Exported done = exported({.query = R"({app="shop"} |= "error")"}, "drop\nkeep\nredact `bytes` with \"B\"\n");
  EXPECT_EQ(contents(), Lines{at(3, "weir: 17 B are lost", kGap)}) << "rules never drop a gap record, and redact it";
  EXPECT_EQ(done.gaps, 1U);
  EXPECT_EQ(done.records, 1U);
  EXPECT_NE(done.to_text("x").find("1 record says that a part of a log was lost"), std::string::npos);
}

TEST_F(SpoolExportTest, NothingMakesNoFile) {
  store({{at(1, "one")}});
  Exported done = exported({.query = R"({app="shpo"})"});
  EXPECT_EQ(done.records, 0U);
  EXPECT_EQ(done.nothing, "nothing is exported: no app 'shpo' here; did you mean 'shop'?");
  EXPECT_TRUE(names().empty());
  done = exported({}, "drop\n");
  EXPECT_EQ(done.nothing, "") << "records came, and the rules left them out";
  EXPECT_EQ(done.left_out[1], 1U);
  EXPECT_NE(done.to_json("spool.db", "case.db").find(R"("export":null,"records":0,)"), std::string::npos);
  EXPECT_TRUE(names().empty());
}

TEST_F(SpoolExportTest, FailuresLeaveNoFile) {
  EXPECT_EQ(run({}).error().code, Code::io) << "there is no spool";
  EXPECT_TRUE(names().empty());
  store({{at(1, "one")}});
  dir_.write("case.db", "mine");
  EXPECT_EQ(run({}).error().code, Code::usage);
  EXPECT_EQ(fs::file_size(target()), 4U);
  fs::remove(target());
  test_.stop->request();
  EXPECT_EQ(run({}).error().code, Code::interrupted);
  EXPECT_TRUE(names().empty());
}

TEST_F(SpoolExportTest, BlocksAreAsLargeAsABuffersAndSorted) {
  std::vector<Lines> blocks;
  for (int block = 0; block < 6; ++block) {
    Lines lines;
    for (int i = 59; i >= 0; --i) lines.push_back(at(i, fmt::format("{} {}", block, std::string(10'000, 'x'))));
    blocks.push_back(std::move(lines));
  }
  store(blocks);
  const Exported done = exported({});
  EXPECT_EQ(done.records, 360U);
  const auto reader = spool::Reader::open(target());
  const auto list = (*reader)->list({});
  ASSERT_EQ(list->size(), 4U);  // 3.6 MB in blocks of a MiB
  for (std::size_t i = 1; i < list->size(); ++i) EXPECT_LE((*list)[i - 1].max_timestamp, (*list)[i].min_timestamp);
}

}  // namespace
}  // namespace weir::stages
