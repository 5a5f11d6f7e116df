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
#include "plugin/masquerade.h"
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
    if (request.valid_attachments.empty())
      steps.run("remove masquerade", [&] { remove_masquerade(request); });
    steps.run("release stale addresses", [&] {
      parsed.ipam_problems.throw_if_any("release addresses");
      collect_leases(request, parsed.config, ends, [&](const std::string& note) { log.info(note); });
    });
    steps.finish();
  });
}

}  // namespace onlink::plugin
