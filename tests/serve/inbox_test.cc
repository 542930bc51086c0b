#include "serve/inbox.h"

#include "serve/fakes.h"
#include "support/fake_clock.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace weir::serve {
namespace {

std::shared_ptr<FakeExchange> push(std::size_t size) {
  httpd::Request request;
  request.body.assign(size, 'x');
  return std::make_shared<FakeExchange>(std::move(request));
}

class InboxTest : public ::testing::Test {
 protected:
  void make(const Inbox::Limits& limits) { inbox = *Inbox::create(limits, clock); }
  [[nodiscard]] bool readable() const {
    pollfd waits = {inbox->fd(), POLLIN, 0};
    return ::poll(&waits, 1, 0) == 1;
  }
  test::FakeClock clock;
  std::unique_ptr<Inbox> inbox;
};

TEST_F(InboxTest, GivesWhatCameInOrder) {
  make({});
  EXPECT_FALSE(readable());
  const auto one = push(1), two = push(2);
  inbox->put(one);
  inbox->put(two);
  EXPECT_TRUE(readable());
  EXPECT_EQ(inbox->take(), one);
  EXPECT_EQ(inbox->take(), two);
  EXPECT_FALSE(readable());
  EXPECT_EQ(inbox->take(), nullptr);
  inbox->put(one);
  EXPECT_TRUE(readable());
  EXPECT_FALSE(one->answered);
}

TEST_F(InboxTest, IsBounded) {
  make({.requests = 3, .bytes = 100});
  const auto large = push(1000), small = push(1);
  inbox->put(large);  // what is alone has room
  inbox->put(small);
  ASSERT_TRUE(small->answered);
  EXPECT_EQ(small->answered->status, 503);
  EXPECT_EQ(small->answered->headers.front(), (std::pair<std::string, std::string>("Retry-After", "1")));
  EXPECT_EQ(inbox->take(), large);
  for (int i = 0; i < 3; ++i) inbox->put(push(1));
  const auto fourth = push(1);
  inbox->put(fourth);
  ASSERT_TRUE(fourth->answered);
  EXPECT_EQ(fourth->answered->body, "too many push requests wait already\n");
}

TEST_F(InboxTest, LeavesOutWhoIsGone) {
  make({});
  const auto gone = push(1), here = push(1);
  inbox->put(gone);
  inbox->put(here);
  gone->is_gone = true;
  EXPECT_EQ(inbox->take(), here);
}

TEST_F(InboxTest, RefusesWhileTheChainIsBlocked) {
  make({.patience = base::kSecond});
  inbox->begin_work();
  clock.advance(base::kSecond);
  const auto soon = push(1), late = push(1), after = push(1);
  inbox->put(soon);
  EXPECT_FALSE(soon->answered);
  clock.advance(1);
  inbox->put(late);
  ASSERT_TRUE(late->answered);
  EXPECT_EQ(late->answered->status, 503);
  inbox->end_work();
  inbox->put(after);
  EXPECT_FALSE(after->answered);
}

TEST_F(InboxTest, RefusesAllOnceItIsClosed) {
  make({});
  const auto before = push(1), after = push(1);
  inbox->put(before);
  inbox->close("no disk\n");
  inbox->put(after);
  for (const auto& one : {before, after}) {
    ASSERT_TRUE(one->answered);
    EXPECT_EQ(one->answered->status, 503);
    EXPECT_EQ(one->answered->body, "no disk\n");
  }
  EXPECT_EQ(inbox->take(), nullptr);
}

}  // namespace
}  // namespace weir::serve
