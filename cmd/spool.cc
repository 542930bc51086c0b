// weir spool: what is in a spool, whether it is sound, and what its administrator may do to it.
#include "base/count.h"
#include "cmd/commands.h"
#include "record/age.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "spool/administration.h"
#include "spool/copy.h"
#include "spool/inspection.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <cerrno>
#include <vector>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

Result<void> print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EPIPE) return {};
    if (written < 0 && errno != EINTR) return base::io_error(errno, "write to standard output");
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::string json_string(std::string_view text) {
  std::string out;
  record::append_json_string(out, text);
  return out;
}

std::string time_or_null(base::Timestamp time) { return time == 0 ? "null" : json_string(record::to_rfc3339(time)); }

std::string to_json(const std::string& path, const spool::SpoolStatus& status) {
  std::string out = fmt::format(
      R"({{"spool":{},"id":"{:016x}","format":{},"created":{},"file_bytes":{},"log_bytes":{},"free_bytes":{},"reserve_bytes":{},"blocks":{},"records":{},)"
      R"("line_bytes":{},"body_bytes":{},"undelivered":{},"delivered":{},"held":{},"rejected":{},"evicted_undelivered":{},"evicted_rejected":{},"damaged_blocks":{},"damaged_records":{},)"
      R"("oldest":{},"newest":{},"writing":{},"missing":{},"consumers":[)",
      json_string(path), status.id, status.format, time_or_null(status.created), status.file_bytes, status.log_bytes, status.free_bytes,
      status.reserve_bytes, status.blocks, status.records, status.line_bytes, status.body_bytes, status.undelivered, status.delivered, status.held, status.rejected,
      status.evicted_undelivered, status.evicted_rejected, status.damaged_blocks, status.damaged_records, time_or_null(status.oldest),
      time_or_null(status.newest), status.writing, status.missing.empty() ? "null" : json_string(status.missing));
  for (std::size_t i = 0; i < status.consumers.size(); ++i) {
    const spool::ConsumerStatus& one = status.consumers[i];
    out += fmt::format(R"({}{{"name":{},"match":{},"block":{},"ordinal":{},"behind_records":{},"oldest":{},"updated":{},"connected":{}}})",
                       i == 0 ? "" : ",", json_string(one.name), json_string(one.match), one.place.block, one.place.ordinal, one.behind_records,
                       time_or_null(one.oldest), time_or_null(one.updated), one.connected);
  }
  out += R"(],"set_aside":[)";
  for (std::size_t i = 0; i < status.set_aside.size(); ++i) out += (i == 0 ? "" : ",") + json_string(status.set_aside[i]);
  out += R"(],"positions":[)";
  bool first = true;
  for (const auto& [log, position] : status.positions) {
    out += fmt::format(R"({}{{"log":{},"generation":{},"offset":{}}})", first ? "" : ",", json_string(log), position.resume.generation,
                       position.resume.offset);
    first = false;
  }
  return out + "]}\n";
}

std::string in_blocks(std::uint64_t records, std::uint64_t blocks) {
  return fmt::format("{} in {}", base::count_of(records, "record"), base::count_of(blocks, "block"));
}

std::string age(base::Timestamp time, base::Timestamp now) {
  if (time == 0) return "-";
  return fmt::format("{} ({})", record::to_rfc3339(time), record::age_in_words(time, now));
}

std::string to_text(const std::string& path, const spool::SpoolStatus& status, base::Timestamp now) {
  std::string out;
  const auto line = [&out](std::string_view name, std::string_view value) { out += fmt::format("{:<13} {}\n", name, value); };
  line("spool", base::escape_control(path));
  if (!status.missing.empty()) line("incomplete", base::escape_control(status.missing));
  line("identity", fmt::format("{:016x}, format {}{}", status.id, status.format, status.writing ? ", being written" : ""));
  // Together: the write-ahead log is a part of the spool, which becomes part of the file by and by.
  line("size", fmt::format("{} ({} of it unused), and a reserve of {}", record::print_size(status.file_bytes + status.log_bytes),
                           record::print_size(status.free_bytes), record::print_size(status.reserve_bytes)));
  line("records", fmt::format("{}, {} of lines in {}", in_blocks(status.records, status.blocks), record::print_size(status.line_bytes),
                              record::print_size(status.body_bytes)));
  line("states", fmt::format("{} undelivered, {} delivered, {} held, {} rejected", base::grouped(status.undelivered), base::grouped(status.delivered),
                             base::grouped(status.held), base::grouped(status.rejected)));
  if (status.evicted_undelivered > 0) {
    line("lost", fmt::format("{} evicted", base::count_of(status.evicted_undelivered, "undelivered record was", "undelivered records were")));
  }
  if (status.evicted_rejected > 0) {
    line("", fmt::format("{} not kept any more", base::count_of(status.evicted_rejected, "rejected record is", "rejected records are")));
  }
  if (status.damaged_blocks > 0) line("damaged", in_blocks(status.damaged_records, status.damaged_blocks));
  for (const std::string& file : status.set_aside) line("set aside", base::escape_control(file));
  line("oldest", age(status.oldest, now));
  line("newest", age(status.newest, now));
  if (status.consumers.empty()) line("consumers", "none: nobody waits for these records");
  for (const spool::ConsumerStatus& one : status.consumers) {
    line("consumer", fmt::format("{}: {} behind{}{}{}", one.name, base::count_of(one.behind_records, "record"),
                                 one.oldest != 0 ? ", from " + age(one.oldest, now) : std::string(),
                                 one.match.empty() ? std::string() : ", takes " + base::escape_control(one.match),
                                 one.connected ? "" : ", nobody connected"));
  }
  line("positions", base::count_of(status.positions.size(), "log"));
  return out;
}

Result<std::string> status_of(const std::string& spool, bool json, base::Timestamp now) {
  auto status = spool::read_status(spool);
  if (!status) return std::move(status).error();
  return json ? to_json(spool, *status) : to_text(spool, *status, now);
}

std::string to_text(const std::string& spool, const spool::SpoolCheck& checked, bool json) {
  std::string out;
  if (json) {
    out = fmt::format(R"({{"spool":{},"blocks":{},"records":{},"problems":[)", json_string(spool), checked.blocks, checked.records);
    for (std::size_t i = 0; i < checked.problems.size(); ++i) out += (i == 0 ? "" : ",") + json_string(checked.problems[i]);
    return out + "]}\n";
  }
  for (const std::string& problem : checked.problems) out += base::escape_control(problem) + "\n";
  return out + fmt::format("{}: {}\n", in_blocks(checked.records, checked.blocks),
                           checked.problems.empty() ? "sound" : base::count_of(checked.problems.size(), "problem"));
}

class Spool : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("action", action_, "`status`, `check`, `copy`, `forget` or `compact`")
        ->type_name("status|check|copy|forget|compact")
        ->required()
        ->check(CLI::IsMember({"status", "check", "copy", "forget", "compact"}));
    app.add_option("spool", arguments_,
                   "the spool (default: WEIR_SPOOL); for `forget` the consumer's name stands before it, for `copy` the new file behind it")
        ->type_name("SPOOL")
        ->expected(0, 2);
    app.add_option("-o,--output", output_, "text for people or JSON for programs")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
    app.add_option("--wait", wait_text_, "how long `compact` waits for the process that writes the spool, and `copy` for a busy file")
        ->type_name("DURATION")
        ->capture_default_str();
  }

  Result<void> check() override {
    auto wait = wait_text_ == "0" ? Result<base::Duration>(0) : record::parse_duration(wait_text_);
    if (!wait) return std::move(wait).error().within("cannot use --wait");
    wait_ = *wait;
    std::vector<std::string> rest = arguments_;
    if (action_ == "forget") {
      if (rest.empty()) return base::fail(Code::usage, "NAME is missing").with_hint("which consumer is gone? weir spool forget NAME SPOOL");
      name_ = rest.front();
      rest.erase(rest.begin());
    }
    if (action_ == "copy") {
      if (rest.size() < 2) {
        return base::fail(Code::usage, "{} missing", rest.empty() ? "SPOOL and DEST are" : "DEST is")
            .with_hint("name the spool and the file to make: weir spool copy SPOOL DEST");
      }
      target_ = rest.back();
      rest.pop_back();
    }
    if (rest.size() > 1) return base::fail(Code::usage, "'{}' is one argument too many", rest[1]);
    if (!rest.empty()) spool_ = rest.front();
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    const char* named = spool_.empty() && context.environment != nullptr ? context.environment("WEIR_SPOOL") : nullptr;
    if (named != nullptr) spool_ = named;
    if (spool_.empty()) {
      return base::fail(Code::usage, "SPOOL is missing")
          .with_hint(action_ == "forget" ? "name the consumer and the spool: weir spool forget NAME SPOOL" : "name a file, or set WEIR_SPOOL");
    }
    const bool json = output_ == "json";
    if (action_ == "status") {
      auto text = status_of(spool_, json, context.clock->wall());
      return text ? finish(*text, cli::Exit::ok) : Result<cli::Exit>(std::move(text).error());
    }
    if (action_ == "check") {
      auto checked = spool::check_spool(spool_);
      if (!checked) return std::move(checked).error();
      return finish(to_text(spool_, *checked, json), checked->problems.empty() ? cli::Exit::ok : cli::Exit::incomplete);
    }
    if (action_ == "copy") return copy(context, json);
    if (action_ == "forget") {
      if (auto done = spool::forget_consumer(spool_, name_, *context.clock); !done) return std::move(done).error();
      return finish(json ? fmt::format("{{\"spool\":{},\"forgotten\":{}}}\n", json_string(spool_), json_string(name_))
                         : fmt::format("consumer '{}' is forgotten: nothing is kept back for it any more\n", name_),
                    cli::Exit::ok);
    }
    auto done = spool::compact(spool_, wait_, *context.clock);
    if (!done) return std::move(done).error();
    return finish(json ? fmt::format("{{\"spool\":{},\"before_bytes\":{},\"after_bytes\":{},\"by_writer\":{}}}\n", json_string(spool_), done->before,
                                     done->after, done->by_writer)
                       : fmt::format("{} before, {} now\n", record::print_size(done->before), record::print_size(done->after)),
                  cli::Exit::ok);
  }

 private:
  static Result<cli::Exit> finish(const std::string& text, cli::Exit exit) {
    if (auto done = print(text); !done) return std::move(done).error();
    return exit;
  }

  Result<cli::Exit> copy(const pipeline::Context& context, bool json) {
    base::Monotonic shown = context.clock->monotonic();
    const auto progress = [&](std::uint64_t done, std::uint64_t all) {
      const base::Monotonic now = context.clock->monotonic();
      if (now - shown < base::kSecond && done != all) return;
      shown = now;
      context.diagnostics->progress(done == all ? std::string() : fmt::format("copied {} of {}", base::grouped(done), base::count_of(all, "block")));
    };
    auto copied = spool::copy_spool(spool_, target_, wait_, *context.clock, context.stop, progress);
    context.diagnostics->progress({});
    if (!copied) return std::move(copied).error();
    if (copied->missing) context.diagnostics->say(*copied->missing);
    if (copied->evicted > 0) {
      context.diagnostics->say(
          fmt::format("{} not in the copy: the process that writes the spool evicted what was to come",
                      base::count_of(copied->evicted, "record is", "records are")));
    }
    const std::string text =
        json ? fmt::format(R"({{"spool":{},"copy":{},"blocks":{},"records":{},"bytes":{},"evicted":{}}})"
                           "\n",
                           json_string(spool_), json_string(target_), copied->blocks, copied->records, copied->bytes, copied->evicted)
             : fmt::format("{} copied to '{}', {}\n", in_blocks(copied->records, copied->blocks), base::escape_control(target_), record::print_size(copied->bytes));
    return finish(text, copied->missing ? cli::Exit::incomplete : cli::Exit::ok);
  }

  std::string action_, name_, target_, spool_, output_ = "text", wait_text_ = "60s";
  std::vector<std::string> arguments_;
  base::Duration wait_ = 0;
};

}  // namespace

const cli::Command spool_command = {
    .name = "spool",
    .summary = "tell what a spool holds, check it, and look after it",
    .description =
        "`weir spool status` tells size, records by their state, oldest and newest record, how far each consumer is behind, what was damaged "
        "and set aside, and how many logs have a position. It may be asked at any time, also while the spool is written and read.\n\n"
        "`weir spool check` reads everything: SQLite's own integrity check, checksum and form of every block, positions and "
        "acknowledgements. It changes nothing; damage is one line each and exit code 3. What is damaged is set aside by the `weir buffer` that "
        "writes the spool.\n\n"
        "`weir spool copy SPOOL DEST` makes one file that holds what the spool holds, while it is written and read: a file that `cp` copies without "
        "SPOOL-wal lacks the newest records, which `status` and `check` tell of. DEST must not be there. The writer is never waited for or held up; "
        "what it evicts meanwhile is not copied, and counted.\n\n"
        "`weir spool forget NAME` ends a consumer (`weir push --as NAME`) that will not come back: nothing is kept back for it any more. It is "
        "refused while a process acknowledges under that name.\n\n"
        "`weir spool compact` gives space that the file does not use back to the file system now. Beside a running `weir buffer` it asks that "
        "process to do so and waits for it.",
    .role = cli::Role::action,
    .examples = {{"how far behind is Loki", "weir spool status spool.db"},
                 {"for a script", "weir spool status spool.db -o json | jq .undelivered"},
                 {"after a power cut", "weir spool check spool.db"},
                 {"look at a node's spool elsewhere", "weir spool copy spool.db copy.db"},
                 {"the second target was taken down for good", "weir spool forget archive spool.db"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Spool>()); },
    // Behind `forget` stands the name of a consumer, and then the spool.
    .following = [](std::string_view first) { return first == "forget" ? std::optional(cli::Following()) : std::nullopt; },
};

}  // namespace weir::cmd
