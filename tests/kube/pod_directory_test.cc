#include "kube/pod_directory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>

namespace weir::kube {
namespace {

constexpr base::Timestamp kNow = 1'700'000'000 * base::kSecond;

Pod pod(std::string uid, std::string name, std::string app = "") {
  Pod made;
  made.uid = std::move(uid);
  made.namespace_name = "shop";
  made.name = std::move(name);
  if (!app.empty()) made.labels = {{"app", std::move(app)}};
  return made;
}

TEST(PodDirectoryTest, FindsByUidAndByName) {
  PodDirectory pods;
  pods.put(pod("u1", "web-0"));
  ASSERT_NE(pods.find({"u1"}), nullptr);
  EXPECT_EQ(pods.find({"u1"})->name, "web-0");
  EXPECT_EQ(pods.find({"u2"}), nullptr);
  EXPECT_EQ(pods.find({"", "shop", "web-0"}), pods.find({"u1"}));
  EXPECT_EQ(pods.find({"", "shop", "web-1"}), nullptr);
  EXPECT_EQ(pods.find({"", "other", "web-0"}), nullptr);
}

TEST(PodDirectoryTest, TheVersionMovesWithChangesAlone) {
  PodDirectory pods;
  const auto first = pods.version();
  pods.put(pod("u1", "web-0", "a"));
  const auto second = pods.version();
  EXPECT_GT(second, first);
  pods.put(pod("u1", "web-0", "a"));
  EXPECT_EQ(pods.version(), second);
  pods.put(pod("u1", "web-0", "b"));
  EXPECT_GT(pods.version(), second);
  EXPECT_EQ(pods.find({"u1"})->label("app"), "b");
}

TEST(PodDirectoryTest, APodThatIsGoneStaysForAnHour) {
  PodDirectory pods;
  pods.put(pod("u1", "web-0"));
  pods.gone({"u1", "shop", "web-0"}, kNow);
  pods.forget(kNow + PodDirectory::kKeepGone - 1);
  EXPECT_NE(pods.find({"u1"}), nullptr);
  pods.forget(kNow + PodDirectory::kKeepGone);
  EXPECT_EQ(pods.find({"u1"}), nullptr);
  EXPECT_EQ(pods.find({"", "shop", "web-0"}), nullptr);
}

TEST(PodDirectoryTest, OfOneNameThePodThatIsThereCounts) {
  PodDirectory pods;
  pods.put(pod("new", "web-0"));
  pods.put(pod("old", "web-0"));
  pods.gone({"old", "shop", "web-0"}, kNow);
  EXPECT_EQ(pods.find({"", "shop", "web-0"})->uid, "new");
  pods.gone({"new", "shop", "web-0"}, kNow + 1);
  EXPECT_EQ(pods.find({"", "shop", "web-0"})->uid, "new");
}

TEST(PodDirectoryTest, WhatIsNotInAListIsGone) {
  PodDirectory pods;
  pods.put(pod("u1", "web-0"));
  pods.put(pod("u2", "web-1"));
  pods.replace({pod("u2", "web-1"), pod("u3", "web-2")}, kNow);
  const auto entries = pods.entries();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].gone_since, kNow);
  EXPECT_EQ(entries[1].gone_since, std::nullopt);
  EXPECT_EQ(entries[2].gone_since, std::nullopt);
}

TEST(PodDirectoryTest, AListThatCameWholeIsAChange) {
  PodDirectory pods;
  pods.remember(pod("u1", "web-0"), std::nullopt);
  pods.mark();
  pods.put(pod("u1", "web-0"));
  EXPECT_FALSE(pods.listed());
  const auto version = pods.version();
  pods.sweep(kNow);
  EXPECT_TRUE(pods.listed());
  EXPECT_GT(pods.version(), version);
  pods.mark();
  pods.put(pod("u1", "web-0"));
  const auto second = pods.version();
  pods.sweep(kNow);
  EXPECT_EQ(pods.version(), second);
}

TEST(PodDirectoryTest, WhatIsRememberedCountsLessThanWhatWasHeard) {
  PodDirectory pods;
  pods.put(pod("u1", "web-0", "new"));
  pods.remember(pod("u1", "web-0", "old"), kNow);
  EXPECT_EQ(pods.find({"u1"})->label("app"), "new");
  pods.remember(pod("u2", "web-1", "old"), kNow);
  EXPECT_EQ(pods.find({"u2"})->label("app"), "old");
  pods.put(pod("u2", "web-1", "new"));
  EXPECT_EQ(pods.find({"u2"})->label("app"), "new");
  EXPECT_EQ(pods.entries()[1].gone_since, std::nullopt);
}

TEST(PodDirectoryTest, OfTooManyPodsThoseGoneLongestGoFirst) {
  PodDirectory pods;
  for (std::size_t i = 0; i < PodDirectory::kMostPods; ++i) pods.put(pod(fmt::format("u{}", i), "web"));
  pods.gone({"u7", "shop", "web"}, kNow);
  pods.gone({"u9", "shop", "web"}, kNow - 1);
  pods.put(pod("n1", "web"));
  EXPECT_EQ(pods.size(), PodDirectory::kMostPods);
  EXPECT_EQ(pods.find({"u9"}), nullptr);
  pods.put(pod("n2", "web"));
  EXPECT_EQ(pods.find({"u7"}), nullptr);
  pods.put(pod("n3", "web"));
  EXPECT_EQ(pods.find({"u0"}), nullptr);
  EXPECT_NE(pods.find({"u1"}), nullptr);
}

// Anybody can give his pod the annotation by which the kubelet's hash of a static pod is known.
TEST(PodDirectoryTest, APodThatClaimsTheUidOfAnotherChangesNothingForIt) {
  PodDirectory pods;
  pods.put(pod("hash", "etcd", "etcd"));
  Pod forged = pod("hash", "evil", "forged");
  forged.excluded = true;
  pods.put(forged);
  EXPECT_EQ(pods.size(), 2U);
  EXPECT_EQ(pods.find({"hash", "shop", "etcd"})->label("app"), "etcd");
  EXPECT_EQ(pods.find({"hash", "shop", "evil"})->label("app"), "forged");
  EXPECT_EQ(pods.find({"hash", "other", "etcd"}), nullptr);
  EXPECT_EQ(pods.find({"hash"}), nullptr) << "nobody can say which";
  EXPECT_EQ(pods.find({"", "shop", "etcd"})->label("app"), "etcd");
  EXPECT_EQ(pods.find({"hash", "", "etcd"})->label("app"), "etcd");

  pods.gone(id_of(forged), kNow);
  for (const PodDirectory::Entry& entry : pods.entries()) EXPECT_EQ(entry.gone_since.has_value(), entry.pod->name == "evil");
  pods.forget(kNow + PodDirectory::kKeepGone);
  EXPECT_EQ(pods.find({"hash"})->name, "etcd");
  EXPECT_EQ(pods.find({"", "shop", "evil"}), nullptr);
}

TEST(PodDirectoryTest, APodThatClaimsAnUnknownUidGetsNoLogOfThatUid) {
  PodDirectory pods;
  pods.put(pod("hash", "evil", "forged"));
  EXPECT_EQ(pods.find({"hash", "shop", "etcd"}), nullptr);
  EXPECT_EQ(pods.find({"hash", "kube-system", "evil"}), nullptr);
}

TEST(PodDirectoryTest, AChangeRingsThoseWhoListen) {
  PodDirectory pods;
  base::Wake wake;
  ASSERT_TRUE(wake.open());
  const auto rung = [&wake] {
    pollfd one{wake.fd(), POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
  };
  pods.listen(wake);
  EXPECT_FALSE(rung());
  pods.put(pod("u1", "web-0"));
  EXPECT_TRUE(rung());
  wake.hear();
  pods.put(pod("u1", "web-0"));
  EXPECT_FALSE(rung());
  pods.unlisten(wake);
  pods.gone({"u1", "shop", "web-0"}, kNow);
  EXPECT_FALSE(rung());
}

}  // namespace
}  // namespace weir::kube
