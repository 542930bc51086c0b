#include "cli/spool_options.h"

#include "cli/value_options.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <string>

namespace weir::cli {
namespace {

constexpr std::uint64_t kSmallest = 4 << 20;

base::Result<int> read_percent(std::string text) {
  if (text.ends_with('%')) text.pop_back();
  if (text.empty() || text.size() > 2 || text.find_first_not_of("0123456789") != std::string::npos)
    return base::fail(base::Code::usage, "it must be a percentage from 0 to 99");
  return std::stoi(text);
}

}  // namespace

void declare_sync(CLI::App& app, spool::WriterOptions& store) {
  using spool::Sync;
  add_choice<Sync>(app, "--sync", store.sync, {{"off", Sync::off}, {"normal", Sync::normal}, {"full", Sync::full}},
                   "what survives a power cut: with `full` every commit, with `normal` all but the last commits; with `off` the "
                   "spool may be damaged");
}

void declare_max_size(CLI::App& app, spool::WriterOptions& store, const char* group) {
  add_size(app, "--max-size", store.max_size,
           "largest size of SPOOL; a full spool first evicts delivered records, the oldest first", {.least = kSmallest})
      ->group(group);
}

void declare_min_free(CLI::App& app, spool::WriterOptions& store, const char* group) {
  const auto read = [&store](const std::string& text) -> base::Result<void> {
    auto percent = read_percent(text);
    if (!percent) return std::move(percent).error();
    store.min_free = *percent;
    return {};
  };
  add_value(app, "--min-free", read, "while less of the file system is free, SPOOL does not grow beyond 16 MiB")
      ->type_name("PERCENT")
      ->default_str(fmt::format("{}%", store.min_free))
      ->group(group);
}

void declare_retain(CLI::App& app, spool::WriterOptions& store, const char* group) {
  add_duration(app, "--retain", store.retain, "how long to keep delivered records")->group(group);
}

void declare_on_full(CLI::App& app, spool::WriterOptions& store, const char* group) {
  using spool::OnFull;
  add_choice<OnFull>(app, "--on-full", store.on_full, {{"block", OnFull::block}, {"drop-oldest", OnFull::drop_oldest}},
                     "when undelivered records fill SPOOL: `block` makes the stages in front wait; `drop-oldest` evicts the oldest "
                     "and reports them as lost")
      ->group(group);
}

}  // namespace weir::cli
