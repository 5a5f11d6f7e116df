// SPDX-License-Identifier: Apache-2.0
// The files of the address manager, damaged: two attachments are there, then the input writes over files,
// then three more come and one goes. Whatever the files hold: no crash, and no address twice.
//   for each change: which file, where in it (2 bytes), how many bytes, the bytes
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "ipam/commands.h"
#include "ipam/ipam.h"
#include "test/fuzz/input.h"

namespace {

using namespace onlink;
namespace fs = std::filesystem;

// A folder of this process's own, gone with it.
struct Home {
  Home() {
    char name[] = "/dev/shm/onlink-fuzz-XXXXXX";
    fuzz::require(::mkdtemp(name) != nullptr, "a folder for the files");
    path = name;
  }
  ~Home() { fs::remove_all(path); }
  std::string path;
};
const std::string& home() {
  static const Home home;
  return home.path;
}

ipam::Range range() {
  return {*IpPrefix::parse("10.10.0.0/28"), *IpAddress::parse("10.10.0.2"), *IpAddress::parse("10.10.0.14"),
          IpAddress::parse("10.10.0.1")};
}

ipam::Config config() {
  ipam::Config config;
  config.network = "net1";
  config.data_dir = home() + "/data";
  config.run_dir = home() + "/run";
  config.range_sets = {{{range()}}};
  return config;
}

cni::Request request(const std::string& container) {
  cni::Request request;
  request.network = "net1";
  request.attachment = {container, "eth0"};
  request.netns = "/proc/self/ns/net";
  return request;
}

const ipam::Notes silence = [](const std::string&) {};

std::optional<IpAddress> reserve(const std::string& container) {
  try {
    const auto address =
        ipam::reserve(config(), request(container), silence).result.ips.at(0).address.address;
    fuzz::require(range().contains(address), "an address is of the range");
    return address;
  } catch (const Failure&) {
    return std::nullopt;
  }
}

std::string record_folder() {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(home() + "/run/ipam", none)) return entry.path();
  return home() + "/run/none";
}

// Returns which of the first two attachments lost something by it: 0, 1, or neither.
int damage(fuzz::Input& input) {
  const std::string data = home() + "/data/net1/";
  const std::array<std::string, 8> files{record_folder() + "/index",
                                         data + "10.10.0.2",
                                         data + "10.10.0.3",
                                         data + "10.10.0.5",
                                         data + "last_reserved_ip.0",
                                         record_folder() + "/10.10.0.2",
                                         data + "notes",
                                         record_folder() + "/folder"};
  constexpr std::array<int, 8> whose{2, 0, 1, 2, 2, 0, 2, 2};
  const std::size_t chosen = input.byte() % files.size();
  const std::string& file = files[chosen];
  const auto at = static_cast<off_t>(input.byte() * 256 + input.byte());
  const std::string_view bytes = input.take(input.byte());
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return 2;
  if (bytes.empty())
    fuzz::require(::ftruncate(fd.get(), at) == 0, "a file can be cut");
  else
    fuzz::require(::pwrite(fd.get(), bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()),
                  "a file can be written");
  return whose[chosen];
}

void try_to(const std::function<void()>& act) {
  try {
    act();
  } catch (const Failure&) {
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fs::remove_all(home() + "/data");
  fs::remove_all(home() + "/run");
  std::array<std::optional<IpAddress>, 3> untouched{*reserve("a"), *reserve("b"), std::nullopt};
  fuzz::Input input(data, size);
  for (int changes = 0; changes < 16 && !input.empty(); ++changes)
    untouched[static_cast<std::size_t>(damage(input))].reset();
  std::set<IpAddress> given;
  for (const auto& address : untouched)
    if (address) given.insert(*address);
  for (const char* container : {"c", "d", "e"})
    if (const auto address = reserve(container))
      fuzz::require(given.insert(*address).second, "no address is given twice");
  try_to([&] { ipam::check(config(), request("c")); });
  try_to([&] { ipam::release(config(), request("c"), silence); });
  try_to([&] { ipam::require_ready(config()); });
  try_to([&] { ipam::collect(config(), request("gc"), silence); });
  return 0;
}
