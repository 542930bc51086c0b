#include "tail/pattern.h"

#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace weir::tail {
namespace {

using ::testing::ElementsAre;

using Found = std::map<std::string, std::vector<std::string>>;

// The tree that the tests look at; paths in results are relative to it.
class FindFiles : public testing::Test {
 protected:
  FindFiles() {
    for (const char* file :
         {"pods/shop_web-1_u1/app/0.log", "pods/shop_web-1_u1/app/1.log", "pods/shop_web-1_u1/app/1.log.20240501-100000",
          "pods/shop_web-1_u1/app/1.log.20240430-100000.gz", "pods/shop_web-1_u1/sidecar/0.log", "pods/pay_db-0_u2/db/0.log",
          "pods/notes.txt", "pods/host.log", "pods/.hidden.log", "plain/a.log", "plain/b.txt"}) {
      dir.write(file, "x\n");
    }
  }
  Found find(const std::vector<std::string>& arguments, const Selection& selection = {}) {
    std::vector<Pattern> patterns;
    for (const std::string& argument : arguments) {
      for (Pattern& pattern : patterns_of(dir / argument)) patterns.push_back(std::move(pattern));
    }
    unreadable = {};
    Found found;
    for (auto& [key, files] : find_files(patterns, selection, unreadable)) {
      auto& names = found[relative(key)];
      for (const std::string& file : files) names.push_back(relative(file));
    }
    return found;
  }
  std::vector<std::string> keys(const std::vector<std::string>& arguments, const Selection& selection = {}) {
    std::vector<std::string> names;
    for (const auto& [key, files] : find(arguments, selection)) names.push_back(key);
    return names;
  }
  std::string relative(const std::string& path) const {
    return std::filesystem::path(path).lexically_relative(dir.path()).string();
  }

  test::TempDir dir;
  Unreadable unreadable;
};
using Keys = std::vector<std::string>;

TEST_F(FindFiles, Folders) {
  EXPECT_EQ(keys({"pods"}), (Keys{"pods/host.log", "pods/pay_db-0_u2/db/0.log", "pods/shop_web-1_u1/app/0.log",
                                  "pods/shop_web-1_u1/app/1.log", "pods/shop_web-1_u1/sidecar/0.log"}));
  EXPECT_EQ(keys({"pods/shop_web-1_u1"}),
            (Keys{"pods/shop_web-1_u1/app/0.log", "pods/shop_web-1_u1/app/1.log", "pods/shop_web-1_u1/sidecar/0.log"}));
  EXPECT_EQ(keys({"pods/shop_web-1_u1/app/"}), (Keys{"pods/shop_web-1_u1/app/0.log", "pods/shop_web-1_u1/app/1.log"}));
  EXPECT_EQ(keys({"plain"}), (Keys{"plain/a.log"}));
}

TEST_F(FindFiles, NamesAndGlobs) {
  EXPECT_EQ(keys({"plain/b.txt"}), (Keys{"plain/b.txt"}));
  EXPECT_EQ(keys({"pods/*/app/0.log"}), (Keys{"pods/shop_web-1_u1/app/0.log"}));
  EXPECT_EQ(keys({"p*/*.log"}), (Keys{"plain/a.log", "pods/host.log"}));
  EXPECT_EQ(keys({"pods", "pods/pay_db-0_u2/db/0.log"}).size(), 5U);
  EXPECT_EQ(keys({"plain/*.txt.log"}), Keys{});
  EXPECT_EQ(unreadable.count(), 0U);
  EXPECT_EQ(keys({"nothing/*.log"}), Keys{});
  EXPECT_EQ(unreadable.count(), 1U);
}

TEST_F(FindFiles, RotatedFilesComeByNameBeforeTheirLiveFile) {
  const Found want = {{"pods/shop_web-1_u1/app/0.log", {"pods/shop_web-1_u1/app/0.log"}},
                      {"pods/shop_web-1_u1/app/1.log",
                       {"pods/shop_web-1_u1/app/1.log.20240430-100000.gz", "pods/shop_web-1_u1/app/1.log.20240501-100000",
                        "pods/shop_web-1_u1/app/1.log"}}};
  EXPECT_EQ(find({"pods/shop_web-1_u1/app/*"}), want);
  EXPECT_EQ(find({"pods/shop_web-1_u1/app/1.log.20240430-100000.gz"}),
            (Found{{"pods/shop_web-1_u1/app/1.log", {"pods/shop_web-1_u1/app/1.log.20240430-100000.gz"}}}));
}

TEST_F(FindFiles, SelectionIsMadeByNames) {
  Selection selection;
  selection.pods = {"web"};
  selection.exclude_containers = {"sidecar"};
  EXPECT_EQ(keys({"pods"}, selection), (Keys{"pods/shop_web-1_u1/app/0.log", "pods/shop_web-1_u1/app/1.log"}));
  EXPECT_EQ(keys({"plain/a.log"}, selection), Keys{});
}

TEST_F(FindFiles, WhatIsNamedAndNotThereIsUnreadable) {
  EXPECT_EQ(keys({"absent.log"}), Keys{});
  ASSERT_EQ(unreadable.count(), 1U);
  EXPECT_EQ(unreadable.causes.begin()->first, "No such file or directory");
  EXPECT_EQ(unreadable.causes.begin()->second.first, dir / "absent.log");
}

TEST_F(FindFiles, LinksIntoAPodLayoutAreTheFileThere) {
  const std::string id(64, 'c');
  const std::string link = "web-1_shop_app-" + id + ".log";
  std::filesystem::create_directory(dir / "containers");
  std::filesystem::create_symlink("../pods/shop_web-1_u1/app/0.log", dir / ("containers/" + link));
  EXPECT_EQ(keys({"containers"}), (Keys{"pods/shop_web-1_u1/app/0.log"}));
  EXPECT_EQ(keys({"containers", "pods/shop_web-1_u1/app/0.log"}), (Keys{"pods/shop_web-1_u1/app/0.log"}));
}

TEST_F(FindFiles, LinksOutOfAPodLayoutKeepTheirName) {
  // dockershim: the file of the pod is itself a link.
  std::filesystem::create_directories(dir / "pods/old_pod_u3/app");
  std::filesystem::create_symlink(dir / "plain/a.log", dir / "pods/old_pod_u3/app/0.log");
  EXPECT_EQ(keys({"pods/old_pod_u3"}), (Keys{"pods/old_pod_u3/app/0.log"}));
  const LogFile log = resolve_log(dir / "pods/old_pod_u3/app/0.log");
  EXPECT_EQ(log.target, dir / "plain/a.log");
}

TEST_F(FindFiles, Rotations) {
  std::vector<std::string> names;
  for (const std::string& path : rotations_of(dir / "pods/shop_web-1_u1/app/1.log")) names.push_back(relative(path));
  EXPECT_EQ(names, (Keys{"pods/shop_web-1_u1/app/1.log.20240430-100000.gz", "pods/shop_web-1_u1/app/1.log.20240501-100000"}));
}

TEST_F(FindFiles, CountsAsTheTimesOfTheFilesTell) {
  const auto at = [&](const char* name, int second) {
    dir.write(name, "x");
    const timespec times[2] = {{1'700'000'000 + second, 0}, {1'700'000'000 + second, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, (dir / name).c_str(), times, 0), 0);
  };
  for (int i = 1; i <= 3; ++i) at(fmt::format("log4j/a.log.{}", i).c_str(), i);
  for (int i = 1; i <= 3; ++i) at(fmt::format("logrotate/a.log.{}", i).c_str(), -i);
  for (int i = 1; i <= 3; ++i) at(fmt::format("same/a.log.{}", i).c_str(), 0);
  const auto f = [&](const std::string& folder) {
    std::string order;
    for (const std::string& path : rotations_of(dir / (folder + "/a.log"))) order += path.back();
    return order;
  };
  EXPECT_EQ(f("log4j"), "123");
  EXPECT_EQ(f("logrotate"), "321");
  EXPECT_EQ(f("same"), "321");
}

TEST(Pattern, Names) {
  const auto f = [](const char* pattern, std::string_view path, bool want) {
    EXPECT_EQ(names(patterns_of(pattern).front(), path), want) << pattern << " " << path;
  };
  f("/nowhere/*/x.log", "/nowhere/a/x.log", true);
  f("/nowhere/*/x.log", "/nowhere/a/b/x.log", false);
  f("/nowhere/a.log", "/nowhere/a.log", true);
  f("/nowhere/a.log", "/nowhere/a.log.1", false);
}

class Listed : public FindFiles {
 protected:
  static std::vector<std::string> names(ListedFolder& listed, const std::string& folder) {
    std::vector<std::string> found;
    auto entries = listed.list(folder);
    if (entries)
      for (const Entry& entry : *entries) found.push_back(entry.name);
    return found;
  }
};

TEST_F(Listed, AQuietFolderIsReadOnceAndAChangedOneAgain) {
  const std::string folder = dir / "many";
  dir.write("many/0.log", "x\n");
  dir.write("many/0.log.1", "x\n");
  // So that its next change has another time for sure.
  std::filesystem::last_write_time(folder, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  test::FakeClock clock(base::Clock::system().wall());

  ListedFolder listed(clock);
  EXPECT_THAT(names(listed, folder), ElementsAre("0.log", "0.log.1"));
  EXPECT_THAT(names(listed, folder), ElementsAre("0.log", "0.log.1"));
  EXPECT_EQ(listed.listings(), 2U);  // it had just changed: another change might bear the same time
  clock.set(base::kMinute);          // as if nothing had changed for some time
  for (int i = 0; i < 5; ++i) EXPECT_THAT(names(listed, folder), ElementsAre("0.log", "0.log.1"));
  EXPECT_EQ(listed.listings(), 3U);
  dir.write("many/0.log.2", "x\n");
  EXPECT_THAT(names(listed, folder), ElementsAre("0.log", "0.log.1", "0.log.2"));
  EXPECT_EQ(listed.listings(), 4U);
  EXPECT_FALSE(listed.list(folder + "/none"));
  EXPECT_THAT(names(listed, folder), ElementsAre("0.log", "0.log.1", "0.log.2"));
}

TEST_F(Listed, AFolderOfLinksAndWhatTheyLeadToAreBothKept) {
  dir.write("many/0.log", "x\n");
  dir.write("links/0.log", "y\n");
  dir.write("third/0.log", "z\n");
  test::FakeClock clock(base::Clock::system().wall() + base::kMinute);
  ListedFolder listed(clock);
  for (int i = 0; i < 5; ++i) {
    for (const char* const folder : {"many", "links"}) EXPECT_THAT(names(listed, dir / folder), ElementsAre("0.log"));
  }
  EXPECT_EQ(listed.listings(), 2U);
  names(listed, dir / "third");  // in place of the one that was asked for longest ago
  names(listed, dir / "links");
  EXPECT_EQ(listed.listings(), 3U);
  names(listed, dir / "many");
  EXPECT_EQ(listed.listings(), 4U);
}

TEST_F(Listed, AFileIsFoundByItsInodeUnderAnyName) {
  dir.write("many/b.log", "x\n");
  dir.write("many/.a", "x\n");
  dir.write("many/!", "x\n");
  std::filesystem::create_directory(dir / "many/folder");
  std::filesystem::create_hard_link(dir / "many/b.log", dir / "many/c.log");
  std::filesystem::create_hard_link(dir / "many/b.log", dir / "many/.b");
  const auto inode = [&](const char* name) {
    struct stat status {};
    EXPECT_EQ(::stat((dir / name).c_str(), &status), 0);
    return status.st_ino;
  };
  ListedFolder listed;
  EXPECT_THAT(listed.names_of(dir / "many", inode("many/b.log")), ElementsAre("b.log", "c.log", ".b"));
  EXPECT_THAT(listed.names_of(dir / "many", inode("many/.a")), ElementsAre(".a"));
  EXPECT_THAT(listed.names_of(dir / "many", inode("many/folder")), ::testing::IsEmpty());
  EXPECT_THAT(listed.names_of(dir / "none", inode("many/.a")), ::testing::IsEmpty());
  EXPECT_THAT(names(listed, dir / "many"), ElementsAre("!", "b.log", "c.log", "folder"));
}

TEST_F(Listed, EachOfManyLogsFindsItsOwnRotations) {
  for (const char* name :
       {"1.log", "1.log.a", "1.log.20260102-030405", "10.log", "10.log.1", "1.logs", "1.log-2", "11.log", "1.log.1.tmp"})
    dir.write("many/" + std::string(name), "x\n");
  ListedFolder listed;
  const auto found = [&](const std::string& live) {
    std::vector<std::string> names;
    for (const std::string& path : rotations_of(dir / ("many/" + live), listed)) names.push_back(path.substr(path.rfind('/') + 1));
    std::ranges::sort(names);
    return names;
  };
  EXPECT_THAT(found("1.log"), ElementsAre("1.log-2", "1.log.20260102-030405", "1.log.a"));
  EXPECT_THAT(found("10.log"), ElementsAre("10.log.1"));
  EXPECT_THAT(found("11.log"), ::testing::IsEmpty());
  EXPECT_THAT(found("12.log"), ::testing::IsEmpty());
}

TEST(ListFolder, TellsWhatCannotBeListed) { EXPECT_FALSE(list_folder("/nonexistent/folder")); }

}  // namespace
}  // namespace weir::tail
