// SPDX-License-Identifier: Apache-2.0
#include "node/metrics/metrics.h"

#include <algorithm>
#include <functional>

#include "base/ip.h"

namespace onlink::node {
namespace {

using Type = Exposition::Type;

// A hostile sender can use any number of addresses, and each would become a time series for ever.
constexpr std::size_t most_senders = 20;

void by_two_words(Exposition& out, const Figures::ByTwoWords& counts, std::string_view first,
                  std::string_view second) {
  for (const auto& [words, count] : counts)
    out.sample({{first, words.first}, {second, words.second}}, static_cast<double>(count));
}

void print_peers(Exposition& out, const Figures& figures) {
  out.single("onlink_node_in_order", Type::gauge, "1 if nothing on this node is in disorder.",
             figures.in_order ? 1 : 0);
  out.family("onlink_peer_subnets", Type::gauge, "Pod subnets of other nodes, by how they are reached.");
  by_two_words(out, figures.peers, "path", "state");
  out.family("onlink_problems", Type::gauge,
             "What is not as it should be, by kind and by whose fault it is.");
  by_two_words(out, figures.problems, "kind", "subject");
}

void print_service(Exposition& out, const Figures& figures) {
  out.single("onlink_passes_total", Type::counter, "Looks at the whole node.",
             static_cast<double>(figures.passes));
  out.single("onlink_repairs_total", Type::counter, "Passes after the first that had to change something.",
             static_cast<double>(figures.repairs));
  out.single("onlink_notification_overflows_total", Type::counter,
             "Times that the kernel dropped notifications.", static_cast<double>(figures.overflows));
  out.histogram("onlink_pass_duration_seconds", "How long a pass took.", figures.pass_seconds);
  out.histogram("onlink_repair_latency_seconds",
                "From the kernel's notification to the end of the pass that mended it.",
                figures.repair_seconds);
  out.family("onlink_source_in_sync", Type::gauge,
             "1 if the last list of nodes is whole and the one in use.");
  out.sample({{"source", figures.source}}, figures.source_in_sync ? 1 : 0);
  out.single("onlink_list_timestamp_seconds", Type::gauge,
             "When the last complete list of nodes came; 0 if none did.",
             static_cast<double>(figures.list_time));
}

void print_drops(Exposition& out, const nft::Counts& counts) {
  out.family("onlink_dropped_packets_total", Type::counter, "Packets that the filter dropped, by reason.");
  for (const auto& [reason, count] : counts.counters)
    out.sample({{"reason", reason}}, static_cast<double>(count.packets));
  std::vector<std::pair<std::uint64_t, IpAddress>> busiest;
  for (const auto& [sender, count] : counts.senders) busiest.emplace_back(count.packets, sender);
  std::sort(busiest.begin(), busiest.end(), std::greater());
  busiest.resize(std::min(busiest.size(), most_senders));
  out.family("onlink_forged_packets_total", Type::counter,
             "Packets out of a tunnel with a source that is not the sender's, of the 20 busiest senders.");
  for (const auto& [packets, sender] : busiest)
    out.sample({{"sender", sender.to_string()}}, static_cast<double>(packets));
}

void print_networks(Exposition& out, const Figures& figures) {
  out.family("onlink_addresses_reserved", Type::gauge,
             "Reserved addresses, by whether their attachment is alive.");
  for (const auto& [network, usage] : figures.networks) {
    const std::pair<const char*, std::size_t> states[] = {
        {"alive", usage.alive}, {"stale", usage.stale}, {"unknown", usage.unknown}};
    for (const auto& [state, count] : states)
      out.sample({{"network", network}, {"state", state}}, static_cast<double>(count));
  }
  out.family("onlink_addresses_free", Type::gauge, "For how many more attachments a network has addresses.");
  for (const auto& [network, usage] : figures.networks)
    if (usage.free) out.sample({{"network", network}}, *usage.free);
  out.family("onlink_cni_failures_total", Type::counter,
             "Failed calls of the plugin since this service started, from its log, by the code of CNI.");
  for (const auto& [network, failures] : figures.failures)
    for (const auto& [call, count] : failures)
      out.sample({{"network", network}, {"command", call.first}, {"code", call.second}},
                 static_cast<double>(count));
}

}  // namespace

std::string print_metrics(const Figures& figures) {
  Exposition out;
  out.family("onlink_build_info", Type::gauge, "The version that is running.");
  out.sample({{"version", ONLINK_VERSION}}, 1);
  print_peers(out, figures);
  print_service(out, figures);
  if (figures.dropped) print_drops(out, *figures.dropped);
  print_networks(out, figures);
  return out.text();
}

}  // namespace onlink::node
