#include "sqlite/migrations.h"

namespace weir::sqlite {

base::Result<FileKind> identify(Database& database, const Format& format) {
  // One transaction, so a file that is being created or migrated is seen as before or as after, never in between.
  auto transaction = Transaction::begin(database, Transaction::Kind::read);
  if (!transaction) return std::move(transaction).error();
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  const auto id = database.integer("PRAGMA application_id");
  if (!id) return id.error();
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version.error();

  if (*tables == 0 && *id == 0 && *version == 0) return FileKind::empty;
  if (static_cast<std::uint32_t>(*id) != format.application_id) {
    return base::fail(base::Code::usage, "cannot use '{}': it is a SQLite file of another program, not a {}", database.path(),
                      format.name)
        .with_hint("name a file that weir made, or a new file");
  }
  const auto known = static_cast<std::int64_t>(format.steps.size());
  if (*version > known) {
    return base::fail(base::Code::version, "cannot use '{}': its format is {}, this release knows {} up to {}", database.path(),
                      *version, format.name, known)
        .with_hint("use the release that wrote it, or a later one");
  }
  if (*version <= 0) {
    // The first step writes tables, identity and version in one transaction, so this state cannot come from us.
    return base::fail(base::Code::corrupt, "cannot use '{}': it has the identity of a {} and no format", database.path(),
                      format.name);
  }
  return *version < known ? FileKind::older : FileKind::current;
}

base::Result<void> migrate(Database& database, const Format& format) {
  const auto kind = identify(database, format);
  if (!kind) return kind.error();
  if (*kind == FileKind::current) return {};
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  for (auto step = static_cast<std::size_t>(*version); step < format.steps.size(); ++step) {
    auto transaction = Transaction::begin(database, Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    if (auto done = database.execute(format.steps[step]); !done) return done;
    const std::string stamp = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", format.application_id, step + 1);
    if (auto done = database.execute(stamp.c_str()); !done) return done;
    if (auto done = transaction->commit(); !done) return done;
  }
  return {};
}

}  // namespace weir::sqlite
