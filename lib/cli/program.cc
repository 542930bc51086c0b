#include "cli/program.h"

#include <algorithm>
#include <array>

namespace weir::cli {

std::string_view version() { return WEIR_VERSION; }
std::string_view manual_date() { return WEIR_MANUAL_DATE; }
std::string_view tagline() { return "collect, filter, buffer, deliver and read back logs with Grafana Loki"; }

std::string_view description() {
  return R"(Each command is one stage. Stages pass records to each other as JSON lines (weir-record(5)). So a chain is a shell pipe,
and other tools can stand in it. `weir run` runs the same text in one process (weir-pipeline(5)).

On a terminal, a command writes records as text for people; into a pipe, as JSON lines (query: -o jsonl).
Messages go to standard error,
one line each, and begin with `weir COMMAND:`. Where that is a terminal, work of over two seconds shows how far it is.)";
}

std::string_view ends() {
  return R"(SIGTERM and SIGINT ask a chain to end. A source stops reading. A stage that reads from a pipe goes on to the end of its
input, so that Ctrl-C, which reaches all processes of a pipe at once, loses nothing. Then each stage passes on what it
has. When it must wait for that, a source gives up after 10 s, a stage between two pipes after 15 s, and the last stage
after 20 s. A second signal ends a process at once. Where positions are kept, the next start reads again what was
neither stored nor acknowledged by then. A SIGINT that was ignored when the process started stays ignored; shells ignore
it for what a script runs in the background.

A chain that was started on a terminal ends in the same way when the terminal is closed (SIGHUP); start it with nohup to
let it run on. SIGHUP does not end a chain that was started without a terminal.

When a reader such as `head` ends, a chain that keeps no positions ends normally. A chain that keeps positions passes on
what has arrived completely, waits at most 2 s for a neighbour that accepts nothing, and exits with 4. So whoever
watches the chain can start it again: `while :; do weir tail -f --checkpoint S | weir buffer S | weir push; sleep 1;
done`)";
}

std::string_view exit_rules() {
  return R"(Each code means the same for every command. When several apply, the first of this list counts. First an
error, which ended the command (2 or 4). Then records that were lost for good (3), also when a signal
ended the command. Then a signal (129, 130 or 143). Then records that were rejected or invalid, and files
that could not be read (3). Then a negative answer (1). Of several pipelines in one `weir run`, an error
counts first, then 3, then a signal, then 1. With --exit-zero-on-term, SIGTERM gives 0 instead of 143,
unless records were not delivered and no positions are kept.

Code 1 says that nothing was found: `query` and `replay` gave no record, or no file matches what `tail` without -f
should read. A chain that read records and passed on none of them ends with 0.

When the input does not exist (a log file, a folder, a spool), the code is 4, or 3 when other inputs could be read. When
a file with settings does not exist (the text of `run`, a certificate, a token), the code is 2.)";
}

std::span<const Variable> environment_variables() {
  static constexpr std::array<Variable, 14> variables = {{
      {"WEIR_SPOOL", "the spool for every command that names none", true},
      {"LOKI_ADDR", "the URL of Loki (default: http://localhost:3100)", true},
      {"LOKI_ORG_ID", "the tenant, sent as X-Scope-OrgID", true},
      {"LOKI_USERNAME, LOKI_PASSWORD", "basic authentication"},
      {"LOKI_BEARER_TOKEN, LOKI_BEARER_TOKEN_FILE", "bearer authentication"},
      {"LOKI_CA_CERT_PATH", "PEM file with the authorities to trust"},
      {"LOKI_CLIENT_CERT_PATH, LOKI_CLIENT_KEY_PATH", "PEM files with the client certificate and its key"},
      {"LOKI_TLS_SKIP_VERIFY", "`true`: do not check the server's certificate"},
      {"LOKI_HTTP_PROXY_URL", "the URL of the proxy"},
      {"NOTIFY_SOCKET", "the socket of systemd, for a service of Type=notify (weir-metrics(7))"},
      {"WATCHDOG_USEC, WATCHDOG_PID", "systemd's watchdog (weir-metrics(7))"},
      {"NO_COLOR", "no colour, when it is set and not empty"},
      {"COLUMNS", "the width of help, instead of the terminal's"},
      {"TZ", "the time zone of times shown to people"},
  }};
  return variables;
}

std::span<const Example> program_examples() {
  static constexpr std::array<Example, 3> examples = {{
      {"show what the pods of this node logged", "weir tail"},
      {"pass only errors, in a shell pipe", "weir tail | weir filter '|= \"error\"' | weir enrich --level"},
      {"the same, in one process", "weir run 'tail | filter \"|= \\\"error\\\"\" | enrich --level'"},
  }};
  return examples;
}

std::vector<Exit> exits_of(const Command& command) {
  auto exits = command.exits;
  if (exits.empty()) exits = {Exit::ok, Exit::usage, Exit::incomplete, Exit::failed};
  // Whatever moves records can be stopped.
  if (command.role != Role::action || command.exits.empty()) {
    for (const auto exit : {Exit::hung_up, Exit::interrupted, Exit::terminated}) {
      if (std::find(exits.begin(), exits.end(), exit) == exits.end()) exits.push_back(exit);
    }
    std::sort(exits.begin(), exits.end());
  }
  return exits;
}

std::vector<Exit> all_exits() {
  return {Exit::ok,     Exit::negative, Exit::usage,       Exit::incomplete,
          Exit::failed, Exit::hung_up,  Exit::interrupted, Exit::terminated};
}

std::span<const RoleHeading> role_headings() {
  static constexpr std::array<RoleHeading, 4> headings = {{
      {Role::source, "Sources"},
      {Role::stage, "Stages"},
      {Role::sink, "Sinks"},
      {Role::action, "Others"},
  }};
  return headings;
}

}  // namespace weir::cli
