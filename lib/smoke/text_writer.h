// Writers of lines: to the logs of pods, as a container runtime writes them, and to a descriptor, as a program in a container does.
// Both need a plan of Form::line.
#pragma once

#include "base/unique_fd.h"
#include "smoke/writer.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace weir::smoke {

// A folder like /var/log/pods: weir-smoke_smoke-1_UID/smoke/0.log and so on, in CRI form, lines over 16 KiB in parts. Streams 1 and
// 2 are stdout and stderr of the pod smoke-1, streams 3 and 4 of smoke-2. Each log is rotated twice, after a third of its batches.
class PodWriter : public Writer {
 public:
  static constexpr std::string_view kNamespace = "weir-smoke", kContainer = "smoke";
  [[nodiscard]] static std::string pod_of(std::uint32_t stream);               // "smoke-1"
  [[nodiscard]] static std::string_view stream_name_of(std::uint32_t stream);  // "stdout"

  // Makes the pods' folders below `folder`, which is there, with empty logs. `plan` must outlive it. Code::io.
  static base::Result<std::unique_ptr<PodWriter>> create(std::filesystem::path folder, const Plan& plan);

  base::Result<void> write(const PlannedBatch& batch) override;
  base::Result<void> finish(base::Monotonic) override { return {}; }
  [[nodiscard]] WriteReport report() const override { return {.bytes = bytes_.load(std::memory_order_relaxed)}; }

 private:
  struct Log {
    std::filesystem::path path;  // of the live file
    base::UniqueFd file;
    std::uint32_t batches = 0;  // of the plan
    std::uint32_t written = 0;  // batches
    std::uint32_t rotations = 0;
  };
  PodWriter(std::filesystem::path folder, const Plan& plan) : folder_(std::move(folder)), plan_(plan) {}
  static base::Result<void> open(Log& log);
  base::Result<void> rotate(Log& log, base::Timestamp now) const;

  const std::filesystem::path folder_;
  const Plan& plan_;
  std::vector<Log> logs_;
  std::atomic<std::uint64_t> bytes_{0};
};

// Writes to `fd`, which it does not own.
class LineWriter : public Writer {
 public:
  LineWriter(int fd, const Plan& plan) : fd_(fd), plan_(plan) {}
  base::Result<void> write(const PlannedBatch& batch) override;
  base::Result<void> finish(base::Monotonic) override { return {}; }
  [[nodiscard]] WriteReport report() const override { return {.bytes = bytes_.load(std::memory_order_relaxed)}; }

 private:
  const int fd_;
  const Plan& plan_;
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace weir::smoke
