#include "smoke/text_writer.h"

#include "base/utf8.h"
#include "record/timestamp.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace weir::smoke {

using base::Result;

namespace {

constexpr std::size_t kPart = 16 << 10;  // bytes after which a runtime ends a part of a line
constexpr std::uint32_t kRotations = 2;

Result<void> write_all(int fd, std::string_view text, const std::string& what) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::io_error(errno, what);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

// With nine digits, as runtimes write it.
std::string cri_time(base::Timestamp time) {
  const auto seconds = static_cast<std::time_t>(time / base::kSecond);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", parts, time % base::kSecond);
}

void append_cri(std::string& out, base::Timestamp time, std::string_view stream, std::string_view line) {
  const std::string head = fmt::format("{} {} ", cri_time(time), stream);
  while (line.size() > kPart) {
    ((out += head) += "P ").append(line.substr(0, kPart)) += '\n';
    line.remove_prefix(kPart);
  }
  ((out += head) += "F ").append(line) += '\n';
}

}  // namespace

std::string PodWriter::pod_of(std::uint32_t stream) { return fmt::format("smoke-{}", (stream + 1) / 2); }
std::string_view PodWriter::stream_name_of(std::uint32_t stream) { return stream % 2 == 1 ? "stdout" : "stderr"; }

Result<std::unique_ptr<PodWriter>> PodWriter::create(std::filesystem::path folder, const Plan& plan) {
  std::unique_ptr<PodWriter> writer(new PodWriter(std::move(folder), plan));
  for (std::uint32_t stream = 1; stream <= plan.streams(); stream += 2) {
    const std::string uid = fmt::format("00000000-0000-4000-8000-{:0>12}", fmt::format("{:x}", (stream + 1) / 2));
    Log log;
    log.path = writer->folder_ / fmt::format("{}_{}_{}", kNamespace, pod_of(stream), uid) / std::string(kContainer) / "0.log";
    std::error_code error;
    std::filesystem::create_directories(log.path.parent_path(), error);
    if (error) return base::io_error(error.value(), fmt::format("create '{}'", log.path.parent_path().string()));
    if (auto opened = open(log); !opened) return std::move(opened).error();
    writer->logs_.push_back(std::move(log));
  }
  for (std::uint32_t index = 0; index < plan.batches(); ++index) ++writer->logs_[(plan.batch(index).stream - 1) / 2].batches;
  return writer;
}

Result<void> PodWriter::open(Log& log) {
  log.file.reset(::open(log.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!log.file) return base::io_error(errno, fmt::format("create '{}'", log.path.string()));
  return {};
}

Result<void> PodWriter::rotate(Log& log, base::Timestamp now) const {
  // As the kubelet names it. The number keeps two rotations of one second apart.
  const auto seconds = static_cast<std::time_t>(now / base::kSecond) + log.rotations;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  const std::filesystem::path rotated = fmt::format("{}.{:%Y%m%d-%H%M%S}", log.path.string(), parts);
  if (::rename(log.path.c_str(), rotated.c_str()) != 0) return base::io_error(errno, fmt::format("rename '{}'", log.path.string()));
  ++log.rotations;
  return open(log);
}

Result<void> PodWriter::write(const PlannedBatch& batch) {
  Log& log = logs_[(batch.stream - 1) / 2];
  std::string text;
  base::Timestamp time = 0;
  for (std::uint32_t number = batch.first; number < batch.first + batch.size; ++number) {
    const PlannedRecord record = plan_.record(number);
    append_cri(text, record.time, stream_name_of(batch.stream), record.line);
    bytes_.fetch_add(record.line.size(), std::memory_order_relaxed);
    time = record.time;
  }
  // Not before each of its two streams has had a batch, which whoever follows it has read by then.
  if (log.rotations < kRotations && log.written >= 2 && log.written > log.batches * (log.rotations + 1) / (kRotations + 1)) {
    if (auto rotated = rotate(log, time); !rotated) return rotated;
  }
  ++log.written;
  return write_all(log.file.get(), text, fmt::format("write to '{}'", log.path.string()));
}

Result<void> LineWriter::write(const PlannedBatch& batch) {
  std::string text;
  for (std::uint32_t number = batch.first; number < batch.first + batch.size; ++number) {
    const PlannedRecord record = plan_.record(number);
    (text += record.line) += '\n';
    bytes_.fetch_add(record.line.size(), std::memory_order_relaxed);
  }
  return write_all(fd_, text, "write the records to standard output");
}

}  // namespace weir::smoke
