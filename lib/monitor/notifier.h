// Keeps systemd informed about a service of Type=notify or Type=notify-reload: READY=1 when the chain runs, WATCHDOG=1 as long as
// it is healthy, STATUS=… for `systemctl status`, RELOADING=1 at each SIGHUP or POST /-/reload, STOPPING=1 when it drains.
//
// The first STATUS is "starting": the stages do not know yet what waits for them. The next one comes when they have looked around.
//
// A thread of its own does it, which wakes up for the watchdog, every 30 s for the status, and when the Stop has news.
#pragma once

#include "base/wake.h"
#include "monitor/health.h"
#include "monitor/service_socket.h"
#include "pipeline/stage.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace weir::monitor {

class Notifier {
 public:
  struct Config {
    std::string socket;           // NOTIFY_SOCKET
    base::Duration watchdog = 0;  // systemd kills the service when it hears nothing for so long; 0: it does not
    base::Duration starting = 2500 * base::kMillisecond;  // how long STATUS is "starting"
    std::function<Verdict()> health;                      // both are called on the notifier's thread
    std::function<std::string()> status;
  };

  // What the environment of the service says: NOTIFY_SOCKET, and WATCHDOG_USEC where WATCHDOG_PID is this process or not set. An
  // empty `socket` where there is no NOTIFY_SOCKET: then nothing is to be started.
  [[nodiscard]] static Config config_of(const char* (*environment)(const char* name));

  // Errors: io, config. What the context points at outlives it.
  static base::Result<std::unique_ptr<Notifier>> start(Config config, const pipeline::Context& context);
  // Says STOPPING=1 where that was not said.
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // The chain runs. From any thread.
  void begun();

 private:
  Notifier(Config config, ServiceSocket socket, const pipeline::Context& context);
  void run();
  void hear_news();
  void ping();
  void say_status();
  void send(std::string_view text);

  const Config config_;
  const ServiceSocket socket_;
  const pipeline::Context context_;
  base::Wake wake_;  // rung by begun() and the destructor; watches the Stop
  std::atomic<bool> begun_{false}, ends_{false};

  // For the thread.
  bool ready_said_ = false, stopping_said_ = false;
  int reloads_ = 0;
  base::Monotonic ping_at_ = base::kNever, status_at_ = base::kNever;
  std::string status_;  // as it was said last

  std::thread thread_;
};

}  // namespace weir::monitor
