// What the page says about the spool.
//
//   GET /weir/api/v1/status
//
//   {"spool":"PATH","version":"…","read_only":bool,"exists":bool,
//    "bytes":N,"blocks":N,"records":N,"line_bytes":N,"streams":N,"tenants":["",…],
//    "oldest":"<RFC 3339>"|null,"newest":…,"undelivered":N,"held":N,"rejected":N,"max_size":N|null,
//    "writer":{"pid":N,"command":"…","blocked":"…"|null}|null,
//    "consumers":[{"name":"…","behind":N,"connected":bool}]}
//
// Of a spool that does not exist yet the numbers are 0. `bytes` is the file with its write-ahead log. The tenant "" stands for
// records without one. Of records, streams, bytes of lines and times, those of the request's tenant count; the rest is of the whole
// spool.
#pragma once

#include "serve/endpoints.h"

namespace weir::serve {

Answer store_status(Call& call);

}  // namespace weir::serve
