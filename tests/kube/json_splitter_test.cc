#include "kube/json_splitter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace weir::kube {
namespace {

class Words : public JsonParts {
 public:
  void item(std::string_view text) override { words.push_back("item " + std::string(text)); }
  void member(std::string_view name, std::string_view text) override {
    words.push_back("member " + std::string(name) + " " + std::string(text));
  }
  void object_ends() override { words.push_back("end"); }
  void skipped(std::string_view name, std::size_t bytes) override {
    words.push_back("skipped " + std::string(name) + " " + std::to_string(bytes));
  }
  std::vector<std::string> words;
};

using Form = JsonSplitter::Form;

struct Result {
  std::vector<std::string> words;
  bool good = true, complete = false;
  std::size_t held = 0;
  friend bool operator==(const Result&, const Result&) = default;
};

Result split(Form form, std::string_view text, const std::vector<std::size_t>& cuts, std::size_t most = 1000) {
  Words parts;
  JsonSplitter splitter(form, most, parts);
  Result result;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    // A copy of its own, so that a sanitizer sees a look beyond the piece.
    const std::string piece(text.substr(at, cut - at));
    result.good = splitter.feed(piece);
    at = cut;
  }
  result.good = splitter.feed(std::string(text.substr(at)));
  result.words = parts.words;
  result.complete = splitter.complete();
  return result;
}

using Strings = std::vector<std::string>;

TEST(JsonSplitterTest, SplitsAList) {
  struct Case {
    const char* text;
    Strings words;
    bool complete;
  };
  const Case cases[] = {
      {R"({"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{"a":1},{"b":[2,{}]}]})",
       {"member kind \"PodList\"", R"(member metadata {"resourceVersion":"7"})", R"(item {"a":1})", R"(item {"b":[2,{}]})", "end"},
       true},
      {" { \"items\" : [ {} , 1 , \"x\" ] , \"n\" : 12 , \"t\" : true }\n ",
       {"item {}", "item 1", "item \"x\"", "member n 12", "member t true", "end"},
       true},
      {R"({"items":null})", {"member items null", "end"}, true},
      {R"({"items":[]})", {"end"}, true},
      {R"({"items":{"x":[]}})", {R"(member items {"x":[]})", "end"}, true},
      {"{}", {"end"}, true},
      // Brackets and quotes in strings are no brackets and quotes.
      {R"({"items":[{"a":"]}\"\\"},{"b":"\\\""}],"x":"}"})",
       {R"(item {"a":"]}\"\\"})", R"(item {"b":"\\\""})", "member x \"}\"", "end"},
       true},
      {R"({"it\"ems":[1]})", {R"(member it\"ems [1])", "end"}, true},
      {R"({"items":[{"a":1},)", {R"(item {"a":1})"}, false},
      {"", {}, false},
  };
  for (const Case& one : cases) {
    const Result result = split(Form::list, one.text, {});
    EXPECT_TRUE(result.good) << one.text;
    EXPECT_EQ(result.words, one.words) << one.text;
    EXPECT_EQ(result.complete, one.complete) << one.text;
  }
}

TEST(JsonSplitterTest, SplitsEvents) {
  const Result result = split(Form::events, "{\"type\":\"ADDED\",\"object\":{\"items\":[1]}}\n{\"type\":\"x\"}\n\n{}{\"ty", {});
  EXPECT_TRUE(result.good);
  EXPECT_FALSE(result.complete);
  EXPECT_EQ(result.words,
            (Strings{"member type \"ADDED\"", "member object {\"items\":[1]}", "end", "member type \"x\"", "end", "end"}));
  EXPECT_TRUE(split(Form::events, "", {}).complete);
  EXPECT_TRUE(split(Form::events, "{}\n", {}).complete);
}

TEST(JsonSplitterTest, RefusesWhatIsNotOfTheForm) {
  for (const char* text :
       {"[", "x", "\"x\"", "{]", "{,", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1 2", "{\"items\":[,", "{\"items\":[1,]",
        "{\"items\":[1 2", "{\"items\":[1}", "{\"a\":,", "{\"a\"::", "{}{}", "{\"items\":[}"}) {
    const Result result = split(Form::list, text, {});
    EXPECT_FALSE(result.good) << text;
    EXPECT_FALSE(result.complete) << text;
  }
  EXPECT_FALSE(split(Form::list, "{\"" + std::string(300, 'x') + "\":1}", {}).good);
  EXPECT_FALSE(split(Form::events, "{}x", {}).good);
}

TEST(JsonSplitterTest, GivesNothingAfterWhatIsBroken) {
  Words parts;
  JsonSplitter splitter(Form::events, 100, parts);
  EXPECT_TRUE(splitter.feed("{}"));
  EXPECT_FALSE(splitter.feed("x{}"));
  EXPECT_FALSE(splitter.feed("{}"));
  EXPECT_EQ(parts.words, Strings{"end"});
}

TEST(JsonSplitterTest, SkipsWhatIsTooLargeAndHoldsNoneOfIt) {
  Words parts;
  JsonSplitter splitter(Form::list, 50, parts);
  ASSERT_TRUE(splitter.feed("{\"items\":[{\"a\":1},{\"b\":\""));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(splitter.feed(std::string(1000, 'x')));
    ASSERT_LT(splitter.held(), 2000U);
  }
  ASSERT_TRUE(splitter.feed("\"},{\"c\":1}],\"metadata\":\"" + std::string(60, 'y') + "\"}"));
  EXPECT_TRUE(splitter.complete());
  EXPECT_EQ(parts.words, (Strings{"item {\"a\":1}", "skipped items 1000008", "item {\"c\":1}", "skipped metadata 62", "end"}));
}

// A value of random JSON.
void append_value(std::string& out, std::mt19937& random, int depth) {
  const auto space = [&] {
    if (random() % 4 == 0) out += " \n\t"[random() % 3];
  };
  switch (random() % (depth > 3 ? 3 : 5)) {
    case 0:
      out += std::to_string(random() % 1000);
      return;
    case 1:
      out += random() % 2 == 0 ? "null" : "true";
      return;
    case 2:
      out += '"';
      for (unsigned i = random() % 12; i > 0; --i)
        out += std::vector<std::string>{"a", "{", "}", "[", "]", ",", ":", "\\\"", "\\\\", " "}[random() % 10];
      out += '"';
      return;
    default:
      break;
  }
  const bool object = random() % 2 == 0;
  out += object ? '{' : '[';
  for (unsigned i = 0, n = random() % 4; i < n; ++i) {
    if (i > 0) out += ',';
    space();
    if (object) out += std::string("\"k") + "}\\\"x"[random() % 2 == 0 ? 0 : 3] + "\":";
    space();
    append_value(out, random, depth + 1);
    space();
  }
  out += object ? '}' : ']';
}

TEST(JsonSplitterTest, CutsAnywhereChangeNothing) {
  const char* const seed = std::getenv("WEIR_PROPERTY_RUNS");
  const int runs = seed == nullptr ? 60 : std::atoi(seed);
  std::mt19937 random(15);
  for (int run = 0; run < runs; ++run) {
    std::string list = R"({"kind":"L","metadata":{"resourceVersion":"7"},"items":[)", events;
    for (unsigned i = 0, n = random() % 5; i < n; ++i) {
      if (i > 0) list += ',';
      append_value(list, random, 0);
      events += "{\"type\":\"ADDED\",\"object\":";
      append_value(events, random, 0);
      events += "}\n";
    }
    list += "],\"rest\":1}";
    for (const auto& [form, text] : {std::pair(Form::list, list), std::pair(Form::events, events)}) {
      const std::size_t most = random() % 2 == 0 ? 1000 : 20;
      const Result whole = split(form, text, {}, most);
      ASSERT_TRUE(whole.good) << text;
      ASSERT_TRUE(whole.complete) << text;
      for (std::size_t cut = 0; cut <= text.size(); ++cut)
        ASSERT_EQ(split(form, text, {cut}, most), whole) << cut << " of " << text;
      std::vector<std::size_t> each;
      for (std::size_t cut = 1; cut < text.size(); ++cut) each.push_back(cut);
      ASSERT_EQ(split(form, text, each, most), whole) << text;
    }
  }
}

}  // namespace
}  // namespace weir::kube
