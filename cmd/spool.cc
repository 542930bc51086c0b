// weir spool: what is in a spool, and whether it is sound.
#include "cmd/commands.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "spool/inspection.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <cerrno>

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
  std::string out = "\"";
  record::append_escaped(out, text);
  return out + '"';
}

std::string time_or_null(base::Timestamp time) { return time == 0 ? "null" : json_string(record::to_rfc3339(time)); }

std::string to_json(const std::string& path, const spool::SpoolStatus& status) {
  std::string out = fmt::format(
      R"({{"spool":{},"id":"{:016x}","format":{},"created":{},"file_bytes":{},"log_bytes":{},"free_bytes":{},"blocks":{},"records":{},)"
      R"("line_bytes":{},"body_bytes":{},"undelivered":{},"delivered":{},"held":{},"rejected":{},"evicted_undelivered":{},)"
      R"("oldest":{},"newest":{},"writing":{},"consumers":[)",
      json_string(path), status.id, status.format, time_or_null(status.created), status.file_bytes, status.log_bytes, status.free_bytes,
      status.blocks, status.records, status.line_bytes, status.body_bytes, status.undelivered, status.delivered, status.held, status.rejected,
      status.evicted_undelivered, time_or_null(status.oldest), time_or_null(status.newest), status.writing);
  for (std::size_t i = 0; i < status.consumers.size(); ++i) {
    const spool::ConsumerStatus& one = status.consumers[i];
    out += fmt::format(R"({}{{"name":{},"match":{},"block":{},"ordinal":{},"behind_records":{},"oldest":{},"updated":{},"connected":{}}})",
                       i == 0 ? "" : ",", json_string(one.name), json_string(one.match), one.place.block, one.place.ordinal, one.behind_records,
                       time_or_null(one.oldest), time_or_null(one.updated), one.connected);
  }
  out += R"(],"positions":[)";
  bool first = true;
  for (const auto& [log, position] : status.positions) {
    out += fmt::format(R"({}{{"log":{},"generation":{},"offset":{}}})", first ? "" : ",", json_string(log), position.resume.generation,
                       position.resume.offset);
    first = false;
  }
  return out + "]}\n";
}

std::string age(base::Timestamp time, base::Timestamp now) {
  if (time == 0) return "-";
  const base::Duration rounded = (now - time) / base::kSecond * base::kSecond;
  return fmt::format("{} ({} ago)", record::to_rfc3339(time), record::print_duration(std::max<base::Duration>(rounded, 0)));
}

std::string to_text(const std::string& path, const spool::SpoolStatus& status, base::Timestamp now) {
  std::string out;
  const auto line = [&out](std::string_view name, std::string_view value) { out += fmt::format("{:<13} {}\n", name, value); };
  line("spool", base::escape_control(path));
  line("identity", fmt::format("{:016x}, format {}{}", status.id, status.format, status.writing ? ", being written" : ""));
  line("size", fmt::format("{} ({} of it unused), log {}", record::print_size(status.file_bytes), record::print_size(status.free_bytes),
                           record::print_size(status.log_bytes)));
  line("records", fmt::format("{} in {} blocks, {} of lines in {}", status.records, status.blocks, record::print_size(status.line_bytes),
                              record::print_size(status.body_bytes)));
  line("states", fmt::format("{} undelivered, {} delivered, {} held, {} rejected", status.undelivered, status.delivered, status.held, status.rejected));
  if (status.evicted_undelivered > 0) line("lost", fmt::format("{} undelivered records were evicted", status.evicted_undelivered));
  line("oldest", age(status.oldest, now));
  line("newest", age(status.newest, now));
  if (status.consumers.empty()) line("consumers", "none: nobody waits for these records");
  for (const spool::ConsumerStatus& one : status.consumers) {
    line("consumer", fmt::format("{}: {} records behind{}{}{}", one.name, one.behind_records,
                                 one.oldest != 0 ? ", from " + age(one.oldest, now) : std::string(),
                                 one.match.empty() ? std::string() : ", takes " + base::escape_control(one.match),
                                 one.connected ? "" : ", nobody connected"));
  }
  line("positions", fmt::format("{} logs", status.positions.size()));
  return out;
}

class Spool : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("action", action_, "`status` or `check`")->type_name("status|check")->required()->check(CLI::IsMember({"status", "check"}));
    app.add_option("spool", spool_, "the spool (default: WEIR_SPOOL)")->type_name("SPOOL")->envname("WEIR_SPOOL");
    app.add_option("-o,--output", output_, "text for people or JSON for programs")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  }

  Result<void> check() override {
    if (spool_.empty()) return base::fail(Code::usage, "SPOOL is missing").with_hint("name a file, or set WEIR_SPOOL");
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    if (action_ == "status") {
      auto status = spool::read_status(spool_);
      if (!status) return std::move(status).error();
      auto done = print(output_ == "json" ? to_json(spool_, *status) : to_text(spool_, *status, context.clock->wall()));
      if (!done) return std::move(done).error();
      return cli::Exit::ok;
    }
    auto checked = spool::check_spool(spool_);
    if (!checked) return std::move(checked).error();
    std::string out;
    if (output_ == "json") {
      out = fmt::format(R"({{"spool":{},"blocks":{},"records":{},"problems":[)", json_string(spool_), checked->blocks, checked->records);
      for (std::size_t i = 0; i < checked->problems.size(); ++i) out += (i == 0 ? "" : ",") + json_string(checked->problems[i]);
      out += "]}\n";
    } else {
      for (const std::string& problem : checked->problems) out += base::escape_control(problem) + "\n";
      out += fmt::format("{} records in {} blocks: {}\n", checked->records, checked->blocks,
                         checked->problems.empty() ? "sound" : fmt::format("{} problems", checked->problems.size()));
    }
    if (auto done = print(out); !done) return std::move(done).error();
    return checked->problems.empty() ? cli::Exit::ok : cli::Exit::incomplete;
  }

 private:
  std::string action_, spool_, output_ = "text";
};

}  // namespace

const cli::Command spool_command = {
    .name = "spool",
    .summary = "tell what a spool holds, and check it",
    .description =
        "`weir spool status` tells size, records by their state, oldest and newest record, how far each consumer is behind, and how many logs "
        "have a position. It may be asked at any time, also while the spool is written and read.\n\n"
        "`weir spool check` reads everything: SQLite's own integrity check, checksum and form of every block, positions and "
        "acknowledgements. It changes nothing; damage is one line each and exit code 3.",
    .role = cli::Role::action,
    .examples = {{"how far behind is Loki", "weir spool status spool.db"},
                 {"for a script", "weir spool status spool.db -o json | jq .undelivered"},
                 {"after a power cut", "weir spool check spool.db"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Spool>()); },
};

}  // namespace weir::cmd
