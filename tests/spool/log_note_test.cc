// One file, several names, and a write-ahead log that belongs to one of them: what a file says of its log, and who may use it by
// which name.
#include "spool/log_note.h"
#include "spool/administration.h"
#include "spool/inspection.h"
#include "spool_fixture.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

namespace weir::spool {
namespace {

namespace fs = std::filesystem;
using base::Code;

class LogNoteTest : public SpoolTest {
 protected:
  WriterOptions options_of(const std::string& path) const {
    WriterOptions options = SpoolTest::options();
    options.path = path;
    return options;
  }

  // What a process does that is killed: nothing is closed.
  static void in_a_process_that_dies(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
  }

  // Descriptors of this process that lead to `path`.
  static int open_descriptors(const std::string& path) {
    int count = 0;
    std::error_code ignored;
    for (const auto& fd : fs::directory_iterator("/proc/self/fd", ignored))
      count += fs::read_symlink(fd.path(), ignored) == path ? 1 : 0;
    return count;
  }

  std::string problems_of(const std::string& path) {
    const auto checked = check_spool(path, 0);
    if (!checked) return checked.error().message;
    std::string all;
    for (const std::string& problem : checked->problems) all += problem + "\n";
    return all;
  }
};

// Closing one would drop SQLite's locks, so they are kept; but a process that opens its spool again and again keeps no more of
// them.
TEST_F(LogNoteTest, OpeningASpoolAgainKeepsNoMoreDescriptors) {
  const auto writer = open();
  append(*writer, {{"a"}});
  const auto once = [&] {
    const auto reader = Reader::open(path());
    ASSERT_TRUE(reader);
    const auto consumer = Consumer::open({.path = path(), .name = "c"}, clock_);
    ASSERT_TRUE(consumer) << consumer.error().message;
  };
  for (int i = 0; i < 3; ++i) once();
  const int before = open_descriptors(path());
  for (int i = 0; i < 20; ++i) once();
  EXPECT_EQ(open_descriptors(path()), before);
}

TEST_F(LogNoteTest, ACopyWithoutItsLogIsKnown) {
  const auto main = [&] { return dir_ / "copy.db"; };
  {
    const auto writer = open();
    append(*writer, {{"a"}, {"b"}});
    // From the first commit of a new spool on.
    fs::copy_file(path(), dir_ / "first.db");
    const std::string first = problems_of(dir_ / "first.db");
    EXPECT_NE(first.find("its write-ahead log '" + (dir_ / "first.db") + "-wal' is missing"), std::string::npos) << first;
    EXPECT_NE(first.find("holds 0 of the 2 records"), std::string::npos) << first;
    append(*writer, {{"c"}});
    fs::copy_file(path(), main());
    EXPECT_NE(problems_of(main()).find("holds 0 of the 3 records"), std::string::npos) << problems_of(main());
    EXPECT_NE(read_status(main(), 0)->missing, "");
    EXPECT_TRUE(Reader::open(main(), 0).value()->missing());
    // Together they are whole.
    fs::copy_file(path() + "-wal", main() + "-wal", fs::copy_options::overwrite_existing);
    EXPECT_EQ(problems_of(main()), "");
    EXPECT_EQ(read_status(main(), 0)->missing, "");
    EXPECT_EQ(problems_of(path()), "");
  }
  fs::copy_file(path(), dir_ / "closed.db");
  EXPECT_EQ(problems_of(dir_ / "closed.db"), "");
}

TEST_F(LogNoteTest, ALogOfAnotherTimeIsKnown) {
  const auto writer = open();
  append(*writer, {{"a"}});
  fs::copy_file(path() + "-wal", dir_ / "old-wal");
  append(*writer, {{"b"}});
  append(*writer, {{"c"}});
  fs::copy_file(path(), dir_ / "copy.db");
  fs::rename(dir_ / "old-wal", dir_ / "copy.db-wal");
  const std::string problems = problems_of(dir_ / "copy.db");
  EXPECT_NE(problems.find("is not the write-ahead log of this file, or not all of it"), std::string::npos) << problems;
  EXPECT_NE(problems.find("holds 1 of the 3 records"), std::string::npos) << problems;
}

// Another program may open a spool, and copies the log into the file when it closes it.
TEST_F(LogNoteTest, ALogThatIsInTheFileIsNotMissed) {
  {
    const auto writer = open();
    append(*writer, {{"a"}});
    append(*writer, {{"b"}});
    fs::copy_file(path(), dir_ / "copy.db");
    fs::copy_file(path() + "-wal", dir_ / "copy.db-wal");
  }
  {
    auto database = sqlite::Database::open(dir_ / "copy.db", sqlite::Access::write, 0);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->integer("SELECT count(*) FROM blocks"));
  }
  EXPECT_FALSE(fs::exists(dir_ / "copy.db-wal"));
  EXPECT_EQ(problems_of(dir_ / "copy.db"), "");
}

TEST_F(LogNoteTest, ItStaysBehindEveryCheckpointAndEviction) {
  const auto writer = open();
  for (int i = 0; i < 200; ++i) {
    append(*writer, {{noise(40'000, static_cast<unsigned>(i))}});
    if (i % 50 == 0) {
      fs::copy_file(path(), dir_ / "copy.db", fs::copy_options::overwrite_existing);
      EXPECT_NE(problems_of(dir_ / "copy.db"), "") << i;
      EXPECT_EQ(problems_of(path()), "") << i;
    }
  }
}

TEST_F(LogNoteTest, AWriterThatFindsNoLogSaysSoOnceAndUsesNoNumberAgain) {
  std::uint64_t newest = 0;
  {
    const auto writer = open();
    append(*writer, {{"a"}});
    newest = append(*writer, {{"b"}}).block;
    fs::copy_file(path(), dir_ / "copy.db");
  }
  {
    const auto writer = open(options_of(dir_ / "copy.db"));
    const Report report = writer->take_report();
    ASSERT_EQ(report.sentences.size(), 1U);
    EXPECT_NE(report.sentences.front().find("-wal' is missing"), std::string::npos) << report.sentences.front();
    EXPECT_GT(append(*writer, {{"c"}}).block, newest);
  }
  EXPECT_TRUE(open(options_of(dir_ / "copy.db"))->take_report().sentences.empty());
  EXPECT_EQ(problems_of(dir_ / "copy.db"), "");
}

TEST_F(LogNoteTest, AFileThatIsInUseIsUsedByOneName) {
  const std::string other = dir_ / "other/name.db";
  fs::create_directory(dir_ / "other");
  {
    const auto writer = open();
    append(*writer, {{"a"}});
    fs::create_hard_link(path(), other);
    const auto second = Writer::open(options_of(other), clock_, nullptr);
    ASSERT_FALSE(second) << "two writers of one file";
    EXPECT_EQ(second.error().code, Code::busy);
    EXPECT_NE(second.error().message.find("under another name"), std::string::npos) << second.error().message;
    EXPECT_EQ(Reader::open(other, 0).error().code, Code::busy);
    EXPECT_EQ(Consumer::open({.path = other, .name = "main", .spool = 0, .match = "", .wait = 0}, clock_).error().code, Code::busy);
    EXPECT_EQ(read_positions(other, 0).error().code, Code::busy);
    EXPECT_EQ(forget_consumer(other, "main", clock_).error().code, Code::busy);
    EXPECT_EQ(check_spool(other, 0).error().code, Code::busy);
    // By its own name all go on.
    EXPECT_EQ(contents(), (std::vector<std::string>{"a:undelivered"}));
    EXPECT_TRUE(consumer());
  }
  {
    // A consumer alone has a log as well.
    const auto main = consumer();
    EXPECT_EQ(Writer::open(options_of(other), clock_, nullptr).error().code, Code::busy);
  }
  // What nobody uses may be used by any name.
  const auto writer = open(options_of(other));
  append(*writer, {{"b"}});
  EXPECT_EQ(Writer::open(options(), clock_, nullptr).error().code, Code::busy);
  EXPECT_EQ(problems_of(other), "");
}

TEST_F(LogNoteTest, AFileThatWasMovedUnderItsWriterHasNoSecondOne) {
  const auto writer = open();
  append(*writer, {{"a"}});
  fs::rename(path(), dir_ / "moved.db");
  EXPECT_EQ(Writer::open(options_of(dir_ / "moved.db"), clock_, nullptr).error().code, Code::busy);
  EXPECT_EQ(Reader::open(dir_ / "moved.db", 0).error().code, Code::busy);
}

TEST_F(LogNoteTest, ALogBesideAnotherNameIsNotLeftBehind) {
  in_a_process_that_dies([this] {
    auto* const writer = open().release();
    append(*writer, {{"a"}});
  });
  fs::create_hard_link(path(), dir_ / "other.db");
  const auto refused = Writer::open(options_of(dir_ / "other.db"), clock_, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::usage);
  EXPECT_NE(refused.error().message.find("other.db-wal' is missing"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().hint.find("-samefile"), std::string::npos) << refused.error().hint;
  {
    const auto writer = open();
    EXPECT_EQ(contents(), (std::vector<std::string>{"a:undelivered"}));
  }
  EXPECT_TRUE(open(options_of(dir_ / "other.db")));
}

TEST_F(LogNoteTest, TheHoldOfAProcessThatDiedIsFree) {
  in_a_process_that_dies([this] { open().release(); });
  fs::create_hard_link(path(), dir_ / "other.db");
  EXPECT_TRUE(open(options_of(dir_ / "other.db")));
}

// SQLite's own locks go with any descriptor of the file that the process closes.
TEST_F(LogNoteTest, AskingByAnotherNameDropsNoLockOfSqlites) {
  const auto writer = open();
  append(*writer, {{"a"}});
  fs::create_hard_link(path(), dir_ / "other.db");
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Reader::open(dir_ / "other.db", 0));
  // A process that closes the last connection copies the log and removes it: this one must not take itself for that.
  in_a_process_that_dies([this] {
    auto database = sqlite::Database::open(path(), sqlite::Access::write, 0);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->integer("SELECT count(*) FROM blocks"));
  });
  EXPECT_GT(fs::file_size(path() + "-wal"), 0U);
}

TEST_F(LogNoteTest, ADeletedSpoolIsAnErrorAtTheEnd) {
  const auto writer = open();
  const auto main = consumer();
  append(*writer, {{"a"}, {"b"}, {"h", true}});
  const auto block = append(*writer, {{"c"}}).block;
  EXPECT_FALSE(*writer->gone());
  fs::remove(path());
  EXPECT_EQ(**writer->gone(), 3U);
  acknowledge_before(*main, block, 0);
  ASSERT_TRUE(main->note());
  EXPECT_EQ(**writer->gone(), 1U);
  const auto closed = writer->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Code::io);
  EXPECT_NE(closed.error().message.find("up to 1 undelivered record"), std::string::npos) << closed.error().message;
}

TEST_F(LogNoteTest, FilesAreForTheirOwnerWhateverTheUmask) {
  const mode_t before = ::umask(0777);
  WriterOptions deep = options_of(dir_ / "new/spool.db");
  {
    const auto writer = Writer::open(deep, clock_, nullptr);
    ASSERT_TRUE(writer) << writer.error().message;
    append(**writer, {{"a"}});
    ASSERT_TRUE((*writer)->note_safe("x"));
    auto main = Consumer::open({.path = deep.path, .name = "main", .spool = 0, .match = "", .wait = 0}, clock_);
    ASSERT_TRUE(main);
    (*main)->acknowledge(1, 0, 0);
    ASSERT_TRUE((*main)->note());
    int files = 0;
    for (const auto& entry : fs::directory_iterator(dir_ / "new")) {
      EXPECT_EQ(entry.status().permissions(), fs::perms::owner_read | fs::perms::owner_write) << entry.path();
      ++files;
    }
    EXPECT_GE(files, 7);
  }
  EXPECT_EQ(fs::status(dir_ / "new").permissions(), fs::perms::owner_all);
  ::umask(before);
}

TEST_F(LogNoteTest, OnlyTheLastFolderIsMade) {
  const auto writer = Writer::open(options_of(dir_ / "a/b/spool.db"), clock_, nullptr);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::io);
  EXPECT_NE(writer.error().hint.find("mkdir -p '" + (dir_ / "a/b") + "'"), std::string::npos) << writer.error().hint;
  EXPECT_FALSE(fs::exists(dir_ / "a"));
}

}  // namespace
}  // namespace weir::spool
