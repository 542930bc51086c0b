#include "cli/assemble.h"

#include "fake_commands.h"

#include <gtest/gtest.h>

#include <csignal>

namespace weir::cli {
namespace {

using Words = std::vector<std::string>;

Link link(const Words& words) {
  const auto commands = test::fake_commands();
  const auto command = std::find_if(commands.begin(), commands.end(), [&](const auto* one) { return one->name == words.front(); });
  auto parsed = parse(**command, std::span(words).subspan(1));
  Link made;
  made.parsed = std::move(std::get<ParsedCommand>(parsed));
  return made;
}

std::vector<Link> links(const std::vector<Words>& chain) {
  std::vector<Link> made;
  for (const auto& words : chain) made.push_back(link(words));
  return made;
}

class AssembleTest : public testing::Test {
 protected:
  AssembleTest() { test::seen() = {}; }
  base::Result<Exit> run(const std::vector<Words>& chain, bool fused = true) {
    auto assembly = Assembly::build(links(chain), fused, context_.context);
    if (!assembly) return std::move(assembly).error();
    Assembly moved = *std::move(assembly);  // stages must not mind
    return moved.run();
  }
  test::TestContext context_;
};

TEST_F(AssembleTest, ChainsThatCanStand) {
  for (const auto& chain : std::vector<std::vector<Words>>{{{"count", "1"}},
                                                           {{"pass"}},
                                                           {{"end"}},
                                                           {{"count", "1"}, {"pass"}, {"pass", "--keep", "a"}, {"end"}},
                                                           {{"end", "--as-source"}, {"pass"}}}) {
    EXPECT_TRUE(check_chain(links(chain)));
  }
}

TEST_F(AssembleTest, ChainsThatCannot) {
  const auto f = [](const std::vector<Words>& chain, std::string_view message) {
    auto checked = check_chain(links(chain));
    ASSERT_FALSE(checked) << message;
    EXPECT_EQ(checked.error().code, base::Code::config);
    EXPECT_EQ(checked.error().message, message);
    EXPECT_FALSE(checked.error().hint.empty());
  };
  f({{"pass"}, {"count", "1"}}, "count reads no records, so it can only stand first");
  f({{"pass"}, {"end", "--as-source"}}, "end reads no records, so it can only stand first");
  f({{"end"}, {"pass"}}, "end passes no records on, so no stage can follow it");
  f({{"act"}}, "act is not a stage of a pipeline");
  f({{"pass", "--keep", "a"}, {"pass", "--keep", "b"}}, "pass keeps positions, but pass before it does so already");
  f({{"count", "1", "-o", "raw"}, {"pass"}}, "count -o raw writes bare lines, which the next stage cannot read");
  f({{"count", "1", "-o", "text"}, {"pass"}}, "count -o text writes text, which the next stage cannot read");
}

TEST_F(AssembleTest, EachThreadOfAChainHasADriverWhereSomebodyMeasures) {
  const auto drivers = [this] {
    Words names;
    for (const auto& driver : context_.registry.drivers()) names.push_back(driver.name);
    return names;
  };
  const std::vector<Words> chain = {{"count", "1"}, {"pass", "buffer"}, {"pass"}, {"end"}};
  {
    const auto first = Assembly::build(links(chain), true, context_.context);
    ASSERT_TRUE(first);
    EXPECT_EQ(drivers(), (Words{"chain", "drain"}));
    const auto second = Assembly::build(links({{"count", "1"}, {"end"}}), true, context_.context);
    const auto third = Assembly::build(links(chain), true, context_.context);
    EXPECT_EQ(drivers(), (Words{"chain", "drain", "chain 2", "chain 3", "drain 3"})) << "a drain has the number of its chain";
    EXPECT_TRUE(Assembly::rehearse(links(chain), true, context_.context));
    EXPECT_EQ(drivers().size(), 5U) << "what is not run has none";
  }
  EXPECT_TRUE(drivers().empty());
  context_.context.metrics = nullptr;
  EXPECT_TRUE(run(chain));
  EXPECT_TRUE(drivers().empty());
}

TEST_F(AssembleTest, RunsFromSourceToSink) {
  auto exit = run({{"count", "3"}, {"pass"}, {"end"}});
  ASSERT_TRUE(exit) << exit.error().message;
  EXPECT_EQ(*exit, Exit::ok);
  EXPECT_EQ(test::seen().records, (Words{"0", "1", "2"}));
  EXPECT_EQ(test::seen().builds, (Words{"count first fused", "pass fused", "end last fused"}));
  EXPECT_EQ(context_.diagnostics.said(), (Words{"count: counted to 3"}));
}

TEST_F(AssembleTest, EverybodyIsToldTheKeeper) {
  ASSERT_TRUE(run({{"count", "1"}, {"pass", "--keep", "spool.db"}, {"end"}}));
  EXPECT_EQ(test::seen().builds.front(), "count first fused keeper=spool.db");
}

TEST_F(AssembleTest, EverybodyIsToldWhereABufferStands) {
  ASSERT_TRUE(run({{"count", "1"}, {"pass"}, {"pass", "buffer"}, {"pass"}, {"end"}}));
  EXPECT_EQ(test::seen().builds,
            (Words{"count first fused before", "pass fused before", "pass fused", "pass fused behind", "end last fused behind"}));
}

TEST_F(AssembleTest, AloneInAPipeThereIsNoKeeperToTell) {
  auto assembly = Assembly::build(links({{"pass", "--keep", "spool.db"}}), false, context_.context);
  ASSERT_TRUE(assembly);
  EXPECT_EQ(test::seen().builds.front(), "pass first last");
  EXPECT_TRUE(assembly->reads_standard_input());
  EXPECT_TRUE(assembly->writes_standard_output());
}

TEST_F(AssembleTest, LostRecordsAndVerdictsShowInTheExit) {
  auto lost = run({{"count", "1"}, {"pass", "--lost", "2"}, {"end"}});
  ASSERT_TRUE(lost);
  EXPECT_EQ(*lost, Exit::incomplete);
  auto nothing = run({{"count", "0"}, {"end"}});
  ASSERT_TRUE(nothing);
  EXPECT_EQ(*nothing, Exit::negative);
}

TEST_F(AssembleTest, ASignalShowsInTheExit) {
  context_.stop->request(SIGTERM);
  auto exit = run({{"count", "1"}, {"end"}});
  ASSERT_TRUE(exit);
  EXPECT_EQ(*exit, Exit::terminated);
}

TEST_F(AssembleTest, ASignalHidesNoLoss) {
  context_.stop->request(SIGTERM);
  auto drained = run({{"count", "1"}, {"pass", "--lost", "2"}, {"end"}});
  ASSERT_TRUE(drained);
  EXPECT_EQ(*drained, Exit::incomplete);
  test::seen().fails = {base::Code::interrupted, "stopped before all was delivered", ""};
  auto cut_short = run({{"count", "1"}, {"pass", "--lost", "2"}, {"end"}});
  ASSERT_TRUE(cut_short);
  EXPECT_EQ(*cut_short, Exit::incomplete);
  EXPECT_EQ(context_.diagnostics.said().back(), "stopped before all was delivered");
  auto nothing_lost = run({{"count", "1"}, {"pass"}, {"end"}});
  ASSERT_FALSE(nothing_lost);
  EXPECT_EQ(fail_with(nothing_lost.error(), context_.context), Exit::terminated);
}

// Cut short, a chain that keeps positions has lost nothing: what was left comes again.
TEST_F(AssembleTest, ASignalThatCutsAChainShortIsAnErrorOnlyWhereNothingIsKept) {
  context_.stop->request(SIGTERM);
  test::seen().fails = {base::Code::interrupted, "stopped before all was delivered", ""};
  auto kept = run({{"count", "1", "--checkpoint", "c"}, {"pass", "--keep", "c"}, {"end"}});
  ASSERT_TRUE(kept);
  EXPECT_EQ(*kept, Exit::terminated);
  EXPECT_EQ(zero_on_term(*kept), Exit::ok);
  EXPECT_EQ(context_.diagnostics.said().back(), "stopped before all was delivered");
  auto lossy = run({{"count", "1", "--checkpoint", "c"}, {"pass", "--keep", "c", "--lost", "1"}, {"end"}});
  ASSERT_TRUE(lossy);
  EXPECT_EQ(*lossy, Exit::incomplete);
  // What comes from somewhere else does not come again, and without positions nobody knows where to go on.
  EXPECT_FALSE(run({{"count", "1"}, {"pass", "--keep", "c"}, {"end"}}));
  EXPECT_FALSE(run({{"count", "1", "--checkpoint", "c"}, {"pass"}, {"end"}}));
  test::seen().fails.code = base::Code::network;
  EXPECT_FALSE(run({{"count", "1", "--checkpoint", "c"}, {"pass", "--keep", "c"}, {"end"}}));
}

TEST_F(AssembleTest, AnErrorCountsBeforeALoss) {
  test::seen().fails = {base::Code::network, "cannot reach it", ""};
  auto exit = run({{"count", "1"}, {"pass", "--lost", "2"}, {"end"}});
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().code, base::Code::network);
}

TEST_F(AssembleTest, ErrorsComeBackAndOfWhatWasDoneTheSummariesAreSaidAllTheSame) {
  test::seen().fails = {base::Code::network, "cannot reach it", ""};
  auto exit = run({{"count", "1"}, {"pass"}, {"end"}});
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().message, "cannot reach it");
  EXPECT_EQ(context_.diagnostics.said(), (Words{"count: counted to 1"}));
  EXPECT_EQ(fail_with(exit.error(), context_.context), Exit::failed);
  EXPECT_EQ(context_.diagnostics.said().back(), "cannot reach it");
}

TEST_F(AssembleTest, InterruptedIsASignalOnlyWhereThereWasOne) {
  const base::Error error{base::Code::interrupted, "stopped", ""};
  EXPECT_EQ(fail_with(error, context_.context), Exit::failed);
  context_.stop->request(SIGINT);
  EXPECT_EQ(fail_with(error, context_.context), Exit::interrupted);
}

TEST_F(AssembleTest, ActionsAct) {
  auto parsed = parse(test::act_command, Words{});
  auto exit = run_command(std::move(std::get<ParsedCommand>(parsed)), context_.context);
  ASSERT_TRUE(exit);
  EXPECT_EQ(*exit, Exit::negative);
}

}  // namespace
}  // namespace weir::cli
