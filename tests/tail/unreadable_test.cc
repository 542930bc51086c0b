#include "tail/unreadable.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace weir::tail {
namespace {

TEST(Unreadable, OfAnErrorTheCauseIsKept) {
  const Cause missing = Cause::of(base::io_error(ENOENT, "open /a: b"));
  EXPECT_EQ(missing.text, "No such file or directory");
  EXPECT_EQ(missing.system, ENOENT);
  EXPECT_EQ(Cause::of_system(ENOENT).text, missing.text);
  const Cause damaged = Cause::of(base::cannot(base::Code::io, "read /a.gz", "stream: bad").within("outside"));
  EXPECT_EQ(damaged.text, "stream: bad");
  EXPECT_EQ(damaged.system, 0);
  EXPECT_EQ(Cause::of(base::fail(base::Code::io, "nobody knows: why")).text, "nobody knows: why");
}

TEST(Unreadable, FilesAreGatheredByCause) {
  Unreadable some, more;
  some.add("/a", Cause::of_system(EACCES));
  some.add("/b", Cause::of_system(EACCES));
  more.add("/c", Cause::of_system(EACCES));
  more.add("/d", Cause::leads_out());
  some.add(more);
  EXPECT_EQ(some.count(), 4U);
  ASSERT_EQ(some.causes.size(), 2U);
  EXPECT_EQ(message_of(some.causes.at("Permission denied")), "cannot read 3 files: Permission denied (the first: /a)");
  EXPECT_EQ(message_of(some.causes.at(std::string(kLeadsOutOfRoots))),
            "cannot read /d: a symbolic link leads out of the log folders");
}

TEST(Unreadable, AHintFollowsFromTheCause) {
  const auto f = [](const Cause& cause, std::string_view path, std::string_view hint) {
    EXPECT_EQ(hint_of({cause, 1, std::string(path)}), hint) << cause.text;
  };
  f(Cause::of_system(EACCES), "/a", "run as root, or give the process CAP_DAC_READ_SEARCH");
  f(Cause::of_system(EMFILE), "/a", "raise the limit of open files (ulimit -n)");
  f(Cause::of_system(ENOENT), "/a", "is the name right?");
  f(Cause::of_system(ENOENT), "/var/log/pods", "name the file or folder to read: weir tail PATH");
  f(Cause::of_system(EIO), "/a", "");
  f(Cause::leads_out(), "/a", kLeadsOutHint);
  f({base::Code::io, 0, "Permission denied"}, "/a", "");  // a text decides nothing
}

}  // namespace
}  // namespace weir::tail
