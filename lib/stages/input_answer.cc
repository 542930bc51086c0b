#include "stages/input_answer.h"

#include "base/visible.h"
#include "logql/parser.h"
#include "pipeline/jsonl_source.h"
#include "stages/kept_spool.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::fail;
using base::Result;
using pipeline::Context;
using pipeline::Flow;
using pipeline::Outlet;

// A folder for the spool, removed with what is in it.
class Folder {
 public:
  static Result<Folder> make(const char* (*environment)(const char* name)) {
    const char* named = environment != nullptr ? environment("TMPDIR") : nullptr;
    std::string path = std::string(named != nullptr && *named != '\0' ? named : "/tmp") + "/weir-query-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      return fail(Code::io, "cannot make a folder for the records in '{}': {}", base::escape_control(path), std::strerror(errno))
          .with_hint("TMPDIR names another place");
    }
    return Folder(std::move(path));
  }
  Folder(Folder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Folder& operator=(Folder&&) = delete;
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string spool() const { return path_ + "/records.db"; }

 private:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Stores the records that it gets.
class Store : public Outlet {
 public:
  explicit Store(spool::Writer& writer) : blocks_(writer, spool::Effort::fast) {}
  Result<Flow> emit(record::Batch& batch) override {
    for (const record::Record& record : batch.records) {
      if (record.is_marker()) continue;
      if (record.sample) {
        return fail(Code::parse, "cannot query samples: standard input holds the answer of a metric query")
            .with_hint("query takes records: leave --stdin out, and ask for the metric where the records are");
      }
      if (auto added = blocks_.add(record); !added) return std::move(added).error();
    }
    return Flow::more;
  }
  Result<base::Monotonic> nudge(base::Monotonic) override { return base::kNever; }
  Result<pipeline::Flushed> flush(base::Monotonic) override { return pipeline::Flushed::safe; }

  Result<void> store() { return blocks_.store(); }

 private:
  KeptBlocks blocks_;
};

class InputAnswer : public pipeline::Source {
 public:
  InputAnswer(QuerySpec spec, AnswerMaker make, const Context& context)
      : spec_(std::move(spec)), make_(std::move(make)), context_(context) {}

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto folder = Folder::make(context_.environment);
    if (!folder) return std::move(folder).error();
    if (auto stored = store(folder->spool(), stop); !stored) return stored;
    spec_.spools = {folder->spool()};
    spec_.input.reset();
    auto answer = make_(spec_, context_);
    if (!answer) return std::move(answer).error();
    answer_ = std::move(*answer);
    return answer_->run(out, stop);
  }

  [[nodiscard]] std::string_view name() const override { return "query"; }
  [[nodiscard]] pipeline::Counters counters() const override {
    return answer_ != nullptr ? answer_->counters() : pipeline::Counters();
  }
  [[nodiscard]] std::string summary() const override {
    if (answer_ == nullptr) return {};
    // The spool is a means here, of which nobody has to know.
    constexpr std::string_view kEmpty = "the spool holds no records";
    std::string text = answer_->summary();
    if (text.ends_with(kEmpty)) text.replace(text.size() - kEmpty.size(), kEmpty.size(), "there are no records on standard input");
    return text;
  }

 private:
  Result<void> store(const std::string& path, base::Stop& stop) {
    auto writer = spool::Writer::open(keep_all(path), *context_.clock, context_.stop);
    if (!writer) return std::move(writer).error();
    Store records(**writer);
    Context of_input = context_;
    of_input.metrics = nullptr;  // what query counts is its answer
    of_input.driver = nullptr;
    auto read =
        pipeline::make_jsonl_source({.fd = *spec_.input, .strict = true, .leave_at_signal = true}, of_input)->run(records, stop);
    if (!read && read.error().code == Code::parse && read.error().hint.empty()) {
      return base::Error(std::move(read).error()).with_hint("plain text? put `weir tail -` in front, or take such lines out");
    }
    if (read && stop.stopped()) read = fail(Code::interrupted, "interrupted while reading standard input");
    if (read) read = records.store();
    if (read) read = (*writer)->close();
    // The writer speaks of chains that go on by themselves.
    if (!read && read.error().code == Code::full)
      return base::Error(std::move(read).error()).with_hint("TMPDIR names another place");
    return read;
  }

  QuerySpec spec_;
  const AnswerMaker make_;
  const Context context_;
  std::unique_ptr<pipeline::Source> answer_;
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_input_answer(const QuerySpec& spec, AnswerMaker make, const Context& context) {
  if (::isatty(*spec.input) != 0) {
    return fail(Code::usage, "cannot read records: standard input is a terminal")
        .with_hint("pipe JSON lines of weir into it: weir tail FILE | weir query --stdin");
  }
  // A mistake is found before the input is read.
  const auto parsed = logql::parse(spec.logql, {.selector_optional = true});
  if (!parsed) return base::Error(parsed.error());
  return std::unique_ptr<pipeline::Source>(std::make_unique<InputAnswer>(spec, std::move(make), context));
}

}  // namespace weir::stages
