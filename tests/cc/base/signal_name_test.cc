#include "base/signal_name.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <string>

namespace celadon {
namespace {

TEST(SignalName, IsThatOfTheLibraryWhereItHasOne) {
  for (int signo = 1; signo < NSIG; ++signo) {
    const char* name = ::sigabbrev_np(signo);
    const std::string wanted =
        name ? std::string("SIG") + name : "signal " + std::to_string(signo);
    EXPECT_EQ(signal_name(signo), wanted);
  }
}

TEST(SignalName, WhatIsNoSignalHasItsNumber) {
  EXPECT_EQ(signal_name(0), "signal 0");
  EXPECT_EQ(signal_name(-3), "signal -3");
}

}  // namespace
}  // namespace celadon
