#include "monitor/service_socket.h"

#include "support/service_manager.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::monitor {
namespace {

TEST(ServiceSocket, SendsToAPathAndToAnAbstractName) {
  const test::TempDir dir;
  for (const std::string& name : {dir / "notify", "@weir-test-" + std::to_string(::getpid())}) {
    const test::ServiceManager manager(name);
    const auto socket = ServiceSocket::open(name);
    ASSERT_TRUE(socket) << name;
    ASSERT_TRUE(socket->send("READY=1")) << name;
    EXPECT_EQ(manager.next(), "READY=1") << name;
  }
}

TEST(ServiceSocket, SaysThatNobodyIsThere) {
  const test::TempDir dir;
  const auto sent = ServiceSocket::open(dir / "none")->send("READY=1");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().message, "cannot tell systemd at '" + (dir / "none") + "': No such file or directory");
}

TEST(ServiceSocket, RefusesOtherAddresses) {
  for (const std::string& name :
       {std::string("vsock:2:1234"), std::string("/"), std::string("relative"), "/" + std::string(200, 'x')}) {
    const auto socket = ServiceSocket::open(name);
    ASSERT_FALSE(socket) << name;
    EXPECT_EQ(socket.error().code, base::Code::config);
  }
}

}  // namespace
}  // namespace weir::monitor
