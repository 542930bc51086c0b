#include "cli/program.h"

#include <algorithm>
#include <array>

namespace weir::cli {

std::string_view version() { return WEIR_VERSION; }
std::string_view manual_date() { return WEIR_MANUAL_DATE; }
std::string_view tagline() { return "collect, filter, buffer, deliver and read back logs with Grafana Loki"; }

std::string_view description() {
  return "Each command is one stage. Between stages go records as JSON lines (weir-record(5)), so a chain is a shell pipe, and other tools "
         "can stand in it. `weir run` reads the same text and runs the same stages in one process (weir-pipeline(5)).\n"
         "\n"
         "Standard output of a command that writes records is text for people on a terminal and JSON lines into a pipe. Messages go to "
         "standard error, one line each, and begin with `weir COMMAND:`.";
}

std::string_view ends() {
  return "SIGTERM and SIGINT ask a chain to end. A source stops reading. A stage that reads from a pipe reads on to the end of what comes, so "
         "that Ctrl-C, which reaches all processes of a pipe at once, loses nothing. Then each passes on what it has; where it must wait, a "
         "source gives up after 10 s, a stage between two pipes after 15 s, the last one after 20 s. A second signal ends a process at once. "
         "What was neither stored nor acknowledged by then is read again at the next start, where positions are kept. "
         "A SIGINT that was ignored when the process started stays ignored, as shells have it for what a script runs in the background.\n"
         "\n"
         "A chain that was started on a terminal ends in the same way when the terminal goes (SIGHUP); start it with nohup to let it run on. SIGHUP "
         "does not end what was started without a terminal.\n"
         "\n"
         "A reader that leaves, such as `head`, is a normal end of a chain that keeps no positions. In one that does, a process whose neighbour "
         "died passes on what had come whole, waits no longer than 2 s for whoever takes nothing, and exits with 4, so that whoever "
         "watches the chain can start it again: `while :; do weir tail -f --checkpoint S | weir buffer S | weir push; sleep 1; done`";
}

std::string_view exit_rules() {
  return "The codes mean the same for every command. Of several that apply, 2 and 4 count first, then a signal, 3 and 1.\n"
         "\n"
         "1 says that nothing was found: `query` and `replay` gave no record, or no file matches what `tail` without -f was given to look for. "
         "A chain that passed on nothing of what it read ends with 0: nobody knows whether something was to pass.\n"
         "\n"
         "What is named to be read and is not there makes it 4: a log file, a folder, a spool; 3 where others of several could be read. A file that says "
         "how to work makes it 2: the text of `run`, a certificate, a token.";
}

std::span<const Variable> environment_variables() {
  static constexpr std::array<Variable, 12> variables = {{
      {"WEIR_SPOOL", "the spool of every command that names none"},
      {"LOKI_ADDR", "the address of Loki; without it http://localhost:3100"},
      {"LOKI_ORG_ID", "the tenant, sent as X-Scope-OrgID"},
      {"LOKI_USERNAME, LOKI_PASSWORD", "basic authentication"},
      {"LOKI_BEARER_TOKEN, LOKI_BEARER_TOKEN_FILE", "bearer authentication"},
      {"LOKI_CA_CERT_PATH", "certificates of the authorities to trust"},
      {"LOKI_CLIENT_CERT_PATH, LOKI_CLIENT_KEY_PATH", "the client's own certificate and its key"},
      {"LOKI_TLS_SKIP_VERIFY", "`true`: do not check the server's certificate"},
      {"LOKI_HTTP_PROXY_URL", "the proxy to go through"},
      {"NO_COLOR", "set and not empty: no colour"},
      {"COLUMNS", "the width of help, instead of the terminal's"},
      {"TZ", "the time zone of times shown to people"},
  }};
  return variables;
}

std::span<const Example> program_examples() {
  static constexpr std::array<Example, 3> examples = {{
      {"what the pods of this node logged, as text", "weir tail"},
      {"errors only, as a shell pipe", "weir tail | weir filter '|= \"error\"' | weir enrich --level"},
      {"the same in one process", "weir run 'tail | filter \"|= \\\"error\\\"\" | enrich --level'"},
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
