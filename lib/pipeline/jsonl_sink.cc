#include "pipeline/jsonl_sink.h"

#include "base/visible.h"
#include "pipeline/output.h"
#include "pipeline/output_count.h"
#include "record/jsonl_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>

namespace weir::pipeline {
namespace {

using base::Code;

constexpr int kPipeSize = 1 << 20;
constexpr std::size_t kWrite = 256 << 10;  // written as soon as it is reached
constexpr std::size_t kKeep = 1 << 20;     // of the buffer's memory after a very long line

// JSON lines that say the same and drive no terminal: what base/visible.h would not show stands within strings, where it can be
// escaped.
std::string for_terminal(std::string_view text) {
  std::string out;
  base::append_visible(out, text, [&out](std::string_view rest) -> std::size_t {
    if (rest[0] == '\n') {
      out += '\n';
    } else if (static_cast<unsigned char>(rest[0]) < 0x80) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(rest[0]));
    } else {
      return 0;
    }
    return 1;
  });
  return out;
}

class JsonlSink : public Stage {
 public:
  JsonlSink(const JsonlSinkOptions& options, const Context& context)
      : context_(context), output_(options.fd, context), count_(context), terminal_(::isatty(options.fd) == 1) {
    // Fewer, larger writes. Fails on anything but a pipe, and where the kernel's limit is lower: both are fine.
    ::fcntl(options.fd, F_SETPIPE_SZ, kPipeSize);
  }

  [[nodiscard]] std::string_view name() const override { return "output"; }
  [[nodiscard]] Counters counters() const override { return count_.counters(); }

  Result<Flow> consume(Batch& batch, Outlet&) override {
    auto flow = put(batch);
    count_.end_of_batch(batch, flow && *flow == Flow::more);
    return flow;
  }

  [[nodiscard]] int reader_fd() const override { return output_.reader_fd(); }

  Result<Flow> reader_left() override {
    if (!tracked_) return Flow::done;
    // A signal goes to all of a pipe, and who is behind may have been faster.
    const bool stopped = context_.stop != nullptr && context_.stop->stopped();
    return base::fail(stopped ? Code::interrupted : Code::io, "cannot write the output: its reader went away")
        .with_hint("nothing is lost: what was not passed on is read again at the next start");
  }

 private:
  Result<Flow> put(const Batch& batch) {
    std::string_view run;  // records nobody changed that lie one behind the other, newlines between them
    for (const Record& record : batch.records) {
      if (record.is_marker()) {
        if (record.marker->type == record::Marker::Type::begin) tracked_ = true;
      } else {
        count_.take(record);
      }
      if (record.raw.empty()) {
        append(run);
        run = {};
        record::append_jsonl(out_, record);
      } else if (!run.empty() && run.data() + run.size() + 1 == record.raw.data()) {
        run = {run.data(), run.size() + 1 + record.raw.size()};
      } else {
        append(run);
        run = record.raw;
      }
      if (out_.size() >= kWrite) {
        // A run that began before this record was written with what stands before it.
        auto flow = write(run.empty() || record.is_marker() ? nullptr : &record);
        if (!flow || *flow == Flow::done) return flow;
      }
    }
    append(run);
    return write(nullptr);
  }

  void append(std::string_view run) {
    if (run.empty()) return;
    out_ += run;
    out_ += '\n';
  }

  Result<Flow> write(const Record* but_for) {
    auto flow = terminal_ ? output_.write(for_terminal(out_)) : output_.write(out_);
    if (!flow) return flow;
    if (*flow == Flow::done) return reader_left();
    count_.written(but_for);
    out_.clear();
    if (out_.capacity() > kKeep) out_.shrink_to_fit();
    return Flow::more;
  }

  const Context context_;
  Output output_;
  OutputCount count_;
  const bool terminal_;
  std::string out_;
  std::atomic<bool> tracked_ = false;  // the source may ask while a thread of a stage in between writes
};

}  // namespace

std::unique_ptr<Stage> make_jsonl_sink(const JsonlSinkOptions& options, const Context& context) {
  return std::make_unique<JsonlSink>(options, context);
}

}  // namespace weir::pipeline
