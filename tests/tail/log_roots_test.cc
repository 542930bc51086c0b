#include "tail/log_roots.h"

#include "support/temp_dir.h"
#include "tail/input_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace weir::tail {
namespace {

namespace fs = std::filesystem;

class Roots : public testing::Test {
 protected:
  bool opens(const std::string& name) {
    auto file = InputFile::open(dir / name, &roots);
    if (!file) why = file.error().message;
    return file.ok();
  }

  test::TempDir dir;
  LogRoots roots;
  std::string why;
};

TEST_F(Roots, ALinkOutOfTheFolderIsRefused) {
  dir.write("secret/shadow", "root:x");
  dir.write("pods/shop_web_u/app/1.log", "x");
  fs::create_symlink(dir / "secret/shadow", dir / "pods/shop_web_u/app/0.log");
  fs::create_directory_symlink(dir / "secret", dir / "pods/shop_web_u/link");
  fs::create_symlink("1.log", dir / "pods/shop_web_u/app/2.log");
  roots = LogRoots({dir / "pods"}, {});
  EXPECT_TRUE(opens("pods/shop_web_u/app/1.log"));
  EXPECT_TRUE(opens("pods/shop_web_u/app/2.log"));
  EXPECT_FALSE(opens("pods/shop_web_u/app/0.log"));
  EXPECT_EQ(why, "cannot open " + (dir / "pods/shop_web_u/app/0.log") + ": a symbolic link leads out of the log folders");
  EXPECT_FALSE(opens("pods/shop_web_u/link/shadow"));
  EXPECT_FALSE(roots.allows_folder(dir / "secret"));
  roots = LogRoots({dir / "pods"}, {dir / "secret"});
  EXPECT_TRUE(opens("pods/shop_web_u/app/0.log"));
  roots = LogRoots();
  EXPECT_TRUE(opens("pods/shop_web_u/app/0.log"));
}

TEST_F(Roots, WhatTheUserNamedMayBeALink) {
  dir.write("data/app.log", "x");
  dir.write("data/app.log.1", "x");
  dir.write("secret", "x");
  fs::create_symlink(dir / "data/app.log", dir / "current.log");
  fs::create_directory_symlink(dir / "data", dir / "folder");
  fs::create_symlink(dir / "secret", dir / "data/b.log");
  roots = LogRoots({dir / "current.log"}, {});
  EXPECT_TRUE(opens("current.log"));
  EXPECT_TRUE(opens("data/app.log.1"));
  roots = LogRoots({dir / "folder"}, {});
  EXPECT_TRUE(opens("folder/app.log"));
  EXPECT_FALSE(opens("folder/b.log"));
  roots = LogRoots({(dir / "folder") + "/*.log"}, {});
  EXPECT_TRUE(opens("folder/app.log"));
  EXPECT_FALSE(opens("folder/b.log"));
}

TEST_F(Roots, AFileOfAPodIsALogWhereverItStands) {
  dir.write("tree/shop_web_u/app/0.log", "x");
  dir.write("tree/shop_web_u/app/key.pem", "x");
  fs::create_directories(dir / "containers");
  fs::create_symlink(dir / "tree/shop_web_u/app/0.log", dir / "containers/a.log");
  fs::create_symlink(dir / "tree/shop_web_u/app/key.pem", dir / "containers/b.log");
  roots = LogRoots({dir / "containers"}, {});
  EXPECT_TRUE(opens("containers/a.log"));
  EXPECT_FALSE(opens("containers/b.log"));
}

TEST_F(Roots, WhereRuntimesKeepLogs) {
  roots = LogRoots({"/var/log/pods"}, {});
  const auto f = [&](const std::string& path, bool allowed) { EXPECT_EQ(roots.allows_file(path), allowed) << path; };
  f("/var/lib/docker/containers/0123/0123-json.log", true);
  f("/var/lib/docker/containers/0123/0123-json.log.1", true);
  f("/var/lib/docker/containers/0123/config.v2.json", false);  // it holds the container's environment
  f("/var/lib/docker/containersx/0123-json.log", false);
  f("/var/log/auth.log", false);
  f("/etc/shadow", false);
}

TEST_F(Roots, AFolderThatIsNotThereYet) {
  roots = LogRoots({dir / "pods/"}, {});
  dir.write("pods/a.log", "x");
  dir.write("secret", "x");
  fs::create_symlink(dir / "secret", dir / "pods/b.log");
  EXPECT_TRUE(opens("pods/a.log"));
  EXPECT_FALSE(opens("pods/b.log"));
}

TEST_F(Roots, NothingIsOpenedForReadingBeforeItIsAllowed) {
  fs::create_directories(dir / "pods");
  fs::create_symlink("/dev/zero", dir / "pods/0.log");
  roots = LogRoots({dir / "pods"}, {});
  EXPECT_FALSE(opens("pods/0.log"));
  EXPECT_NE(why.find("leads out of the log folders"), std::string::npos) << why;
}

}  // namespace
}  // namespace weir::tail
