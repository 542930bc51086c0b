// The JSON-lines codec against texts that others might write: odd spacing, escapes that weir never writes, keys in any order and
// twice, nested unknown values, bytes that are not UTF-8, and all of it damaged at random.
#include "base/diagnostics.h"
#include "base/utf8.h"
#include "record/json.h"
#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "support/fake_clock.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>

namespace weir::record {
namespace {

using Json = nlohmann::json;

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  // A record in JSON, most times a valid one.
  std::string record() {
    std::vector<std::string> members;
    if (below(20) != 0) members.push_back(key("line") + string());
    if (below(5) != 0) members.push_back(key("timestamp") + timestamp());
    if (below(3) != 0) members.push_back(key("labels") + (below(2) == 0 ? pick(kLabels) : pairs()));
    if (below(3) == 0) members.push_back(key("metadata") + pairs());
    if (below(5) == 0) members.push_back(key("tenant") + string());
    if (below(8) == 0)
      members.push_back(key("source") + pick({R"("f.1.2.o.30")", R"("f.1.2.e.30.4.1")", R"("b.00000000000000ff.1.2")", R"("x")"}));
    if (below(9) == 0) members.push_back(key("held") + pick({"true", "false", "1"}));
    if (below(9) == 0) members.push_back(key("rejected") + object(1));
    if (below(9) == 0) members.push_back(key("parsed") + pairs());
    while (below(3) == 0) members.push_back(key(pick({"a", "lines", "Line", "x y", "tenan"})) + value(1));
    if (below(15) == 0) members.push_back(key("line") + string());
    std::shuffle(members.begin(), members.end(), random_);
    return join(members, '{', '}');
  }

  std::string damage(std::string text) {
    for (unsigned times = 1 + below(2); times > 0 && !text.empty(); --times) {
      const std::size_t at = below(static_cast<unsigned>(text.size()));
      switch (below(4)) {
        case 0:
          text.erase(at, 1 + below(3));
          break;
        case 1:
          text.insert(at, 1, pick({"\"", "\\", "{", "}", "[", "]", ",", ":", "u", "0", "\t", "\x01", "\xff"})[0]);
          break;
        case 2:
          text[at] = static_cast<char>(below(256));
          break;
        default:
          text.resize(at);
          break;
      }
    }
    std::erase(text, '\n');
    return text;
  }

  bool odd_bytes = false;  // strings hold lone surrogates and bytes that are not UTF-8
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

 private:
  using Choices = std::vector<std::string>;
  static inline const Choices kLabels = {R"({"app":"a"})",      R"({"app":"a", "z":"1"})", R"({"app":"é","b":"\u00e9"})", "{}",
                                         R"({"a":"","b":"x"})", R"({"a":"1","a":"2"})"};

  std::string pick(const Choices& choices) { return choices[below(static_cast<unsigned>(choices.size()))]; }
  std::string space() { return below(6) != 0 ? "" : pick({" ", "\t", "  ", "\r"}); }
  std::string key(const std::string& name) { return "\"" + name + "\"" + space() + ":" + space(); }

  std::string string() {
    std::string out = "\"";
    for (unsigned left = below(12); left > 0; --left) {
      switch (below(odd_bytes ? 12 : 8)) {
        case 0:
          out += pick({R"(\n)", R"(\t)", R"(\")", R"(\\)", R"(\/)", R"(\b)", R"(\f)", R"(\r)"});
          break;
        case 1:
          out += pick({R"(\u0041)", R"(\u00E9)", R"(\u4e16)", R"(\u0000)", R"(\u001F)", R"(\ud83d\ude00)", R"(\uffff)"});
          break;
        case 2:
          out += pick({"é", "世", "😀", "\x7f", "\xc2\x85", "\xef\xbf\xbd"});
          break;
        case 8:
          out += pick({R"(\ud83d)", R"(\ude00)", R"(\udcff)", R"(\udc80\udcff)", R"(\udc7f)", R"(\uD800\uDBFF)"});
          break;
        case 9:
          out += pick({"\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\x80", "\xf0\x9f\x98", "\xc0\xaf"});
          break;
        default:
          out += pick({"word", "x", " ", "{", "}", "[1]", "level=info", "a long run of plain text that takes more than one step"});
      }
    }
    return out + '"';
  }

  std::string timestamp() {
    return pick({R"("2024-05-01T10:00:00Z")", R"("2024-05-01T12:00:00.5+02:00")", R"("1714557600000000001")", "1714557600000000001",
                 R"("2024-05-01T10:00:00.123456789Z")", "17", R"("yesterday")"});
  }
  std::string pairs() {
    std::vector<std::string> members;
    while (below(3) != 0) members.push_back((below(4) == 0 ? string() + ":" : key(pick({"a", "b", "pod"}))) + string());
    return join(members, '{', '}');
  }
  std::string object(int depth) {
    std::vector<std::string> members;
    while (below(2) == 0) members.push_back((below(4) == 0 ? string() + ":" : key("k")) + value(depth));
    return join(members, '{', '}');
  }
  std::string value(int depth) {
    switch (below(depth > 3 ? 4 : 6)) {
      case 0:
        return pick({"0", "-1.5", "12e5", "1E-2", "true", "false", "null"});
      case 4:
        return object(depth + 1);
      case 5: {
        std::vector<std::string> items;
        while (below(2) == 0) items.push_back(value(depth + 1));
        return join(items, '[', ']');
      }
      default:
        return string();
    }
  }
  std::string join(const std::vector<std::string>& parts, char open, char close) {
    std::string out = space() + open + space();
    for (std::size_t i = 0; i < parts.size(); ++i) out += (i == 0 ? "" : "," + space()) + parts[i] + space();
    return out + close + space();
  }

  std::mt19937 random_;
};

// What a record says, in a form that compares. Whether it was made of an invalid line is left out: from there on it is a valid one.
std::string say(Batch& batch, Record& record) {
  std::string out = fmt::format("{} line={} labels={} tenant={} source={} held={} sample={} marker={}", record.timestamp,
                                record.is_marker() ? "" : batch.line(record), record.labels->json(), record.tenant,
                                record.source.to_string(), record.held, record.sample, record.is_marker());
  for (const Label& pair : record.metadata) out += fmt::format(" [{}]=[{}]", pair.name, pair.value);
  if (const Extra* extra = record.extra; extra != nullptr) {
    out += fmt::format(" unknown={} rejected={} parsed={} value={}", extra->unknown, extra->rejected, extra->parsed, extra->value);
  }
  return out;
}

class HostileJson : public testing::Test {
 protected:
  static std::string read(JsonlReader& reader, Batch& batch, std::string_view text) {
    batch.clear();
    static_cast<void>(reader.parse(text, batch));
    EXPECT_EQ(batch.records.size(), 1U) << text;
    return say(batch, batch.records.at(0));
  }
  static std::string print(const Record& record) {
    std::string out;
    append_jsonl(out, record);
    EXPECT_EQ(out.back(), '\n');
    out.pop_back();
    EXPECT_TRUE(base::is_utf8(out)) << out;
    EXPECT_EQ(out.find('\n'), std::string::npos) << out;
    return out;
  }

  // Everything that must hold for any text that is not blank.
  void settle(std::string_view text) {
    SCOPED_TRACE(base::escape_control(text));
    JsonlReader fresh(clock_);
    const std::string said = read(fresh, batch_, text);
    EXPECT_EQ(read(reader_, batch_, text), said) << "what a reader remembers must not matter";
    if (batch_.records[0].is_marker()) return;

    // Before anybody looked into the record.
    batch_.clear();
    static_cast<void>(fresh.parse(text, batch_));
    Record& record = batch_.records.at(0);
    const std::string passed = print(record);
    Batch copied;
    copied.add_copy(record);
    EXPECT_EQ(print(copied.records.at(0)), passed);
    record.touch();
    const std::string changed = print(record);
    batch_.line(record);
    EXPECT_EQ(print(record), changed) << "looking into a line must not change how it is printed";
    copied.clear();
    copied.add_copy(record);
    EXPECT_EQ(print(copied.records.at(0)), changed);

    EXPECT_EQ(read(reader_, again_, passed), said);
    EXPECT_EQ(read(reader_, again_, changed), said);
    again_.records[0].touch();
    EXPECT_EQ(print(again_.records[0]), changed) << "printing what was printed must be the same";
  }

  test::FakeClock clock_;
  JsonlReader reader_{clock_};
  Batch batch_;
  Batch again_;
};

class HostileJsonBytes : public HostileJson, public testing::WithParamInterface<bool> {};

TEST_P(HostileJsonBytes, ComesOutAsItCameIn) {
  Generator generator(11);
  generator.odd_bytes = GetParam();
  for (int round = 0; round < 4000 && !HasFailure(); ++round) {
    std::string text = generator.record();
    settle(text);
    text = generator.damage(std::move(text));
    if (text.find_first_not_of(" \t\r") != std::string::npos) settle(text);
  }
}

// Another parser's word on the same text. It takes no lone surrogates and only UTF-8, so only texts without those are asked about.
TEST_F(HostileJson, IsUnderstoodAsByAnotherParser) {
  Generator generator(12);
  int valid = 0;
  for (int round = 0; round < 8'000 && !HasFailure(); ++round) {
    std::string text = generator.record();
    if (generator.below(3) == 0) text = generator.damage(std::move(text));
    if (text.find_first_not_of(" \t\r") == std::string::npos || text.find("\\ud") != std::string::npos || !base::is_utf8(text))
      continue;
    SCOPED_TRACE(base::escape_control(text));
    const Json json = Json::parse(text, nullptr, false);
    batch_.clear();
    const bool taken = reader_.parse(text, batch_).ok();
    if (json.is_discarded() || !json.is_object()) {
      EXPECT_FALSE(taken);
      continue;
    }
    if (!taken) continue;
    ++valid;
    Record& record = batch_.records.at(0);
    if (record.is_marker()) {
      EXPECT_FALSE(json.contains("line"));
      continue;
    }
    EXPECT_EQ(batch_.line(record), json.at("line").get<std::string>());
    EXPECT_EQ(record.tenant, json.value("tenant", ""));
    EXPECT_EQ(record.held, json.value("held", false));
    std::size_t labels = 0;
    const Json json_labels = json.value("labels", Json::object());
    const Json json_metadata = json.value("metadata", Json::object());
    for (const auto& [name, value] : json_labels.items()) {
      EXPECT_EQ(record.labels->get(name), value.get<std::string>());
      labels += value.get<std::string>().empty() ? 0 : 1;
    }
    EXPECT_EQ(record.labels->size(), labels);
    for (const auto& [name, value] : json_metadata.items()) {
      EXPECT_TRUE(std::ranges::count(record.metadata, Label{name, value.get_ref<const std::string&>()}) > 0) << name;
    }
    const Json printed = Json::parse(print(record), nullptr, false);
    ASSERT_TRUE(printed.is_object());
    for (const auto& [name, value] : json.items()) {
      const bool kept = !record.raw.empty() || name == "line" || name == "parsed" || name == "rejected";
      if (kept) {
        EXPECT_EQ(printed.at(name), value);
      }
    }
  }
  EXPECT_GT(valid, 2000);
}

INSTANTIATE_TEST_SUITE_P(, HostileJsonBytes, testing::Values(false, true),
                         [](const auto& param) { return param.param ? "OddBytes" : "Utf8"; });

}  // namespace
}  // namespace weir::record
