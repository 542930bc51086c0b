#include "cli/spool_report.h"

#include "base/count.h"
#include "record/age.h"
#include "record/json.h"
#include "record/pod_path.h"
#include "record/timestamp.h"
#include "tail/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace weir::cli {
namespace {

using base::count_of;
using base::grouped;
using record::json_string;
using record::print_size;
using spool::ProcessStatus;

constexpr std::size_t kNamed = 5;  // logs that the text names

std::string time_or_null(base::Timestamp time) { return time == 0 ? "null" : json_string(record::to_rfc3339(time)); }
std::string text_or_null(std::string_view text) { return text.empty() ? "null" : json_string(text); }

// Of a range of time, which may be open.
std::string end_or_null(base::Timestamp time) {
  return time == base::TimeRange::kBeginning || time == base::TimeRange::kForever ? "null" : json_string(record::to_rfc3339(time));
}

std::string seconds(base::Duration duration) {
  return fmt::format("{:.3f}", static_cast<double>(duration) / static_cast<double>(base::kSecond));
}

std::string seconds_or_null(bool known, base::Duration duration) { return known ? seconds(duration) : "null"; }
std::string number_or_null(bool known, std::uint64_t number) { return known ? std::to_string(number) : "null"; }

std::string age(base::Timestamp time, base::Timestamp now) {
  if (time == 0) return "-";
  // People read it: the rest of a second is left out.
  return fmt::format("{} ({})", record::to_rfc3339(time / base::kSecond * base::kSecond), record::age_in_words(time, now));
}

// "shop/web/app" of a pod's log.
std::string name_of(const std::string& path) {
  const auto pod = record::parse_pod_path(path);
  return pod ? fmt::format("{}/{}/{}", pod->namespace_name, pod->pod, pod->container) : path;
}

// What a process says of itself counts while it is the one that holds the lock.
const ProcessStatus* running(bool locked, std::uint64_t pid, const std::optional<ProcessStatus>& process) {
  return locked && process && process->pid == pid && process->ended == 0 ? &*process : nullptr;
}

// Calls `each(status, runs)` with what is known of the processes.
template <typename Each>
void for_processes(const spool::SpoolStatus& status, const Each& each) {
  if (status.writer) each(*status.writer, running(status.writing, status.writer_pid, status.writer) != nullptr);
  for (const spool::ConsumerStatus& one : status.consumers) {
    if (one.process) each(*one.process, running(one.connected, one.pid, one.process) != nullptr);
  }
}

// -- JSON --

std::string process_json(bool locked, std::uint64_t pid, const std::optional<ProcessStatus>& process) {
  if (!process && !locked) return "null";
  // The lock knows better who holds it.
  const bool known = process && (!locked || process->pid == pid);
  const ProcessStatus one = known ? *process : ProcessStatus{.pid = pid};
  return fmt::format(
      R"({{"running":{},"pid":{},"command":{},"started":{},"ended":{},"last_success":{},"last_error":{},"last_error_at":{},)"
      R"("blocked":{},"blocked_since":{},"written":{}}})",
      locked, one.pid, text_or_null(one.command), time_or_null(one.started), time_or_null(one.ended), time_or_null(one.success),
      text_or_null(one.error), time_or_null(one.error_at), text_or_null(one.blocked), time_or_null(one.blocked_since),
      time_or_null(one.written));
}

std::string lost_json(const spool::SpoolStatus& status) {
  std::string out = fmt::format(
      R"({{"since":{},"gaps":{},"gap_bytes":{},"gaps_of_unknown_size":{},"first_gap":{},"last_gap":{},"evicted_undelivered":{},)"
      R"("last_evicted":{},"damaged_records":{},"held_not_stored":{},"held_evicted":{},"logs":[)",
      time_or_null(status.created), status.losses.data.parts, status.losses.data.bytes, status.losses.data.parts_unknown,
      time_or_null(status.losses.first_gap), time_or_null(status.losses.last_gap), status.evicted_undelivered,
      time_or_null(status.evicted_last), status.damaged_records, status.losses.held_shed, status.evicted_held);
  const char* separator = "";
  for (const auto& [log, bytes] : status.losses.data.logs)
    out += fmt::format(R"({}{{"log":{},"bytes":{}}})", std::exchange(separator, ","), json_string(log), bytes);
  return out + "]}";
}

std::string logs_json(const SpoolReport& report) {
  std::string out = "[";
  const char* separator = "";
  for (const auto& [path, lag] : report.logs) {
    out += fmt::format(
        R"({}{{"log":{},"path":{},"unread_bytes":{},"unread_files":{},"oldest":{},"oldest_is_of_file":{},"seconds":{},)"
        R"("gone_files":{},"trouble":{}}})",
        std::exchange(separator, ","), json_string(name_of(path)), json_string(path), number_or_null(lag.bytes_known(), lag.bytes),
        number_or_null(lag.bytes_known(), lag.files), time_or_null(lag.oldest), lag.by_file,
        seconds_or_null(lag.time_known(), lag.behind(report.now)), lag.gone, text_or_null(lag.trouble));
  }
  return out + "]";
}

std::string journals_json(const SpoolReport& report) {
  std::string out = "[";
  const char* separator = "";
  for (const tail::StoredJournal& one : report.journals) {
    const bool known = one.found && one.trouble.empty();
    out += fmt::format(
        R"({}{{"journal":{},"folder":{},"entry":{},"time":{},"unread_entries":{},"oldest":{},"seconds":{},"trouble":{}}})",
        std::exchange(separator, ","), json_string(one.id), json_string(one.place.folder), one.place.entry, time_or_null(one.time),
        number_or_null(known, one.lag.entries), time_or_null(one.lag.oldest), seconds_or_null(known, one.lag.behind(report.now)),
        text_or_null(one.trouble));
  }
  return out + "]";
}

// -- text --

// Without a consumer, no record waits for delivery. Most spools never have held records.
std::string states(const spool::SpoolStatus& status) {
  std::string text = status.consumers.empty()
                         ? grouped(status.undelivered + status.delivered) + " kept (no consumer)"
                         : fmt::format("{} undelivered, {} delivered", grouped(status.undelivered), grouped(status.delivered));
  if (status.held > 0) text += fmt::format(", {} held", grouped(status.held));
  return text + fmt::format(", {} rejected", grouped(status.rejected));
}

std::string in_blocks(std::uint64_t records, std::uint64_t blocks) {
  return fmt::format("{} in {}", count_of(records, "record"), count_of(blocks, "block"));
}

class Text {
 public:
  explicit Text(const SpoolReport& report) : report_(report), status_(report.status), now_(report.now) {}

  std::string write() {
    line("spool", base::escape_control(report_.path));
    if (!status_.missing.empty()) line("incomplete", base::escape_control(status_.missing));
    processes();
    delivery();
    backlog();
    losses();
    line("identity", fmt::format("{:016x}, format {}", status_.id, status_.format));
    // One number for both: the write-ahead log is part of the spool and is copied into the file later.
    line("size", fmt::format("{} ({} of it unused), and a reserve of {}", print_size(status_.file_bytes + status_.log_bytes),
                             print_size(status_.free_bytes), print_size(status_.reserve_bytes)));
    line("records", fmt::format("{}, {} of lines in {}", in_blocks(status_.records, status_.blocks), print_size(status_.line_bytes),
                                print_size(status_.body_bytes)));
    line("states", states(status_));
    if (status_.oldest_held != 0) {
      line("held", fmt::format("{}, {} on disk, from {}", count_of(status_.held, "record"), print_size(status_.held_bytes),
                               age(status_.oldest_held, now_)));
    }
    for (const std::string& file : status_.set_aside) line("set aside", base::escape_control(file));
    line("oldest", age(status_.oldest, now_));
    line("newest", age(status_.newest, now_));
    consumers();
    releases();
    line("positions", count_of(status_.positions.size(), "log"));
    return std::move(out_);
  }

 private:
  void line(std::string_view name, std::string_view value) { out_ += fmt::format("{:<13} {}\n", name, value); }

  std::string words(base::Duration duration) const { return record::in_words(duration); }

  void process(std::string_view what, bool locked, std::uint64_t pid, const std::optional<ProcessStatus>& process) {
    if (locked) {
      const ProcessStatus* const one = running(locked, pid, process);
      std::string text = fmt::format("process {}", pid);
      if (one != nullptr) {
        text += fmt::format(", since {}", age(one->started, now_));
        if (!one->command.empty()) text += ": " + one->command;
      }
      line(what, text);
    } else if (process) {
      const std::string end = process->ended != 0
                                  ? "ended " + record::age_in_words(process->ended, now_)
                                  : "did not end in order, last seen " + record::age_in_words(process->written, now_);
      line(what, fmt::format("none; the last was process {} ({}){}", process->pid, end,
                             process->command.empty() ? "" : ": " + process->command));
    } else {
      line(what, "none");
    }
  }

  void processes() {
    process("writer", status_.writing, status_.writer_pid, status_.writer);
    for (const spool::ConsumerStatus& one : status_.consumers) {
      // One process that does both is named once.
      const bool same = one.connected == status_.writing &&
                        (one.connected ? one.pid == status_.writer_pid
                                       : one.process && status_.writer && one.process->pid == status_.writer->pid);
      if (!same) process("delivers", one.connected, one.pid, one.process);
    }
  }

  void delivery() {
    if (const base::Timestamp success = report_.latest_success(); success != 0) line("last success", age(success, now_));
    for (const ProcessStatus* const one : report_.blocked())
      line("blocked", fmt::format("for {}: {}", words(now_ - one->blocked_since), one->blocked));
    if (const ProcessStatus* const one = report_.latest_error(); one != nullptr)
      line("last error", fmt::format("{}: {}", age(one->error_at, now_), one->error));
    const bool known = report_.times_known();
    const bool unread = report_.unread_for() > 0;
    if (const base::Timestamp oldest = status_.oldest_undelivered(); oldest != 0 || unread) {
      std::string text = (known ? "" : "at least ") + words(report_.behind());
      if (oldest != 0) text += fmt::format("; the oldest undelivered record is of {}", age(oldest, now_));
      // Lines that were old when they were stored.
      if (const base::Duration waiting = report_.undelivered_for(); oldest != 0 && now_ - oldest > waiting + base::kMinute)
        text += fmt::format("; undelivered records have waited in the spool for up to {}", words(waiting));
      line("behind", text);
    } else if (!known) {
      line("behind", "unknown");
    } else if (!status_.consumers.empty() || !status_.positions.empty()) {
      line("behind", "nothing");
    }
  }

  void backlog() {
    std::uint64_t files = 0, gone = 0;
    for (const LogLag& one : report_.logs) {
      files += one.lag.bytes > 0 ? 1 : 0;
      gone += one.lag.gone;
    }
    if (files > 0) {
      line("unread", fmt::format("{}{} in {}", report_.bytes_known() ? "" : "at least ", print_size(report_.unread_bytes()),
                                 count_of(files, "log")));
    }
    std::size_t named = 0;
    for (const auto& [path, lag] : report_.logs) {
      if (lag.bytes == 0) continue;
      if (named++ == kNamed) break;
      std::string behind;
      if (lag.oldest != 0) behind = fmt::format(", {}{} behind", lag.by_file ? "at least " : "", words(lag.behind(now_)));
      line("", fmt::format("{}: {}{}", base::escape_control(name_of(path)), print_size(lag.bytes), behind));
    }
    if (gone > 0 && !status_.writing) {
      line("gone", fmt::format("{} since the last run before {} end was read",
                               count_of(gone, "file was removed", "files were removed"), gone == 1 ? "its" : "their"));
    }
    journals();
    for (const LogLag& one : report_.logs) {
      if (!one.lag.trouble.empty()) line("trouble", base::escape_control(one.lag.trouble));
    }
    if (report_.is_full()) {
      line("full", "now: the logs wait until there is room");
    } else if (const auto full = status_.full_in(); full && !status_.consumers.empty()) {
      line("full in", fmt::format("{} if nothing is delivered, at {} a second; then {}", words(*full),
                                  print_size(static_cast<std::uint64_t>(status_.inflow)),
                                  status_.drops_oldest ? "the oldest records are lost" : "the logs wait"));
    }
  }

  void journals() {
    for (const tail::StoredJournal& one : report_.journals) {
      std::string text = fmt::format("entry {} in {}", grouped(one.place.entry), base::escape_control(one.place.folder));
      if (one.time != 0) text += ", of " + age(one.time, now_);
      if (!one.trouble.empty()) {
        text += "; how far it is behind is not known";
      } else if (!one.found) {
        text += "; no file of this journal is there";
      } else if (one.lag.entries == 0) {
        text += "; nothing behind it is unread";
      } else {
        text += fmt::format("; up to {} unread, {} behind", count_of(one.lag.entries, "entry is", "entries are"),
                            words(one.lag.behind(now_)));
      }
      line("journal", text);
      if (!one.trouble.empty()) line("trouble", base::escape_control(one.trouble));
    }
  }

  void losses() {
    const spool::Losses& lost = status_.losses;
    bool any = false;
    const auto add = [&](const std::string& text) { line(std::exchange(any, true) ? "" : "lost", text); };
    if (lost.data.parts > 0) {
      add(fmt::format("{}; the last time {}", base::escape_control(lost.data.text()), record::age_in_words(lost.last_gap, now_)));
    }
    if (status_.evicted_undelivered > 0) {
      add(fmt::format("{} evicted{}", count_of(status_.evicted_undelivered, "undelivered record was", "undelivered records were"),
                      status_.evicted_last != 0 ? "; the last time " + record::age_in_words(status_.evicted_last, now_) : ""));
    }
    if (status_.evicted_rejected > 0)
      add(fmt::format("{} evicted", count_of(status_.evicted_rejected, "rejected record was", "rejected records were")));
    if (lost.held_shed > 0) add(fmt::format("{} not stored", count_of(lost.held_shed, "held record was", "held records were")));
    if (status_.evicted_held > 0) {
      add(fmt::format("{} evicted to make room", count_of(status_.evicted_held, "held record was", "held records were")));
    }
    if (status_.damaged_blocks > 0) add(fmt::format("{} damaged", in_blocks(status_.damaged_records, status_.damaged_blocks)));
    if (any) {
      line("", fmt::format("counted since {}", age(status_.created, now_)));
    } else {
      line("lost", fmt::format("nothing since {}", age(status_.created, now_)));
    }
  }

  void consumers() {
    if (status_.consumers.empty() && status_.blocks > 0)
      line("consumers", "none: the spool is a ring of recent records; the oldest are evicted first");
    for (const spool::ConsumerStatus& one : status_.consumers) {
      line("consumer", fmt::format("{}: {} behind{}{}{}", one.name, count_of(one.behind_records, "record"),
                                   one.oldest != 0 ? ", from " + age(one.oldest, now_) : std::string(),
                                   one.match.empty() ? std::string() : ", takes " + base::escape_control(one.match),
                                   one.connected ? "" : ", nobody connected"));
    }
  }

  void releases() {
    for (const spool::ReleaseStatus& one : status_.releases) {
      const auto part = [](std::uint64_t count, std::string_view what) {
        return count == 0 ? std::string() : fmt::format(", {} {}", grouped(count), what);
      };
      line("release",
           fmt::format("{}: {}, {} matched, {} released{}{}{}{}{}, asked {}", one.id, one.state, grouped(one.matched),
                       grouped(one.released), part(one.sent, "sent"), part(one.refused, "refused"), part(one.lost, "lost"),
                       part(one.pending, "pending"), part(one.left_out, "left out"), age(one.created, now_)));
    }
  }

  const SpoolReport& report_;
  const spool::SpoolStatus& status_;
  const base::Timestamp now_;
  std::string out_;
};

}  // namespace

bool SpoolReport::bytes_known() const {
  return std::ranges::all_of(logs, [](const LogLag& one) { return one.lag.bytes_known(); });
}

bool SpoolReport::times_known() const {
  return std::ranges::all_of(logs, [](const LogLag& one) { return one.lag.time_known(); }) &&
         std::ranges::all_of(journals, [](const tail::StoredJournal& one) { return one.trouble.empty(); });
}

std::uint64_t SpoolReport::unread_bytes() const {
  std::uint64_t bytes = 0;
  for (const LogLag& one : logs) bytes += one.lag.bytes;
  return bytes;
}

base::Duration SpoolReport::unread_for() const {
  base::Duration longest = 0;
  for (const LogLag& one : logs) longest = std::max(longest, one.lag.behind(now));
  for (const tail::StoredJournal& one : journals) longest = std::max(longest, one.lag.behind(now));
  return longest;
}

base::Duration SpoolReport::behind() const { return std::max(unread_for(), undelivered_for()); }

base::Duration SpoolReport::undelivered_for() const {
  const base::Timestamp since = status.late_since();
  return since == 0 || since > now ? 0 : now - since;
}

bool SpoolReport::is_running() const {
  return status.writing || std::ranges::any_of(status.consumers, &spool::ConsumerStatus::connected);
}

std::vector<const ProcessStatus*> SpoolReport::blocked() const {
  std::vector<const ProcessStatus*> found;
  for_processes(status, [&](const ProcessStatus& one, bool runs) {
    const auto is_same = [&](const ProcessStatus* known) { return known->pid == one.pid && known->blocked == one.blocked; };
    if (runs && !one.blocked.empty() && std::ranges::none_of(found, is_same)) found.push_back(&one);
  });
  const auto is_of_writer = [&](const ProcessStatus* one) { return status.writer && one == &*status.writer; };
  std::ranges::stable_sort(found, {}, [&](const ProcessStatus* one) { return std::pair(!is_of_writer(one), one->blocked_since); });
  return found;
}

bool SpoolReport::is_full() const {
  const ProcessStatus* const writer = running(status.writing, status.writer_pid, status.writer);
  return writer != nullptr && writer->full_since != 0;
}

std::optional<base::Duration> SpoolReport::full_in() const {
  return is_full() ? std::optional<base::Duration>(0) : status.full_in();
}

const ProcessStatus* SpoolReport::latest_error() const {
  const ProcessStatus* found = nullptr;
  for_processes(status, [&](const ProcessStatus& one, bool) {
    if (one.error_at != 0 && (found == nullptr || one.error_at > found->error_at)) found = &one;
  });
  return found;
}

base::Timestamp SpoolReport::latest_success() const {
  base::Timestamp latest = 0;
  for_processes(status, [&](const ProcessStatus& one, bool) { latest = std::max(latest, one.success); });
  return latest;
}

base::Result<SpoolReport> read_spool_report(const std::string& path, const base::Clock& clock) {
  auto status = spool::read_status(path, 30 * base::kSecond, clock);
  if (!status) return std::move(status).error();
  SpoolReport report{.path = path, .now = clock.wall(), .status = std::move(*status), .journals = {}, .logs = {}};
  tail::ListedFolder listed;
  for (const auto& [log, position] : report.status.positions) {
    if (position.gone) continue;
    if (tail::is_journal_key(log)) {
      if (!tail::journal_place(position).finished) report.journals.push_back(tail::stored_journal(log, position));
      continue;
    }
    LogLag one{log, tail::lag_of(log, position, clock, &listed)};
    if (one.lag.bytes > 0 || one.lag.gone > 0 || !one.lag.trouble.empty()) report.logs.push_back(std::move(one));
  }
  report.now = clock.wall();
  const auto further = [&](const LogLag& a, const LogLag& b) {
    return std::pair(a.lag.behind(report.now), a.lag.bytes) > std::pair(b.lag.behind(report.now), b.lag.bytes);
  };
  std::ranges::stable_sort(report.logs, further);
  return report;
}

base::Result<bool> is_behind(const SpoolReport& report, base::Duration most) {
  if (report.behind() > most) return true;
  std::size_t unread = 0;
  std::string first;
  const auto add = [&](const std::string& trouble) {
    if (!trouble.empty() && unread++ == 0) first = trouble;
  };
  for (const LogLag& one : report.logs) add(one.lag.trouble);
  for (const tail::StoredJournal& one : report.journals) add(one.trouble);
  if (unread == 0) return false;
  return base::fail(base::Code::io, "cannot tell how far '{}' is behind: {} cannot be read ({})", report.path,
                    count_of(unread, "log"), first)
      .with_hint("run this as a user that may read the logs, such as the one that runs tail");
}

std::string spool_report_text(const SpoolReport& report) { return Text(report).write(); }

std::string spool_report_json(const SpoolReport& report) {
  const spool::SpoolStatus& status = report.status;
  const auto all_blocked = report.blocked();
  const ProcessStatus* const blocked = all_blocked.empty() ? nullptr : all_blocked.front();
  const ProcessStatus* const error = report.latest_error();
  const auto full = report.full_in();
  std::string out = fmt::format(
      R"({{"spool":{},"id":"{:016x}","format":{},"created":{},"running":{},"last_success":{},"last_error":{},"last_error_at":{},)"
      R"("blocked":{},"blocked_since":{},"behind_seconds":{},"oldest_undelivered":{},"undelivered_seconds":{},"unread_bytes":{},)"
      R"("unread_seconds":{},)"
      R"("full_in_seconds":{},"inflow_bytes_per_second":{:.0f},"undelivered_bytes":{},"room_bytes":{},"max_size":{},)"
      R"("drops_oldest":{},"lost":{},"writer":{},)",
      json_string(report.path), status.id, status.format, time_or_null(status.created), report.is_running(),
      time_or_null(report.latest_success()), text_or_null(error != nullptr ? error->error : std::string()),
      time_or_null(error != nullptr ? error->error_at : 0), text_or_null(blocked != nullptr ? blocked->blocked : std::string()),
      time_or_null(blocked != nullptr ? blocked->blocked_since : 0), seconds_or_null(report.times_known(), report.behind()),
      time_or_null(status.oldest_undelivered()), seconds(report.undelivered_for()),
      number_or_null(report.bytes_known(), report.unread_bytes()), seconds_or_null(report.times_known(), report.unread_for()),
      full ? seconds(*full) : "null", status.inflow, status.undelivered_bytes,
      status.max_size > 0 ? std::to_string(status.room_bytes) : "null",
      status.max_size > 0 ? std::to_string(status.max_size) : "null", status.drops_oldest, lost_json(status),
      process_json(status.writing, status.writer_pid, status.writer));
  out +=
      fmt::format(R"("file_bytes":{},"log_bytes":{},"free_bytes":{},"reserve_bytes":{},)"
                  R"("blocks":{},"records":{},)"
                  R"("line_bytes":{},"body_bytes":{},"undelivered":{},"delivered":{},"held":{},"held_bytes":{},"oldest_held":{},)"
                  R"("rejected":{},"evicted_undelivered":{},"evicted_rejected":{},"damaged_blocks":{},"damaged_records":{},)"
                  R"("oldest":{},"newest":{},"writing":{},"missing":{},"consumers":[)",
                  status.file_bytes, status.log_bytes, status.free_bytes, status.reserve_bytes, status.blocks, status.records,
                  status.line_bytes, status.body_bytes, status.undelivered, status.delivered, status.held, status.held_bytes,
                  time_or_null(status.oldest_held), status.rejected, status.evicted_undelivered, status.evicted_rejected,
                  status.damaged_blocks, status.damaged_records, time_or_null(status.oldest), time_or_null(status.newest),
                  status.writing, text_or_null(status.missing));
  for (std::size_t i = 0; i < status.consumers.size(); ++i) {
    const spool::ConsumerStatus& one = status.consumers[i];
    out += fmt::format(
        R"({}{{"name":{},"match":{},"block":{},"ordinal":{},"behind_records":{},"oldest":{},"updated":{},"connected":{},)"
        R"("process":{}}})",
        i == 0 ? "" : ",", json_string(one.name), json_string(one.match), one.place.block, one.place.ordinal, one.behind_records,
        time_or_null(one.oldest), time_or_null(one.updated), one.connected, process_json(one.connected, one.pid, one.process));
  }
  out += R"(],"releases":[)";
  for (std::size_t i = 0; i < status.releases.size(); ++i) {
    const spool::ReleaseStatus& one = status.releases[i];
    out += fmt::format(
        R"({}{{"id":{},"query":{},"asked":{},"from":{},"to":{},"state":{},"matched":{},"released":{},"pending":{},"left_out":{},)"
        R"("sent":{},"refused":{},"lost":{}}})",
        i == 0 ? "" : ",", json_string(one.id), json_string(one.query), time_or_null(one.created), end_or_null(one.from),
        end_or_null(one.to), json_string(one.state), one.matched, one.released, one.pending, one.left_out, one.sent, one.refused,
        one.lost);
  }
  out += R"(],"set_aside":[)";
  for (std::size_t i = 0; i < status.set_aside.size(); ++i) out += (i == 0 ? "" : ",") + json_string(status.set_aside[i]);
  out += R"(],"unread":)" + logs_json(report) + R"(,"journals":)" + journals_json(report) + R"(,"positions":[)";
  bool first = true;
  for (const auto& [log, position] : status.positions) {
    out += fmt::format(R"({}{{"log":{},"generation":{},"offset":{}}})", first ? "" : ",", json_string(log),
                       position.resume.generation, position.resume.offset);
    first = false;
  }
  return out + "]}\n";
}

}  // namespace weir::cli
