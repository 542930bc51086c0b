// A file with metrics that is written again and again, for the textfile collector of node_exporter.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace weir::monitor {

class MetricsFile {
 public:
  static constexpr base::Duration kEvery = 15 * base::kSecond;
  static constexpr base::Duration kAfterBegun = base::kSecond;

  // Finds out whether it could be written, and writes nothing: `run --check`.
  static base::Result<void> rehearse(const std::string& path);

  // Writes it for the first time, then every 15 s from a thread of its own. `text` is called on that thread, and here. A later
  // error is a warning, again when its cause changes; a message says when the file is written again. A link is followed, and what
  // is no regular file is left alone (base/own_file.h). Errors: io, full.
  static base::Result<std::unique_ptr<MetricsFile>> start(std::string path, std::function<std::string()> text,
                                                          base::Diagnostics& diagnostics, base::Duration every = kEvery);
  // The chain runs: writes the file a second later, because the first text shows none of the chain's metrics. From any thread.
  void begun();
  // Writes it for the last time.
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

 private:
  MetricsFile(std::string path, std::function<std::string()> text, base::Diagnostics& diagnostics, base::Duration every);
  void run();
  void write_or_warn();
  [[nodiscard]] base::Result<void> write() const;

  const std::string path_;
  const std::function<std::string()> text_;
  base::Diagnostics& diagnostics_;
  const base::Duration every_;
  std::string trouble_;  // why the last write failed; "" when it did not; of the thread that writes
  std::mutex mutex_;
  std::condition_variable changed_;
  bool begun_ = false;  // guarded by mutex_
  bool ends_ = false;   // guarded by mutex_
  std::thread thread_;
};

}  // namespace weir::monitor
