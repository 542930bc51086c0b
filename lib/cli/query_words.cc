#include "cli/query_words.h"

#include "base/suggestion.h"
#include "base/visible.h"
#include "cli/selection_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>

namespace weir::cli {
namespace {

using base::Code;
using base::fail;
using base::Result;
using What = stages::QuerySpec::What;

// A file in the format of SQLite.
bool is_spool(const std::string& word) {
  constexpr std::string_view kBegin = "SQLite format 3";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(word, ignored)) return false;
  char begin[kBegin.size()] = {};
  std::ifstream(word, std::ios::binary).read(begin, sizeof begin);
  return std::string_view(begin, sizeof begin) == kBegin;
}

bool is_name(const std::string& word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

// A label has any name that a stream can have, but for what stands in a query only.
bool is_label(const std::string& word) {
  return !word.empty() && word.find_first_of("{}()[]|=\"`'<>!, \t\n") == std::string::npos && !is_spool(word);
}

bool is_number(const std::string& word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

struct Verb {
  std::string_view word;
  What what = What::records;
  bool instant = false;
};

const Verb* find(std::string_view word) {
  constexpr static std::array<Verb, 11> kVerbs = {{{"logs"},
                                                   {"query"},
                                                   {"instant-query", What::records, true},
                                                   {"labels", What::labels},
                                                   {"series", What::series},
                                                   {"stats", What::stats},
                                                   {"volume", What::volume},
                                                   {"fields", What::fields},
                                                   {"detected-fields", What::fields},
                                                   {"values", What::values},
                                                   {"fmt", What::format}}};
  const auto* found = std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& verb) { return verb.word == word; });
  return found == kVerbs.end() ? nullptr : found;
}

// Where a query begins with a bare name, which LogQL never does: what to write instead; "" where that cannot be told.
std::string meant_by_name(const std::string& verb, const QueryQuestion& question, std::span<const std::string> rest) {
  if (rest.empty() || !is_name(rest[0]) || is_number(rest[0])) return {};
  const std::string& name = rest[0];
  if (question.what == What::volume) return fmt::format("sums for the values of a label: weir query volume --by {}", name);
  if (question.what == What::labels && !question.label.empty())
    return fmt::format("one label at a time: weir query labels {}", name);
  if (question.what != What::records || rest.size() > 1 || verb != name) return {};
  for (const std::string_view label : {"namespace", "pod", "container"}) {
    if (name == label || name == std::string(label) + 's') return fmt::format("its values: weir query labels {}", label);
  }
  const std::vector<std::string> known = {"logs", "labels", "series", "stats", "volume", "fields", "values", "fmt"};
  const auto nearest = base::nearest(name, known);
  return nearest.empty() ? std::string()
                         : fmt::format("did you mean: weir query {0}? to search for a text: |= \"{1}\"", nearest, name);
}

}  // namespace

Result<QueryQuestion> read_query_words(const std::vector<std::string>& words, const tail::Selection& selection,
                                       const QueryWordsContext& context) {
  std::span<const std::string> rest(words);
  const auto take = [&] { rest = rest.subspan(1); };
  QueryQuestion question;
  const std::string verb = rest.empty() ? std::string() : rest[0];
  if (const auto* known = find(verb); known != nullptr) {
    question.what = known->what;
    question.instant = known->instant;
    take();
  }
  if (verb == "labels" || verb == "values") {
    if (!rest.empty() && is_label(rest[0])) {
      question.label = rest[0];
      take();
    } else if (verb == "values") {
      return fail(Code::usage, "cannot list values: the field is missing")
          .with_hint("`weir query fields` lists fields; then: weir query values FIELD '{…}'");
    }
  }
  if (verb == "detected-fields" && rest.size() == 2 && is_label(rest[1])) {
    question.what = What::values;
    question.label = rest[1];
    rest = rest.first(1);
  }
  if (verb == "volume_range") {
    return fail(Code::usage, "cannot ask for a volume at several times")
        .with_hint("the same as a metric query: weir query 'sum by (app) (bytes_over_time({…}[1h]))' --step 1h");
  }
  if (verb == "delete") {
    return fail(Code::usage, "cannot delete records here: weir query only reads")
        .with_hint("curl -X POST -G $LOKI_ADDR/loki/api/v1/delete --data-urlencode query='{…}' …");
  }
  if (question.what == What::format) {
    if (!matchers(selection).empty()) {
      return fail(Code::usage, "cannot take -n, -p or -c with fmt").with_hint("write them into the selector of the query");
    }
    question.input = rest.empty() || rest[0] == "-";
    if (question.input && rest.size() > 1) {
      return fail(Code::usage, "cannot take '{}' as a second query", rest[1]).with_hint("- is the query on standard input");
    }
    if (question.input && !rest.empty()) take();
  }
  if (!rest.empty() && rest[0] == "ago" && context.time_given) {
    return fail(Code::usage, "cannot take 'ago' as a query").with_hint("leave it out: --since 2h means the last two hours");
  }
  for (const std::string& word : rest) {
    if (!is_spool(word)) continue;
    return fail(Code::usage, "cannot take '{}' as a query: it is a spool", base::escape_control(word))
        .with_hint(fmt::format("weir query --spool '{}'", base::escape_control(word)));
  }
  if (!rest.empty() && context.follow && is_number(rest[0])) {
    return fail(Code::usage, "cannot take '{}' as a query", rest[0])
        .with_hint(fmt::format("to begin with the newest {0} records: -f --limit {0}", rest[0]));
  }
  if (auto meant = meant_by_name(verb, question, rest); !meant.empty()) {
    return fail(Code::usage, "cannot take '{}' as a query", rest[0]).with_hint(std::move(meant));
  }
  if (rest.size() > 1) {
    return fail(Code::usage, "cannot take '{}' as a second query", rest[1])
        .with_hint("put the whole query into quotes: weir query '{namespace=\"shop\"} |= \"error\"'");
  }
  auto narrowed = narrow(selection, rest.empty() ? std::string() : rest[0]);
  if (!narrowed) return std::move(narrowed).error();
  question.logql = *std::move(narrowed);
  return question;
}

}  // namespace weir::cli
