// What following a Loki and following a spool have in common: passing on, counting what is expected, and waiting.
#pragma once

#include "stages/answer_source.h"
#include "stages/follow_answer.h"

#include <functional>
#include <string>
#include <utility>

namespace weir::stages {

class FollowSource : public AnswerSource {
 public:
  FollowSource(QuerySpec query, const FollowSpec& follow, const pipeline::Context& context);

  // What the expectation says; nothing else, because the end of following is no end of the answer.
  [[nodiscard]] std::string summary() const override;
  [[nodiscard]] pipeline::Counters counters() const override;

 protected:
  enum class Next : std::uint8_t { go_on, end };

  // Stands between another source, whose records this one counts and passes on as its own, and what is downstream.
  class Tap : public pipeline::Outlet {
   public:
    using Look = std::function<void(record::Batch& batch)>;  // sees each batch before it is passed on; may be null
    Tap(FollowSource& owner, pipeline::Outlet& out, Look look) : owner_(owner), out_(out), look_(std::move(look)) {}
    base::Result<pipeline::Flow> emit(record::Batch& batch) override;
    base::Result<base::Monotonic> nudge(base::Monotonic now) override { return out_.nudge(now); }
    base::Result<pipeline::Flushed> flush(base::Monotonic deadline) override { return out_.flush(deadline); }
    [[nodiscard]] int wake_fd() const override { return out_.wake_fd(); }
    [[nodiscard]] int reader_fd() const override { return out_.reader_fd(); }
    base::Result<pipeline::Flow> reader_left() override { return out_.reader_left(); }
    [[nodiscard]] bool ended() const { return ended_; }  // nobody wants more

   private:
    FollowSource& owner_;
    pipeline::Outlet& out_;
    Look look_;
    bool ended_ = false;
  };
  // A source of the records that are there, for a Tap: what it counts is not seen.
  [[nodiscard]] base::Result<std::unique_ptr<pipeline::Source>> first_source() const;

  // Passes on and counts. Next::end: nobody wants more. What is expected is counted also when nobody reads it any more.
  base::Result<Next> pass_on(pipeline::Outlet& out, record::Batch& batch);
  // After a look at all there is.
  Next looked();
  // Until `due`, or it is time to stop. Nudges what is downstream.
  base::Result<Next> wait_until(base::Monotonic due, pipeline::Outlet& out, base::Stop& stop);
  // The time to wait for what is expected is over.
  [[nodiscard]] bool is_over() const { return context_.clock->monotonic() >= give_up_; }

  const FollowSpec follow_;
  std::string nothing_;     // why there was nothing at the start
  std::uint64_t lost_ = 0;  // what could not be read, beside what is counted in cells

 private:
  [[nodiscard]] bool waits() const { return follow_.follow || (follow_.expectation != nullptr && follow_.expectation->wait() > 0); }

  base::Monotonic give_up_;
  bool watch_reader_ = true;  // out.reader_fd() is worth waiting for
  bool reader_left_ = false;
};

// The two of them.
base::Result<std::unique_ptr<pipeline::Source>> make_loki_follow(const QuerySpec& query, const FollowSpec& follow,
                                                                 const pipeline::Context& context);
base::Result<std::unique_ptr<pipeline::Source>> make_spool_follow(const QuerySpec& query, const FollowSpec& follow,
                                                                  const pipeline::Context& context);

}  // namespace weir::stages
