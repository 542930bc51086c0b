// The rules of a filter: read when it starts, and again when their files or ConfigMaps change.
//
// States:
//   current   the set in use is what the files and ConfigMaps say
//   old       they say something that cannot be used, or files are not there: the set in use is the one before, or, at a start, the
//             one that the latest run used. The reason is reported once, and broken() is true until they can be used again
//   waiting   the API server has not answered since the start: of its ConfigMaps the text is the one that the latest run used, and
//             broken() is true. Files are as in the other states
//
// Events: open(); refresh(), on the thread that judges, between two batches. So one batch is judged by one set.
#pragma once

#include "base/file_watch.h"
#include "base/stable_hash.h"
#include "pipeline/stage.h"
#include "rules/rule_set.h"
#include "stages/rule_maps.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::stages {

struct RuleBookSpec {
  std::vector<std::string> files;  // and ConfigMaps (kube/config_map.h), read in this order, as one text
  kube::Access kube;               // where the ConfigMaps are
  // Where the latest usable text is kept for the next start: this path with something behind it. "": nowhere.
  std::string keep_beside;
  bool strict = false;  // a start with files that cannot be used fails, whatever is kept
  // Whether a buffer stands behind, which stores what is held and acts on releases; nothing: unknown, as in a pipe. Without one,
  // rules that hold cannot be used.
  std::optional<bool> buffer_behind = {};
  // For warnings (rules/check.h).
  std::optional<bool> levels_known = {};
  bool behind_buffer = false;
};

// Not thread safe.
class RuleBook {
 public:
  // Waits up to a second where a file was written just before, since it may be half a text (FileWatch::unsettled), unless the chain
  // is asked to end. Waits for the API server where there are ConfigMaps (RuleMaps::kPatience). Errors: config (a rule, with file,
  // line and caret; no rights), io, unreachable and network, where nothing usable is kept or `strict`; usage and config of a
  // ConfigMap's name and of `kube`.
  static base::Result<std::unique_ptr<RuleBook>> open(const RuleBookSpec& spec, const pipeline::Context& context);

  // For the thread that drives what is below, once.
  base::Result<void> attach(base::Wake& wake);

  // Reads all again where something has changed, or somebody asked for a reload. True: set() is another one. Never waits.
  bool refresh(base::Monotonic now);
  [[nodiscard]] base::Monotonic due() const { return watch_.due(); }

  [[nodiscard]] rules::RuleSet& set() { return set_; }
  [[nodiscard]] const rules::RuleSet& set() const { return set_; }
  // The text ids of the release rules that the latest run used and that set() did not have any more at open(): somebody removed
  // them while nothing ran.
  [[nodiscard]] const std::vector<std::string>& removed_releases() const { return removed_releases_; }
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] base::Timestamp read_at() const { return read_at_; }  // when set() was read
  [[nodiscard]] std::uint64_t reloads() const { return reloads_; }    // that took effect
  [[nodiscard]] std::uint64_t failures() const { return failures_; }  // files that could not be used

 private:
  RuleBook(RuleBookSpec spec, RuleMaps maps, const pipeline::Context& context);
  struct Text {
    std::string whole;          // of all files
    std::vector<bool> written;  // by file: false where it is empty
    rules::RuleSet set;
  };
  [[nodiscard]] base::Result<Text> read() const;
  [[nodiscard]] std::vector<std::optional<std::string_view>> sections_in(std::string_view kept) const;
  [[nodiscard]] std::vector<std::string> plain_files() const;
  [[nodiscard]] bool has_files() const { return !maps_.covers(spec_.files.size()); }
  base::Result<void> hear_of_maps(const base::Result<std::string>& kept);
  void wait_for_whole_files();
  [[nodiscard]] base::Hash128 contents() const;
  [[nodiscard]] std::string kept_path() const;
  void keep(const std::string& text) const;
  void note_removed_releases(const std::string& before);
  void warn() const;

  const RuleBookSpec spec_;
  const pipeline::Context context_;
  RuleMaps maps_;
  base::FileWatch watch_;
  rules::RuleSet set_;
  std::vector<bool> written_;  // by file, in the text in use: only what had rules can have become empty
  std::vector<std::string> removed_releases_;
  std::string failure_;    // that was reported last
  base::Hash128 refused_;  // contents() then
  int reloads_asked_ = 0;
  bool broken_ = false;
  base::Timestamp read_at_ = 0;
  std::uint64_t reloads_ = 0, failures_ = 0;
};

}  // namespace weir::stages
