// `weir top`: which logs and namespaces write most, and which share of it rules drop.
//
// The stage counts what a tail reads and shows it at intervals; it passes nothing on. Rules only judge: no record is changed or
// dropped for anybody. What a spool has stored is counted by the same LogRates.
#pragma once

#include "base/wake.h"
#include "kube/access.h"
#include "pipeline/stage.h"
#include "show/top_table.h"
#include "spool/reader.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::stages {

// Counts by log: by namespace, pod and container, else by file, else by all labels but the stream. Not thread safe.
class LogRates {
 public:
  void add(const record::LabelSet& labels, const show::TopCount& count);
  // What was counted since the last call.
  [[nodiscard]] show::TopReport take(base::Timestamp now, base::Duration over, show::TopOrder order, bool judged);

 private:
  struct Known {
    record::LabelSetRef set;  // keeps the address from being used again
    std::size_t row;
  };
  std::vector<show::TopRow> rows_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::unordered_map<const record::LabelSet*, Known> by_set_;
};

// Who shows reports. Called on the thread that drives the chain.
class TopView {
 public:
  virtual ~TopView() = default;
  virtual base::Result<void> attach(base::Wake& wake) {
    static_cast<void>(wake);
    return {};
  }
  // Somebody at the keyboard may have asked for something. False: for the end.
  [[nodiscard]] virtual bool goes_on() { return true; }
  // False: nobody wants more.
  virtual base::Result<bool> show(const show::TopReport& report) = 0;
};

struct TopSpec {
  base::Duration interval = 2 * base::kSecond;
  std::uint64_t count = 0;  // reports; 0: without end
  show::TopOrder order = show::TopOrder::bytes;
  std::vector<std::string> rules;  // files and ConfigMaps
  kube::Access kube;               // where the ConfigMaps are
};

// Ends the chain, by context.stop, after the last report. `view` outlives it. Errors: those of RuleBook::open().
base::Result<std::unique_ptr<pipeline::Stage>> make_top(const TopSpec& spec, TopView& view, const pipeline::Context& context);

// The rates of what a spool has stored lately.
class SpoolRates {
 public:
  SpoolRates(std::unique_ptr<spool::Reader> reader, base::Duration over, show::TopOrder order)
      : reader_(std::move(reader)), over_(over), order_(order) {}

  // Over the time before `now`, or since the first block, where the spool is younger.
  base::Result<show::TopReport> read(base::Timestamp now);

 private:
  struct Stored {
    base::Timestamp at = 0;
    std::vector<spool::StreamInfo> streams;
  };
  std::unique_ptr<spool::Reader> reader_;
  const base::Duration over_;
  const show::TopOrder order_;
  std::map<std::uint64_t, Stored> blocks_;  // of this time, by number
};

}  // namespace weir::stages
