// SPDX-License-Identifier: Apache-2.0
// What a Kubernetes API answers. Each line is a turn: a letter, then the text of the answer.
//   P a page of a list   L a line of a watch   C the rest of it is cut   R a refusal, of status 400 + a byte
//   S start over
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/failure.h"
#include "node/cluster/merge.h"
#include "node/sources/kubernetes/watch.h"
#include "test/fuzz/input.h"

using namespace onlink;
using namespace onlink::node;

namespace {

void ask(NodeWatch& watch) {
  const NodeWatch::Question question = watch.question();
  const auto plain = [](char c) { return c > ' ' && c < 0x7f; };
  fuzz::require(std::all_of(question.path.begin(), question.path.end(), plain), "a path is plain ASCII");
  fuzz::require(question.limit_s > 0, "no answer is waited for without end");
}

void turn(NodeWatch& watch, fuzz::Input& input) {
  fuzz::Input line = [&] {
    static std::string text;
    text = input.line();
    return fuzz::Input(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  }();
  HttpAnswer answer{.status = 200};
  ask(watch);
  switch (line.byte()) {
    case 'P':
      (void)watch.page(line.rest());
      break;
    case 'L':
      watch.begun();
      (void)watch.line(line.rest());
      break;
    case 'C':
      answer.error = line.rest();
      break;
    case 'R':
      answer.status = 400 + line.byte();
      answer.body = line.rest();
      break;
    default:
      watch.start_over();
  }
  watch.ended(answer, 10);
  fuzz::require(watch.delay_ms() >= 0 && watch.delay_ms() <= 45'000, "no delay is longer than 45 seconds");
}

// As a pass sees it.
void merge(const NodeWatch& watch) {
  NodeList list;
  for (const KubernetesNode& node : watch.nodes()) {
    fuzz::require(!node.name().empty(), "a Node has its name");
    list.nodes.push_back(node.placed);
  }
  const Rules rules;
  Merger merger(rules, "A", nullptr);
  try {
    merger.add(list);
  } catch (const Failure& failure) {
    fuzz::require(failure.kind() == FailureKind::configuration, "a list that cannot be is told as such");
    return;
  }
  const Nodes nodes = merger.finish();
  fuzz::require(nodes.cluster.self.name == "A", "this node is in the list");
  for (const Node& peer : nodes.cluster.peers)
    for (const IpPrefix& cidr : peer.pod_cidrs)
      fuzz::require(!cidr.has_host_bits(), "a pod subnet is a subnet");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  NodeWatch watch("A", 1);
  while (!input.empty()) turn(watch, input);
  merge(watch);
  const std::string text(reinterpret_cast<const char*>(data), size);
  fuzz::require(refusal_message(text).size() <= std::max<std::size_t>(200, size * 3),
                "words of a refusal are short");
  return 0;
}
