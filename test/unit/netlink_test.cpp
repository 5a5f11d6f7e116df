// SPDX-License-Identifier: Apache-2.0
// The netlink folder against the real kernel, in a network namespace of the test's own, and its parsers
// against messages that no kernel should send.
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "netlink/address.h"
#include "netlink/address_watch.h"
#include "netlink/attributes.h"
#include "netlink/datagram.h"
#include "netlink/link.h"
#include "netlink/monitor.h"
#include "netlink/route.h"
#include "netlink/socket.h"
#include "nft/ruleset.h"

namespace onlink::netlink {
namespace {

IpPrefix prefix(const char* text) { return IpPrefix::parse(text).value(); }

class Kernel : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root: " << std::strerror(errno);
    ASSERT_EQ(std::system(NAMESPACE_PROGRAM), 0);
    socket_.emplace(Socket::open());
    const auto lo = find_link(*socket_, "lo");
    ASSERT_TRUE(lo);
    lo_ = lo->index;
    socket_->execute(set_link_up(lo_, "lo"));
    socket_->execute(add_address({lo_, prefix("172.16.91.201/24"), 0, 0}, "lo"));
  }
  Route route(const char* dst) {
    Route route;
    route.dst = prefix(dst);
    route.gateway = IpAddress::parse("172.16.91.202");
    route.link = lo_;
    route.protocol = onlink_protocol;
    return route;
  }

  std::optional<Socket> socket_;
  std::uint32_t lo_ = 0;
};

TEST_F(Kernel, ReadsBackTheRouteThatItWasGiven) {
  // The kernel takes "onlink" only through a device that has neighbours, so not through lo.
  const Netns here = socket_->netns();
  socket_->execute(create_veth({"v0", *MacAddress::parse("0a:00:00:00:00:01"), 1500, "v1",
                                *MacAddress::parse("0a:00:00:00:00:02"), &here}));
  const auto veth = find_link(*socket_, "v0");
  ASSERT_TRUE(veth);
  EXPECT_EQ(veth->kind, "veth");
  socket_->execute(set_link_up(veth->index, "v0"));
  Route wanted = route("10.10.1.0/24");
  wanted.link = veth->index;
  wanted.gateway = IpAddress::parse("198.51.100.7");
  wanted.source = IpAddress::parse("172.16.91.201");
  wanted.mtu = 1400;
  wanted.onlink = true;
  socket_->execute(add_route(wanted, RouteMode::create, "v0"));
  const auto routes = list_routes(
      *socket_, {.family = IpFamily::v4, .table = RT_TABLE_MAIN, .protocol = onlink_protocol, .link = 0});
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0], wanted);
}

TEST_F(Kernel, RefusesOneOfABatchAndDoesTheRest) {
  std::vector<Message> messages;
  for (int i = 0; i < 200; ++i)
    messages.push_back(
        add_route(route(("10.20." + std::to_string(i) + ".0/24").c_str()), RouteMode::create, "lo"));
  Route unreachable = route("10.30.0.0/24");
  unreachable.gateway = IpAddress::parse("198.51.100.1");
  messages[70] = add_route(unreachable, RouteMode::create, "lo");
  const auto outcomes = socket_->execute_each(messages);
  for (std::size_t i = 0; i < outcomes.size(); ++i) EXPECT_EQ(outcomes[i].has_value(), i == 70) << i;
  EXPECT_TRUE(outcomes[70]->error() == EINVAL || outcomes[70]->error() == ENETUNREACH);
  EXPECT_NE(std::string(outcomes[70]->what()).find("10.30.0.0/24 via 198.51.100.1"), std::string::npos);
}

TEST_F(Kernel, DeletesNoRouteOfAnotherProtocol) {
  Route foreign = route("10.10.1.0/24");
  foreign.protocol = RTPROT_BIRD;
  socket_->execute(add_route(foreign, RouteMode::create, "lo"));
  try {
    socket_->execute(delete_route(route("10.10.1.0/24"), "lo"));
    FAIL() << "it deleted BIRD's route";
  } catch (const Failure& failure) {
    EXPECT_TRUE(failure.missing());
  }
  try {
    socket_->execute(add_route(route("10.10.1.0/24"), RouteMode::create, "lo"));
    FAIL() << "it added beside BIRD's route";
  } catch (const Failure& failure) {
    EXPECT_TRUE(failure.already_exists());
  }
}

TEST_F(Kernel, LooksUpManyRoutesInTheirOrder) {
  std::vector<IpAddress> asked;
  for (unsigned i = 0; i < 300; ++i)
    asked.push_back(IpAddress::from_number(
        IpFamily::v4, i % 3 == 0 ? (198u << 24) + i : (172u << 24) + (16u << 16) + (91u << 8) + 2 + i % 200));
  const auto found = lookup_routes(*socket_, asked);
  ASSERT_EQ(found.size(), asked.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i].has_value(), i % 3 != 0) << asked[i].to_string();
}

TEST_F(Kernel, AnAbsentTableIsEmpty) {
  EXPECT_TRUE(
      list_routes(*socket_, {.family = IpFamily::v4, .table = 4711, .protocol = 0, .link = 0}).empty());
}

// What a kernel answers to one dump: a route, and the end, each perhaps with the mark of an interrupted dump.
void answer_dump(int fd, const char* dst, bool part_marked, bool end_marked) {
  std::array<char, 1024> buffer{};
  if (::recv(fd, buffer.data(), buffer.size(), 0) < static_cast<ssize_t>(sizeof(nlmsghdr))) return;
  const std::uint32_t sequence = reinterpret_cast<const nlmsghdr*>(buffer.data())->nlmsg_seq;
  Route route;
  route.dst = prefix(dst);
  Message part = add_route(route, RouteMode::create, "");
  Message end(NLMSG_DONE, 0, [] { return std::string("end"); });
  end.header<int>() = 0;
  const auto send = [&](Message& message, bool marked) {
    message.raw()->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_MULTI | (marked ? NLM_F_DUMP_INTR : 0));
    message.raw()->nlmsg_seq = sequence;
    EXPECT_GT(::send(fd, message.raw(), message.raw()->nlmsg_len, 0), 0);
  };
  send(part, part_marked);
  send(end, end_marked);
}

class InterruptedDump : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    socket_.emplace(Socket::adopt(UniqueFd(ends[0])));
    kernel_ = UniqueFd(ends[1]);
  }
  std::vector<std::string> dump() {
    std::vector<std::string> dsts;
    for (const Route& route : list_routes(*socket_, {})) dsts.push_back(route.dst.to_string());
    return dsts;
  }
  std::optional<Socket> socket_;
  UniqueFd kernel_;
};

TEST_F(InterruptedDump, IsThrownAwayAndAskedForAgain) {
  for (const bool in_part : {true, false}) {
    std::thread kernel([&] {
      answer_dump(kernel_.get(), "10.0.1.0/24", in_part, !in_part);
      answer_dump(kernel_.get(), "10.0.2.0/24", false, false);
    });
    EXPECT_EQ(dump(), std::vector<std::string>{"10.0.2.0/24"});
    kernel.join();
  }
}

TEST_F(InterruptedDump, ThatNeverEndsIsAFailure) {
  std::atomic<int> dumps = 0;
  std::thread kernel([&] {
    for (; dumps < 20; ++dumps) answer_dump(kernel_.get(), "10.0.1.0/24", true, false);
  });
  try {
    dump();
    ADD_FAILURE() << "a part was taken for the whole";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::try_again);
    EXPECT_NE(std::string(failure.what()).find("interrupted by changes 20 times in a row"),
              std::string::npos);
  }
  kernel_ = UniqueFd();
  kernel.join();
  EXPECT_EQ(dumps, 20);
}

TEST_F(Kernel, TellsWhatChangedAndWhoDidIt) {
  constexpr int groups[] = {RTNLGRP_IPV4_ROUTE};
  Monitor monitor = Monitor::open(NETLINK_ROUTE, groups);
  socket_->execute(add_route(route("10.10.1.0/24"), RouteMode::create, "lo"));
  int seen = 0;
  EXPECT_TRUE(monitor.drain([&](const nlmsghdr& message) {
    const auto parsed = parse_route(message);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, route("10.10.1.0/24"));
    EXPECT_EQ(message.nlmsg_pid, socket_->port());
    ++seen;
  }));
  EXPECT_EQ(seen, 1);
}

TEST_F(Kernel, SaysWhenNotificationsWereDropped) {
  constexpr int groups[] = {RTNLGRP_IPV4_ROUTE};
  Monitor monitor = Monitor::open(NETLINK_ROUTE, groups, 2048);
  std::vector<Message> messages;
  for (int i = 0; i < 200; ++i)
    messages.push_back(
        add_route(route(("10.20." + std::to_string(i) + ".0/24").c_str()), RouteMode::create, "lo"));
  socket_->execute(messages);
  EXPECT_FALSE(monitor.drain([](const nlmsghdr&) {}));
  socket_->execute(delete_route(route("10.20.7.0/24"), "lo"));
  EXPECT_TRUE(monitor.drain([](const nlmsghdr&) {})) << "dropped once, told once";
}

TEST_F(Kernel, AnIpv6AddressWorksWhenItsWatchSaysSo) {
  const auto has_local_route = [&](const IpPrefix& dst, std::uint8_t type) {
    constexpr std::uint32_t local_table = 255;
    for (const Route& found :
         list_routes(*socket_, {.family = IpFamily::v6, .table = local_table, .protocol = 0, .link = 0}))
      if (found.type == type && found.dst == dst) return true;
    return false;
  };
  const Netns here = socket_->netns();
  for (int i = 1; i <= 20; ++i) {
    socket_->execute(create_veth({"v0", *MacAddress::parse("0a:00:00:00:00:01"), 1500, "v1",
                                  *MacAddress::parse("0a:00:00:00:00:02"), &here}));
    const std::uint32_t link = find_link(*socket_, "v0")->index;
    const std::string text = "fd00:10::" + std::to_string(i);
    const Address address{link, IpPrefix::host(*IpAddress::parse(text)), 0, 0};
    std::array watches{AddressWatch::open(), AddressWatch::open(), AddressWatch::open()};
    socket_->execute(add_address(address, "v0"));
    EXPECT_FALSE(watches[0].wait(link, {&address, 1}, 20)) << text << ": the interface is down";
    socket_->execute(set_link_up(link, "v0"));
    EXPECT_FALSE(watches[1].wait(link, {&address, 1}, 20)) << text << ": its peer is down";
    socket_->execute(set_link_up(find_link(*socket_, "v1")->index, "v1"));
    EXPECT_TRUE(watches[2].wait(link, {&address, 1}, 5000)) << text;
    EXPECT_TRUE(has_local_route(address.prefix, RTN_LOCAL)) << text;
    EXPECT_TRUE(has_local_route(prefix("ff00::/8"), RTN_MULTICAST)) << text;
    socket_->execute(delete_link(link, "v0"));
  }
  const Address never{lo_, prefix("fd00:10::99/128"), 0, 0};
  EXPECT_FALSE(AddressWatch::open().wait(lo_, {&never, 1}, 10)) << "nobody adds it";
}

// A message with a length that one can bend.
struct Bent {
  Bent() : message(RTM_NEWROUTE, 0, [] { return std::string("test"); }) {
    auto& header = message.header<rtmsg>();
    header.rtm_family = AF_INET;
    header.rtm_dst_len = 24;
    header.rtm_table = RT_TABLE_MAIN;
    message.put(route_dst, IpAddress::parse("10.10.1.0").value());
    message.put(route_oif, 2u);
    message.put(route_gateway, IpAddress::parse("172.16.91.202").value());
  }
  Message message;
};

TEST(Parsing, SurvivesEveryTruncation) {
  Bent bent;
  const std::uint32_t whole = bent.message.raw()->nlmsg_len;
  for (std::uint32_t length = sizeof(nlmsghdr); length <= whole; ++length) {
    bent.message.raw()->nlmsg_len = length;
    try {
      const auto route = parse_route(*bent.message.raw());
      if (length == whole) {
        ASSERT_TRUE(route);
        EXPECT_EQ(route->gateway->to_string(), "172.16.91.202");
      }
    } catch (const Failure&) {
      EXPECT_LT(length, sizeof(nlmsghdr) + sizeof(rtmsg));
    }
  }
}

TEST(Parsing, IgnoresAttributesThatItDoesNotKnow) {
  Bent bent;
  bent.message.put(Attribute<std::uint32_t>{999}, 7u);
  bent.message.put(Attribute<std::uint8_t>{RTA_PRIORITY}, std::uint8_t{5});  // of another size than declared
  const auto route = parse_route(*bent.message.raw());
  ASSERT_TRUE(route);
  EXPECT_EQ(route->priority, 0u);
  EXPECT_EQ(route->link, 2u);
}

TEST(Parsing, AnAttributeThatClaimsMoreThanThereIsEndsTheMessage) {
  Bent bent;
  auto* first = reinterpret_cast<nlattr*>(reinterpret_cast<char*>(bent.message.raw()) + sizeof(nlmsghdr) +
                                          sizeof(rtmsg));
  first->nla_len = 0xffff;
  const auto route = parse_route(*bent.message.raw());
  ASSERT_TRUE(route);
  EXPECT_FALSE(route->gateway);
  first->nla_len = 0;
  EXPECT_FALSE(parse_route(*bent.message.raw())->gateway);
}

TEST(Parsing, AMessageThatClaimsMoreThanThereIsEndsTheDatagram) {
  std::array<nlmsghdr, 3> datagram{};
  for (auto& header : datagram) header.nlmsg_len = sizeof header;
  for (const std::uint32_t claimed : {0u, 15u, 33u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    datagram[1].nlmsg_len = claimed;
    int count = 0;
    for_each_message({reinterpret_cast<const char*>(datagram.data()), sizeof datagram},
                     [&](const nlmsghdr&) { ++count; });
    EXPECT_EQ(count, 1) << claimed;
  }
  datagram[1].nlmsg_len = 31;  // aligned to 32, with which the datagram ends
  int count = 0;
  for_each_message({reinterpret_cast<const char*>(datagram.data()), sizeof datagram},
                   [&](const nlmsghdr&) { ++count; });
  EXPECT_EQ(count, 2);
}

TEST(Parsing, AStatusThatIsNoErrnoIsAProtocolError) {
  Message answer(NLMSG_ERROR, 0, [] { return std::string("test"); });
  auto& status = answer.header<nlmsgerr>().error;
  for (const auto& [said, meant] : {std::pair{0, 0},
                                    {-ENOENT, ENOENT},
                                    {-4095, 4095},
                                    {-4096, EPROTO},
                                    {EEXIST, EPROTO},
                                    {INT_MAX, EPROTO},
                                    {INT_MIN, EPROTO}}) {
    status = said;
    EXPECT_EQ(parse_refusal(*answer.raw()).error, meant) << said;
  }
}

TEST(Rules, ElementsDoNotOverlap) {
  EXPECT_EQ(nft::disjoint({prefix("10.10.1.0/24"), prefix("10.10.0.0/16"), prefix("10.11.0.0/24"),
                           prefix("10.11.0.0/24")}),
            (std::vector<IpPrefix>{prefix("10.10.0.0/16"), prefix("10.11.0.0/24")}));
}

TEST(Rules, AreTheSameHoweverManyNodesThereAre) {
  nft::Ruleset few, many;
  few.filter_tunnel = many.filter_tunnel = true;
  few.tunnel_sources = {prefix("172.16.91.202/32")};
  for (unsigned i = 0; i < 1000; ++i)
    many.tunnel_sources.push_back(IpPrefix::host(IpAddress::from_number(IpFamily::v4, (172u << 24) + i)));
  EXPECT_EQ(nft::print_structure(few), nft::print_structure(many));
  EXPECT_NE(nft::elements_of(few), nft::elements_of(many));
}

TEST(Rules, ARangeIsPrintedAsNftPrintsIt) {
  const auto printed = [](const char* first, const char* last) {
    return nft::AddressRange{*IpAddress::parse(first), *IpAddress::parse(last)}.to_string();
  };
  EXPECT_EQ(printed("10.10.1.0", "10.10.1.255"), "10.10.1.0/24");
  EXPECT_EQ(printed("0.0.0.0", "255.255.255.255"), "0.0.0.0/0");
  EXPECT_EQ(printed("10.10.1.7", "10.10.1.7"), "10.10.1.7");
  EXPECT_EQ(printed("10.10.1.1", "10.10.1.2"), "10.10.1.1-10.10.1.2");
  EXPECT_EQ(printed("10.10.0.0", "10.10.2.255"), "10.10.0.0-10.10.2.255");
  EXPECT_EQ(printed("fd00::", "fd00::ffff:ffff:ffff:ffff"), "fd00::/64");
}

TEST(Rules, OnlyWhatDiffersIsPrinted) {
  const nft::AddressRange one = nft::AddressRange::of(prefix("10.10.1.0/24"));
  const nft::AddressRange two = nft::AddressRange::of(prefix("10.10.2.7/32"));
  EXPECT_EQ(nft::print_change("onlink", "inside_v4", {one}, {two}),
            "delete element inet onlink inside_v4 { 10.10.1.0/24 }\n"
            "add element inet onlink inside_v4 { 10.10.2.7 }\n");
  EXPECT_EQ(nft::print_change("onlink", "inside_v4", {}, {}), "");
}

}  // namespace
}  // namespace onlink::netlink
