#include "tail/streams.h"

#include "base/unique_fd.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

namespace weir::tail {
namespace {

constexpr std::string_view kStandardInput = "the input";

}  // namespace

base::Result<void> Streams::open(std::vector<std::string>& inputs, int stdin_fd) {
  std::vector<std::string> files;
  for (std::string& input : inputs) {
    if (input == "-") {
      base::UniqueFd fd(::fcntl(stdin_fd, F_DUPFD_CLOEXEC, 0));
      if (!fd) return base::io_error(errno, "read standard input");
      std::string name(kStandardInput);
      streams_.push_back(std::make_unique<StreamInput>(std::move(fd), std::move(name), options_, not_before_, stats_, clock_));
    } else if (is_stream(input)) {
      auto stream = StreamInput::open(input, options_, not_before_, stats_, clock_);
      if (stream)
        streams_.push_back(std::move(stream).value());
      else
        troubles_.add(input, Cause::of(stream.error()));
    } else {
      files.push_back(std::move(input));
    }
  }
  inputs = std::move(files);
  return {};
}

void Streams::add_to(std::vector<pollfd>& polled) const {
  for (const auto& stream : streams_) polled.push_back({stream->fd(), POLLIN, 0});
}

base::Monotonic Streams::due() const {
  base::Monotonic first = base::kNever;
  for (const auto& stream : streams_) first = std::min(first, stream->due());
  return first;
}

void Streams::end() {
  for (const auto& stream : streams_) stream->end();
}

base::Result<bool> Streams::serve(std::span<const pollfd> polled, bool ending, record::Batch& batch,
                                  const std::function<base::Result<bool>()>& emit) {
  if (streams_.empty()) return true;
  const base::Monotonic now = clock_.monotonic();
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const bool readable = polled[i].revents != 0;
    if (!readable && !ending && now < streams_[i]->due()) continue;
    if (auto wanted = serve(streams_[i], readable, now, batch, emit); !wanted || !*wanted) return wanted;
  }
  std::erase(streams_, nullptr);
  return true;
}

base::Result<bool> Streams::serve(std::unique_ptr<StreamInput>& stream, bool readable, base::Monotonic now, record::Batch& batch,
                                  const std::function<base::Result<bool>()>& emit) {
  bool more = true, ended = false;
  for (; more; readable = false) {
    troubles_.begin();
    auto outcome = stream->read(readable, batch);
    if (!outcome && stream->name() == kStandardInput) return std::move(outcome).error();
    if (!outcome) troubles_.add_opened(stream->name(), Cause::of(outcome.error()));
    more = outcome && *outcome == StreamInput::Outcome::full;
    ended = !outcome || *outcome == StreamInput::Outcome::ended;
    if (!more && !ended && now >= stream->due()) stream->give_out(batch);
    troubles_.note(stream->name());
    if (auto wanted = emit(); !wanted || !*wanted) return wanted;
  }
  if (ended) stream.reset();
  return true;
}

}  // namespace weir::tail
