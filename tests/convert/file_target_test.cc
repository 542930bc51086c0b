#include "convert/file_target.h"

#include "gotext/regex.h"

#include <gtest/gtest.h>

namespace weir::convert {
namespace {

using Paths = std::vector<std::string>;

TEST(FileTarget, ExpandsGlobs) {
  EXPECT_EQ(tail_paths("/var/log/*.log").paths, (Paths{"/var/log/*.log"}));
  EXPECT_EQ(tail_paths("/a/{x,y{1,2}}.log").paths, (Paths{"/a/x.log", "/a/y1.log", "/a/y2.log"}));
  EXPECT_EQ(tail_paths("/a/${HOST}/x").paths, (Paths{"/a/${HOST}/x"}));
  EXPECT_EQ(tail_paths("/a/{x").paths, (Paths{"/a/{x"}));
  const auto deep = tail_paths("/a/**/x.log");
  EXPECT_TRUE(deep.bounded);
  ASSERT_EQ(deep.paths.size(), kMostLevels + 1);
  EXPECT_EQ(deep.paths[0], "/a/x.log");
  EXPECT_EQ(deep.paths[2], "/a/*/*/x.log");
  EXPECT_EQ(tail_paths("/a/**").paths[1], "/a/*/*");
}

TEST(FileTarget, MakesARegexOfAGlob) {
  struct Case {
    const char* glob;
    const char* path;
    bool matches;
  };
  for (const Case& one :
       {Case{"/a/*.log", "/a/x.log", true}, Case{"/a/*.log", "/a/b/x.log", false}, Case{"/a/**/x.log", "/a/x.log", true},
        Case{"/a/**/x.log", "/a/b/c/x.log", true}, Case{"/a/{b,c}?.gz", "/a/c1.gz", true}, Case{"/a/[!b]", "/a/b", false},
        Case{"/a.b", "/axb", false}, Case{"/a/\\*", "/a/*", true}}) {
    const auto regex = gotext::Regex::compile(glob_regex(one.glob), gotext::Regex::Mode::anchored_all);
    ASSERT_TRUE(regex.ok()) << glob_regex(one.glob);
    EXPECT_EQ(regex->matches(one.path), one.matches) << one.glob << " " << one.path;
  }
}

TEST(FileTarget, KnowsFoldersOfPods) {
  EXPECT_TRUE(may_name_pods("/var/log/pods/*/*/*.log"));
  EXPECT_TRUE(may_name_pods("/host/var/log/containers"));
  EXPECT_FALSE(may_name_pods("/var/log/podsx/a"));
  EXPECT_FALSE(may_name_pods("/var/log/syslog"));
}

}  // namespace
}  // namespace weir::convert
