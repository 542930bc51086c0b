#include "sqlite/read_watch.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

namespace weir::sqlite {
namespace {

class ReadWatchTest : public testing::Test {
 protected:
  ReadWatchTest() {
    {
      auto made = Database::open(path_, Access::create, 0);
      EXPECT_TRUE(made);
      EXPECT_TRUE(
          made->execute("CREATE TABLE t (b); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 16) "
                        "INSERT INTO t SELECT zeroblob(1 << 20) FROM n;"));
      EXPECT_TRUE(made->checkpoint(true));
    }
    auto opened = Database::open(path_, Access::read, 0);
    EXPECT_TRUE(opened);
    database_ = std::move(*opened);
  }
  base::Result<std::string> check() {
    auto rows = database_.prepare("PRAGMA integrity_check");
    if (!rows) return std::move(rows).error();
    auto row = rows->step();
    if (!row) return std::move(row).error();
    return std::string(rows->text(0));
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.db";
  Database database_;
};

TEST_F(ReadWatchTest, CountsWhatACheckReads) {
  std::vector<std::uint64_t> told;
  {
    const ReadWatch watch(database_, [&](std::uint64_t bytes) {
      told.push_back(bytes);
      return true;
    });
    const auto found = check();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(*found, "ok");
  }
  ASSERT_GE(told.size(), 16U);
  for (std::size_t i = 1; i < told.size(); ++i) EXPECT_GE(told[i] - told[i - 1], 1U << 20);
  EXPECT_GE(told.back(), std::filesystem::file_size(path_) - (2U << 20));
  const std::size_t before = told.size();
  ASSERT_TRUE(check());  // nobody watches any more
  EXPECT_EQ(told.size(), before);
}

TEST_F(ReadWatchTest, EndsTheStatement) {
  int told = 0;
  const ReadWatch watch(database_, [&](std::uint64_t) { return ++told < 3; });
  EXPECT_FALSE(check());
  EXPECT_LE(told, 4);
  // The connection is usable, and a later statement is watched again.
  EXPECT_TRUE(database_.integer("SELECT count(*) FROM sqlite_schema"));
}

}  // namespace
}  // namespace weir::sqlite
