// What became of the records of a plan: the Judge is told what was sent, seen, read back and counted, and gives the Verdict. No
// I/O, no clock.
//
// Every record must be there once, in time, with its line, metadata, time and labels, and in the order of its stream. Loki itself
// decides how entries at one time follow each other (it sorts them by their metadata), so their order is not judged.
#pragma once

#include "base/clock.h"
#include "record/label_set.h"
#include "smoke/plan.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::smoke {

enum class Fault : std::uint8_t {
  missing,
  refused,     // Loki did not take it
  late,        // it came after the time that is allowed
  repeated,    // it is there more than once
  truncated,   // the line is cut
  changed,     // the line is another one
  metadata,    // metadata is missing or has another value
  time,        // it has another timestamp
  labels,      // its stream has other labels
  order,       // it stands before an earlier record of its stream
  unexpected,  // it carries the run's id, and the run did not send it
  count,       // count_over_time counts fewer than query_range shows, or records that are missing there
  command,     // the command of --via failed
};
inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::command) + 1;

[[nodiscard]] std::string_view name_of(Fault fault);  // for programs: "missing", "wrong_order", …
// A sentence about so many records, without a full stop: "8 records are missing".
[[nodiscard]] std::string sentence(Fault fault, std::uint64_t count);

inline constexpr std::size_t kExamples = 3;

struct Finding {
  Fault fault = Fault::missing;
  std::uint64_t count = 0;
  std::vector<std::string> examples;  // at most kExamples; may hold bytes of lines: escape before a terminal shows them
};

// Nanoseconds from the moment a record was handed over to the moment an answer of Loki first held it.
struct Latency {
  std::vector<base::Duration> all;  // ascending; the others mean nothing when it is empty
  base::Duration p50 = 0, p95 = 0, p99 = 0, most = 0;
};

struct Verdict {
  std::uint64_t sent = 0;                // records that were handed over
  std::uint64_t arrived = 0;             // of those, how many were read back, repeats left out
  std::uint64_t entries = 0;             // what query_range showed
  std::uint64_t joined = 0;              // lines that arrived within a record with others, since a stage joined them
  std::optional<std::uint64_t> counted;  // by count_over_time
  Latency latency;
  std::vector<Finding> findings;  // in the order of Fault

  [[nodiscard]] bool good() const { return findings.empty(); }
  [[nodiscard]] std::uint64_t count_of(Fault fault) const;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// What is known of the records' labels and times before they are read back.
struct Expectation {
  std::vector<Labels> labels;  // of stream 1, 2, …, which each of its records has; none for a stream beyond
  bool only_these = false;     // no others, except service_name, which Loki adds
  bool times = true;           // a record keeps the time of the plan
};

struct Arrived {
  base::Timestamp time = 0;
  std::string_view line;
  std::span<const record::Label> metadata;
  std::span<const record::Label> labels;
};

// Not thread safe. The plan must outlive it.
class Judge {
 public:
  // A record may take `allowed` to be there. 0: for ever.
  Judge(const Plan& plan, Expectation expectation, base::Duration allowed);

  // Records first, …, first + size - 1 were handed over.
  void sent(std::uint32_t first, std::uint32_t size, base::Monotonic at);
  // What one look at Loki showed, for the latency: look() begins it, then each record. A record is seen when it is shown first.
  void look() { same_in_look_ = 0; }
  void seen(const Arrived& arrived, base::Monotonic at);
  // The first record that was sent and not seen, 0 for none.
  [[nodiscard]] std::uint32_t first_unseen() const;
  [[nodiscard]] std::uint32_t unseen() const { return sent_ - seen_; }
  // Of them, those that may still come: Loki did not refuse them.
  [[nodiscard]] std::uint32_t awaited() const;

  // A record of each stream was seen, so that whatever delivers them follows all.
  [[nodiscard]] bool saw_each_stream() const;

  // The last look, in the order of time: everything that is there.
  void take(const Arrived& arrived);
  // It was taken before, as far as that can be told.
  [[nodiscard]] bool knows(const Arrived& arrived) const;
  // Something that the selector does not find: its labels are wrong, whatever is known of them.
  void take_elsewhere(const Arrived& arrived);
  // Without a last look: Loki took this record.
  void taken(std::uint32_t number) { states_[number - 1].times = 1; }
  // By count_over_time.
  void counted(std::uint64_t count) { counted_ = count; }
  void stored_times(std::uint32_t number, std::uint64_t times);
  // Loki's words about records that it did not take.
  void refused(std::uint32_t first, std::uint32_t size, std::string_view words);
  void command_failed(std::string words);

  // Records that take() found, repeats left out.
  [[nodiscard]] std::uint64_t arrived() const;
  // The entries of all that take() found, repeats left out: what counting must give.
  [[nodiscard]] std::uint64_t listed() const;
  [[nodiscard]] std::uint32_t sent() const { return sent_; }

  [[nodiscard]] Verdict verdict() const;

 private:
  struct State {
    base::Monotonic sent_at = -1, seen_at = -1;
    std::uint32_t times = 0;  // that take() found it
    std::int32_t refusal = -1;
  };
  struct Notes {
    std::uint64_t count = 0;
    std::vector<std::string> examples;
  };
  struct Progress {  // of a stream, while it is taken
    base::Timestamp time = 0;
    std::uint32_t number = 0;
  };

  [[nodiscard]] bool has(std::uint32_t number) const { return states_[number - 1].times > 0; }
  void see(std::uint32_t number, base::Monotonic at);
  [[nodiscard]] std::uint32_t same_line_at(base::Timestamp time) const;  // 0: none
  void take_line(const Arrived& arrived, std::string_view line, bool joined);
  void check_line(const PlannedRecord& wanted, std::string_view line);
  void check_metadata(const PlannedRecord& wanted, const Arrived& arrived);
  bool check_labels(const PlannedRecord& wanted, const Arrived& arrived);  // true: they are right
  void check_order(const PlannedRecord& wanted, const Arrived& arrived);
  void note(Fault fault, std::string example);
  [[nodiscard]] std::string name(std::uint32_t number) const;  // "record 17 of stream 2 (Unicode)"

  const Plan& plan_;
  const Expectation expectation_;
  const base::Duration allowed_;
  std::vector<State> states_;
  std::vector<std::uint32_t> same_lines_;  // the numbers of the records with the same line, in Form::line
  std::size_t same_in_look_ = 0;
  bool elsewhere_ = false;  // within take_elsewhere()
  std::uint32_t sent_ = 0, seen_ = 0;
  std::uint64_t entries_ = 0, joined_ = 0;
  std::vector<Progress> progress_;
  std::optional<std::uint64_t> counted_;
  std::map<std::uint32_t, std::uint64_t> stored_;
  std::vector<std::string> refusals_;
  std::array<Notes, kFaults> notes_;
};

}  // namespace weir::smoke
