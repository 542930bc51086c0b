// The records around those that match, of the same log: `weir query -B 2 -A 5`.
//
//   log      the records of a container, or of whatever has the same labels but for `stream`: stdout and stderr belong together
//   group    records of one log that follow each other: matches, and the context around them. Context that overlaps or adjoins is
//            one group
//   ring     of each log the latest records that belong to no group, for the next match
//
// Groups come in the order of their first records, and are numbered in this order. A match that is still to come may bring context
// that is older than a group which is complete. So groups wait, up to `most` bytes of them; then the first is passed on as it is,
// and what still belongs to it comes later, under its number. Within so many bytes the order is exact, and memory does not grow
// with the answer: it is bounded by `most`, and by the rings.
//
// Each record of a group has the metadata of record/context_mark.h.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/label_set.h"
#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace weir::stages {

// Not thread safe.
class ContextLines {
 public:
  // Takes a group, or a part of one that is very long; false: no more are wanted.
  using Each = std::function<base::Result<bool>(record::Batch& batch)>;

  ContextLines(std::size_t before, std::size_t after, Each each, std::size_t most = 8UL << 20U);
  ~ContextLines();
  ContextLines(const ContextLines&) = delete;  // logs and groups point to each other
  ContextLines& operator=(const ContextLines&) = delete;

  // The next record of its log. False: no more are wanted.
  base::Result<bool> add(record::Batch& batch, record::Record& record, bool matches);
  // Of the log of these labels, records are left out here.
  void skip(const record::LabelSet& labels);
  // Whether the log of these labels has a group that the next record may belong to.
  [[nodiscard]] bool is_open(const record::LabelSet& labels);
  // Passes on all groups: there are no more records, or none before those that were passed on.
  base::Result<bool> finish();

  [[nodiscard]] std::uint64_t matches() const { return matches_; }
  [[nodiscard]] std::size_t open() const { return open_; }  // groups that a later record may belong to

 private:
  struct Group;
  struct Ring;
  struct Log;
  Log& log_of(const record::LabelSet& labels);
  void append(Log& log, const record::Record& record, std::string_view place);
  void close(Log& log);
  // The first groups, until no more than `most` bytes wait.
  base::Result<bool> pass_on(std::size_t most);

  std::size_t before_, after_, most_;
  Each each_;
  std::unordered_map<const record::LabelSet*, std::unique_ptr<Log>> logs_;  // by their labels without `stream`
  struct Known {
    record::LabelSetRef set;  // keeps the address from being used again
    Log* log = nullptr;
  };
  std::unordered_map<const record::LabelSet*, Known> known_;
  using Order = std::pair<base::Timestamp, std::uint64_t>;  // the time of the first record, and which began to wait first
  std::map<Order, std::unique_ptr<Group>> groups_;
  std::uint64_t begun_ = 0;  // groups, and parts of them
  std::size_t held_ = 0;     // bytes of complete and open groups
  std::size_t open_ = 0;
  std::uint64_t numbers_ = 0, matches_ = 0;
};

}  // namespace weir::stages
