// SPDX-License-Identifier: Apache-2.0
#include "node/feed.h"

#include <fmt/format.h>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/socket.h"
#include "node/state.h"

namespace onlink::node {
namespace {

// From a list that lacks most of the nodes to the one that has to agree.
constexpr std::int64_t second_reading_ms = 5000;

NodeList list_of(const Cluster& cluster) {
  NodeList list;
  list.nodes.push_back({"the last good list", cluster.self});
  for (const Node& peer : cluster.peers) list.nodes.push_back({"the last good list", peer});
  list.complete = false;
  return list;
}

// What is not known of them here, each pass sees again.
std::vector<IpPrefix> own_networks() try {
  std::vector<IpPrefix> networks;
  auto socket = netlink::Socket::open();
  for (const netlink::Address& address : netlink::list_addresses(socket)) networks.push_back(address.prefix);
  return networks;
} catch (const Failure&) {
  return {};
}

}  // namespace

ClusterFile read_file_for_host(const std::string& path, const std::string& node_name) {
  ClusterFile file = read_cluster_file(path, node_name);
  const std::string& prefix = file.rules.pod_interface_prefix;
  auto socket = netlink::Socket::open();
  for (const netlink::Link& link : netlink::list_links(socket))
    if (link.name.starts_with(prefix) && link.kind != "veth" && link.kind != "netkit")
      throw Failure(
          FailureKind::configuration,
          fmt::format(
              "{}: podInterfacePrefix: \"{}\" begins the name of {} too, which is not a pod's interface",
              path, prefix, link.name));
  return file;
}

Feed::Feed(SourceContext context)
    : context_(std::move(context)),
      descriptors_("watch the list of nodes"),
      timer_("watch the list of nodes"),
      file_timer_("watch the list of nodes"),
      file_watch_(context_.path) {
  context_.reading = 0;
  descriptors_.add(timer_.descriptor());
  descriptors_.add(file_timer_.descriptor());
  if (file_watch_.descriptor() >= 0) descriptors_.add(file_watch_.descriptor());
  if (auto last_good = load_last_good(context_.directories, context_.node_name, no_earlier_))
    nodes_ = Nodes{std::move(*last_good), false};
}

std::string Feed::describe() const { return source_ ? source_->describe() : "file " + context_.path; }

std::string Feed::problem() const {
  std::string text = file_problem_;
  for (const std::string& more : {source_ ? source_->problem() : std::string(), list_problem_})
    if (!more.empty()) text += (text.empty() ? "" : "; ") + more;
  return text;
}

void Feed::passed(const Readiness& readiness) {
  if (source_ && listed_) source_->passed(readiness);
}

ProblemList Feed::problems() const {
  auto problems = source_ ? source_->problems() : ProblemList();
  if (!file_watch_.problem().empty())
    problems.push_back({"file-not-watched", Subject::node,
                        fmt::format("a change of {} is not noticed before the next resync: {}", context_.path,
                                    file_watch_.problem())});
  return problems;
}

void Feed::watch_file() {
  const bool was_open = file_watch_.descriptor() >= 0;
  file_watch_.renew();
  if (!was_open && file_watch_.descriptor() >= 0) descriptors_.add(file_watch_.descriptor());
}

void Feed::refresh() {
  watch_file();
  read_file(true);
  if (source_) source_->refresh();
}

// When its part of the file changes, the source is opened again. If it cannot be opened, everything stays as it was,
// rules included: the file counts as a whole. Unless `afresh`, a file with the same content is neither news nor a
// second reading (cluster/withdraw_guard.h): something else in its folder has changed.
void Feed::read_file(bool afresh) {
  try {
    take_file(read_file_for_host(context_.path, context_.node_name), afresh);
    file_problem_.clear();
  } catch (const Failure& failure) {
    due_ = due_ || afresh || file_problem_ != failure.what();
    file_problem_ = failure.what();
  }
  const Rules rules = file_ ? file_->rules : nodes_ ? nodes_->cluster : Rules();
  file_timer_.set(std::int64_t{1000} * rules.resync_seconds);
}

void Feed::take_file(ClusterFile file, bool afresh) {
  const bool lists_nodes = file.source.type == "file";
  // A file source took these nodes, and at the end of this function gave them to the list.
  const bool same = file_ && file_->source == file.source && file_->bgp_prefixes == file.bgp_prefixes &&
                    (lists_nodes ? source_->list()->nodes : file_->nodes) == file.nodes;
  if (!afresh && file_problem_.empty() && same && file_->rules == file.rules) return;
  due_ = true;
  ++context_.reading;
  if (!same || lists_nodes) {
    SourceContext context = context_;
    context.earlier = earlier();
    auto source = open_source(file, context);
    if (source->descriptor() >= 0) descriptors_.add(source->descriptor());
    source_ = std::move(source);
    listed_ = false;
  }
  file_ = std::move(file);
  if (lists_nodes) read_source();
}

// inotify misses some changes: something may be mounted over the folder, the file may be on another host's disk.
void Feed::read_file_again() {
  due_ = due_ || std::exchange(failed_, false);
  watch_file();
  read_file(false);
}

void Feed::read_source() {
  try {
    if (!source_->read()) return;
    listed_ = true;
    list_problem_.clear();
    due_ = true;
  } catch (const Failure& failure) {
    list_problem_ = failure.what();
  }
}

bool Feed::read() {
  if (file_watch_.changed())
    read_file(false);
  else if (file_timer_.expired())
    read_file_again();
  if (timer_.expired()) refresh();
  if (source_) read_source();
  if (!std::exchange(due_, false)) return false;
  try {
    auto nodes = listed_ ? put_together() : use_earlier();
    if (!nodes && !given_) nodes = use_earlier();
    if (!nodes) return false;
    nodes_ = std::move(nodes);
    return given_ = true;
  } catch (const Failure& failure) {
    list_problem_ = failure.what();
    return false;
  }
}

Merger Feed::new_merger() const {
  Merger merger(file_->rules, context_.node_name, earlier());
  if (const auto address = source_ ? source_->address() : std::nullopt)
    merger.need(*address, source_->describe());
  merger.set_networks(own_networks());
  return merger;
}

std::optional<Nodes> Feed::put_together() {
  try {
    const auto list = source_->list();
    Merger merger = new_merger();
    merger.add(*list);
    list_problem_ = distrust(*list, merger);
    if (!list_problem_.empty()) merger.distrust(list_problem_);
    hold(*list, merger);
    return merger.finish();
  } catch (const Failure& failure) {
    failed_ = true;
    list_problem_ = failure.what();
    return std::nullopt;
  }
}

// A list that lacks this node, or suddenly has no other, comes from a lost store or from another cluster: reading it
// twice makes it no truer. A file that names no other node is never complete.
std::string Feed::distrust(const NodeList& list, const Merger& merger) const {
  if (!list.complete && !list.checked) return "";  // more may come
  if (!merger.names_self())
    return fmt::format("the list of {} does not name this node: nothing is withdrawn", describe());
  if (merger.names_others() || context_.allow_empty || merger.gone().empty()) return "";
  return fmt::format(
      "the list of {} names no other node with pod subnets: nothing is withdrawn without --allow-empty",
      describe());
}

// See withdraw_guard.h.
void Feed::hold(const NodeList& list, Merger& merger) {
  if (!list.complete || !list_problem_.empty()) {
    merger.keep(merger.gone());  // a complete list may name them
    return;
  }
  const auto gone = merger.gone();
  const std::size_t peers = nodes_ ? nodes_->cluster.peers.size() : 0;
  if (!guard_.holds(gone, peers, file_->rules.max_withdraw_percent, list.reading)) return;
  merger.keep(gone);
  merger.note(
      fmt::format("the list no longer names {} of {} other nodes: they stay until a second "
                  "reading of {} agrees (maxWithdrawPercent is {})",
                  gone.size(), peers, describe(), file_->rules.max_withdraw_percent));
  timer_.set(second_reading_ms);
}

// There is no list yet. Uses the rules of the file, if there is one.
std::optional<Nodes> Feed::use_earlier() {
  if (!nodes_) {
    if (list_problem_.empty()) list_problem_ = "no list of nodes yet, nothing is touched: " + no_earlier_;
    return std::nullopt;
  }
  if (!file_) return Nodes{nodes_->cluster, false};
  const NodeList list = list_of(nodes_->cluster);
  Merger merger = new_merger();
  merger.add(list);
  return merger.finish();
}

}  // namespace onlink::node
