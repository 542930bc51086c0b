// What of spools could not be read: each block is counted and said once, however many scans meet it.
#pragma once

#include "base/diagnostics.h"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::scan {

// A handle: copies of it share one account. A question that needs several scans gives all of them copies of one. Not thread safe.
class Damage {
 public:
  // Whoever reads once passes its diagnostics alone. They must outlive all copies.
  Damage(base::Diagnostics& diagnostics);  // NOLINT(google-explicit-constructor)

  // A block of the spool at `path`, with a message about it.
  void block(const std::string& path, std::uint64_t block, const std::string& why);
  // The spool at `path` has lost its write-ahead log: one block is counted, however many are missing.
  void log(const std::string& path, const std::string& why);
  // A block of so many records that was evicted while the spool was read.
  void evicted(const std::string& path, std::uint64_t block, std::uint64_t records);
  // Says how many records were evicted since the last call.
  void say_evicted();

  // Blocks: a lower bound.
  [[nodiscard]] std::uint64_t unreadable() const;

 private:
  struct Account;
  std::shared_ptr<Account> account_;
};

}  // namespace weir::scan
