#include "stages/output_sink.h"

#include "pipeline/jsonl_sink.h"
#include "pipeline/output.h"
#include "pipeline/output_count.h"
#include "show/by_kind.h"
#include "show/metric_writer.h"
#include "show/row_writer.h"
#include "show/text_writer.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

namespace weir::stages {

using base::Result;
using pipeline::Context;
using pipeline::Counters;
using pipeline::Flow;
using pipeline::Monotonic;
using pipeline::Outlet;
using record::Batch;
using record::Record;
using Format = OutputOptions::Format;

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

// As the C library chooses the locale's encoding.
bool is_utf8(const Context& context) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value(variable(context, name));
    if (value.empty()) continue;
    std::erase(value, '-');
    std::ranges::transform(value, value.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return value.find("utf8") != std::string::npos;
  }
  return false;
}

struct Size {
  std::size_t columns = 80, lines = 24;
};

Size size_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row == 0 ? Size().lines : size.ws_row};
}

// Everything but JSON lines.
class TextSink : public pipeline::Stage {
 public:
  // `screen`: `fd` is a terminal.
  TextSink(const OutputOptions& options, bool screen, std::unique_ptr<show::Writer> writer, const Context& context)
      : fd_(options.fd),
        screen_(screen),
        says_header_(options.header),
        output_(options.fd, context),
        count_(context),
        writer_(std::move(writer)),
        context_(context) {}

  [[nodiscard]] std::string_view name() const override { return "output"; }
  [[nodiscard]] Counters counters() const override { return count_.counters(); }
  [[nodiscard]] int reader_fd() const override { return output_.reader_fd(); }
  Result<Flow> reader_left() override { return Flow::done; }

  Result<Flow> consume(Batch& batch, Outlet&) override {
    auto flow = put(batch);
    if (flow && *flow == Flow::more) flow = let_go();
    gone_ = !flow || *flow == Flow::done;
    count_.end_of_batch(batch, !gone_);
    return flow;
  }

  Result<Monotonic> nudge(Monotonic, Outlet&) override {
    const bool held = writer_->holds();
    const auto flow = let_go();
    if (!flow) return flow.error();
    if (held) count_.end_of_batch(nothing_, true);
    return writer_->holds() ? base::after(held_since_, writer_->patience()) : base::kNever;
  }

  Result<void> finish(Outlet&, Monotonic) override {
    if (gone_) return {};
    writer_->finish(out_);
    const auto flow = write();
    count_.end_of_batch(nothing_, true);
    if (!flow) return flow.error();
    return {};
  }

 private:
  Result<Flow> put(Batch& batch) {
    if (screen_) writer_->resize(size_of(fd_).columns);
    writer_->begin(batch);
    if (const std::string header = writer_->header(); says_header_ && !header.empty())
      context_.diagnostics->say("all of " + header);
    for (Record& record : batch.records) {
      if (record.is_marker()) continue;
      count_.take(record);
      writer_->add(out_, batch, record);
      if (out_.size() < kWrite) continue;
      auto flow = write();
      if (!flow || *flow == Flow::done) return flow;
    }
    return write();
  }

  // What was held long enough.
  Result<Flow> let_go() {
    if (!writer_->holds()) {
      held_since_ = base::kNever;
      return Flow::more;
    }
    if (writer_->patience() == base::kNever) return Flow::more;
    const Monotonic now = context_.clock->monotonic();
    if (held_since_ == base::kNever) held_since_ = now;
    if (now < base::after(held_since_, writer_->patience())) return Flow::more;
    writer_->release(out_);
    held_since_ = base::kNever;
    return write();
  }

  Result<Flow> write() {
    auto flow = output_.write(out_);
    if (!flow || *flow == Flow::done) return flow;
    if (!writer_->holds()) count_.written(nullptr);
    out_.clear();
    if (out_.capacity() > kKeep) out_.shrink_to_fit();
    return Flow::more;
  }

  const int fd_;
  const bool screen_, says_header_;
  pipeline::Output output_;
  pipeline::OutputCount count_;
  const std::unique_ptr<show::Writer> writer_;
  const Context context_;
  const Batch nothing_;
  std::string out_;
  Monotonic held_since_ = base::kNever;
  bool gone_ = false;  // nobody reads
};

std::unique_ptr<show::Writer> make_writer(Format format, const OutputOptions& options, bool screen, const Context& context) {
  if (format == Format::raw) return std::make_unique<show::RawWriter>(screen);
  if (format == Format::csv) return std::make_unique<show::CsvWriter>(screen, options.ends);
  const Size size = size_of(options.fd);
  const show::Canvas canvas = {.width = screen ? size.columns : 0,
                               .color = wants_color(options.color, screen, context),
                               .unicode = is_utf8(context),
                               .braille = variable(context, "TERM") != "linux"};
  const bool terminal = screen || options.color == OutputOptions::Color::always;
  auto samples = std::make_unique<show::MetricWriter>(
      show::MetricWriter::Options{.screen = screen, .rows = std::clamp<std::size_t>(size.lines / 3, 8, 16), .canvas = canvas});
  if (format == Format::table) {
    auto rows = std::make_unique<show::LogTable>(terminal, screen, canvas, options.ends);
    return std::make_unique<show::ByKind>(std::move(rows), std::move(samples));
  }
  auto text = std::make_unique<show::TextWriter>(
      show::TextFormat::Options{.terminal = terminal, .screen = screen, .wrap = options.wrap, .canvas = canvas},
      screen && options.histogram);
  if (!screen) return text;
  return std::make_unique<show::ByKind>(std::move(text), std::move(samples));
}

}  // namespace

std::unique_ptr<pipeline::Stage> make_output_sink(const OutputOptions& options, const Context& context) {
  const bool screen = ::isatty(options.fd) == 1;
  Format format = options.format;
  if (format == Format::automatic) format = screen ? Format::text : Format::jsonl;
  if (format == Format::jsonl) return pipeline::make_jsonl_sink({.fd = options.fd}, context);
  return std::make_unique<TextSink>(options, screen, make_writer(format, options, screen, context), context);
}

}  // namespace weir::stages
