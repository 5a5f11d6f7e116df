// SPDX-License-Identifier: Apache-2.0
#include "node/feed.h"

#include <fmt/format.h>
#include <cstdint>
#include <utility>

#include "base/failure.h"
#include "node/state.h"

namespace onlink::node {
namespace {

// Between a list that lacks most of the nodes and the one that has to agree.
constexpr std::int64_t second_reading_ms = 5000;

NodeList list_of(const Cluster& cluster) {
  NodeList list;
  list.nodes.push_back({"the last good list", cluster.self});
  for (const Node& peer : cluster.peers) list.nodes.push_back({"the last good list", peer});
  list.complete = false;
  return list;
}

}  // namespace

Feed::Feed(SourceContext context)
    : context_(std::move(context)),
      descriptors_("watch the list of nodes"),
      timer_("watch the list of nodes"),
      file_watch_(context_.path) {
  context_.reading = 0;
  descriptors_.add(timer_.descriptor());
  descriptors_.add(file_watch_.descriptor());
  earlier_ = load_last_good(context_.directories, context_.node_name, no_earlier_);
}

std::string Feed::describe() const { return source_ ? source_->describe() : "file " + context_.path; }

std::string Feed::problem() const {
  std::string text = file_problem_;
  for (const std::string& more : {source_ ? source_->problem() : std::string(), list_problem_})
    if (!more.empty()) text += (text.empty() ? "" : "; ") + more;
  return text;
}

void Feed::passed(const Readiness& readiness) {
  if (source_ && list_) source_->passed(readiness);
}

void Feed::refresh() {
  read_file(true);
  if (source_) source_->refresh();
}

// A source is opened anew when its part of the file has changed. One that cannot be opened leaves everything
// as it was, rules included: the file counts as a whole. Unless it is to be read afresh, a file that says the
// same again is no news, and no second reading (cluster/withdraw_guard.h): somebody was at work beside it.
void Feed::read_file(bool afresh) {
  try {
    ClusterFile file = read_cluster_file(context_.path, context_.node_name);
    if (!afresh && file_problem_.empty() && file_ == file) return;
    due_ = true;
    const bool same = file_ && file_->source == file.source && file_->nodes == file.nodes;
    ++context_.reading;
    if (!same || file.source.type == "file") {
      auto source = open_source(file, context_);
      if (source->descriptor() >= 0) descriptors_.add(source->descriptor());
      if (file_ && file_->source != file.source) list_.reset();
      source_ = std::move(source);
    }
    file_ = std::move(file);
    file_problem_.clear();
  } catch (const Failure& failure) {
    due_ = due_ || afresh || file_problem_ != failure.what();
    file_problem_ = failure.what();
  }
}

void Feed::read_source() {
  try {
    auto list = source_->read();
    if (!list) return;
    list_ = std::move(list);
    list_problem_.clear();
    due_ = true;
  } catch (const Failure& failure) {
    list_problem_ = failure.what();
  }
}

std::optional<Nodes> Feed::read() {
  if (file_watch_.changed()) read_file(false);
  if (timer_.expired()) refresh();
  if (source_) read_source();
  if (!std::exchange(due_, false)) return std::nullopt;
  try {
    auto nodes = list_ ? put_together() : use_earlier();
    if (!nodes && !given_) nodes = use_earlier();
    given_ = given_ || nodes;
    if (nodes) earlier_ = nodes->cluster;
    return nodes;
  } catch (const Failure& failure) {
    list_problem_ = failure.what();
    return std::nullopt;
  }
}

std::optional<Nodes> Feed::put_together() {
  try {
    Merger merger(file_->rules, context_.node_name, earlier_ ? &*earlier_ : nullptr);
    merger.add(*list_);
    hold(merger);
    list_problem_.clear();
    return merger.finish();
  } catch (const Failure& failure) {
    list_problem_ = failure.what();
    return std::nullopt;
  }
}

// See withdraw_guard.h.
void Feed::hold(Merger& merger) {
  if (!list_->complete) {
    if (!list_->checked) merger.keep(merger.gone());  // they may yet be named
    return;
  }
  const auto gone = merger.gone();
  const std::size_t peers = earlier_ ? earlier_->peers.size() : 0;
  if (!guard_.holds(gone, peers, file_->rules.max_withdraw_percent, list_->reading)) return;
  merger.keep(gone);
  merger.note(
      fmt::format("the list does not name {} of {} other nodes any more: they stay until a second "
                  "reading of {} agrees (maxWithdrawPercent is {})",
                  gone.size(), peers, describe(), file_->rules.max_withdraw_percent));
  timer_.set(second_reading_ms);
}

// No list yet. With the rules of the file, where there is one.
std::optional<Nodes> Feed::use_earlier() {
  if (!earlier_) {
    if (list_problem_.empty()) list_problem_ = "no list of nodes yet, nothing is touched: " + no_earlier_;
    return std::nullopt;
  }
  if (!file_) return Nodes{*earlier_, false};
  const NodeList list = list_of(*earlier_);
  Merger merger(file_->rules, context_.node_name, &*earlier_);
  merger.add(list);
  return merger.finish();
}

}  // namespace onlink::node
