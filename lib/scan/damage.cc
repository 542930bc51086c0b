#include "scan/damage.h"

#include "base/count.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace weir::scan {

struct Damage::Account {
  explicit Account(base::Diagnostics& to) : diagnostics(to) {}
  base::Diagnostics& diagnostics;
  std::set<std::pair<std::string, std::uint64_t>> blocks;  // that were noted
  std::set<std::string> logs;                              // paths of spools
  std::uint64_t unreadable = 0;
  std::uint64_t evicted = 0;  // records, not said yet
};

Damage::Damage(base::Diagnostics& diagnostics) : account_(std::make_shared<Account>(diagnostics)) {}

void Damage::block(const std::string& path, std::uint64_t block, const std::string& why) {
  if (!account_->blocks.emplace(path, block).second) return;
  ++account_->unreadable;
  account_->diagnostics.say(why);
}

void Damage::log(const std::string& path, const std::string& why) {
  if (!account_->logs.insert(path).second) return;
  ++account_->unreadable;
  account_->diagnostics.say(why);
}

void Damage::evicted(const std::string& path, std::uint64_t block, std::uint64_t records) {
  if (account_->blocks.emplace(path, block).second) account_->evicted += records;
}

void Damage::say_evicted() {
  const std::uint64_t missing = std::exchange(account_->evicted, 0);
  if (missing == 0) return;
  account_->diagnostics.say(fmt::format("up to {} missing: the process that writes the spool removed {} meanwhile",
                                        base::count_of(missing, "record is", "records are"), missing == 1 ? "it" : "them"));
}

std::uint64_t Damage::unreadable() const { return account_->unreadable; }

}  // namespace weir::scan
