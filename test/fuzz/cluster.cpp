// SPDX-License-Identifier: Apache-2.0
// The cluster file. What is accepted can be printed and is then the same; and what it wants of the kernel can
// be worked out.
#include <cstdint>
#include <string>

#include "base/failure.h"
#include "node/cluster/cluster.h"
#include "node/routes/desired.h"
#include "test/fuzz/input.h"

using namespace onlink;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  node::Cluster cluster;
  try {
    cluster = node::parse_cluster(text, "cluster.json", "A");
  } catch (const Failure& failure) {
    fuzz::require(failure.kind() == FailureKind::configuration || failure.kind() == FailureKind::not_json,
                  "a bad file is told as such");
    return 0;
  }
  fuzz::require(node::parse_cluster(node::print_cluster(cluster), "printed", "A") == cluster,
                "the last good list is read back as it was");
  for (const node::Node& peer : cluster.peers) {
    fuzz::require(node::mode_between(cluster, peer) <= node::IpipMode::always, "each pair has a mode");
    (void)node::tunnel_address(peer);
  }
  return 0;
}
