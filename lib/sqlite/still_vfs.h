// A system layer for SQLite that writes nothing: no file is made, enlarged, changed or removed.
//
// SQLite reads a write-ahead log with an index that all processes share. Some process must be able to make the file of that
// index. Here each connection has its own index in memory, made from the log when it is first read. So the connection sees what
// was committed by then and nothing later. No process waits for it, so a writer may copy the log into the file and start
// the log again in the meantime. A caller must check whether that happened (Database::torn()).
#pragma once

namespace weir::sqlite {

// The name under which to open a database. Its files are opened by the layer that is the default at that time.
[[nodiscard]] const char* still_vfs();

}  // namespace weir::sqlite
