#include "tail/journal_options.h"

#include "base/hex.h"
#include "record/own_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace weir::tail {
namespace {

using base::Code;
using base::Result;

constexpr std::array<std::string_view, 8> kPriorities = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
constexpr std::array<std::string_view, 11> kUnitTypes = {".service", ".socket", ".device", ".mount", ".automount", ".swap",
                                                         ".target",  ".path",   ".timer",  ".slice", ".scope"};

std::optional<int> priority(std::string_view word) {
  if (word.size() == 1 && word[0] >= '0' && word[0] <= '7') return word[0] - '0';
  if (word == "error") word = "err";
  if (word == "warn") word = "warning";
  const auto* const found = std::ranges::find(kPriorities, word);
  if (found == kPriorities.end()) return std::nullopt;
  return static_cast<int>(found - kPriorities.begin());
}

bool is_field_name(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}

base::Error own_name() {
  return base::fail(Code::usage, "names of metadata that begin with {} are weir's own", record::kOwnPrefix)
      .with_hint("write NAME=KEY with another KEY");
}

}  // namespace

Result<JournalField> parse_journal_field(std::string_view text) {
  JournalField field;
  const std::size_t equals = text.find('=');
  field.name = text.substr(0, equals);
  if (!is_field_name(field.name))
    return base::fail(Code::usage, "it must be NAME or NAME=KEY, with the name of a field of the journal, such as _TRANSPORT");
  if (equals != std::string_view::npos) {
    field.key = text.substr(equals + 1);
    if (field.key.empty()) return base::fail(Code::usage, "the name of the metadata is missing behind '='");
    if (record::is_own_name(field.key)) return own_name();
    return field;
  }
  const std::string_view bare = std::string_view(field.name).substr(std::min(field.name.find_first_not_of('_'), field.name.size()));
  if (bare.empty()) return base::fail(Code::usage, "it must be the name of a field of the journal, such as _TRANSPORT");
  std::ranges::transform(bare, std::back_inserter(field.key),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  // A program may give an entry fields of any name.
  if (record::is_own_name(field.key)) return own_name();
  return field;
}

Result<std::uint8_t> parse_priorities(std::string_view text) {
  const std::size_t dots = text.find("..");
  const auto first = priority(dots == std::string_view::npos ? "emerg" : text.substr(0, dots));
  const auto last = priority(dots == std::string_view::npos ? text : text.substr(dots + 2));
  if (!first || !last) {
    return base::fail(Code::usage, "it must be a priority, or a range such as warning..err")
        .with_hint("priorities: emerg, alert, crit, err, warning, notice, info, debug, or 0 to 7");
  }
  unsigned bits = 0;
  for (int i = std::min(*first, *last); i <= std::max(*first, *last); ++i) bits |= 1U << static_cast<unsigned>(i);
  return static_cast<std::uint8_t>(bits);
}

std::string unit_name(std::string_view unit) {
  const bool typed = std::ranges::any_of(kUnitTypes, [&](std::string_view type) { return unit.ends_with(type); });
  return std::string(unit) + (typed ? "" : ".service");
}

std::vector<JournalTerms> JournalOptions::terms() const {
  JournalTerms of_units, of_priorities;
  for (const std::string& unit : units) {
    of_units.push_back({"_SYSTEMD_UNIT=" + unit});
    of_units.push_back({"_PID=1", "UNIT=" + unit});
    of_units.push_back({"_UID=0", "OBJECT_SYSTEMD_UNIT=" + unit});
    of_units.push_back({"MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1", "_UID=0", "COREDUMP_UNIT=" + unit});  // a core dump
    if (unit.ends_with(".slice")) of_units.push_back({"_SYSTEMD_SLICE=" + unit});
  }
  for (unsigned i = 0; priorities != kAllPriorities && i < kPriorities.size(); ++i) {
    if ((priorities >> i & 1U) != 0) of_priorities.push_back({"PRIORITY=" + std::to_string(i)});
  }
  return {std::move(of_units), std::move(of_priorities)};
}

bool selects(const std::vector<JournalTerms>& terms, const std::vector<std::string>& fields) {
  const auto has = [&](const std::string& match) { return std::ranges::find(fields, match) != fields.end(); };
  return std::ranges::all_of(terms, [&](const JournalTerms& list) {
    return list.empty() || std::ranges::any_of(list, [&](const auto& term) { return std::ranges::all_of(term, has); });
  });
}

Result<JournalCursor> parse_cursor(std::string_view text) {
  JournalCursor cursor;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    if (item.size() < 3 || item[1] != '=') continue;
    const std::string_view value = item.substr(2);
    if (!std::ranges::all_of(value, base::is_hex_digit)) continue;
    if (item[0] == 's' && value.size() == 32) cursor.id = value;
    if (item[0] == 'i') std::from_chars(value.data(), value.data() + value.size(), cursor.sequence, 16);
    if (item[0] == 't') std::from_chars(value.data(), value.data() + value.size(), cursor.realtime, 16);
  }
  if ((cursor.id.empty() || cursor.sequence == 0) && cursor.realtime == 0)
    return base::fail(Code::parse, "cannot read the cursor: it names no place in a journal");
  return cursor;
}

}  // namespace weir::tail
