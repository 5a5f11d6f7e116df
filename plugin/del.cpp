// SPDX-License-Identifier: Apache-2.0
// DEL and GC: what takes attachments away. Every step is done whatever becomes of the others.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plugin/apply.h"
#include "plugin/identity.h"
#include "plugin/leases.h"
#include "plugin/log.h"
#include "plugin/masquerade.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

// Runs steps and gathers what went wrong.
class Steps {
 public:
  explicit Steps(Log& log) : log_(log) {}

  void run(const std::string& what, const std::function<void()>& step) {
    try {
      step();
      log_.step(what);
    } catch (const Failure& failure) {
      failures_.push_back(failure);
    }
  }

  // One failure as it is, several as one: the first one's kind, everybody's words.
  void finish() {
    if (failures_.empty()) return;
    std::vector<std::string> texts;
    for (const auto& failure : failures_) texts.emplace_back(failure.what());
    throw Failure(failures_.front().kind(), fmt::format("{}", fmt::join(texts, "; ")),
                  failures_.front().error());
  }

 private:
  Log& log_;
  std::vector<Failure> failures_;
};

void delete_link(Host& host, const netlink::Link& link) {
  try {
    host.socket.execute(netlink::delete_link(link.index, link.name));
  } catch (const Failure& failure) {
    if (failure.error() != ENODEV) throw;  // it went with its namespace, or another DEL was faster
  }
}

// An interface of ours that was made under another hostInterfacePrefix is found from the container's end, if
// that is still there. The path may be another pod's by now: the alias of the host's end decides.
std::optional<netlink::Link> find_by_container(const cni::Request& request, Host& host,
                                               const std::string& alias) {
  const auto netns = request.netns.empty() ? std::nullopt : netlink::Netns::open_if_any(request.netns);
  if (!netns) return std::nullopt;
  netlink::Socket socket = netlink::Socket::open_in(*netns, host.socket.netns());
  const auto container = netlink::find_link(socket, request.attachment.ifname);
  if (!container || container->kind != "veth" || container->peer == 0) return std::nullopt;
  const auto link = netlink::find_link(host.socket, container->peer);
  return link && link->alias == alias ? link : std::nullopt;
}

void remove_interface(const cni::Request& request, const NetConf& config) {
  Host host = open_host();
  const std::string alias = link_alias(request.network, request.attachment);
  const std::string name =
      host_interface_name(config.host_interface_prefix, request.network, request.attachment);
  auto link = netlink::find_link(host.socket, name);
  // Without an alias: an ADD was killed right after it had made the pair.
  const bool ours = link && link->kind == "veth" && (link->alias == alias || link->alias.empty());
  if (!ours) link = find_by_container(request, host, alias);
  if (link) delete_link(host, *link);
}

bool is_valid(const cni::Request& request, const cni::Attachment& attachment) {
  return std::binary_search(request.valid_attachments.begin(), request.valid_attachments.end(), attachment);
}

// A pair without an alias: an ADD was killed before it could set one, or is about to. Its name says whose it
// is.
bool is_unfinished(const netlink::Link& link, const cni::Request& request, const NetConf& config) {
  if (!link.alias.empty() || link.group != unfinished_group(request.network)) return false;
  const auto& valid = request.valid_attachments;
  return std::none_of(valid.begin(), valid.end(), [&](const cni::Attachment& attachment) {
    return link.name == host_interface_name(config.host_interface_prefix, request.network, attachment);
  });
}

void remove_stale_interfaces(const cni::Request& request, const NetConf& config, Log& log) {
  Host host = open_host();
  Steps steps(log);
  for (const auto& link : netlink::list_links(host.socket, "veth")) {
    if (is_unfinished(link, request, config))
      steps.run(fmt::format("delete {}, which an ADD has left unfinished", link.name),
                [&] { delete_link(host, link); });
    const auto attachment = parse_alias(link.alias, request.network);
    if (attachment && !is_valid(request, *attachment))
      steps.run(fmt::format("delete {} of {}:{}", link.name, attachment->container_id, attachment->ifname),
                [&] { delete_link(host, link); });
  }
  steps.finish();
}

}  // namespace

void del(const cni::Request& request) {
  const Parsed parsed = read_config(request);
  Log log(parsed.config, request);
  log.failures([&] {
    Steps steps(log);
    steps.run("delete interface", [&] { remove_interface(request, parsed.config); });
    steps.run("release", [&] {
      parsed.ipam_problems.throw_if_any("release addresses");
      release(request, parsed.config, [&](const std::string& note) { log.info(note); });
    });
    steps.finish();
  });
}

void gc(const cni::Request& request) {
  const Parsed parsed = read_config(request);
  Log log(parsed.config, request);
  log.failures([&] {
    Steps steps(log);
    steps.run("delete stale interfaces", [&] { remove_stale_interfaces(request, parsed.config, log); });
    if (request.valid_attachments.empty())
      steps.run("remove masquerade", [&] { remove_masquerade(request); });
    steps.run("release stale addresses", [&] {
      parsed.ipam_problems.throw_if_any("release addresses");
      collect_leases(request, parsed.config, [&](const std::string& note) { log.info(note); });
    });
    steps.finish();
  });
}

}  // namespace onlink::plugin
