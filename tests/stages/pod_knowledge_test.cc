#include "stages/pod_knowledge.h"

#include "support/fake_clock.h"
#include "support/fake_pods.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using Answer = tail::PodFilter::Answer;
using State = PodKnowledge::State;
using Unknown = PodKnowledgeSpec::Unknown;

class Knowledge : public testing::Test {
 protected:
  Knowledge() { fresh(true); }
  void fresh(bool on, base::Monotonic at = base::kNever) {
    kube::PodsStatus status;
    status.fresh = on;
    status.fresh_at = at;
    pods->set_status(status);
  }
  void put(std::string uid, std::string namespace_name, std::string name, kube::Pod::Values labels = {}, bool excluded = false) {
    kube::Pod pod = test::pod(std::move(uid), std::move(namespace_name), std::move(name), std::move(labels));
    pod.excluded = excluded;
    pods->directory().put(std::move(pod));
  }
  PodKnowledge& make(PodKnowledgeSpec spec = {}) {
    knowledge_ = std::make_unique<PodKnowledge>(std::move(spec), pods, clock);
    return *knowledge_;
  }
  State state(std::string_view uid, std::string_view namespace_name = "shop") {
    return knowledge_->look({uid, namespace_name, "web"}, clock.monotonic()).state;
  }
  Answer answer(std::string_view uid, std::string_view namespace_name = "shop") {
    return knowledge_->ask({namespace_name, "web", uid, "app"}, clock.monotonic()).answer;
  }

  test::FakeClock clock;
  std::shared_ptr<test::FakePods> pods = std::make_shared<test::FakePods>();
  std::unique_ptr<PodKnowledge> knowledge_;
};

TEST_F(Knowledge, APodWithAForgedConfigHashExcludesNoOtherPod) {
  make();
  put("hash", "evil", "web", {}, true);
  EXPECT_EQ(answer("hash", "evil"), Answer::leave);
  EXPECT_EQ(state("hash"), State::awaited);
  put("hash", "shop", "web");
  EXPECT_EQ(state("hash"), State::known);
  EXPECT_EQ(answer("hash"), Answer::read);
  EXPECT_EQ(answer("hash", "evil"), Answer::leave);
}

TEST_F(Knowledge, APodIsAwaitedOnce) {
  make();
  EXPECT_EQ(state("u1"), State::awaited);
  clock.advance(1999 * base::kMillisecond);
  EXPECT_EQ(state("u1"), State::awaited);
  clock.advance(base::kMillisecond);
  EXPECT_EQ(state("u1"), State::given_up);
  put("u2", "shop", "other");  // a change that tells nothing of it
  EXPECT_EQ(state("u1"), State::given_up);
  put("u1", "shop", "web");
  EXPECT_EQ(state("u1"), State::known);
}

TEST_F(Knowledge, APodThatWasForgottenIsNotAwaitedAgain) {
  make();
  put("u1", "shop", "web");
  EXPECT_EQ(state("u1"), State::known);
  pods->directory().gone({"u1", "shop", "web"}, clock.wall());
  EXPECT_EQ(state("u1"), State::known);
  clock.advance(2 * base::kHour);
  pods->directory().forget(clock.wall());
  EXPECT_EQ(state("u1"), State::given_up);
}

TEST_F(Knowledge, NothingIsAwaitedWhileTheServerIsAway) {
  fresh(false);
  make();
  EXPECT_EQ(state("at-the-start"), State::awaited);
  clock.advance(2 * base::kSecond);
  EXPECT_EQ(state("later"), State::given_up);
  fresh(true);
  EXPECT_EQ(state("back"), State::awaited);
  EXPECT_EQ(state("later"), State::given_up);
  fresh(false, clock.monotonic());
  clock.advance(base::kSecond);
  EXPECT_EQ(state("just-broken"), State::awaited);
  clock.advance(base::kSecond);
  EXPECT_EQ(state("long-broken"), State::given_up);
}

TEST_F(Knowledge, WithoutAWaitNothingIsAwaited) {
  make({.wait = 0});
  EXPECT_EQ(state("u1"), State::given_up);
  EXPECT_EQ(answer("u2"), Answer::read);
}

TEST_F(Knowledge, TheKubeletIsAskedForWhatIsNotKnown) {
  make();
  put("u1", "shop", "web");
  state("u1");
  state("u2");
  EXPECT_EQ(pods->asked(), std::vector<std::string>{"u2"});
}

TEST_F(Knowledge, APodIsFoundByItsNameWithoutAUid) {
  make();
  put("u1", "shop", "web");
  EXPECT_EQ(state(""), State::known);
  EXPECT_EQ(knowledge_->look({"", "shop", "db"}, clock.monotonic()).state, State::awaited);
  EXPECT_EQ(knowledge_->look({"", "shop", ""}, clock.monotonic()).state, State::given_up);
}

TEST_F(Knowledge, WhatOnlyTheCacheSaysIsConfirmedFirst) {
  pods = std::make_shared<test::FakePods>();  // no list came
  make();
  put("out", "shop", "web", {}, true);
  put("in", "shop", "web");
  EXPECT_EQ(state("out"), State::awaited);
  EXPECT_EQ(answer("out"), Answer::later);
  EXPECT_EQ(state("in"), State::known);
  clock.advance(2 * base::kSecond);
  EXPECT_EQ(state("out"), State::excluded);
  make();
  EXPECT_EQ(state("out"), State::awaited);
  fresh(true);
  EXPECT_EQ(state("out"), State::excluded);
}

struct Case {
  const char* what;
  kube::Pod::Values labels;
  bool annotated;
  State state;
  Answer answer;
};

TEST_F(Knowledge, ExcludedAreTheAnnotatedAndThoseWithALabel) {
  const std::vector<Case> cases = {
      {"plain", {}, false, State::known, Answer::read},
      {"annotated", {}, true, State::excluded, Answer::leave},
      {"the first label", {{"team", "noisy"}}, false, State::excluded, Answer::leave},
      {"another value", {{"team", "quiet"}}, false, State::known, Answer::read},
      {"the second label", {{"logs", "none"}, {"team", "quiet"}}, false, State::excluded, Answer::leave},
  };
  make({.exclude_labels = {{"team", "noisy"}, {"logs", "none"}}, .never_excluded = {"audited"}});
  int number = 0;
  for (const Case& one : cases) {
    const std::string uid = fmt::format("u{}", ++number);
    put(uid, "shop", "web", one.labels, one.annotated);
    EXPECT_EQ(state(uid), one.state) << one.what;
    EXPECT_EQ(answer(uid), one.answer) << one.what;
    put("audited-" + uid, "audited", "web", one.labels, one.annotated);
    EXPECT_EQ(state("audited-" + uid, "audited"), State::known) << one.what;
    EXPECT_EQ(answer("audited-" + uid, "audited"), Answer::read) << one.what;
  }
}

TEST_F(Knowledge, AnUnknownPodIsLeftForLaterOrRead) {
  make({.never_excluded = {"audited"}});
  EXPECT_EQ(answer("u1"), Answer::later);
  EXPECT_EQ(knowledge_->ask({"shop", "web", "u1", "app"}, clock.monotonic()).ask_at, clock.monotonic() + 2 * base::kSecond);
  EXPECT_EQ(answer("u2", "audited"), Answer::read);
  clock.advance(2 * base::kSecond);
  EXPECT_EQ(answer("u1"), Answer::read);
  make({.unknown = Unknown::pass});
  EXPECT_EQ(answer("u1"), Answer::read);
}

}  // namespace
}  // namespace weir::stages
