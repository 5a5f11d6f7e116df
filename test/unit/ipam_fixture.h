// SPDX-License-Identifier: Apache-2.0
// A folder that goes with the test, and calls of the address manager in it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json_reader.h"
#include "ipam/ipam.h"

namespace onlink::ipam {

// Stands for the kernel: who is attached, and with which addresses.
class FakeHostEnds : public HostEnds {
 public:
  std::string home() const override { return home_; }
  std::string name_of(const cni::Attachment& owner) const override { return "onl-" + owner.container_id; }
  std::vector<bool> exist(std::span<const Suspect> suspects) override {
    std::vector<bool> exist;
    for (const Suspect& suspect : suspects) exist.push_back(attached_.count(suspect.owner) != 0);
    return exist;
  }
  std::vector<Holding> holdings() override {
    std::vector<Holding> all;
    for (const auto& [owner, addresses] : attached_)
      for (const IpAddress& address : addresses) all.push_back({address, owner, true});
    return all;
  }

  std::string home_ = "the-host";
  std::map<cni::Attachment, std::vector<IpAddress>> attached_;
};

class IpamTest : public testing::Test {
 protected:
  IpamTest() {
    std::string pattern = testing::TempDir() + "onlink-ipam-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    ipam_ = {{"type", "onlink-ipam"}, {"dataDir", root_ + "/data"}, {"runDir", root_ + "/run"}};
  }
  ~IpamTest() override { std::filesystem::remove_all(root_); }

  cni::Request request(const std::string& container, cni::Command command = cni::Command::add) const {
    cni::Request request;
    request.command = command;
    request.network = "net";
    request.attachment = {container, "eth0"};
    request.netns = "/run/netns/" + container;
    request.version = {1, 0, 0};
    request.config = {{"cniVersion", "1.0.0"}, {"name", "net"}, {"ipam", ipam_}};
    request.config.update(more_);
    return request;
  }

  // Its end on the host is gone, as when its namespace dies.
  void end_attachment(const std::string& container) { ends_.attached_.erase({container, "eth0"}); }
  // The configuration as the plugin `onlink` has it, which knows the kernel.
  Config config_of(const cni::Request& call) {
    Config config = parse_config(call);
    config.host_ends = &ends_;
    return config;
  }

  std::string folder() const { return root_ + "/data/net"; }
  std::string file(const std::string& name) const { return folder() + "/" + name; }
  bool exists(const std::string& name) const { return std::filesystem::exists(file(name)); }
  std::string content(const std::string& name) const {
    std::ifstream stream(file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(folder());
    std::ofstream(file(name), std::ios::binary) << text;
  }

  // The addresses that ADD gives, separated by spaces.
  std::string add(const cni::Request& call) {
    std::string text;
    for (const cni::IpConfig& ip : attach(config_of(call), call).ips)
      text += (text.empty() ? "" : " ") + ip.address.to_string();
    return text;
  }
  // ADD from beginning to end: when its claims go, the kernel has its end.
  cni::Result attach(const Config& config, const cni::Request& call) {
    const Lease lease = reserve(config, call, notes());
    auto& addresses = ends_.attached_[call.attachment];
    for (const cni::IpConfig& ip : lease.result.ips) addresses.push_back(ip.address.address);
    return lease.result;
  }
  std::string add(const std::string& container) { return add(request(container)); }
  void del(const std::string& container) {
    const auto call = request(container, cni::Command::del);
    end_attachment(container);
    release(config_of(call), call, notes());
  }
  // The message of the failure that ADD ends with.
  std::string refusal(const cni::Request& call) {
    try {
      return "no failure: " + add(call);
    } catch (const Failure& failure) {
      return failure.what();
    }
  }
  std::string refusal(const std::string& container) { return refusal(request(container)); }

  Notes notes() {
    return [this](const std::string& text) { noted_ += text + "\n"; };
  }

  std::string root_;
  FakeHostEnds ends_;
  nlohmann::json ipam_;
  nlohmann::json more_ = nlohmann::json::object();  // further keys of the configuration
  std::string noted_;
};

inline testing::AssertionResult has(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << part << "\" is not in \"" << text << "\"";
}

}  // namespace onlink::ipam
