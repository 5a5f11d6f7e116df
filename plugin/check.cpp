// SPDX-License-Identifier: Apache-2.0
// CHECK: compares an attachment with the kernel and with its lease.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "plugin/compare.h"
#include "plugin/host_ends.h"
#include "plugin/leases.h"
#include "plugin/log.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

// That the kernel's state cannot be read is no finding about the attachment.
Differences read_differences(const cni::Request& request, const NetConf& config) {
  try {
    Host host = open_host();
    Sandbox sandbox = open_sandbox(request.netns, host);
    return differences(request, expected_plan(request, config), host, sandbox);
  } catch (const Failure& failure) {
    if (failure.kind() != FailureKind::internal) throw;
    throw Failure(FailureKind::try_again, failure.what(), failure.error());
  }
}

void check_attachment(const cni::Request& request, const NetConf& config, Log& log) {
  const auto found = read_differences(request, config);
  for (const std::string& remark : found.remarks) log.info(remark);
  if (!found.faults.empty())
    throw Failure(FailureKind::not_as_attached,
                  fmt::format("not as attached: {}", fmt::join(found.faults, "; ")))
        .append_detail(
            "what was attached before ipMasq, hostNeighbour or a gateway changed in the configuration "
            "differs from it until the pod is made again");
  Host host = open_host();
  HostEnds ends(host, request, config);
  tell_ipam(request, config, ends, {});
}

}  // namespace

void check(const cni::Request& request) {
  const NetConf config = parse_config(request);
  Log log(config, request);
  log.failures([&] { check_attachment(request, config, log); });
}

}  // namespace onlink::plugin
