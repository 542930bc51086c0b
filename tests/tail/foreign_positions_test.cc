#include "tail/foreign_positions.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace weir::tail {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

Entries entries(std::string_view text) {
  auto parsed = parse_foreign_positions(text, "p.yaml");
  if (!parsed) return {{"error", parsed.error().message}};
  Entries pairs;
  for (const ForeignEntry& entry : *parsed) pairs.emplace_back(entry.path, entry.value);
  return pairs;
}

std::string error(std::string_view text) {
  ForeignPositions positions;
  auto added = positions.add(text, "p.yaml", 1);
  return added ? std::string() : added.error().message;
}

const std::string kLong = "/var/log/pods/" + std::string(140, 'p') + "/app/0.log";
const std::string kFolded =
    "/tmp/many words in this path so that it will be folded by the emitter somewhere in the middle of this long key.log";

// As Promtail 3.6 (gopkg.in/yaml.v2) and its next releases (yaml.v3, which indents by 4 and folds nothing) write it.
TEST(ForeignPositions, OfPromtail) {
  const Entries all = {{"", "9"},
                       {"-dash", "5"},
                       {"/a\nb", "8"},
                       {kFolded, "4"},
                       {"/tmp/\u00fc\tb.log", "3"},
                       {kLong, "99"},
                       {"/var/log/quo'te\"x.log", "2"},
                       {"/var/log/with space: and # hash.log", "1"},
                       {"/var/log/x.log", "1234"},
                       {"123", "6"},
                       {"cursor-journal", "s=96c0;i=25557;b=64;m=d9;t=63;x=33"}};
  const std::string v2 = R"(positions:
  "": "9"
  -dash: "5"
  ? |-
    /a
    b
  : "8"
  ? /tmp/many words in this path so that it will be folded by the emitter somewhere
    in the middle of this long key.log
  : "4"
  "/tmp/ü\tb.log": "3"
  ? )" + kLong + R"(
  : "99"
  /var/log/quo'te"x.log: "2"
  '/var/log/with space: and # hash.log': "1"
  /var/log/x.log: "1234"
  "123": "6"
  cursor-journal: s=96c0;i=25557;b=64;m=d9;t=63;x=33
)";
  EXPECT_EQ(entries(v2), all);
  const std::string v3 = R"(positions:
    "": "9"
    -dash: "5"
    ? |-
        /a
        b
    : "8"
    ? )" + kFolded + R"(
    : "4"
    "/tmp/ü\tb.log": "3"
    ? )" + kLong + R"(
    : "99"
    /var/log/quo'te"x.log: "2"
    '/var/log/with space: and # hash.log': "1"
    /var/log/x.log: "1234"
    "123": "6"
    cursor-journal: s=96c0;i=25557;b=64;m=d9;t=63;x=33
)";
  EXPECT_EQ(entries(v3), all);
}

TEST(ForeignPositions, OfAlloy) {
  const std::string v2 = R"(positions:
  ? path: /var/log/x.log
    labels: '{job="tmp"}'
  : "17623"
  ? path: /a b c/'x
    labels: ""
  : "10"
  ? path: |
      /n
    labels: '{a="x\ny"}'
  : "11"
  ? path: )" + kLong + R"(
    labels: '{__meta_kubernetes_pod="abc", container="container-name", job="kube-system/abc",
      namespace="kube-system", pod="x"}'
  : "5"
  ? path: /tmp/missinglabels.log
  : "10040"
)";
  const Entries all = {
      {"/var/log/x.log", "17623"}, {"/a b c/'x", "10"}, {"/n\n", "11"}, {kLong, "5"}, {"/tmp/missinglabels.log", "10040"}};
  EXPECT_EQ(entries(v2), all);
  const std::string v3 = R"(positions:
    ?   path: /var/log/x.log
        labels: '{job="tmp"}'
    : "17623"
    ?   path: /b
        labels: '{}'
    : "4"
)";
  EXPECT_EQ(entries(v3), (Entries{{"/var/log/x.log", "17623"}, {"/b", "4"}}));
}

TEST(ForeignPositions, NothingIsFine) {
  for (const char* text :
       {"", "\n", "# nothing\n", "---\n", "positions: {}\n", "positions:\n", "positions: null", "--- # x\npositions: {}\n..."})
    EXPECT_EQ(entries(text), Entries()) << text;
}

TEST(ForeignPositions, QuotesAndComments) {
  EXPECT_EQ(
      entries(
          "positions: # all\n  # of them\n  /a: 1 # one\r\n\n  \"/b\\x41\\u00e4\\\n     c\": '2'\n  '/it''s\n\n    d': \"3\"\n"),
      (Entries{{"/a", "1"}, {"/bA\u00e4c", "2"}, {"/it's\nd", "3"}}));
}

TEST(ForeignPositions, AnErrorNamesFileAndLine) {
  EXPECT_EQ(error("positions:\n  /a: \"1\n"), "cannot read the positions in p.yaml: line 3: the quote is not closed");
  EXPECT_EQ(error("other: {}\n"), "cannot read the positions in p.yaml: line 1: `positions:` is expected");
  EXPECT_EQ(error("positions:\n  /a: 1\n  /b: x\n"), "cannot read the positions in p.yaml: line 3: `x` is no number of bytes");
  EXPECT_EQ(error("positions:\n  /a: -1\n"), "cannot read the positions in p.yaml: line 2: `-1` is no number of bytes");
  EXPECT_EQ(error("positions:\n  - /a\n"),
            "cannot read the positions in p.yaml: line 2: `-` begins a form of YAML that no positions file has");
  EXPECT_EQ(error("positions:\n  ? {path: /a}\n  : 1\n"),
            "cannot read the positions in p.yaml: line 2: `{` begins a form of YAML that no positions file has");
  EXPECT_EQ(error("positions:\n  ? path: /a\n    size: 1\n  : 1\n"),
            "cannot read the positions in p.yaml: line 3: `path` or `labels` is expected");
  EXPECT_EQ(error("positions:\n  ? labels: a\n  : 1\n"), "cannot read the positions in p.yaml: line 3: the entry has no `path`");
  EXPECT_EQ(error("positions:\n  ? /a\n"),
            "cannot read the positions in p.yaml: line 3: the colon in front of the position is expected");
  EXPECT_EQ(error("positions:\n  /a: 1\n /b: 2\n"),
            "cannot read the positions in p.yaml: line 3: something else stands here than a position");
  EXPECT_EQ(error("positions:\n\t/a: 1\n"), "cannot read the positions in p.yaml: line 2: a tab indents the line");
  EXPECT_EQ(error("positions:\n  /a\n"), "cannot read the positions in p.yaml: line 2: a colon is expected");
}

TEST(ForeignPositions, TheSmallestOfAPathCounts) {
  test::TempDir dir;
  dir.write("x.log", "x");
  std::filesystem::create_symlink(dir / "x.log", dir / "link.log");
  const std::string text = "positions:\n  ? path: " + (dir / "x.log") +
                           "\n    labels: '{a=\"1\"}'\n  : \"30\"\n  ? path: " + (dir / "x.log") +
                           "\n    labels: '{a=\"2\"}'\n  : \"20\"\n  ? path: " + (dir / "link.log") + "\n  : \"25\"\n";
  ForeignPositions positions;
  ASSERT_TRUE(positions.add(text, "p", 7));
  EXPECT_EQ(positions.doubled().size(), 1U);
  EXPECT_EQ(positions.logs().size(), 1U);
  EXPECT_EQ(positions.take(dir / "link.log"), (ForeignPosition{20, 7}));
  EXPECT_TRUE(positions.empty());
  EXPECT_FALSE(positions.take(dir / "link.log"));
}

TEST(ForeignPositions, OnlyFilesAndJournals) {
  ForeignPositions positions;
  ASSERT_TRUE(
      positions.add("positions:\n"
                    "  cursor-journal: s=96c0;i=25557\n"
                    "  journal-old: s=1;i=2;t=5\n"
                    "  cursor-0123456789ab: \"1700000000\"\n"
                    "  relative.log: \"5\"\n"
                    "  /nowhere/*.log: \"5\"\n"
                    "  /var/log/old.gz: \"5\"\n"
                    "  /nowhere/a.log: \"9223372036854775807\"\n",
                    "p", 7));
  EXPECT_EQ(positions.cursors(),
            (std::map<std::string, std::string, std::less<>>{{"journal", "s=96c0;i=25557"}, {"old", "s=1;i=2;t=5"}}));
  EXPECT_EQ(positions.nameless().entries, 2U);
  EXPECT_EQ(positions.nameless().first, "relative.log");
  EXPECT_EQ(positions.logs().size(), 1U);
  EXPECT_TRUE(positions.take("/nowhere/a.log"));
  EXPECT_EQ(positions.journal_cursor(), "s=96c0;i=25557");
  ASSERT_TRUE(
      positions.add("positions:\n  cursor-a: s=1;i=2;t=63d7d20071963;x=1\n  cursor-b: s=2;i=9;t=63d7d20071962\n"
                    "  cursor-journal: s=1;i=2;t=63d7d20071964\n  cursor-old: s=1;i=2;t=73d7d20071964\n",
                    "p", 7));
  EXPECT_EQ(positions.journal_cursor(), "s=2;i=9;t=63d7d20071962");
}

TEST(ForeignPositions, OfAFile) {
  test::TempDir dir;
  ForeignPositions positions;
  dir.write("p.yaml", "positions:\n  /nowhere/a.log: \"5\"\n");
  EXPECT_EQ(*positions.add_file(dir / "p.yaml"), true);
  EXPECT_GT(positions.logs().begin()->second.written, 0);
  EXPECT_EQ(*positions.add_file(dir / "none.yaml"), false);
  EXPECT_EQ(positions.add_file(dir.path().string()).error().code, base::Code::config);
}

}  // namespace
}  // namespace weir::tail
