// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace onlink {
namespace {

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
  EXPECT_EQ(IpAddress::parse("10.10.0.2")->to_string(), "10.10.0.2");
  EXPECT_EQ(IpAddress::parse("2001:DB8:0::1")->to_string(), "2001:db8::1");
  EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1")->to_string(), "10.0.0.1");
  // As Go prints them, which host-local is written in.
  EXPECT_EQ(IpAddress::parse("::10.1.2.3")->to_string(), "::a01:203");
  EXPECT_EQ(IpAddress::parse("::1:0")->to_string(), "::1:0");
  EXPECT_EQ(IpAddress::parse("::ff")->to_string(), "::ff");
  EXPECT_EQ(IpAddress::parse("::")->to_string(), "::");
}

TEST(IpAddress, RefusesWhatIsNotAnAddress) {
  for (const char* text :
       {"", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1/24", " 10.0.0.1", "fe80::1%eth0", "lock"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0x", 10)));
  EXPECT_FALSE(IpAddress::parse(std::string(1 << 20, '1')));
}

TEST(IpAddress, NumberRoundTrip) {
  for (const char* text : {"0.0.0.0", "255.255.255.255", "10.1.2.3", "::", "fd00::ffff:1", "ffff::"}) {
    const auto address = *IpAddress::parse(text);
    EXPECT_EQ(IpAddress::from_number(address.family(), address.number()), address) << text;
  }
  EXPECT_EQ(IpAddress::from_number(IpFamily::v4, 0x0a000100), *IpAddress::parse("10.0.1.0"));
}

TEST(IpAddress, HasANextOneAndAPreviousOne) {
  EXPECT_EQ(IpAddress::parse("10.0.0.255")->next().to_string(), "10.0.1.0");
  EXPECT_EQ(IpAddress::parse("10.0.1.0")->previous().to_string(), "10.0.0.255");
  EXPECT_EQ(IpAddress::parse("255.255.255.255")->next().to_string(), "0.0.0.0");
  EXPECT_EQ(IpAddress::parse("fd00::ffff:ffff:ffff:ffff")->next().to_string(), "fd00:0:0:1::");
}

TEST(IpPrefix, RefusesWhatIsNotAPrefix) {
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129",
                           "/8", "::ffff:10.0.0.0/24"})
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
}

TEST(IpPrefix, NetworkLastAndMembership) {
  const auto prefix = *IpPrefix::parse("10.10.0.77/24");
  EXPECT_TRUE(prefix.has_host_bits());
  EXPECT_EQ(prefix.network().to_string(), "10.10.0.0/24");
  EXPECT_EQ(prefix.last().to_string(), "10.10.0.255");
  EXPECT_TRUE(prefix.contains(*IpAddress::parse("10.10.0.1")));
  EXPECT_FALSE(prefix.contains(*IpAddress::parse("10.10.1.1")));
  EXPECT_FALSE(prefix.contains(*IpAddress::parse("::1")));
  EXPECT_EQ(IpPrefix::any(IpFamily::v6).last().to_string(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_TRUE(IpPrefix::parse("10.0.0.0/8")->overlaps(prefix));
  EXPECT_TRUE(prefix.overlaps(*IpPrefix::parse("10.0.0.0/8")));
  EXPECT_FALSE(prefix.overlaps(*IpPrefix::parse("10.10.1.0/24")));
}

TEST(MacAddress, ParsesPrintsAndFormsLinkLocal) {
  const auto mac = *MacAddress::parse("EE:ee:ee:ee:ee:ee");
  EXPECT_EQ(mac.to_string(), "ee:ee:ee:ee:ee:ee");
  EXPECT_EQ(mac.link_local().to_string(), "fe80::ecee:eeff:feee:eeee");
  for (const char* text : {"", "ee:ee:ee:ee:ee", "ee-ee-ee-ee-ee-ee", "ee:ee:ee:ee:ee:eg",
                           "+1:ee:ee:ee:ee:ee", "eeeeeeeeeeeeeeeee"})
    EXPECT_FALSE(MacAddress::parse(text)) << text;
}

}  // namespace
}  // namespace onlink
