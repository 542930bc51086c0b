#include "kube/pod_cache.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace weir::kube {
namespace {

using Entries = std::vector<PodDirectory::Entry>;

const WantedNames kWanted{{"app", "team"}, {"build"}};

Entries some() {
  const auto of = [](Pod pod, std::optional<base::Timestamp> gone) {
    return PodDirectory::Entry{std::make_shared<const Pod>(std::move(pod)), gone};
  };
  return {of({.uid = "a",
              .namespace_name = "shop",
              .name = "web \"1\"\n",
              .labels = {{"app", "web"}, {"team", "\xc3\xa4"}},
              .annotations = {{"build", "7"}},
              .owner_kind = "ReplicaSet",
              .owner_name = "web-1",
              .excluded = true},
             std::nullopt),
          of({.uid = "b", .namespace_name = "shop", .name = "db"}, 1'760'000'000'123'456'789)};
}

void expect_same(const Entries& a, const Entries& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(*a[i].pod, *b[i].pod);
    EXPECT_EQ(a[i].gone_since, b[i].gone_since);
  }
}

TEST(PodCacheTest, GivesBackWhatWasWritten) {
  test::TempDir dir;
  const PodCache cache(dir / "pods", "node-1", kWanted);
  const auto none = cache.read();
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  for (const Entries& pods : {some(), Entries()}) {
    ASSERT_TRUE(cache.write(pods));
    const auto read = cache.read();
    ASSERT_TRUE(read) << read.error().message;
    expect_same(*read, pods);
  }
  struct ::stat status {};
  ASSERT_EQ(::stat((dir / "pods").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_NE(::access((dir / "pods.new").c_str(), F_OK), 0);
}

TEST(PodCacheTest, AFileLeftHalfWrittenIsReplaced) {
  test::TempDir dir;
  dir.write("pods.new", std::string(100'000, 'x'));
  const PodCache cache(dir / "pods", "node-1", kWanted);
  ASSERT_TRUE(cache.write(some()));
  expect_same(*cache.read(), some());
}

TEST(PodCacheTest, HasNothingForOthers) {
  const std::string text = PodCache("", "node-1", kWanted).text_of(some());
  const auto read = [&](const std::string& node, const WantedNames& wanted) {
    const auto pods = PodCache("", node, wanted).parse(text);
    EXPECT_TRUE(pods) << pods.error().message;
    return pods ? *pods : Entries();
  };
  EXPECT_EQ(read("node-1", kWanted).size(), 2U);
  EXPECT_TRUE(read("node-2", kWanted).empty());
  EXPECT_TRUE(read("node-1", {{"app", "other"}, {}}).empty());
  EXPECT_TRUE(read("node-1", {{}, {"other"}}).empty());
  // Less than was wanted then.
  const Entries fewer = read("node-1", {{"team"}, {}});
  ASSERT_EQ(fewer.size(), 2U);
  EXPECT_EQ(fewer[0].pod->labels, (Pod::Values{{"team", "\xc3\xa4"}}));
  EXPECT_TRUE(fewer[0].pod->annotations.empty());
}

TEST(PodCacheTest, NoticesDamageAnywhere) {
  const PodCache cache("file", "node-1", kWanted);
  const std::string text = cache.text_of(some());
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(cache.parse(text.substr(0, size))) << size;
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(cache.parse(damaged)) << at;
  }
  EXPECT_FALSE(cache.parse(text + "{}\n"));
}

TEST(PodCacheTest, SaysWhatIsWrong) {
  const PodCache cache("file", "node-1", kWanted);
  const auto foreign = cache.parse("hello\n");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, base::Code::config);
  EXPECT_EQ(foreign.error().message, "'file' is no cache of pods");
  const auto newer = cache.parse("{\"weir_pods\":2}\nwhatever\n");
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, base::Code::version);
  test::TempDir dir;
  const auto nowhere = PodCache(dir / "no/folder", "node-1", kWanted).write(some());
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, base::Code::io);
  const auto folder = PodCache(dir / ".", "node-1", kWanted).read();
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, base::Code::io);
}

}  // namespace
}  // namespace weir::kube
