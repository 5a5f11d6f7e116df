// SPDX-License-Identifier: Apache-2.0
#include "ipam/ipam.h"

#include <sys/file.h>
#include <sys/xattr.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/lock.h"
#include "ipam/evidence.h"
#include "ipam_fixture.h"

namespace onlink::ipam {
namespace {

class ReserveTest : public IpamTest {
 protected:
  ReserveTest() { ipam_["subnet"] = "10.1.2.0/29"; }  // .2 to .6

  // What a file of an earlier boot carries.
  void age(const std::string& name) const {
    const std::string path = file(name);
    ASSERT_EQ(::setxattr(path.c_str(), "user.onlink.boot", "earlier", 7, 0), 0);
    for (const auto& records : std::filesystem::directory_iterator(root_ + "/run/ipam"))
      std::filesystem::remove(records.path() / name);
  }
  void forget_records() const { std::filesystem::remove_all(root_ + "/run"); }
};

TEST_F(ReserveTest, GivesOneAddressFromEachSetRoundRobin) {
  ipam_.erase("subnet");
  ipam_["ranges"] = {{{{"subnet", "10.1.2.0/29"}}, {{"subnet", "10.1.3.0/30"}}},
                     {{{"subnet", "2001:db8::/64"}}}};
  EXPECT_EQ(add("c1"), "10.1.2.2/29 2001:db8::2/64");
  EXPECT_EQ(add("c2"), "10.1.2.3/29 2001:db8::3/64");
  del("c1");
  EXPECT_EQ(add("c3"), "10.1.2.4/29 2001:db8::4/64");
  EXPECT_EQ(add("c4"), "10.1.2.5/29 2001:db8::5/64");
  EXPECT_EQ(add("c5"), "10.1.2.6/29 2001:db8::6/64");
  EXPECT_EQ(add("c6"), "10.1.3.2/30 2001:db8::7/64");
  EXPECT_EQ(content("10.1.2.3"), "c2\r\neth0");
  EXPECT_EQ(content("2001:db8::3"), "c2\r\neth0");
  EXPECT_EQ(content("last_reserved_ip.0"), "10.1.3.2");
  EXPECT_EQ(content("last_reserved_ip.1"), "2001:db8::7");
  EXPECT_TRUE(exists("lock"));
}

TEST_F(ReserveTest, ResultHasGatewayRoutesAndDns) {
  std::ofstream(root_ + "/resolv.conf")
      << "# c\n; c\nnameserver 192.0.2.3\nsearch a b\ndomain d\noptions x y\nsearch\n";
  ipam_["resolvConf"] = root_ + "/resolv.conf";
  ipam_["routes"] = {{{"dst", "0.0.0.0/0"}}};
  const auto call = request("c1");
  const auto result = attach(parse_config(call), call);
  EXPECT_EQ(result.ips[0].gateway->to_string(), "10.1.2.1");
  EXPECT_EQ(result.routes.size(), 1u);
  EXPECT_EQ(result.dns, (cni::Dns{{"192.0.2.3"}, "d", {"a", "b"}, {"x", "y"}}));
  ipam_["resolvConf"] = root_ + "/missing";
  EXPECT_TRUE(has(refusal("c2"), "resolvConf: open " + root_ + "/missing"));
}

TEST_F(ReserveTest, FullSetSaysSoInHostLocalsWords) {
  for (const char* c : {"c1", "c2", "c3", "c4", "c5"}) (void)add(c);
  const auto call = request("c6");
  try {
    (void)reserve(config_of(call), call, {});
    ADD_FAILURE();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::no_addresses);
    EXPECT_STREQ(failure.what(),
                 "failed to allocate for range 0: no IP addresses available in range set: "
                 "10.1.2.1-10.1.2.6\n0 free, 0 stale, 5 taken");
  }
}

TEST_F(ReserveTest, AllOrNothing) {
  ipam_.erase("subnet");
  ipam_["ranges"] = {{{{"subnet", "10.1.2.0/24"}}}, {{{"subnet", "10.1.3.0/30"}}}};
  EXPECT_EQ(add("c1"), "10.1.2.2/24 10.1.3.2/30");
  EXPECT_TRUE(has(refusal("c2"), "failed to allocate for range 1"));
  EXPECT_FALSE(exists("10.1.2.3"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder()), {}), 5);
}

TEST_F(ReserveTest, RequestsAreMatchedToSets) {
  ipam_.erase("subnet");
  ipam_["ranges"] = {{{{"subnet", "10.1.2.0/24"}}}, {{{"subnet", "10.1.3.0/24"}}}};
  auto call = request("c1");
  call.args["IP"] = "10.1.3.77/24";
  EXPECT_EQ(add(call), "10.1.2.2/24 10.1.3.77/24");
  call = request("c2");
  call.args["IP"] = "10.1.3.77";
  const std::string told = refusal(call);
  EXPECT_TRUE(has(told,
                  "failed to allocate for range 1: requested IP address 10.1.3.77 is not available in range "
                  "set 10.1.3.1-10.1.3.254\nheld by container c1, interface eth0 since 2"));
  EXPECT_FALSE(exists("10.1.2.3"));
  call.args["IP"] = "10.1.3.1";
  EXPECT_TRUE(has(refusal(call), "requested ip 10.1.3.1 is subnet's gateway"));
  call.args["IP"] = "10.9.9.9";
  EXPECT_EQ(refusal(call).find("failed to allocate all requested IPs: 10.9.9.9"), 0u);
  more_["runtimeConfig"] = {{"ips", {"10.1.2.88", "10.1.2.77"}}};
  EXPECT_EQ(refusal("c3").find("failed to allocate all requested IPs: 10.1.2.77"), 0u);
}

TEST_F(ReserveTest, ExcludedAddressesAreGivenOnRequestOnly) {
  ipam_["exclude"] = {"10.1.2.2/31", "10.1.2.5"};
  EXPECT_EQ(add("c1"), "10.1.2.4/29");
  EXPECT_EQ(add("c2"), "10.1.2.6/29");
  EXPECT_TRUE(has(refusal("c3"), "no IP addresses available"));
  auto call = request("c3");
  call.args["IP"] = "10.1.2.5";
  EXPECT_EQ(add(call), "10.1.2.5/29");
}

TEST_F(ReserveTest, TheNodesOwnAddressesAreNobodys) {
  ipam_["subnet"] = "10.1.2.4/30";
  ipam_["useAllAddresses"] = true;
  std::filesystem::create_directories(root_ + "/run");
  std::ofstream(root_ + "/run/reserved") << "10.1.2.5\n10.1.2.7\n";
  EXPECT_EQ(add("c1"), "10.1.2.4/30");
  EXPECT_EQ(add("c2"), "10.1.2.6/30");
  EXPECT_TRUE(has(refusal("c3"), "no IP addresses available"));
  auto call = request("c3");
  call.args["IP"] = "10.1.2.5";
  EXPECT_TRUE(has(refusal(call), "requested ip 10.1.2.5 is an address of this node"));
  std::ofstream(root_ + "/run/reserved") << "nonsense\n";
  EXPECT_TRUE(has(refusal("c3"), "/run/reserved: must hold addresses, not \"nonsense\""));
}

TEST_F(ReserveTest, AllAddressesOfASubnet) {
  ipam_["subnet"] = "10.1.2.4/30";
  ipam_["useAllAddresses"] = true;
  std::set<std::string> given;
  for (const char* c : {"c1", "c2", "c3", "c4"}) given.insert(add(c));
  EXPECT_EQ(given, (std::set<std::string>{"10.1.2.4/30", "10.1.2.5/30", "10.1.2.6/30", "10.1.2.7/30"}));
  const auto call = request("c5");
  EXPECT_TRUE(has(refusal(call), "no IP addresses available in range set: 10.1.2.4-10.1.2.7"));
}

TEST_F(ReserveTest, EverySmallPrefixLengthGivesWhatItHas) {
  ipam_.erase("subnet");
  ipam_["useAllAddresses"] = true;
  for (const int length : {32, 31, 30, 29, 28, 27, 26, 25, 24}) {
    ipam_["dataDir"] = root_ + "/data" + std::to_string(length);
    ends_.attached_.clear();
    ipam_["subnet"] = "10.0.0.0/" + std::to_string(length);
    const int count = 1 << (32 - length);
    std::set<std::string> given;
    for (int i = 0; i < count; ++i) given.insert(add("c" + std::to_string(i)));
    EXPECT_EQ(given.size(), static_cast<std::size_t>(count)) << length;
    EXPECT_TRUE(has(refusal("more"), "no IP addresses available")) << length;
  }
}

TEST_F(ReserveTest, ReleasedAddressesRestWhileThereAreOthers) {
  for (const char* c : {"c1", "c2", "c3"}) (void)add(c);  // .2 .3 .4
  del("c1");
  del("c3");
  EXPECT_EQ(add("c4"), "10.1.2.5/29");
  EXPECT_EQ(add("c5"), "10.1.2.6/29");
  EXPECT_EQ(add("c6"), "10.1.2.2/29") << "the one that rests longest";
  EXPECT_EQ(add("c7"), "10.1.2.4/29");
  del("c4");
  write("10.1.2.99", "host-local was here");  // invalidates the index: what rests is kept
  del("c6");
  EXPECT_EQ(add("c8"), "10.1.2.5/29");
  EXPECT_EQ(add("c9"), "10.1.2.2/29");
}

TEST_F(ReserveTest, WithoutCooldownAddressesComeBackInTurn) {
  ipam_["cooldown"] = 0;
  for (const char* c : {"c1", "c2", "c3"}) (void)add(c);
  del("c3");
  del("c1");
  EXPECT_EQ(add("c4"), "10.1.2.5/29");
  EXPECT_EQ(add("c5"), "10.1.2.6/29");
  EXPECT_EQ(add("c6"), "10.1.2.2/29");
  EXPECT_EQ(add("c7"), "10.1.2.4/29");
}

TEST_F(ReserveTest, ReleaseIsIdempotentAndKnowsOldFiles) {
  del("nobody");
  EXPECT_FALSE(std::filesystem::exists(folder()));
  (void)add("c1");
  write("10.1.2.9", "old\n");  // outside of the range, of an old host-local
  write("10.1.2.10", "c1");
  del("old");
  EXPECT_FALSE(exists("10.1.2.9"));
  del("c1");
  EXPECT_FALSE(exists("10.1.2.2"));
  EXPECT_TRUE(exists("10.1.2.10")) << "an exact match comes first";
  del("c1");
  EXPECT_FALSE(exists("10.1.2.10"));
  del("c1");
}

TEST_F(ReserveTest, OtherInterfacesOfAContainerAreOtherAttachments) {
  (void)add("c1");
  auto call = request("c1");
  call.attachment.ifname = "eth1";
  EXPECT_EQ(add(call), "10.1.2.3/29");
  del("c1");
  EXPECT_TRUE(exists("10.1.2.3"));
}

TEST_F(ReserveTest, RepeatedAddOfALivingAttachmentIsRefused) {
  (void)add("c1");
  const std::string told = refusal("c1");
  EXPECT_TRUE(has(told, "10.1.2.2 has been allocated to c1, duplicate allocation is not allowed\n"));
  EXPECT_TRUE(has(told, "the attachment is alive: its interface is there"));
  const auto call = request("c2");
  (void)attach(parse_config(call), call);  // of a main plugin that knows nothing of the kernel
  end_attachment("c2");
  EXPECT_TRUE(has(refusal("c2"), "cannot be proved dead: nothing shows whether its attachment is alive"));
}

TEST_F(ReserveTest, RepeatedAddAfterTheRangesChangedIsRefusedWhileItLives) {
  (void)add("c1");
  ipam_["subnet"] = "10.1.9.0/24";
  EXPECT_TRUE(has(refusal("c1"), "10.1.2.2 has been allocated to c1, duplicate allocation is not allowed"));
  EXPECT_TRUE(exists("10.1.2.2"));
  end_attachment("c1");
  EXPECT_EQ(add("c1"), "10.1.9.2/24");
  EXPECT_FALSE(exists("10.1.2.2")) << "an attachment has one set of addresses at a time";
}

TEST_F(ReserveTest, RepeatedAddOfADeadAttachmentGetsItsAddress) {
  for (const char* c : {"c0", "c1", "c2"}) (void)add(c);
  end_attachment("c1");
  EXPECT_EQ(add("c1"), "10.1.2.3/29");
  age("10.1.2.4");
  EXPECT_TRUE(has(refusal("c2"), "the attachment is alive"));
  end_attachment("c2");
  EXPECT_EQ(add("c2"), "10.1.2.4/29");
  EXPECT_TRUE(has(noted_, "reclaim 10.1.2.3 of container c1, interface eth0: its interface onl-c1 is gone"));
  EXPECT_TRUE(
      has(noted_, "reclaim 10.1.2.4 of container c2, interface eth0: it was made in an earlier boot"));
}

TEST_F(ReserveTest, AnAddThatIsRunningHasItsAddress) {
  ipam_["subnet"] = "10.1.2.0/30";
  const auto call = request("c1");
  {
    const Lease running = reserve(config_of(call), call, notes());
    EXPECT_TRUE(has(refusal("c2"), "0 free, 0 stale, 1 taken"));
    EXPECT_TRUE(has(refusal("c1"), "the attachment is alive: its ADD is running"));
  }
  EXPECT_EQ(add("c2"), "10.1.2.2/30") << "it was killed before the kernel had its end";
}

TEST_F(ReserveTest, AReservationFromAnotherHostNamespaceIsNobodysToJudge) {
  ipam_["subnet"] = "10.1.2.0/30";
  (void)add("c1");
  ends_.home_ = "a-container";
  ends_.attached_.clear();
  EXPECT_TRUE(has(refusal("c2"), "0 free, 0 stale, 1 taken"));
}

TEST_F(ReserveTest, AKernelThatDoesNotAnswerProvesNothing) {
  class Deaf : public FakeHostEnds {
    std::vector<bool> exist(std::span<const Suspect>) override { throw Failure("no answer"); }
  } deaf;
  deaf.home_ = ends_.home_;
  ipam_["subnet"] = "10.1.2.0/30";
  (void)add("c1");
  end_attachment("c1");
  const auto call = request("c2");
  Config config = parse_config(call);
  config.host_ends = &deaf;
  EXPECT_THROW((void)reserve(config, call, notes()), Failure);
  EXPECT_EQ(add(call), "10.1.2.2/30");
}

TEST_F(ReserveTest, StaleReservationsAreReclaimedWhenTheSetIsFull) {
  for (const char* c : {"c1", "c2", "c3", "c4", "c5"}) (void)add(c);
  end_attachment("c2");
  age("10.1.2.4");
  age("10.1.2.5");
  end_attachment("c4");
  const std::string first = add("c6");
  const std::string second = add("c7");
  EXPECT_EQ((std::set<std::string>{first, second}), (std::set<std::string>{"10.1.2.3/29", "10.1.2.5/29"}));
  EXPECT_TRUE(has(refusal("c8"), "0 free, 0 stale, 5 taken")) << "c3 is of an earlier boot, and attached";
  EXPECT_TRUE(has(noted_, "reclaim 10.1.2.3 of container c2, interface eth0: its interface onl-c2 is gone"));
}

TEST_F(ReserveTest, ReservationsThatSomebodyRemovedAreMadeAnewFromTheKernel) {
  for (const char* c : {"c1", "c2", "c3"}) (void)add(c);
  std::filesystem::remove(file("10.1.2.3"));
  EXPECT_EQ(add("c4"), "10.1.2.5/29");
  EXPECT_EQ(content("10.1.2.3"), "c2\r\neth0");
  EXPECT_TRUE(has(noted_, "restore 10.1.2.3 of container c2, interface eth0, which has it"));
  std::filesystem::copy(file("10.1.2.5"), file("10.1.2.3"),
                        std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(file("10.1.2.5"));
  end_attachment("c4");
  EXPECT_EQ(add("c4"), "10.1.2.6/29");
  EXPECT_EQ(content("10.1.2.3"), "c2\r\neth0") << "c4 held it by a file from a backup";
  std::filesystem::remove_all(folder());
  end_attachment("c1");
  const std::set<std::string> given{add("c5"), add("c6")};
  EXPECT_EQ(given, (std::set<std::string>{"10.1.2.2/29", "10.1.2.5/29"}))
      << "the folder is new, and c1 is gone";
  EXPECT_TRUE(has(refusal("c7"), "0 free, 0 stale, 5 taken"));
}

TEST_F(ReserveTest, ALostReservationThatWasHalfMadeAnewIsMadeWhole) {
  (void)add("c1");
  for (const auto& records : std::filesystem::directory_iterator(root_ + "/run/ipam")) {
    const std::string record = records.path() / "10.1.2.2";
    const std::string text = read_file(AT_FDCWD, record).value();
    std::ofstream(record) << text.substr(0, text.find('\n') + 1);
  }
  std::filesystem::remove(file("10.1.2.2"));
  write("10.1.2.2", "");
  EXPECT_EQ(add("c2"), "10.1.2.3/29");
  EXPECT_EQ(content("10.1.2.2"), "c1\r\neth0");
}

TEST_F(ReserveTest, UndoGivesBackWhatTheLeaseHasGivenAndNothingElse) {
  ipam_.erase("subnet");
  ipam_["ranges"] = {{{{"subnet", "10.1.2.0/29"}}}, {{{"subnet", "10.1.3.0/29"}}}};
  const auto call = request("c1");
  Lease lease = reserve(config_of(call), call, notes());
  ASSERT_TRUE(exists("10.1.2.2") && exists("10.1.3.2"));
  lease.result.ips.erase(lease.result.ips.begin());
  give_back(config_of(call), call, lease, notes());
  EXPECT_FALSE(exists("10.1.3.2"));
  EXPECT_TRUE(exists("10.1.2.2"));
}

// A container with a boot_id of its own, on the host's folders.
TEST_F(ReserveTest, AForeignBootIdDoesNotMakeARunningAddOrAnotherHostsPodStale) {
  ipam_["subnet"] = "10.1.2.0/30";
  const Lease running = reserve(config_of(request("c1")), request("c1"), notes());
  for (const auto& records : std::filesystem::directory_iterator(root_ + "/run/ipam")) {
    const std::string record = records.path() / "10.1.2.2";
    std::string text = read_file(AT_FDCWD, record).value();
    ASSERT_TRUE(has(text, read_boot_id()));
    std::fstream(record) << text.replace(text.find(read_boot_id()), 36, std::string(36, 'x'));
  }
  EXPECT_TRUE(has(refusal("c2"), "0 free, 0 stale, 1 taken"));
  ends_.home_ = "a-container";
  EXPECT_TRUE(has(refusal("c2"), "0 free, 0 stale, 1 taken"));
}

TEST_F(ReserveTest, RecordsOfAFolderAreSweptAlsoWhereTheirMakerWasKilled) {
  (void)add("c1");
  for (const auto& records : std::filesystem::directory_iterator(root_ + "/run/ipam")) {
    std::filesystem::remove(records.path() / "folder");
    std::filesystem::remove(records.path() / "index");
  }
  (void)add("c2");
  for (const auto& records : std::filesystem::directory_iterator(root_ + "/run/ipam"))
    EXPECT_EQ(std::filesystem::read_symlink(records.path() / "folder"), folder());
}

TEST_F(ReserveTest, RecordsOfAFolderThatIsGoneAreSwept) {
  (void)add("c1");
  std::filesystem::remove_all(folder());
  ends_.attached_.clear();
  // Its inode may be given out again at once: another one takes it.
  std::filesystem::create_directories(root_ + "/data/other");
  (void)add("c2");
  int folders = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root_ + "/run/ipam"))
    folders += entry.is_directory();
  EXPECT_EQ(folders, 1);
}

TEST_F(ReserveTest, WhatCannotBeProvedDeadIsNeverTaken) {
  (void)add("c1");
  forget_records();  // somebody emptied the folder of records
  end_attachment("c1");
  write("10.1.2.3", "foreign\r\neth0");  // host-local's
  write("10.1.2.4", "garbage \x01 in here\nmore\n");
  std::filesystem::create_directory(file("10.1.2.5"));
  std::filesystem::create_symlink("/etc/hostname", file("10.1.2.6"));
  EXPECT_TRUE(has(refusal("c2"), "0 free, 0 stale, 5 taken"));
  auto call = request("c2");
  call.args["IP"] = "10.1.2.5";
  EXPECT_TRUE(has(refusal(call), "a directory is in the way"));
  call.args["IP"] = "10.1.2.6";
  EXPECT_TRUE(has(refusal(call), "a symbolic link is in the way"));
  EXPECT_TRUE(std::filesystem::is_symlink(file("10.1.2.6")));
}

TEST_F(ReserveTest, ARecordOfAnotherFileProvesNothing) {
  (void)add("c1");
  end_attachment("c1");
  // host-local released the address and gave it to the same attachment anew.
  std::filesystem::remove(file("10.1.2.2"));
  write("10.1.2.2", "c1\r\neth0");
  for (const char* c : {"c2", "c3", "c4", "c5"}) (void)add(c);
  EXPECT_TRUE(has(refusal("c6"), "0 free, 0 stale, 5 taken"));
}

TEST_F(ReserveTest, EmptyFilesOfDeadMakersAreReclaimed) {
  write("10.1.2.2", "");
  EXPECT_EQ(add("c1"), "10.1.2.3/29");
  for (const char* c : {"c2", "c3", "c4"}) (void)add(c);
  EXPECT_EQ(add("c5"), "10.1.2.2/29");
}

TEST_F(ReserveTest, ForeignFilesGetTheMarkOfThisBoot) {
  write("10.1.2.2", "foreign\r\neth0");
  (void)add("c1");
  std::array<char, 64> mark{};
  const std::string path = file("10.1.2.2");
  const ssize_t size = ::getxattr(path.c_str(), "user.onlink.boot", mark.data(), mark.size());
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(mark.data(), static_cast<std::size_t>(size)), read_boot_id());
}

TEST_F(ReserveTest, CollectsWhatIsNotValid) {
  for (const char* c : {"c1", "c2", "c3"}) (void)add(c);
  write("10.1.2.5", "old");
  write("10.1.2.6", "old-valid");
  for (const char* name : {"10.1.2.5", "10.1.2.6"})  // file times are those of the last tick
    std::filesystem::last_write_time(file(name),
                                     std::filesystem::file_time_type::clock::now() - std::chrono::seconds(1));
  end_attachment("c2");
  auto call = request("", cni::Command::gc);
  call.valid_attachments = {{"c1", "eth0"}, {"c2", "eth0"}, {"c3", "eth1"}, {"old-valid", "eth0"}};
  collect(config_of(call), call, notes());
  EXPECT_TRUE(exists("10.1.2.2"));
  EXPECT_TRUE(exists("10.1.2.3")) << "stale, but the runtime lists it";
  EXPECT_FALSE(exists("10.1.2.4")) << "of another interface";
  EXPECT_FALSE(exists("10.1.2.5"));
  EXPECT_TRUE(exists("10.1.2.6"));
  EXPECT_TRUE(has(noted_, "collect 10.1.2.4 of container c3, interface eth0: no valid attachment has it"));
  call.valid_attachments.clear();
  collect(config_of(call), call, notes());
  EXPECT_FALSE(exists("10.1.2.2"));
  EXPECT_FALSE(exists("10.1.2.6"));
}

TEST_F(ReserveTest, DoesNotCollectWhatCameAfterTheCallHadBegun) {
  (void)add("c1");
  const auto call = request("", cni::Command::gc);
  (void)add("c2");
  collect(config_of(call), call, notes());
  EXPECT_FALSE(exists("10.1.2.2"));
  EXPECT_TRUE(exists("10.1.2.3"));
}

// The clock was set back: what was reserved before it has a time that is still to come.
TEST_F(ReserveTest, CollectsWhatIsNotValidFromBeforeTheClockWasSetBack) {
  using namespace std::chrono_literals;
  for (const char* c : {"c1", "c2"}) (void)add(c);
  for (const char* address : {"10.1.2.2", "10.1.2.3"})
    std::filesystem::last_write_time(file(address), std::filesystem::file_time_type::clock::now() + 87600h);
  auto call = request("", cni::Command::gc);
  call.valid_attachments = {{"c1", "eth0"}};
  collect(config_of(call), call, notes());
  EXPECT_TRUE(exists("10.1.2.2"));
  EXPECT_FALSE(exists("10.1.2.3"));
}

TEST_F(ReserveTest, CheckComparesWithPrevResult) {
  (void)add("c1");
  auto call = request("c1", cni::Command::check);
  const Config config = parse_config(call);
  check(config, call);
  call.prev_result = cni::Result{};
  call.prev_result->ips = {{*IpPrefix::parse("10.1.2.2/29"), {}, {}},
                           {*IpPrefix::parse("192.0.2.1/24"), {}, {}}};
  check(config, call);
  call.prev_result->ips[0].address = *IpPrefix::parse("10.1.2.3/29");
  EXPECT_THROW(check(config, call), Failure);
  call.prev_result->ips = {{*IpPrefix::parse("192.0.2.1/24"), {}, {}}};
  EXPECT_THROW(check(config, call), Failure) << "10.1.2.2 is held, but not listed";
  call = request("c2", cni::Command::check);
  try {
    check(config, call);
    ADD_FAILURE();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::not_as_attached);
    EXPECT_TRUE(has(failure.what(), "Failed to find address added by container c2"));
  }
}

// What STATUS says is wrong; empty: ready.
std::string not_ready(const Config& config, const Notes& notes = {}) {
  try {
    require_ready(config, notes);
    return {};
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::unavailable);
    return failure.what();
  }
}

// The kubelet would call the node NotReady, and evict the living, for what the next ending pod cures.
TEST_F(ReserveTest, StatusOfAFullPoolIsReady) {
  const Config config = config_of(request("", cni::Command::status));
  EXPECT_EQ(not_ready(config, notes()), "");
  EXPECT_FALSE(std::filesystem::exists(root_ + "/data")) << "STATUS makes nothing";
  for (const char* c : {"c1", "c2", "c3", "c4", "c5"}) (void)add(c);
  EXPECT_EQ(not_ready(config), "");
  EXPECT_EQ(noted_, "");
  EXPECT_EQ(not_ready(config, notes()), "");
  EXPECT_TRUE(has(noted_, "every address of range set 10.1.2.1-10.1.2.6 is taken"));
  end_attachment("c3");
  EXPECT_EQ(not_ready(config), "");
  EXPECT_TRUE(exists("10.1.2.4")) << "STATUS takes nothing back";
}

TEST_F(ReserveTest, StatusTellsWhatMakesEveryAddFail) {
  ipam_["resolvConf"] = root_ + "/missing";
  EXPECT_TRUE(has(not_ready(config_of(request("c"))), "resolvConf: open " + root_ + "/missing"));
  ipam_.erase("resolvConf");
  std::filesystem::create_directories(root_ + "/run");
  std::ofstream(root_ + "/run/reserved") << "nonsense\n";
  EXPECT_TRUE(has(not_ready(config_of(request("c"))), "/run/reserved: must hold addresses"));
  std::ofstream(root_ + "/run/reserved") << "10.1.2.2\n";
  EXPECT_EQ(not_ready(config_of(request("c"))), "");
  ipam_["exclude"] = {"10.1.2.3", "10.1.2.4/30"};
  EXPECT_TRUE(has(not_ready(config_of(request("c"))), "10.1.2.1-10.1.2.6 has no address to give"));
  ipam_.erase("exclude");
  std::ofstream(root_ + "/data") << "a file";
  EXPECT_TRUE(has(not_ready(config_of(request("c"))), "Not a directory (ENOTDIR)"));
}

TEST_F(ReserveTest, ANetworkNameOf255BytesHasItsRecords) {
  auto call = request("c1");
  call.network = std::string(255, 'n');
  EXPECT_EQ(attach(config_of(call), call).ips.size(), 1u);
  ends_.attached_.clear();
  EXPECT_EQ(attach(config_of(call), call).ips[0].address.to_string(), "10.1.2.2/29")
      << "its record proves it dead";
  EXPECT_TRUE(has(noted_, "its interface onl-c1 is gone"));
  EXPECT_FALSE(has(noted_, "ignoring"));
}

TEST_F(ReserveTest, FoldersThatAreNotAreToldByName) {
  std::filesystem::create_directories(root_ + "/data");
  std::ofstream(folder()) << "a file";
  EXPECT_TRUE(has(refusal("c1"), "open " + folder() + ": Not a directory (ENOTDIR)"));
  std::filesystem::remove(folder());
  std::filesystem::create_directory(root_ + "/elsewhere");
  std::filesystem::create_directory_symlink(root_ + "/elsewhere", folder());
  EXPECT_TRUE(has(refusal("c1"), "it is a symbolic link, which is not followed"));
  std::filesystem::remove(folder());
  std::filesystem::create_directory(folder());
  std::filesystem::create_symlink("/etc/passwd", file("lock"));
  EXPECT_TRUE(has(refusal("c1"), "open lock"));
}

TEST_F(ReserveTest, HintsThatCannotBeUsedDoNotMatter) {
  write("last_reserved_ip.0", "garbage");
  EXPECT_EQ(add("c1"), "10.1.2.2/29");
  std::filesystem::remove(file("last_reserved_ip.0"));
  std::filesystem::create_symlink(root_ + "/outside", file("last_reserved_ip.0"));
  EXPECT_EQ(add("c2"), "10.1.2.3/29");
  EXPECT_FALSE(std::filesystem::exists(root_ + "/outside"));
  EXPECT_TRUE(has(noted_, "ignoring"));
  for (const auto& folder : std::filesystem::directory_iterator(root_ + "/run/ipam")) {
    std::filesystem::remove(folder.path() / "index");
    std::filesystem::create_directory(folder.path() / "index");
  }
  EXPECT_EQ(add("c3"), "10.1.2.4/29");
  EXPECT_TRUE(has(noted_, "will be rebuilt"));
  forget_records();
  std::ofstream(root_ + "/run") << "a file";
  EXPECT_EQ(add("c4"), "10.1.2.5/29");
  EXPECT_TRUE(has(noted_, "can be reclaimed after a reboot only"));
}

// Its maker was killed: the file is empty. What is in another may be anyone's, "c" a container of an old host-local.
TEST_F(ReserveTest, OnlyAnEmptyReservationIsReclaimedWithoutAWholeRecord) {
  ipam_["subnet"] = "10.1.2.0/30";
  for (const char* written : {"", "c", "c1\r\net", "c1\r\neth0"}) {
    { const Lease lease = reserve(config_of(request("c1")), request("c1"), notes()); }
    for (const auto& folder : std::filesystem::directory_iterator(root_ + "/run/ipam")) {
      const std::string record = folder.path() / "10.1.2.2";
      std::string text = read_file(AT_FDCWD, record).value();
      std::ofstream(record) << text.substr(0, text.find('\n') + 1);
    }
    write("10.1.2.2", written);
    if (*written == '\0')
      EXPECT_EQ(add("c2"), "10.1.2.2/30");
    else
      EXPECT_THROW(add("c2"), Failure) << written;
    del("c2");
    std::filesystem::remove(folder() + "/10.1.2.2");
  }
}

// Its maker was killed after it had filled the file, and before it could write that down.
TEST_F(ReserveTest, AReservationWhoseMakerWasKilledAsItFilledItIsReclaimed) {
  ipam_["subnet"] = "10.1.2.0/30";
  enum class Then { nothing, later, another_file };
  for (const Then then : {Then::nothing, Then::later, Then::another_file}) {
    { const Lease lease = reserve(config_of(request("c1")), request("c1"), notes()); }
    for (const auto& folder : std::filesystem::directory_iterator(root_ + "/run/ipam")) {
      const std::string record = folder.path() / "10.1.2.2";
      std::string text = read_file(AT_FDCWD, record).value();
      std::ofstream(record) << text.substr(0, text.find_last_of(' ') + 1);
    }
    using std::chrono::seconds;
    if (then == Then::another_file) {
      std::filesystem::copy_file(file("10.1.2.2"), file("new"));
      std::filesystem::rename(file("new"), file("10.1.2.2"));
    } else {
      const auto filled = std::filesystem::last_write_time(file("10.1.2.2"));
      std::filesystem::last_write_time(file("10.1.2.2"), filled + seconds(then == Then::later ? 2 : 0));
    }
    if (then == Then::nothing)
      EXPECT_EQ(add("c2"), "10.1.2.2/30");
    else
      EXPECT_THROW(add("c2"), Failure) << static_cast<int>(then);
    del("c2");
    std::filesystem::remove(file("10.1.2.2"));
  }
}

// Under another boot ID, as in a system container, GC took what a killed ADD had just left for younger than its list.
TEST_F(ReserveTest, ARecordOfAnotherBootTellsWhenItsReservationWasMade) {
  { const Lease lease = reserve(config_of(request("c1")), request("c1"), notes()); }
  for (const auto& folder : std::filesystem::directory_iterator(root_ + "/run/ipam")) {
    const std::string record = folder.path() / "10.1.2.2";
    std::string text = read_file(AT_FDCWD, record).value();
    const std::string boot = read_boot_id();
    std::ofstream(record) << text.replace(text.find(boot), boot.size(), "another");
  }
  const cni::Request call = request("gc");
  EXPECT_EQ(find_unlistable(config_of(call), call, notes()), std::vector<cni::Attachment>{});
}

TEST_F(ReserveTest, ManyLeasesThroughGrowthAndForeignChanges) {
  ipam_["subnet"] = "10.1.0.0/20";
  ipam_["cooldown"] = 0;
  std::set<std::string> given;
  for (int i = 0; i < 900; ++i) {
    given.insert(add("c" + std::to_string(i)));
    if (i % 300 == 0) forget_records();
    if (i % 250 == 0) write("10.1.15." + std::to_string(i / 250), "foreign\r\neth0");
  }
  EXPECT_EQ(given.size(), 900u);
  for (int i = 0; i < 900; i += 3) del("c" + std::to_string(i));
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder()))
    left += entry.path().filename().string().starts_with("10.1.") ? 1 : 0;
  EXPECT_EQ(left, 600 + 4);
}

TEST_F(ReserveTest, AHeldLockIsNamed) {
  (void)add("c1");
  const UniqueFd lock = open_file(AT_FDCWD, file("lock"), O_RDONLY);
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  const UniqueFd again = open_file(AT_FDCWD, file("lock"), O_RDONLY);
  try {
    lock_exclusively(again.get(), "the lock", std::chrono::milliseconds(150));
    ADD_FAILURE();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::try_again);
    EXPECT_TRUE(has(failure.what(), "held by process " + std::to_string(::getpid())));
  }
  struct sigaction action {};
  ASSERT_EQ(::sigaction(SIGALRM, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, SIG_DFL) << "as before";
}

// /proc/locks is then larger than what is read of other files.
TEST_F(ReserveTest, AHeldLockIsNamedAmongManyLocks) {
  (void)add("c1");
  std::vector<UniqueFd> files;
  for (int i = 0; i < 200; ++i) {
    files.push_back(open_file(AT_FDCWD, root_ + "/" + std::to_string(i), O_RDWR | O_CREAT, 0600));
    for (int k = 0; k < 150; ++k) {
      struct flock byte {};
      byte.l_type = F_WRLCK;
      byte.l_start = 2 * k;
      byte.l_len = 1;
      ASSERT_EQ(::fcntl(files.back().get(), F_SETLK, &byte), 0);
    }
  }
  const UniqueFd lock = open_file(AT_FDCWD, file("lock"), O_RDONLY);
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  const UniqueFd again = open_file(AT_FDCWD, file("lock"), O_RDONLY);
  try {
    lock_exclusively(again.get(), "the lock", std::chrono::milliseconds(1));
    ADD_FAILURE();
  } catch (const Failure& failure) {
    EXPECT_TRUE(has(failure.what(), "held by process " + std::to_string(::getpid())));
  }
}

}  // namespace
}  // namespace onlink::ipam
