// A spool that appears under its name when it is complete: a copy, or an export.
//
// It is made as NAME-partial, under the lock NAME-making. A process that is killed leaves these behind, and never half a spool
// under NAME; the next one to the same place removes them and starts again.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/lock_file.h"

#include <string>
#include <string_view>

namespace weir::spool {

// Not thread safe. Movable. What was not finished is removed by the destructor.
class NewSpool {
 public:
  // `to` is where the spool will stand, and `what` stands in errors: "cannot WHAT 'TO': …" ("copy to"). Errors: usage (something
  // stands there), busy (another process makes it), full, io.
  static base::Result<NewSpool> begin(const std::string& to, std::string_view what, const base::Clock& clock);
  NewSpool(NewSpool&& other) noexcept;
  NewSpool& operator=(NewSpool&&) = delete;
  ~NewSpool();

  // Where to make it.
  [[nodiscard]] const std::string& partial() const { return partial_; }
  // Removes what stands there, to start again.
  void discard() const;

  // The file at partial() is closed. Now it gets its name, and both are on the disk. Nothing that has come to stand there meanwhile
  // is replaced. Errors: as begin(); full also when a log with records is left beside the file.
  base::Result<void> finish();

 private:
  NewSpool(std::string to, std::string what, LockFile lock);
  [[nodiscard]] base::Error taken(const std::string& path) const;

  std::string to_, what_, partial_;
  LockFile lock_;
};

}  // namespace weir::spool
