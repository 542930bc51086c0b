// The declaration of a metric: a constant beside the code that counts it, written once. Exit code, summary, tests and a scrape read
// what is counted under it.
//
//   constexpr auto kIn = metrics::counter("weir_filter_input_records_total", "records", "Records that filter got.",
//                                         metrics::Account::in);
//
// A name is weir_STAGE_WHAT_UNIT, with _total behind it for a counter: anything else does not compile.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace weir::metrics {

enum class Kind : std::uint8_t {
  counter,    // only grows; what a stage has counted stays in the totals when it goes
  gauge,      // as of now; goes with its stage
  histogram,  // counts values by size; what was counted stays, as with a counter
};

// A value of the unit "seconds" is kept in nanoseconds, also a time since 1970. This one stands for "never": text shows +Inf.
inline constexpr std::uint64_t kInfinite = ~std::uint64_t{0};

// The part that a metric plays in the books. Of the records of every stage, between two batches:
//   in + added = out + dropped + held + rejected + in_flight
enum class Account : std::uint8_t {
  none,
  in,         // came in; of a source: was read
  added,      // made by the stage itself, or from before this process
  out,        // passed on, delivered, written
  dropped,    // goes no further, for a reason that the label names; also what was evicted or damaged before its turn
  held,       // kept back until somebody says otherwise
  rejected,   // refused for good, for a reason that the label names (exit 3)
  in_flight,  // a gauge: in the stage, or in its file, and to go on
  // Not in the balance: they say something of what is counted above, or of what never was a record.
  invalid,     // input that was no record and goes on as one (exit 3)
  lost,        // for good, in any unit (exit 3)
  unreadable,  // files (exit 3)
};

// It is part of the balance above, which holds between two batches only.
constexpr bool in_balance(Account account) { return account != Account::none && account < Account::invalid; }

// What one value for several blocks is, where several pipelines of a process have the same stage.
enum class Join : std::uint8_t {
  sum,       // counters, and gauges of records, bytes, files, …
  largest,   // gauges in seconds, also of points in time, and ratios: the worst age, the latest moment
  smallest,  // such as a time that is left
};

// Lives for ever: a constant of static storage.
struct Metric {
  Kind kind = Kind::counter;
  Account account = Account::none;
  std::string_view name;
  std::string_view unit;    // plural: records, bytes, files
  std::string_view help;    // one sentence
  std::string_view label;   // of a family: the label that distinguishes its values; of a table several, with commas; else ""
  std::uint32_t most = 32;  // of a family: values of the label, one of them "other"; of a table: rows
  std::span<const std::uint64_t> bounds;  // of a histogram: the upper bounds of its buckets, ascending; the last bucket has none
  Join join = Join::sum;
};

namespace internal {

void misdeclared(const char* why);  // has no body, and is no constant expression: calling it fails the build

consteval Metric checked(Metric metric) {
  const std::string_view total = "_total";
  std::string_view name = metric.name;
  if (!name.starts_with("weir_")) misdeclared("the name does not begin with weir_");
  for (const char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
      misdeclared("the name has a character besides a-z, 0-9 and _");
  if (name.ends_with(total) != (metric.kind == Kind::counter))
    misdeclared("_total stands behind the names of counters, and of no others");
  if (metric.kind == Kind::counter) name.remove_suffix(total.size());
  if (metric.unit.empty() || !name.ends_with(metric.unit)) misdeclared("the name does not end with its unit");
  name.remove_suffix(metric.unit.size());
  if (!name.ends_with('_') || name.size() < std::string_view("weir_a_b_").size())
    misdeclared("the name lacks a stage or a word for what is counted");
  if (metric.help.size() < 2 || !metric.help.ends_with('.')) misdeclared("the help is no sentence");
  const bool needs_label = metric.account == Account::dropped || metric.account == Account::rejected;
  if (needs_label && metric.label.empty()) misdeclared("what is dropped or rejected has a label for the reason");
  if (metric.account == Account::in_flight && metric.kind != Kind::gauge) misdeclared("what is in flight is a gauge");
  return metric;
}

}  // namespace internal

consteval Metric counter(std::string_view name, std::string_view unit, std::string_view help, Account account = Account::none,
                         std::string_view label = {}, std::uint32_t most = 32) {
  return internal::checked({Kind::counter, account, name, unit, help, label, most, {}});
}

consteval Metric gauge(std::string_view name, std::string_view unit, std::string_view help, Account account = Account::none,
                       std::string_view label = {}, std::uint32_t most = 32) {
  const Join join = unit == "seconds" || unit == "ratio" ? Join::largest : Join::sum;
  return internal::checked({Kind::gauge, account, name, unit, help, label, most, {}, join});
}

// A gauge of which the smallest value counts.
consteval Metric smallest(Metric gauge) {
  if (gauge.kind != Kind::gauge || gauge.account != Account::none)
    internal::misdeclared("only a gauge outside the books has a smallest value");
  gauge.join = Join::smallest;
  return gauge;
}

// `bounds` has static storage.
consteval Metric histogram(std::string_view name, std::string_view unit, std::string_view help,
                           std::span<const std::uint64_t> bounds) {
  if (bounds.empty()) internal::misdeclared("a histogram has no bounds");
  return internal::checked(
      {Kind::histogram, Account::none, name, unit, help, "le", static_cast<std::uint32_t>(bounds.size() + 2), bounds});
}

}  // namespace weir::metrics
