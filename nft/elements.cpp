// SPDX-License-Identifier: Apache-2.0
#include "nft/elements.h"

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "nft/request.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Nested;
namespace {

struct Bound {
  Element element;
  bool is_end;   // the first value after an interval
  bool is_open;  // may be the first value of one
};

Bound read_bound(const Attributes& element) {
  const std::uint32_t flags = number_of(element, NFTA_SET_ELEM_FLAGS, 0);
  const std::string first = data_of(element, NFTA_SET_ELEM_KEY);
  const std::string last = data_of(element, NFTA_SET_ELEM_KEY_END);  // of concatenated fields only
  const bool is_rest = (flags & NFT_SET_ELEM_CATCHALL) != 0;
  Element read{{first, last.empty() ? first : last}, is_rest, verdict_in(element, NFTA_SET_ELEM_DATA)};
  const auto counter =
      element.get(Attribute<Nested>{NFTA_SET_ELEM_EXPR}).get(Attribute<Nested>{NFTA_EXPR_DATA});
  if (!counter.empty()) read.count = read_count(counter);
  const bool is_end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
  return {std::move(read), is_end, !is_end && !is_rest && last.empty()};
}

std::optional<std::vector<Bound>> parse_bounds(const nlmsghdr& message) {
  std::vector<Bound> bounds;
  for (const Attributes& element :
       netlink::parts_of<nfgenmsg>(message).attributes.list(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS}))
    bounds.push_back(read_bound(element));
  return bounds;
}

std::string before(std::string value) {
  for (auto byte = value.rbegin(); byte != value.rend(); ++byte)
    if ((*byte)-- != 0) break;
  return value;
}

// Each interval lasts to the next bound, whatever its kind; the highest one may have none. nft puts an end without a
// start before the lowest.
std::vector<Element> joined(std::vector<Bound> bounds, bool are_intervals) {
  std::sort(bounds.begin(), bounds.end(), [](const Bound& a, const Bound& b) {
    if (a.element.is_rest != b.element.is_rest) return b.element.is_rest;
    const std::string &x = a.element.values.first, &y = b.element.values.first;
    return x != y ? x < y : a.is_end > b.is_end;
  });
  are_intervals = are_intervals ||
                  std::any_of(bounds.begin(), bounds.end(), [](const Bound& bound) { return bound.is_end; });
  std::vector<Element> elements;
  bool open = false;
  for (Bound& bound : bounds) {
    if (open && !bound.element.is_rest) elements.back().values.last = before(bound.element.values.first);
    open = are_intervals && bound.is_open;
    if (open) bound.element.values.last.clear();
    if (!bound.is_end) elements.push_back(std::move(bound.element));
  }
  return elements;
}

}  // namespace

Verdict verdict_in(const Attributes& attributes, std::uint16_t type) {
  const auto verdict = attributes.get(Attribute<Nested>{type}).get(Attribute<Nested>{NFTA_DATA_VERDICT});
  const std::string chain = text_of(verdict, NFTA_VERDICT_CHAIN);
  const auto none = static_cast<std::uint32_t>(NFT_CONTINUE);
  switch (static_cast<std::int32_t>(number_of(verdict, NFTA_VERDICT_CODE, none))) {
    case NF_DROP:
      return {Verdict::Kind::drop};
    case NF_ACCEPT:
      return {Verdict::Kind::accept};
    case NFT_RETURN:
      return {Verdict::Kind::leave};
    case NFT_JUMP:
      return {Verdict::Kind::jump, chain};
    case NFT_GOTO:
      return {Verdict::Kind::go, chain};
    default:
      return {};
  }
}

Count read_count(const Attributes& counter) {
  const auto number = [&](std::uint16_t type) {
    return be64toh(counter.get(Attribute<std::uint64_t>{type}).value_or(0));
  };
  return {number(NFTA_COUNTER_PACKETS), number(NFTA_COUNTER_BYTES)};
}

std::optional<std::vector<Element>> list_elements(netlink::Socket& socket, std::uint8_t family,
                                                  const std::string& table, const std::string& set,
                                                  bool are_intervals) try {
  auto request = request_for(NFT_MSG_GETSETELEM, table, "list set " + set, family);
  request.put(Attribute<std::string>{NFTA_SET_ELEM_LIST_SET}, set);
  std::vector<Bound> bounds;
  for (std::vector<Bound>& part : socket.dump<std::vector<Bound>>(request, parse_bounds))
    std::move(part.begin(), part.end(), std::back_inserter(bounds));
  return joined(std::move(bounds), are_intervals);
} catch (const Failure& failure) {
  if (failure.error() == ENOENT) return std::nullopt;
  throw;
}

}  // namespace onlink::nft
