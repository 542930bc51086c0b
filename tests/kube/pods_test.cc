#include "kube/pods.h"

#include "kube/ask_plan.h"
#include "kube/pod_cache.h"
#include "support/collect.h"
#include "support/fake_kube.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>

namespace weir::kube {
namespace {

using test::eventually;
using test::FakeKube;
using test::KubeReply;
using test::KubeRequest;
using test::pod_json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const char* no_environment(const char*) { return nullptr; }

class PodsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Pods> start() {
    auto pods = Pods::start(spec_, no_environment, clock_, diagnostics_);
    EXPECT_TRUE(pods) << pods.error().message;
    return pods ? *std::move(pods) : nullptr;
  }
  [[nodiscard]] std::string said() const {
    std::string text;
    for (const std::string& one : diagnostics_.said()) text += one + "\n";
    return text;
  }
  base::Error error() {
    auto pods = Pods::start(spec_, no_environment, base::Clock::system(), diagnostics_);
    EXPECT_FALSE(pods);
    return pods ? base::Error() : std::move(pods).error();
  }

  FakeKube server_;
  test::TempDir dir_;
  test::FakeClock clock_;
  test::RememberingDiagnostics diagnostics_;
  PodsSpec spec_{.access = {.server = server_.url()}, .node = "node-1", .wanted = {{"app"}, {}}};
};

TEST_F(PodsTest, FollowsThePodsOfTheNode) {
  server_.put("web", pod_json("u-web", "shop", "web", R"("app":"web")"));
  server_.put("old", pod_json("u-old", "shop", "old"));
  const auto pods = start();
  ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  const PodDirectory& directory = pods->directory();
  EXPECT_EQ(directory.find({"u-web"})->label("app"), "web");
  EXPECT_EQ(server_.requests()[0].parameter("fieldSelector"), "spec.nodeName=node-1");
  EXPECT_EQ(server_.requests()[0].path, "/api/v1/pods");
  server_.put("web", pod_json("u-web", "shop", "web", R"("app":"other")"));
  ASSERT_TRUE(eventually([&] { return directory.find({"u-web"})->label("app") == "other"; }));
  server_.put("new", pod_json("u-new", "shop", "new", R"("pod-template-hash":"7","app":"x","unwanted":"y")"));
  ASSERT_TRUE(eventually([&] { return directory.find({"u-new"}) != nullptr; }));
  EXPECT_EQ(directory.find({"u-new"})->labels, (Pod::Values{{"app", "x"}, {"pod-template-hash", "7"}}));
  server_.remove("old");
  const auto gone = [&](const std::string& uid) {
    for (const PodDirectory::Entry& entry : directory.entries()) {
      if (entry.pod->uid == uid) return entry.gone_since.has_value();
    }
    return false;
  };
  ASSERT_TRUE(eventually([&] { return gone("u-old"); }));
  EXPECT_NE(directory.find({"u-old"}), nullptr);
  EXPECT_FALSE(gone("u-web"));
  const PodsStatus status = pods->status();
  EXPECT_EQ(status.pods, 3U);
  EXPECT_EQ(status.lists, 1U);
  EXPECT_EQ(status.watches, 1U);
  EXPECT_EQ(status.events, 3U);
  EXPECT_EQ(status.failures, 0U);
  EXPECT_EQ(status.unreadable, 0U);
  EXPECT_TRUE(status.trouble.empty());
  EXPECT_THAT(diagnostics_.said(), IsEmpty());
}

TEST_F(PodsTest, SaysOnceThatTheNodeHasNoPods) {
  const auto pods = start();
  ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  EXPECT_THAT(diagnostics_.said(), IsEmpty());
  pods->ask({"u-web"});
  pods->ask({"u-web"});
  ASSERT_EQ(diagnostics_.said().size(), 1U);
  EXPECT_THAT(said(), HasSubstr("the API server has no pods on node node-1 (--node-name"));
  server_.put("web", pod_json("u-web", "shop", "web"));
  ASSERT_TRUE(eventually([&] { return pods->directory().size() == 1; }));
  pods->ask({"u-other"});
  EXPECT_EQ(diagnostics_.said().size(), 1U);
}

// It came and went while the connection was cut: the watch brings both events.
TEST_F(PodsTest, KnowsAPodThatItNeverSawAlive) {
  const auto pods = start();
  ASSERT_TRUE(eventually([&] { return server_.open_watches() == 1; }));
  server_.send("{\"type\":\"DELETED\",\"object\":" + pod_json("u", "shop", "brief", R"("app":"x")") + "}\n");
  ASSERT_TRUE(eventually([&] { return pods->directory().find({"u"}) != nullptr; }));
  ASSERT_TRUE(eventually([&] { return pods->directory().entries()[0].gone_since.has_value(); }));
  EXPECT_EQ(pods->directory().find({"u"})->label("app"), "x");
}

TEST_F(PodsTest, SkipsAPodThatIsNone) {
  server_.put("none", R"({"metadata":{"name":"x","resourceVersion":"VERSION"}})");
  server_.put("web", pod_json("u-web", "shop", "web"));
  const auto pods = start();
  ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  EXPECT_EQ(pods->status().unreadable, 1U);
  EXPECT_EQ(pods->directory().size(), 1U);
}

TEST_F(PodsTest, CollectionGoesOnWithTheCacheWhileNobodyAnswers) {
  spec_.cache_file = dir_ / "pods";
  server_.put("web", pod_json("u-web", "shop", "web", R"("app":"web")"));
  server_.put("old", pod_json("u-old", "shop", "old"));
  {
    const auto pods = start();
    ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
    server_.remove("old");
    ASSERT_TRUE(eventually([&] { return pods->status().events == 1; }));
  }
  server_.stop();
  {
    const auto pods = start();
    ASSERT_TRUE(eventually([&] { return !pods->status().trouble.empty(); }));
    EXPECT_FALSE(pods->status().fresh);
    EXPECT_EQ(pods->directory().find({"u-web"})->label("app"), "web");
    ASSERT_EQ(pods->directory().size(), 2U);
    EXPECT_TRUE(pods->directory().entries()[0].gone_since.has_value());
    EXPECT_THAT(pods->status().trouble, HasSubstr("cannot list pods at " + server_.url()));
  }
  // Back, and without the pod that the cache knows.
  server_.start_again();
  server_.remove("web");
  const auto pods = start();
  ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  EXPECT_TRUE(pods->directory().entries()[1].gone_since.has_value());
}

TEST_F(PodsTest, ACacheOfOtherLabelsIsNotUsed) {
  spec_.cache_file = dir_ / "pods";
  server_.put("web", pod_json("u-web", "shop", "web", R"("app":"web","team":"a")"));
  {
    const auto pods = start();
    ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  }
  server_.stop();
  spec_.wanted.labels.insert("team");
  EXPECT_EQ(start()->directory().size(), 0U);
  EXPECT_THAT(said(), ::testing::Not(HasSubstr("cache")));
}

TEST_F(PodsTest, ADamagedCacheIsIgnoredAloudAndReplaced) {
  spec_.cache_file = dir_ / "pods";
  dir_.write("pods", "{\"weir_pods\":1,\"node\":\"node-1\",\"labels\":[],\"annotations\":[]}\n{\"uid\"\n");
  server_.put("web", pod_json("u-web", "shop", "web"));
  {
    const auto pods = start();
    ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  }
  ASSERT_EQ(diagnostics_.said().size(), 1U);
  EXPECT_THAT(said(), HasSubstr("it is damaged; it is ignored"));
  EXPECT_EQ(PodCache(spec_.cache_file, "node-1", {}).read()->size(), 1U);
}

TEST_F(PodsTest, AFileThatIsNoCacheStaysAsItIs) {
  server_.put("web", pod_json("u-web", "shop", "web"));
  dir_.write("mine", "my notes\n");
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  std::size_t messages = 0;
  for (const std::string& file : {dir_ / "mine", dir_ / "fifo", std::string("/dev/zero")}) {
    spec_.cache_file = file;
    {
      const auto pods = start();
      ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
    }
    ASSERT_EQ(diagnostics_.said().size(), ++messages);
    EXPECT_EQ(diagnostics_.said().back(), "'" + file + "' is no cache of pods; it is left as it is, and the pods are not kept");
  }
  EXPECT_EQ(dir_.read("mine"), "my notes\n");
}

// 5 seconds after the start, then every 30 seconds, so that a kill costs no more.
TEST_F(PodsTest, TheCacheIsWrittenWhileItRuns) {
  spec_.cache_file = dir_ / "pods";
  server_.put("a", pod_json("u-a", "shop", "a"));
  const auto pods = start();
  ASSERT_TRUE(eventually([&] { return server_.open_watches() == 1; }));
  server_.put("b", pod_json("u-b", "shop", "b"));
  ASSERT_TRUE(eventually([&] { return pods->directory().find({"u-b"}) != nullptr; }));
  EXPECT_TRUE(dir_.read("pods").empty());
  clock_.advance(Pods::kFirstWrite);
  server_.put("wake", pod_json("u-wake", "shop", "wake"));  // a clock that is set by hand wakes nobody
  ASSERT_TRUE(eventually([&] { return dir_.read("pods").find("u-b") != std::string::npos; }));
  EXPECT_NE(dir_.read("pods").find("u-a"), std::string::npos);
  server_.put("c", pod_json("u-c", "shop", "c"));
  ASSERT_TRUE(eventually([&] { return pods->directory().find({"u-c"}) != nullptr; }));
  EXPECT_EQ(dir_.read("pods").find("u-c"), std::string::npos);
}

TEST_F(PodsTest, ACacheThatCannotBeWrittenIsOnlyWarnedAbout) {
  spec_.cache_file = dir_ / "no/folder/pods";
  server_.put("web", pod_json("u-web", "shop", "web"));
  {
    const auto pods = start();
    ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  }
  EXPECT_THAT(said(), HasSubstr("cannot write the cache of pods"));
}

TEST_F(PodsTest, SaysWhatIsMissing) {
  spec_.node = "";
  EXPECT_EQ(error().code, base::Code::config);
  spec_.node = "a,metadata.name=b";
  EXPECT_EQ(error().code, base::Code::usage);
  spec_.node = "node-1";
  spec_.access.server = "";
  EXPECT_EQ(error().code, base::Code::config);
  spec_.access = {.server = server_.url(), .ca_file = dir_ / "missing"};
  EXPECT_EQ(error().code, base::Code::config);
  dir_.write("ca", "no PEM");
  spec_.access.ca_file = dir_ / "ca";
  EXPECT_EQ(error().code, base::Code::config);
  spec_.from = PodsSpec::From::kubelet;
  spec_.kubelet = "https://127.0.0.1:10250";
  EXPECT_THAT(error().hint, HasSubstr("--kubelet-insecure"));
  spec_.kubelet = "://";
  EXPECT_EQ(error().code, base::Code::usage);
}

class KubeletPodsTest : public PodsTest {
 protected:
  KubeletPodsTest() {
    spec_.from = PodsSpec::From::kubelet;
    spec_.kubelet = server_.url();
    spec_.node = "";
  }
};

TEST_F(KubeletPodsTest, AsksWhenSomebodyAsks) {
  dir_.write("token", "secret");
  spec_.access.token_file = dir_ / "token";
  server_.put("web", pod_json("u-web", "shop", "web", R"("app":"web")"));
  server_.put("static", pod_json("hash", "kube-system", "etcd", "", R"("kubernetes.io/config.hash":"hash")"));
  const auto pods = start();
  EXPECT_EQ(pods->status().lists, 0U);
  EXPECT_TRUE(pods->status().trouble.empty());
  pods->ask({"u-web"});
  ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  EXPECT_EQ(pods->directory().find({"u-web"})->label("app"), "web");
  EXPECT_NE(pods->directory().find({"hash"}), nullptr);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].path, "/pods");
  EXPECT_TRUE(requests[0].query.empty());
  EXPECT_EQ(requests[0].header("authorization"), "Bearer secret");
  EXPECT_EQ(pods->status().lists, 1U);
  EXPECT_EQ(pods->status().pods, 2U);
}

TEST_F(KubeletPodsTest, WhatIsNotInAWholeListIsGone) {
  server_.put("a", pod_json("u-a", "shop", "a"));
  const auto pods = start();
  pods->ask({"u-a"});
  ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  server_.remove("a");
  server_.put("b", pod_json("u-b", "shop", "b"));
  clock_.advance(AskPlan::kBetween);
  pods->ask({"u-b"});
  ASSERT_TRUE(eventually([&] { return pods->directory().find({"u-b"}) != nullptr; }));
  ASSERT_TRUE(eventually([&] { return pods->directory().entries()[0].gone_since.has_value(); }));
}

TEST_F(KubeletPodsTest, AsksAgainWhileItIsUsed) {
  server_.put("a", pod_json("u-a", "shop", "a", R"("app":"before")"));
  const auto pods = start();
  pods->used();
  ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  server_.put("a", pod_json("u-a", "shop", "a", R"("app":"after")"));
  clock_.advance(AskPlan::kRefresh);
  EXPECT_EQ(pods->status().lists, 1U);
  pods->used();
  ASSERT_TRUE(eventually([&] { return pods->directory().find({"u-a"})->label("app") == "after"; }));
}

TEST_F(KubeletPodsTest, APodThatClaimsTheUidOfAnotherAnswersNobody) {
  server_.put("evil", pod_json("u-evil", "shop", "evil", "", R"("kubernetes.io/config.hash":"hash")"));
  const auto pods = start();
  for (unsigned i = 1; i <= 5; ++i) {
    pods->ask({"hash", "kube-system", "etcd"});
    ASSERT_TRUE(eventually([&] { return pods->status().lists == std::min(i, 3U) && pods->status().fresh; }));
    clock_.advance(AskPlan::kBetween);
  }
  EXPECT_EQ(pods->directory().find({"hash", "kube-system", "etcd"}), nullptr);
}

TEST_F(KubeletPodsTest, ATokenThatWasRefusedIsTriedAgainWhenItsFileChanges) {
  dir_.write("token", "old");
  spec_.access.token_file = dir_ / "token";
  server_.put("a", pod_json("u-a", "shop", "a"));
  server_.decide([](const KubeRequest& request) {
    return request.header("authorization") == "Bearer new" ? KubeReply{0}
                                                           : KubeReply{401, "Unauthorized", {{"Retry-After", "600"}}};
  });
  const auto pods = start();
  pods->ask({"u-a", "shop", "a"});
  ASSERT_TRUE(eventually([&] { return pods->status().failures == 1; }));
  dir_.write("new", "new");
  std::filesystem::rename(dir_ / "new", dir_ / "token");
  clock_.advance(AskPlan::kBetween);
  pods->ask({"u-b", "shop", "b"});
  ASSERT_TRUE(eventually([&] { return pods->directory().find({"u-a"}) != nullptr; }));
}

TEST_F(KubeletPodsTest, SaysWhichRightIsMissing) {
  server_.decide([](const KubeRequest&) {
    return KubeReply{403, "Forbidden (user=x, verb=get, resource=nodes, subresource=proxy)\n", {}};
  });
  const auto pods = start();
  pods->ask({"u"});
  ASSERT_TRUE(eventually([&] { return !diagnostics_.said().empty(); }));
  EXPECT_THAT(said(), HasSubstr("the right is missing (403): Forbidden (user=x"));
  EXPECT_THAT(said(), HasSubstr("nodes/pods"));
  EXPECT_FALSE(pods->status().fresh);
  EXPECT_EQ(pods->status().failures, 1U);
}

TEST_F(KubeletPodsTest, AnAnswerThatIsNoListSweepsNothing) {
  server_.put("a", pod_json("u-a", "shop", "a"));
  const auto pods = start();
  pods->ask({"u-a"});
  ASSERT_TRUE(eventually([&] { return pods->status().fresh; }));
  server_.decide([](const KubeRequest&) { return KubeReply{200, R"({"kind":"PodList","items":[)", {}}; });
  clock_.advance(AskPlan::kBetween);
  pods->ask({"u-b"});
  ASSERT_TRUE(eventually([&] { return pods->status().failures == 1; }));
  EXPECT_FALSE(pods->directory().entries()[0].gone_since.has_value());
  EXPECT_THAT(pods->status().trouble, HasSubstr("the list is not whole"));
}

}  // namespace
}  // namespace weir::kube
