// Telling systemd how a service does, by sd_notify(3)'s protocol: datagrams to the socket that NOTIFY_SOCKET names.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <string>
#include <string_view>

namespace weir::monitor {

class ServiceSocket {
 public:
  // `name`: a path, or @NAME of the abstract kind. Code::config for any other, Code::io.
  static base::Result<ServiceSocket> open(std::string name);

  // "READY=1\nSTATUS=…". Waits for 2 s at most. Code::io.
  [[nodiscard]] base::Result<void> send(std::string_view text) const;

 private:
  ServiceSocket(std::string name, base::UniqueFd fd) : name_(std::move(name)), fd_(std::move(fd)) {}
  std::string name_;
  base::UniqueFd fd_;
};

}  // namespace weir::monitor
