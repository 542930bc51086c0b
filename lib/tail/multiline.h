// Joins lines that belong together into one record: those up to the next line that begins a record (a regular expression), or the
// lines of a stack trace (trace_shape.h).
//
// States of a group, of which each of stdout and stderr has at most one:
//   none      nothing is held
//   ordinary  one line that may turn out to be the head of a trace. When the lines at hand end it is passed on, unless it
//   may_head().
//             With a regular expression every first line waits for the next
//   open      lines that belong together
//   doubtful  behind them lines that belong to the group only if a later one does: a blank line between two goroutines, the second
//             line of a message
// Events:
//   a line of the same stream   joins, is doubtful, or closes the group and begins the next
//   the bounds                  a line with which the group would exceed its lines or bytes, or that is `wait` or more later than
//                               the last one by its own time, closes the group and begins the next
//   a line of the other stream  closes the group if it is `wait` or more later
//   interrupt()                 a piece of a line that is too long, or a record that was safe before: it stays alone
//   close()                     nothing came for `wait`; the log ended; a hole, a gap, a truncation
//   the budget                  the groups of all logs take too much memory, and these are the largest (group_budget.h)
// A closed group is one record. Doubtful lines are then judged anew, the first of them as the first line of a group.
//
// Invariants, on which it depends that a kill neither loses nor splits a record:
//   - What becomes of a line depends on the lines from its group's first one on, and their times, never on where blocks end or when
//     something is read. The exceptions are the budget, and close() after a time, which for lines with a time comes out as the
//     bound by time does: whoever writes later than that has a later time.
//   - A group's record has the END of its last line, and the first line of a group is judged without regard to what was before it.
//   So
//     reading that begins at any END makes the same records from there on. Whoever reads from further back, for the sake of the
//     other stream, knows what was safe, and passes it with interrupt().
//   - oldest() is where the first line of the oldest group begins: RESUME of what is passed on meanwhile.
//   - Records of one stream leave in the order of their lines.
//
// Lines stay views while the lines at hand last, and a group that ends meanwhile is not copied where its lines stand behind each
// other. What is open when they end is copied once.
//
// A group that ends with its file may go on in the next one. Its END lies in the file of its last line; whoever reports that file
// as finished waits until nothing that ends in it is held: holds().
#pragma once

#include "base/clock.h"
#include "record/positions.h"
#include "tail/format.h"
#include "tail/group_budget.h"
#include "tail/trace_shape.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

// Says of a line whether it is the first of a group: a regular expression, for one. Called for every line; allocates nothing.
class LineMatcher {
 public:
  LineMatcher() = default;
  LineMatcher(const LineMatcher&) = delete;  // shared
  LineMatcher& operator=(const LineMatcher&) = delete;
  virtual ~LineMatcher() = default;
  [[nodiscard]] virtual bool is_first(std::string_view line) const = 0;
};

struct Multiline {
  Shape shape = Shape::none;
  std::shared_ptr<const LineMatcher> matcher;  // of Shape::regex; thread safe
  base::Duration wait = base::kSecond;         // between two lines of a group
  std::size_t max_lines = 2000;                // of a group
  std::size_t max_bytes = 256 << 10;           // of a group, with the newlines between its lines
  std::shared_ptr<GroupBudget> budget;         // of all joiners with these options; null: no bound
};

// A line, and where it stands.
struct MultilineLine {
  std::string_view text;
  base::Timestamp timestamp = 0;
  Stream stream = Stream::none;
  bool timed = false;  // the time is its own, not that of reading
  record::Place start, end;
  std::size_t lines = 1;
};

// Of one log. Not thread safe.
class Joiner {
 public:
  using Line = MultilineLine;

  class Sink {
   public:
    // `text` lies in the batch, or is that of a line given during the present call.
    virtual void put_record(const Line& line) = 0;
    // Memory of the batch.
    virtual char* allocate_text(std::size_t size) = 0;

   protected:
    ~Sink() = default;
  };

  // `options` outlive it. `reader`: whose lines these are, for the budget.
  explicit Joiner(const Multiline& options, Reader* reader = nullptr) : options_(&options), member_(options.budget.get(), reader) {}

  // The text is valid until settle().
  void take(const Line& line, Sink& sink);
  // A record that `line` describes, but for its text, is about to be passed on by itself.
  void interrupt(const Line& line, Sink& sink);
  // No more lines for now; the texts that were given are about to go.
  void settle(Sink& sink);
  void close(Sink& sink);

  // Of what is held; null when nothing is.
  [[nodiscard]] const record::Place* oldest() const;
  [[nodiscard]] bool holds_any() const { return !groups_[0].parts.empty() || !groups_[1].parts.empty(); }
  // close() is to be called, because what is held is needed elsewhere.
  [[nodiscard]] bool is_asked() const { return member_.asked(); }
  // Something that ends in this generation is held.
  [[nodiscard]] bool holds(std::uint32_t generation) const;

 private:
  struct Part {
    const char* data;  // until it is kept
    std::size_t size;
    base::Timestamp timestamp;
    record::Place start, end;
    [[nodiscard]] std::string_view text() const { return {data, size}; }
  };
  struct Group {
    std::vector<Part> parts;  // none: no group
    std::size_t sure = 0;     // those behind are doubtful
    std::size_t kept = 0;     // so many have their text in `bytes`, each with a newline behind it
    std::string bytes;
    std::size_t size = 0;  // of all parts, with newlines between them
    Stream stream = Stream::none;
    bool timed = false;
    TraceState state = kOrdinary;
    bool head_asked = false, head_may = false;
  };

  static constexpr std::size_t kMostDoubtful = 32;

  void begin(Group& group, const Line& line, TraceState state);
  static void add(Group& group, const Line& line);
  void end(Group& group, Sink& sink);
  static Line joined(const Group& group, Sink& sink);
  static std::size_t trim(Group& group);
  void close_late(Group& group, const Line& line, Sink& sink);
  bool heads(Group& group);
  [[nodiscard]] bool is_late(const Group& group, const Line& line) const;
  Group& group_of(const Line& line) { return groups_[line.stream == Stream::standard_error ? 1 : 0]; }

  const Multiline* options_;
  GroupBudget::Member member_;
  std::array<Group, 2> groups_;  // malformed lines and those without a stream go with stdout, as their positions do
};

}  // namespace weir::tail
