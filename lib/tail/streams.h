// What the user named that can only be read as a stream: standard input, FIFOs, devices. Each is read to its end, as it comes.
//
// Whoever owns them polls what add_to() gives, and calls serve() when one is readable or due() has come.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/record.h"
#include "tail/log_reader.h"
#include "tail/stream_input.h"
#include "tail/trouble_report.h"

#include <poll.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::tail {

// Not thread safe.
class Streams {
 public:
  // All outlive it. `not_before`: older records are left out.
  Streams(const ReadOptions& options, base::Timestamp not_before, ReadStats& stats, TroubleReport& troubles,
          const base::Clock& clock)
      : options_(options), not_before_(not_before), stats_(stats), troubles_(troubles), clock_(clock) {}

  // Takes those that are streams out of `inputs` and opens them; "-" is `stdin_fd`, of which it makes a copy. One that cannot be
  // opened is reported; an error is that of standard input.
  base::Result<void> open(std::vector<std::string>& inputs, int stdin_fd);

  [[nodiscard]] bool empty() const { return streams_.empty(); }
  [[nodiscard]] std::size_t size() const { return streams_.size(); }
  [[nodiscard]] const std::string& first_name() const { return streams_.front()->name(); }  // for messages

  void add_to(std::vector<pollfd>& polled) const;
  // When serve() is to be called though nothing came.
  [[nodiscard]] base::Monotonic due() const;
  // Nothing more is to be read: the next serve() gives what is left.
  void end();

  // Reads what has come. `polled`: what add_to() added, after poll(). `ending`: read them all. `emit` passes the batch on and
  // empties it; false when nobody wants more, which is what this returns then. An error is that of standard input or of `emit`.
  base::Result<bool> serve(std::span<const pollfd> polled, bool ending, record::Batch& batch,
                           const std::function<base::Result<bool>()>& emit);

 private:
  base::Result<bool> serve(std::unique_ptr<StreamInput>& stream, bool readable, base::Monotonic now, record::Batch& batch,
                           const std::function<base::Result<bool>()>& emit);

  const ReadOptions& options_;
  const base::Timestamp not_before_;
  ReadStats& stats_;
  TroubleReport& troubles_;
  const base::Clock& clock_;
  std::vector<std::unique_ptr<StreamInput>> streams_;
};

}  // namespace weir::tail
