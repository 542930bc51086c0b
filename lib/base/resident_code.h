// Which pages of the code stay in memory.
#pragma once

namespace weir::base {

// Gives back the pages of code, and of other read-only parts of the program and its libraries, that were touched up to now:
// starting and loading touches megabytes of it for the last time. What is wanted again comes out of the page cache. Any thread, any
// time; it is advice, of which nothing but memory depends (madvise(2), MADV_DONTNEED on private mappings of files that nobody wrote
// to).
void forget_code_of_loading();

}  // namespace weir::base
