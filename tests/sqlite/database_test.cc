#include "sqlite/database.h"

#include "sqlite/migrations.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace weir::sqlite {
namespace {

using base::Code;

Database open(const std::string& path, Access access = Access::create) {
  auto database = Database::open(path, access, 0);
  EXPECT_TRUE(database) << database.error().message;
  return std::move(*database);
}

TEST(Database, BindsAndReadsEveryKind) {
  const test::TempDir dir;
  Database database = open(dir / "a.db");
  ASSERT_TRUE(database.execute("CREATE TABLE t (i, s, b, n)"));
  auto insert = database.prepare("INSERT INTO t VALUES (?, ?, ?, ?)");
  ASSERT_TRUE(insert);
  const std::string bytes("\0\xff\x01", 3);
  insert->bind(1, INT64_MIN).bind_text(2, "ä").bind_blob(3, bytes).bind_null(4);
  ASSERT_TRUE(insert->run());
  insert->bind(1, 7).bind_text(2, {}).bind_blob(3, {}).bind_null(4);
  ASSERT_TRUE(insert->run());
  auto select = database.prepare("SELECT i, s, b, n FROM t ORDER BY rowid");
  ASSERT_TRUE(select);
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->integer(0), INT64_MIN);
  EXPECT_EQ(select->text(1), "ä");
  EXPECT_EQ(select->blob(2), bytes);
  EXPECT_TRUE(select->is_null(3));
  ASSERT_TRUE(*select->step());
  EXPECT_FALSE(select->is_null(1));
  EXPECT_EQ(select->text(1), "");
  EXPECT_FALSE(select->is_null(2));
  EXPECT_FALSE(*select->step());
}

TEST(Database, LinksThatLeadInACircleAreNamedSo) {
  const test::TempDir dir;
  std::filesystem::create_symlink(dir / "b.db", dir / "a.db");
  std::filesystem::create_symlink(dir / "a.db", dir / "b.db");
  const auto database = Database::open(dir / "a.db", Access::create, 0);
  ASSERT_FALSE(database);
  EXPECT_NE(database.error().message.find("Too many levels of symbolic links"), std::string::npos) << database.error().message;
}

TEST(Database, IsCreatedForItsOwnerOnly) {
  const test::TempDir dir;
  const mode_t before = ::umask(0);
  {
    Database database = open(dir / "a.db");
    ASSERT_TRUE(database.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (i)"));
    for (const char* name : {"a.db", "a.db-wal", "a.db-shm"}) {
      struct stat status = {};
      ASSERT_EQ(::stat((dir / name).c_str(), &status), 0) << name;
      EXPECT_EQ(status.st_mode & 0777, 0600U) << name;
    }
  }
  ::umask(before);
}

TEST(Database, ATransactionThatIsNotCommittedIsUndone) {
  const test::TempDir dir;
  Database database = open(dir / "a.db");
  ASSERT_TRUE(database.execute("CREATE TABLE t (i)"));
  {
    auto transaction = Transaction::begin(database, Transaction::Kind::write);
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES (1)"));
  }
  EXPECT_EQ(*database.integer("SELECT count(*) FROM t"), 0);
  auto transaction = Transaction::begin(database, Transaction::Kind::write);
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES (1)"));
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(*database.integer("SELECT count(*) FROM t"), 1);
}

TEST(DatabaseFailure, CodesTellWhatToDo) {
  const test::TempDir dir;
  const auto code = [&](const std::string& path, Access access) {
    auto database = Database::open(path, access, 0);
    if (!database) return database.error().code;
    const auto read = database->integer("SELECT count(*) FROM sqlite_schema");
    return read ? Code::bug : read.error().code;
  };
  EXPECT_EQ(code(dir / "absent.db", Access::write), Code::io);
  EXPECT_EQ(code(dir / "absent.db", Access::read), Code::io);
  EXPECT_EQ(code(dir / "no/folder.db", Access::create), Code::io);
  dir.write("text.db", std::string(4096, 'x'));
  EXPECT_EQ(code(dir / "text.db", Access::write), Code::usage);
}

TEST(DatabaseFailure, AReaderWritesNothing) {
  const test::TempDir dir;
  ASSERT_TRUE(open(dir / "a.db").execute("CREATE TABLE t (i)"));
  EXPECT_FALSE(open(dir / "a.db", Access::read).execute("INSERT INTO t VALUES (1)"));
}

// Acts as somebody who owns nothing, until it goes.
struct Nobody {
  Nobody() { EXPECT_EQ(::seteuid(65534), 0); }
  ~Nobody() { EXPECT_EQ(::seteuid(0), 0); }
};

TEST(StillDatabase, ReadsALogWithoutPuttingAnythingBesideIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "acting as another user needs root";
  const test::TempDir dir;
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
  Database writer = open(dir / "a.db");
  ASSERT_TRUE(writer.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (i); INSERT INTO t VALUES (1), (2)"));
  ::chmod((dir / "a.db").c_str(), 0644);
  ::chmod((dir / "a.db-wal").c_str(), 0644);
  {
    const Nobody nobody;
    Database still = open(dir / "a.db", Access::read);
    EXPECT_TRUE(still.still());
    EXPECT_EQ(*still.integer("SELECT count(*) FROM t"), 2);
    EXPECT_FALSE(still.outdated());
    EXPECT_FALSE(still.execute("INSERT INTO t VALUES (3)"));
  }
  Database still;
  {
    const Nobody nobody;
    still = open(dir / "a.db", Access::read);
  }
  ASSERT_TRUE(writer.execute("INSERT INTO t VALUES (3)"));
  EXPECT_TRUE(still.outdated());
  EXPECT_FALSE(still.torn()) << "the log only grew";
  EXPECT_EQ(*still.integer("SELECT count(*) FROM t"), 2);
  ASSERT_TRUE(*writer.checkpoint(true));
  EXPECT_TRUE(still.torn());
  // Without a log, too, and without an index of one.
  writer = Database();
  EXPECT_FALSE(std::filesystem::exists(dir / "a.db-wal"));
  const Nobody nobody;
  still = open(dir / "a.db", Access::read);
  EXPECT_TRUE(still.still());
  EXPECT_EQ(*still.integer("SELECT count(*) FROM t"), 3);
  EXPECT_FALSE(std::filesystem::exists(dir / "a.db-wal"));
  EXPECT_FALSE(std::filesystem::exists(dir / "a.db-shm"));
}

TEST(StillDatabase, WhoMayWriteShares) {
  const test::TempDir dir;
  Database writer = open(dir / "a.db");
  ASSERT_TRUE(writer.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (i)"));
  Database reader = open(dir / "a.db", Access::read);
  EXPECT_FALSE(reader.still());
  EXPECT_FALSE(reader.torn());
}

TEST(DatabaseFailure, ALockedFileIsBusy) {
  const test::TempDir dir;
  Database one = open(dir / "a.db");
  ASSERT_TRUE(one.execute("CREATE TABLE t (i)"));
  Database two = open(dir / "a.db");
  auto held = Transaction::begin(one, Transaction::Kind::write);
  auto refused = Transaction::begin(two, Transaction::Kind::write);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::busy);
}

constexpr std::array kOne = {"CREATE TABLE one (i)"};
constexpr std::array kTwo = {"CREATE TABLE one (i)", "CREATE TABLE two (i); INSERT INTO two SELECT i FROM one"};
constexpr Format kFirst{.application_id = 77, .steps = kOne, .name = "test file"};
constexpr Format kSecond{.application_id = 77, .steps = kTwo, .name = "test file"};

TEST(Migrations, RunOnceAndInOrder) {
  const test::TempDir dir;
  Database database = open(dir / "a.db");
  EXPECT_EQ(*identify(database, kFirst), FileKind::empty);
  ASSERT_TRUE(migrate(database, kFirst));
  EXPECT_EQ(*identify(database, kFirst), FileKind::current);
  EXPECT_EQ(*identify(database, kSecond), FileKind::older);
  ASSERT_TRUE(database.execute("INSERT INTO one VALUES (5)"));
  ASSERT_TRUE(migrate(database, kSecond));
  ASSERT_TRUE(migrate(database, kSecond));
  EXPECT_EQ(*database.integer("SELECT i FROM two"), 5);
  EXPECT_EQ(*database.integer("PRAGMA user_version"), 2);
}

TEST(MigrationsFailure, ANewerFormatNamesBothNumbers) {
  const test::TempDir dir;
  Database database = open(dir / "a.db");
  ASSERT_TRUE(migrate(database, kSecond));
  const auto kind = identify(database, kFirst);
  ASSERT_FALSE(kind);
  EXPECT_EQ(kind.error().code, Code::version);
  EXPECT_NE(kind.error().message.find("format is 2"), std::string::npos) << kind.error().message;
  EXPECT_NE(kind.error().message.find("up to 1"), std::string::npos) << kind.error().message;
}

TEST(MigrationsFailure, AnotherProgramsFileIsLeftAlone) {
  const test::TempDir dir;
  Database database = open(dir / "a.db");
  ASSERT_TRUE(database.execute("CREATE TABLE theirs (i)"));
  EXPECT_EQ(identify(database, kFirst).error().code, Code::usage);
  EXPECT_FALSE(migrate(database, kFirst));
}

}  // namespace
}  // namespace weir::sqlite
