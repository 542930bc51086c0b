// A system layer for SQLite that writes nothing at all: no file is made, made larger, changed or removed.
//
// SQLite reads a write-ahead log with the help of an index that all processes share, a file that somebody has to be able to make.
// Here each connection has an index of its own, in memory, made from the log when it is first read. So it sees what was committed
// by then and nothing later, and nobody waits for it: a writer may copy the log into the file and begin it anew meanwhile. Whoever
// reads this way has to look whether that happened (Database::torn()).
#pragma once

namespace weir::sqlite {

// The name to open a database by. Its files are opened by the layer that is the default one at that time.
[[nodiscard]] const char* still_vfs();

}  // namespace weir::sqlite
