#include "kube/config_map_watch.h"

#include "support/collect.h"
#include "support/fake_config_maps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <functional>

namespace weir::kube {
namespace {

using testing::HasSubstr;

class ConfigMapWatchTest : public testing::Test {
 protected:
  void start(ConfigMapName name = {"shop", "rules", ""}) {
    auto started = ConfigMapWatch::start(std::move(name), {.base = *http::parse_url(server_.url())}, *test_.context.clock,
                                         *test_.context.diagnostics);
    ASSERT_TRUE(started) << started.error().message;
    watch_ = *std::move(started);
    ASSERT_TRUE(wake_.open());
    watch_->listen(wake_);
  }
  // Until the watch rings and it holds; false after 20 s without a ring.
  bool comes(const std::function<bool()>& condition) {
    while (!condition()) {
      pollfd rung = {wake_.fd(), POLLIN, 0};
      if (::poll(&rung, 1, 20'000) <= 0) return false;
      wake_.hear();
    }
    return true;
  }
  bool text_comes(const std::string& text) {
    return comes([&] {
      const auto now = watch_->text();
      return watch_->version() != 0 && now && now->text == text;
    });
  }
  bool writes_nothing() const {
    return std::ranges::all_of(server_.requests(), [](const auto& request) { return request.method == "GET"; });
  }

  test::TestContext test_;
  test::FakeConfigMaps server_;
  base::Wake wake_;
  std::unique_ptr<ConfigMapWatch> watch_;
};

TEST_F(ConfigMapWatchTest, SeesEachChange) {
  server_.put("shop/rules", {{"rules", "a"}});
  server_.put("shop/other", {{"rules", "no"}});
  start();
  EXPECT_TRUE(text_comes("a"));
  server_.put("shop/rules", {{"rules", "b"}});
  EXPECT_TRUE(text_comes("b"));
  server_.put("shop/other", {{"rules", "no more"}});
  server_.put("shop/rules", {{"rules", "c"}});
  EXPECT_TRUE(text_comes("c"));
  EXPECT_TRUE(writes_nothing());
  for (const auto& request : server_.requests()) EXPECT_THAT(request.query, HasSubstr("fieldSelector=metadata.name%3Drules"));
}

TEST_F(ConfigMapWatchTest, WhatDoesNotExistIsEmptyAndMayAppear) {
  start();
  EXPECT_TRUE(text_comes(""));
  EXPECT_FALSE(watch_->text()->exists);
  server_.put("shop/rules", {{"rules", "a"}});
  EXPECT_TRUE(text_comes("a"));
  server_.erase("shop/rules");
  EXPECT_TRUE(text_comes(""));
  server_.put("shop/rules", {{"rules", "again"}});
  EXPECT_TRUE(text_comes("again"));
}

TEST_F(ConfigMapWatchTest, AMissingKeyIsEmpty) {
  server_.put("shop/rules", {{"x", "a"}});
  start({"shop", "rules", "k"});
  EXPECT_TRUE(text_comes(""));
  server_.put("shop/rules", {{"x", "a"}, {"k", "b"}});
  EXPECT_TRUE(text_comes("b"));
}

TEST_F(ConfigMapWatchTest, KeysThatCannotBeToldApartAreAnErrorUntilTheyCan) {
  server_.put("shop/rules", {{"x", "a"}, {"y", "b"}});
  start();
  EXPECT_TRUE(comes([&] { return !watch_->text(); }));
  EXPECT_EQ(watch_->text().error().code, base::Code::config);
  server_.put("shop/rules", {{"x", "a"}});
  EXPECT_TRUE(text_comes("a"));
}

TEST_F(ConfigMapWatchTest, AChangeOfAnythingElseIsNone) {
  server_.put("shop/rules", {{"rules", "a"}});
  start();
  ASSERT_TRUE(text_comes("a"));
  const std::uint64_t version = watch_->version();
  server_.put("shop/rules", {{"rules", "a"}});
  server_.put("shop/rules", {{"rules", "a"}, {"other", "x"}});
  server_.put("shop/rules", {{"rules", "b"}});
  EXPECT_TRUE(text_comes("b"));
  EXPECT_EQ(watch_->version(), version + 1);
}

TEST_F(ConfigMapWatchTest, NothingIsKnownWhileTheServerRefuses) {
  server_.refuse(403, "Forbidden", "User \"x\" cannot list");
  start();
  EXPECT_TRUE(comes([&] { return !watch_->trouble().empty(); }));
  EXPECT_EQ(watch_->version(), 0U);
  EXPECT_THAT(watch_->trouble(), HasSubstr("cannot list"));
}

TEST_F(ConfigMapWatchTest, WhatWasKnownStaysWhileTheServerIsAway) {
  server_.put("shop/rules", {{"rules", "a"}});
  start();
  ASSERT_TRUE(text_comes("a"));
  server_.refuse(503, "ServiceUnavailable", "later");
  EXPECT_EQ(watch_->text()->text, "a");
  EXPECT_NE(watch_->version(), 0U);
}

}  // namespace
}  // namespace weir::kube
