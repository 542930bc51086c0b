// A rule book whose rules stand in ConfigMaps.
#include "stages/rule_maps.h"

#include "stages/rule_book.h"
#include "support/collect.h"
#include "support/fake_config_maps.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

namespace weir::stages {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

TEST(CheckRulePlaces, NamesOfConfigMapsAreLookedAt) {
  EXPECT_TRUE(check_rule_places({"/etc/weir/rules", "configmap:shop/rules", "configmap:shop/rules/key"}));
  const auto bad = check_rule_places({"/etc/weir/rules", "configmap:rules"});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, base::Code::usage);
}

TEST(RehearseRulePlaces, NobodyIsAskedAndThatIsSaid) {
  test::TestContext test;
  test::FakeConfigMaps server;
  const kube::Access access = {.server = server.url()};
  EXPECT_TRUE(rehearse_rule_places({"/etc/weir/rules"}, access, test.context));
  EXPECT_TRUE(test.diagnostics.said().empty());
  EXPECT_TRUE(rehearse_rule_places({"/etc/weir/rules", "configmap:shop/rules"}, access, test.context));
  EXPECT_THAT(test.diagnostics.said(),
              testing::ElementsAre("the rules of 'configmap:shop/rules' are read when the pipeline starts; "
                                   "`weir rules check configmap:shop/rules` checks them before"));
  EXPECT_TRUE(server.requests().empty());
}

TEST(RehearseRulePlaces, WhatAStartWouldFindWithoutAskingIsFound) {
  test::TestContext test;
  const auto code = [&](const std::string& place, const kube::Access& access) {
    const auto ok = rehearse_rule_places({place}, access, test.context);
    return ok ? std::optional<base::Code>() : ok.error().code;
  };
  EXPECT_EQ(code("configmap:shop", {.server = "http://127.0.0.1:1"}), base::Code::usage);
  EXPECT_EQ(code("configmap:shop/rules", {.server = "ftp://127.0.0.1"}), base::Code::usage);
  EXPECT_EQ(code("configmap:shop/rules", {}), base::Code::config) << "no pod, and no --kube-server";
  EXPECT_EQ(code("configmap:shop/rules", {.server = "http://127.0.0.1:1", .token_file = "/none"}), base::Code::config);
  EXPECT_EQ(code("configmap:shop/rules", {.server = "http://127.0.0.1:1"}), std::nullopt);
}

class RuleMapsTest : public testing::Test {
 protected:
  RuleMapsTest() { test_.context.clock = &base::Clock::system(); }

  base::Result<std::unique_ptr<RuleBook>> open(std::vector<std::string> places = {"configmap:shop/rules"}, bool strict = false) {
    return RuleBook::open(
        {.files = std::move(places), .kube = {.server = server_.url()}, .keep_beside = folder_ / "spool.db", .strict = strict},
        test_.context);
  }
  std::unique_ptr<RuleBook> opened(std::vector<std::string> places = {"configmap:shop/rules"}) {
    auto book = open(std::move(places));
    EXPECT_TRUE(book) << (book ? "" : book.error().message);
    if (!book) return nullptr;
    EXPECT_TRUE((*book)->attach(wake_));
    return *std::move(book);
  }
  // As the thread that drives a chain: until the book has so many rules; false after 20 s without a ring.
  bool rules_come(RuleBook& book, std::size_t count) {
    return comes(book, [&] { return book.set().rules().size() == count; });
  }
  bool comes(RuleBook& book, const std::function<bool()>& condition) {
    while (true) {
      const base::Monotonic now = test_.context.clock->monotonic();
      book.refresh(now);
      if (condition()) return true;
      pollfd rung = {wake_.fd(), POLLIN, 0};
      if (::poll(&rung, 1, book.due() == base::kNever ? 20'000 : base::poll_timeout(now, book.due())) <= 0 &&
          book.due() == base::kNever) {
        return false;
      }
      wake_.hear();
    }
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& text) const {
    std::ofstream(path("new")) << text;
    fs::rename(path("new"), path("file"));
  }

  test::TempDir folder_;
  test::TestContext test_;
  test::FakeConfigMaps server_;
  base::Wake wake_;
};

TEST_F(RuleMapsTest, AChangeTakesEffect) {
  server_.put("shop/rules", {{"rules", "drop |= \"a\"\n"}});
  const auto book = opened();
  ASSERT_TRUE(book);
  EXPECT_EQ(book->set().rules().size(), 1U);
  EXPECT_FALSE(book->broken());
  EXPECT_EQ(book->due(), base::kNever);
  server_.put("shop/rules", {{"rules", "drop |= \"a\"\ndrop |= \"b\"\n"}});
  EXPECT_TRUE(rules_come(*book, 2));
  EXPECT_EQ(book->reloads(), 1U);
}

TEST_F(RuleMapsTest, WhatDoesNotExistHasNoRulesAndThatIsSaid) {
  const auto book = opened();
  ASSERT_TRUE(book);
  EXPECT_TRUE(book->set().rules().empty());
  EXPECT_FALSE(book->broken());
  EXPECT_THAT(test_.diagnostics.said(), Contains("the ConfigMap 'shop/rules' does not exist, so it has no rules"));
  server_.put("shop/rules", {{"rules", "drop |= \"a\"\n"}});
  EXPECT_TRUE(rules_come(*book, 1));
  server_.erase("shop/rules");
  EXPECT_TRUE(rules_come(*book, 0));
  EXPECT_FALSE(book->broken());
}

TEST_F(RuleMapsTest, AMistakeKeepsTheRules) {
  server_.put("shop/rules", {{"rules", "drop |= \"a\"\n"}});
  const auto book = opened();
  ASSERT_TRUE(book);
  server_.put("shop/rules", {{"rules", "dorp |= \"b\"\n"}});
  EXPECT_TRUE(comes(*book, [&] { return book->broken(); }));
  EXPECT_EQ(book->set().rules().size(), 1U);
  EXPECT_THAT(test_.diagnostics.said(), Contains(HasSubstr("configmap:shop/rules:1:1")));
  server_.put("shop/rules", {{"x", ""}, {"y", ""}});
  EXPECT_TRUE(comes(*book, [&] { return book->failures() == 2; }));
  EXPECT_THAT(test_.diagnostics.said(),
              Contains(HasSubstr("it has 2 keys, and none is 'rules'; the rules from before stay in use")));
  server_.put("shop/rules", {{"rules", ""}});
  EXPECT_TRUE(rules_come(*book, 0)) << "an API server shows no half writes";
  EXPECT_FALSE(book->broken());
}

TEST_F(RuleMapsTest, FilesAndConfigMapsAreOneTextInTheirOrder) {
  server_.put("shop/rules", {{"rules", "keep {app=\"x\"}\n"}});
  write("drop {}\n");
  const auto book = opened({"configmap:shop/emergency", path("file"), "configmap:shop/rules/rules"});
  ASSERT_TRUE(book);
  const auto places = [&] {
    std::vector<std::string> out;
    for (const rules::Rule& rule : book->set().rules()) out.push_back(rule.place.file);
    return out;
  };
  EXPECT_EQ(places(), (std::vector<std::string>{path("file"), "configmap:shop/rules/rules"}));
  server_.put("shop/emergency", {{"rules", "keep {app=\"y\"}\n"}});
  EXPECT_TRUE(rules_come(*book, 3));
  EXPECT_EQ(places().front(), "configmap:shop/emergency");
  write("drop {}\ndrop {app=\"z\"}\n");
  EXPECT_TRUE(rules_come(*book, 4));
}

TEST_F(RuleMapsTest, WithoutAnAnswerTheRulesThatRanLastAreUsedAndFilesAreReadAsEver) {
  server_.put("shop/rules", {{"rules", "drop |= \"a\"\ndrop |= \"b\"\n"}});
  write("# none\n");
  const std::vector<std::string> places = {"configmap:shop/rules", path("file")};
  ASSERT_TRUE(opened(places));
  server_.refuse(503, "ServiceUnavailable", "the server is starting");
  write("drop |= \"c\"\n");
  const auto book = opened(places);
  ASSERT_TRUE(book);
  EXPECT_EQ(book->set().rules().size(), 3U);
  EXPECT_TRUE(book->broken());
  EXPECT_THAT(test_.diagnostics.said(),
              Contains(HasSubstr("the rules of 'configmap:shop/rules' that ran last are used until it does")));
  write("# none again\n");
  EXPECT_TRUE(rules_come(*book, 2));
  EXPECT_TRUE(book->broken());
  test_.stop->request();  // so that it does not wait long
  const auto strict = open(places, true);
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().code, base::Code::network);
  EXPECT_THAT(strict.error().message, HasSubstr("the server is starting"));
}

TEST_F(RuleMapsTest, WithoutRightsAndWithoutAnEarlierTextItDoesNotStart) {
  server_.refuse(403, "Forbidden", "configmaps \"rules\" is forbidden: User \"system:serviceaccount:logging:weir\" cannot get");
  const base::Monotonic begin = test_.context.clock->monotonic();
  const auto book = open();
  ASSERT_FALSE(book);
  EXPECT_EQ(book.error().code, base::Code::config);
  EXPECT_THAT(book.error().hint, HasSubstr("--verb=get,list,watch --resource-name=rules"));
  EXPECT_THAT(book.error().hint, HasSubstr("--serviceaccount=logging:weir"));
  EXPECT_LT(test_.context.clock->monotonic() - begin, RuleMaps::kPatience / 2);
  EXPECT_TRUE(test_.diagnostics.said().empty());  // the error says it
}

TEST_F(RuleMapsTest, AStartThatIsAskedToEndDoesNotWait) {
  server_.refuse(503, "ServiceUnavailable", "later");
  test_.stop->request();
  const base::Monotonic begin = test_.context.clock->monotonic();
  EXPECT_FALSE(open());
  EXPECT_LT(test_.context.clock->monotonic() - begin, RuleMaps::kPatience / 2);
}

TEST_F(RuleMapsTest, WhereTheApiServerIsMustBeKnown) {
  const auto book = RuleBook::open({.files = {"configmap:shop/rules"}}, test_.context);
  ASSERT_FALSE(book);
  EXPECT_EQ(book.error().code, base::Code::config);
}

TEST_F(RuleMapsTest, ItOnlyReads) {
  server_.put("shop/rules", {{"rules", "drop |= \"a\"\n"}});
  const auto book = opened();
  ASSERT_TRUE(book);
  server_.put("shop/rules", {{"rules", "# none\n"}});
  EXPECT_TRUE(rules_come(*book, 0));
  EXPECT_TRUE(std::ranges::all_of(server_.requests(), [](const auto& request) { return request.method == "GET"; }));
}

}  // namespace
}  // namespace weir::stages
