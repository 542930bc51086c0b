#include "spool/bell.h"

#include "spool/spool_fixture.h"

#include <poll.h>

#include <fstream>

namespace weir::spool {
namespace {

class BellTest : public SpoolTest {
 protected:
  static bool readable(int fd) {
    pollfd one = {fd, POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
  }
};

TEST_F(BellTest, HearsWhoRings) {
  const auto writer = open();
  auto bell = Bell::listen(path());
  ASSERT_TRUE(bell) << bell.error().message;
  EXPECT_FALSE(readable(bell->fd()));
  EXPECT_FALSE(bell->was_rung());
  ASSERT_TRUE(ring(path()));
  ASSERT_TRUE(ring(path()));
  EXPECT_TRUE(readable(bell->fd()));
  EXPECT_TRUE(bell->was_rung());
  EXPECT_FALSE(readable(bell->fd()));
  EXPECT_FALSE(bell->was_rung());
}

TEST_F(BellTest, HearsNothingElse) {
  const auto writer = open();
  auto bell = Bell::listen(path());
  ASSERT_TRUE(bell);
  append(*writer, {{"a"}});
  const auto main = consumer();
  acknowledge_before(*main, 1, 1);
  ASSERT_TRUE(main->commit());
  std::ofstream(dir_ / "beside") << "x";
  EXPECT_TRUE(is_locked(writer_lock_path(path())));
  EXPECT_FALSE(bell->was_rung());
}

TEST_F(BellTest, NobodyNeedListen) {
  EXPECT_TRUE(ring(path()));  // no spool at all
  open();
  EXPECT_TRUE(ring(path()));
  Bell none;
  EXPECT_EQ(none.fd(), -1);
  EXPECT_FALSE(none.was_rung());
}

TEST_F(BellTest, ASpoolThatNobodyWritesHasNoBell) {
  auto bell = Bell::listen(path());
  ASSERT_FALSE(bell);
  EXPECT_EQ(bell.error().code, base::Code::io);
}

}  // namespace
}  // namespace weir::spool
