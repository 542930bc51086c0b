// What a thread that drives a chain waits on beside its input: one descriptor for all that stages below it wait for.
//
// A stage that waits for a descriptor of its own (a watched folder, a connection) registers it with watch(); another thread, or a
// signal handler, calls ring(). The driving thread polls fd(). When it is readable, it calls hear() and then nudge(): each stage
// reads its own descriptor there. So no stage polls a file, owns a timer or needs a thread to be told something.
//
// Nothing is lost: a ring between two polls makes the next one return at once. Several rings may become one.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace weir::base {

// Costs nothing until somebody opens it.
class Wake {
 public:
  // Takes two descriptors. To be called before ring() by whoever will ring, in the driving thread; again it does nothing.
  Result<void> open();

  // Readable when there is something to hear; -1 while nobody has opened it. For the driving thread.
  [[nodiscard]] int fd() const { return epoll_.get(); }

  // From any thread and from signal handlers. Does nothing while it is not open.
  void ring() const;

  // To be called when fd() was readable, before nudge(): what rings later makes fd() readable again.
  void hear();

  // From now on fd() is readable while `fd` is. Opens. `fd` is not owned; closing it ends the watch, and so does forget().
  Result<void> watch(int fd);
  // As ring() at each write to the event descriptor `event`, which nobody reads (Stop::reload_fd()): several Wakes may share one.
  Result<void> watch_event(int event);
  void forget(int fd) const;

 private:
  Result<void> add(int fd, unsigned events);
  UniqueFd epoll_;
  UniqueFd bell_;
};

}  // namespace weir::base
