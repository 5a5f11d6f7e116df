// SPDX-License-Identifier: Apache-2.0
#include "ipam/host_routes.h"

#include <gtest/gtest.h>

namespace onlink::ipam {
namespace {

TEST(HostRoutes, OnlyRoutesOfOneAddressCount) {
  // 10.10.0.2/32 and 10.10.0.0/24, as a little-endian machine prints them.
  const HostRoutes routes = HostRoutes::parse(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "onl1\t02000A0A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
      "eth0\t00000A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
      "broken line\n",
      "fd000000000000000000000000000002 80 00000000000000000000000000000000 00 "
      "00000000000000000000000000000000 00000400 00000001 00000000 00000001 onl2\n"
      "fd000000000000000000000000000003 80 00000000000000000000000000000000 00 "
      "00000000000000000000000000000000 00000000 00000001 00000000 80200001 eth0\n"
      "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 "
      "00000000000000000000000000000000 00000400 00000001 00000000 00000001 eth0\n");
  EXPECT_EQ(routes.interface_to(*IpAddress::parse("10.10.0.2")), "onl1");
  EXPECT_EQ(routes.interface_to(*IpAddress::parse("10.10.0.0")), "");
  EXPECT_EQ(routes.interface_to(*IpAddress::parse("fd00::2")), "onl2");
  EXPECT_EQ(routes.interface_to(*IpAddress::parse("fd00::3")), "") << "the host's own address";
  EXPECT_EQ(routes.interface_to(*IpAddress::parse("fd00::")), "");
}

TEST(HostRoutes, WhatTheKernelTellsCanBeRead) { EXPECT_NO_THROW((void)HostRoutes::read()); }

}  // namespace
}  // namespace onlink::ipam
