#include "cli/program.h"

#include "fake_commands.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(Program, WhatMovesRecordsCanBeStopped) {
  EXPECT_EQ(exits_of(test::count_command),
            (std::vector{Exit::ok, Exit::usage, Exit::hung_up, Exit::interrupted, Exit::terminated}));
  auto action = test::act_command;
  action.exits = {Exit::ok, Exit::usage};
  EXPECT_EQ(exits_of(action), (std::vector{Exit::ok, Exit::usage}));
  EXPECT_EQ(exits_of(test::pass_command).size(), 7U);  // names none
}

TEST(Program, EveryRoleHasItsHeading) {
  for (const auto role : {Role::source, Role::stage, Role::sink, Role::action}) {
    bool found = false;
    for (const auto& heading : role_headings()) found = found || heading.role == role;
    EXPECT_TRUE(found);
  }
  EXPECT_FALSE(version().empty());
}

}  // namespace
}  // namespace weir::cli
