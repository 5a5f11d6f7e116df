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
#include <optional>
#include <string>
#include <vector>

#include "base/json_reader.h"
#include "ipam/ipam.h"

namespace onlink::ipam {

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
    request.netns = namespace_of(container);
    request.version = {1, 0, 0};
    request.config = {{"cniVersion", "1.0.0"}, {"name", "net"}, {"ipam", ipam_}};
    request.config.update(more_);
    return request;
  }

  // What stands for a namespace here: a file at a path.
  std::string namespace_of(const std::string& container) const { return root_ + "/netns-" + container; }
  void make_namespace(const std::string& container) const {
    std::ofstream(namespace_of(container)) << container;
  }
  void end_namespace(const std::string& container) const { std::filesystem::remove(namespace_of(container)); }

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
    const auto config = parse_config(call);
    for (const cni::IpConfig& ip : reserve(config, call, notes()).ips)
      text += (text.empty() ? "" : " ") + ip.address.to_string();
    return text;
  }
  std::string add(const std::string& container) { return add(request(container)); }
  void del(const std::string& container) {
    const auto call = request(container, cni::Command::del);
    release(parse_config(call), call, notes());
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
  nlohmann::json ipam_;
  nlohmann::json more_ = nlohmann::json::object();  // further keys of the configuration
  std::string noted_;
};

inline testing::AssertionResult has(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << part << "\" is not in \"" << text << "\"";
}

}  // namespace onlink::ipam
