#include "stages/output_sink.h"

#include "pipeline/jsonl_sink.h"
#include "pipeline/output.h"
#include "pipeline/output_count.h"
#include "record/context_mark.h"
#include "show/text_format.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

namespace weir::stages {

using base::Code;
using base::fail;
using base::Result;
using pipeline::Context;
using pipeline::Counters;
using pipeline::Flow;
using pipeline::Outlet;
using record::Batch;
using record::Record;

namespace {

constexpr std::size_t kWrite = 64 << 10;  // written as soon as it is reached
constexpr std::size_t kKeep = 1 << 20;    // of the buffer's memory after a very long line

std::string_view variable(const Context& context, const char* name) {
  const char* value = context.environment == nullptr ? nullptr : context.environment(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool wants_color(OutputOptions::Color color, bool terminal, const Context& context) {
  if (color != OutputOptions::Color::automatic) return color == OutputOptions::Color::always;
  return terminal && variable(context, "NO_COLOR").empty() && variable(context, "TERM") != "dumb";
}

int width_of(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// Text and raw lines.
class TextSink : public pipeline::Stage {
 public:
  TextSink(int fd, bool raw, const show::TextFormat::Options& format, const Context& context)
      : output_(fd, context), count_(context), raw_(raw), terminal_(format.terminal), format_(format), context_(context) {}

  [[nodiscard]] std::string_view name() const override { return "output"; }
  [[nodiscard]] Counters counters() const override { return count_.counters(); }
  [[nodiscard]] int reader_fd() const override { return output_.reader_fd(); }
  Result<Flow> reader_left() override { return Flow::done; }

  Result<Flow> consume(Batch& batch, Outlet&) override {
    auto flow = put(batch);
    count_.end_of_batch(batch, flow && *flow == Flow::more);
    return flow;
  }

 private:
  Result<Flow> put(Batch& batch) {
    if (!raw_) learn(batch);
    for (Record& record : batch.records) {
      if (record.is_marker()) continue;
      count_.take(record);
      separate(record);
      if (raw_) {
        append_raw(batch, record);
      } else {
        format_.append(out_, batch, record);
      }
      if (out_.size() >= kWrite) {
        auto flow = write();
        if (!flow || *flow == Flow::done) return flow;
      }
    }
    return write();
  }

  // As grep does between groups of context.
  void separate(const Record& record) {
    const std::string_view group = record::find(record.metadata, record::kContextGroup);
    if (group.empty() || group == group_) return;
    if (!group_.empty()) out_ += "--\n";
    group_ = group;
  }

  void learn(const Batch& batch) {
    format_.learn(batch);
    if (headed_) return;
    for (const Record& record : batch.records) headed_ = headed_ || (!record.is_marker() && !record.sample);
    if (!headed_) return;
    const std::string header = format_.header();
    if (!header.empty()) context_.diagnostics->say("all of " + header);
  }

  void append_raw(Batch& batch, Record& record) {
    std::string_view line = batch.line(record);
    if (record.sample && record.extra != nullptr && record.extra->value.size() >= 2) {
      line = record.extra->value.substr(1, record.extra->value.size() - 2);
    }
    if (terminal_) {
      show::append_visible(out_, line, false);
    } else {
      out_ += line;
    }
    out_ += '\n';
  }

  Result<Flow> write() {
    auto flow = output_.write(out_);
    if (!flow || *flow == Flow::done) return flow;
    count_.written(nullptr);
    out_.clear();
    if (out_.capacity() > kKeep) out_.shrink_to_fit();
    return Flow::more;
  }

  pipeline::Output output_;
  pipeline::OutputCount count_;
  const bool raw_, terminal_;
  show::TextFormat format_;
  const Context context_;
  std::string out_;
  std::string group_;  // the group of context of the latest record
  bool headed_ = false;
};

}  // namespace

std::unique_ptr<pipeline::Stage> make_output_sink(const OutputOptions& options, const Context& context) {
  using Format = OutputOptions::Format;
  const bool terminal = ::isatty(options.fd) == 1;
  Format format = options.format;
  if (format == Format::automatic) format = terminal ? Format::text : Format::jsonl;
  if (format == Format::jsonl) return pipeline::make_jsonl_sink({.fd = options.fd}, context);
  const show::TextFormat::Options text = {
      .terminal = terminal || (format == Format::text && options.color == OutputOptions::Color::always),
      .color = wants_color(options.color, terminal, context),
      .width = terminal ? width_of(options.fd) : 0};
  return std::make_unique<TextSink>(options.fd, format == Format::raw, text, context);
}

}  // namespace weir::stages
