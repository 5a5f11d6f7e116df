// SPDX-License-Identifier: Apache-2.0
// DEL and GC: what takes attachments away. Every step is done whatever becomes of the others.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/failures.h"
#include "plugin/apply.h"
#include "plugin/host_ends.h"
#include "plugin/leases.h"
#include "plugin/log.h"
#include "plugin/plan.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

// Runs steps, logs each, and gathers what went wrong.
class Steps {
 public:
  explicit Steps(Log& log) : log_(log) {}

  void run(const std::string& what, const std::function<void()>& step) {
    if (failures_.attempt(step)) log_.step(what);
  }
  void finish() const { failures_.throw_if_any(); }

 private:
  Log& log_;
  Failures failures_;
};

void remove_interface(const cni::Request& request, Host& host, HostEnds& ends) {
  if (const auto link = ends.find(request.attachment)) netlink::delete_link_if_any(host.socket, *link);
}

// What is left over of rules does no harm, and is no reason to keep an attachment.
void remove_rules(const cni::Request& request, const NetConf& config, const HostEnds& ends, Log& log) {
  try {
    remove_unused_rules(plan_rules(request, config, {}), [&](const nft::Ruleset& ruleset) {
      return netlink::any_link("veth", [&](const netlink::Link& link) {
        return ruleset.check_sources ? link.name.starts_with(ruleset.pod_interfaces)
                                     : ends.owner_of(link).has_value();
      });
    });
  } catch (const Failure& failure) {
    log.error(fmt::format("{}, ignoring: nftables rules may stay that nobody needs", failure.what()));
  }
}

bool is_valid(const cni::Request& request, const cni::Attachment& attachment) {
  return std::binary_search(request.valid_attachments.begin(), request.valid_attachments.end(), attachment);
}

// An unfinished pair: an ADD was killed, or is about to go on. Its name says whose it is.
bool is_stale(const netlink::Link& link, const cni::Request& request, const HostEnds& ends) {
  if (const auto attachment = ends.owner_of(link)) return !is_valid(request, *attachment);
  const auto& valid = request.valid_attachments;
  return std::none_of(valid.begin(), valid.end(),
                      [&](const cni::Attachment& attachment) { return ends.is_of(link, attachment); });
}

void remove_stale_interfaces(const cni::Request& request, Host& host, HostEnds& ends, Steps& steps) {
  for (const auto& link : ends.list())
    if (is_stale(link, request, ends))
      steps.run(
          fmt::format("delete {} ({})", link.name, link.alias.empty() ? "an unfinished pair" : link.alias),
          [&] { netlink::delete_link_if_any(host.socket, link); });
}

}  // namespace

void del(const cni::Request& request) {
  const Parsed parsed = read_config(request);
  Log log(parsed.config, request);
  log.failures([&] {
    Host host = open_host();
    HostEnds ends(host.socket, request, parsed.config);
    Steps steps(log);
    steps.run("delete interface", [&] { remove_interface(request, host, ends); });
    remove_rules(request, parsed.config, ends, log);
    steps.run("release", [&] {
      parsed.ipam_problems.throw_if_any("release addresses");
      release(request, parsed.config, ends, [&](const std::string& note) { log.info(note); });
    });
    steps.finish();
  });
}

void gc(const cni::Request& request) {
  const Parsed parsed = read_config(request);
  Log log(parsed.config, request);
  log.failures([&] {
    Host host = open_host();
    HostEnds ends(host.socket, request, parsed.config);
    Steps steps(log);
    steps.run("delete stale interfaces", [&] { remove_stale_interfaces(request, host, ends, steps); });
    remove_rules(request, parsed.config, ends, log);
    steps.run("release stale addresses", [&] {
      parsed.ipam_problems.throw_if_any("release addresses");
      collect_leases(request, parsed.config, ends, [&](const std::string& note) { log.info(note); });
    });
    steps.finish();
  });
}

}  // namespace onlink::plugin
