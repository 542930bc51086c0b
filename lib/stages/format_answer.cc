#include "stages/format_answer.h"

#include "logql/parser.h"
#include "logql/pretty_printer.h"
#include "record/json.h"
#include "stages/answer_source.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr std::size_t kLongest = 128 << 10;  // bytes; Loki parses no longer query

// All of it. Ends at a signal.
Result<std::string> read_all(int fd, const base::Stop& stop) {
  std::string text;
  for (;;) {
    std::array<pollfd, 2> fds = {{{stop.fd(), POLLIN, 0}, {fd, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
      return fail(Code::io, "cannot read standard input: {}", std::strerror(errno));
    if (stop.stopped()) return fail(Code::interrupted, "interrupted while reading standard input");
    if (fds[1].revents == 0) continue;
    std::array<char, 4096> piece;
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got == 0) return text;
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return fail(Code::io, "cannot read standard input: {}", std::strerror(errno));
    }
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > kLongest) {
      return fail(Code::usage, "cannot format the query on standard input: it is longer than 128 KiB")
          .with_hint("Loki takes no longer query; is it a query?");
    }
  }
}

Result<logql::Expr> parse(std::string_view text) {
  // A mistake at the end is shown in the last line, not below it.
  const std::string_view query = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  if (query.empty()) return fail(Code::usage, "cannot format a query: there is none").with_hint("weir query fmt 'LOGQL'");
  return logql::parse(query, {});
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

class FormatAnswer : public AnswerSource {
 public:
  using AnswerSource::AnswerSource;

  Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    std::string text = spec_.logql;
    if (spec_.input) {
      auto read = read_all(*spec_.input, stop);
      if (!read) return std::move(read).error();
      text = std::move(*read);
    }
    const auto query = parse(text);
    if (!query) return base::Error(query.error());
    const std::string pretty = logql::print_pretty(*query);
    auto emitted = emit_lines(out, spec_.json ? std::vector{record::json_string(pretty)} : lines_of(pretty));
    finished_ = emitted.ok();
    return emitted;
  }
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_format_answer(const QuerySpec& spec, const pipeline::Context& context) {
  if (spec.input && ::isatty(*spec.input) != 0) {
    return fail(Code::usage, "cannot format a query: there is none, and standard input is a terminal")
        .with_hint("weir query fmt 'LOGQL', or pipe the query into it");
  }
  if (!spec.input) {
    if (const auto query = parse(spec.logql); !query) return base::Error(query.error());
  }
  return std::unique_ptr<pipeline::Source>(std::make_unique<FormatAnswer>(spec, context));
}

}  // namespace weir::stages
