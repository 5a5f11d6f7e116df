// SPDX-License-Identifier: Apache-2.0
#include "nft/elements.h"

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "nft/request.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Nested;
namespace {

Element read_element(const Attributes& element) {
  const std::uint32_t flags = number_of(element, NFTA_SET_ELEM_FLAGS, 0);
  Element read{{data_of(element, NFTA_SET_ELEM_KEY), data_of(element, NFTA_SET_ELEM_KEY_END)}};
  read.is_end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
  read.is_rest = (flags & NFT_SET_ELEM_CATCHALL) != 0;
  read.verdict = verdict_in(element, NFTA_SET_ELEM_DATA);
  const auto counter =
      element.get(Attribute<Nested>{NFTA_SET_ELEM_EXPR}).get(Attribute<Nested>{NFTA_EXPR_DATA});
  if (!counter.empty()) read.count = read_count(counter);
  return read;
}

std::optional<std::list<Element>> parse_elements(const nlmsghdr& message) {
  std::list<Element> elements;
  for (const Attributes& element :
       netlink::parts_of<nfgenmsg>(message).attributes.list(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS}))
    elements.push_back(read_element(element));
  return elements;
}

std::string before(std::string value) {
  for (auto byte = value.rbegin(); byte != value.rend(); ++byte)
    if ((*byte)-- != 0) break;
  return value;
}

bool comes_first(const Element& a, const Element& b) {
  if (a.is_rest != b.is_rest) return b.is_rest;
  return a.values.first != b.values.first ? a.values.first < b.values.first : a.is_end > b.is_end;
}

// Each interval lasts to the next bound, whatever its kind; the highest one may have none. nft puts an end without a
// start before the lowest. Those of concatenated fields have both bounds.
void join(std::list<Element>& bounds, bool are_intervals) {
  bounds.sort(comes_first);
  Element* open = nullptr;
  for (Element& bound : bounds) {
    if (open != nullptr && !bound.is_rest) open->values.last = before(bound.values.first);
    const bool may_open = are_intervals && !bound.is_end && !bound.is_rest && bound.values.last.empty();
    open = may_open ? &bound : nullptr;
    if (!may_open && bound.values.last.empty()) bound.values.last = bound.values.first;
  }
  bounds.remove_if([](const Element& bound) { return bound.is_end; });
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

std::optional<std::list<Element>> list_elements(netlink::Socket& socket, std::uint8_t family,
                                                const std::string& table, const std::string& set,
                                                bool are_intervals) try {
  auto request = request_for(NFT_MSG_GETSETELEM, table, "list set " + set, family);
  request.put(Attribute<std::string>{NFTA_SET_ELEM_LIST_SET}, set);
  std::list<Element> elements;
  for (std::list<Element>& part : socket.dump<std::list<Element>>(request, parse_elements))
    elements.splice(elements.end(), part);
  const auto is_end = [](const Element& bound) { return bound.is_end; };
  join(elements, are_intervals || std::any_of(elements.begin(), elements.end(), is_end));
  return elements;
} catch (const Failure& failure) {
  if (failure.error() == ENOENT) return std::nullopt;
  throw;
}

}  // namespace onlink::nft
