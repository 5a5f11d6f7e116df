// SPDX-License-Identifier: Apache-2.0
// Annotations of a Kubernetes pod. containerd and CRI-O pass them in
// runtimeConfig."io.kubernetes.cri.pod-annotations" where the configuration's "capabilities" ask for them; so the
// administrator decides whether pods may ask for anything.
//
//   onlink.io/ips: '["10.10.0.7", "fd00:10::7"]'     or without the brackets and quotes
//   onlink.io/mac: 0a:00:00:00:00:07
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/json_reader.h"

namespace onlink::cni {

// The pod's annotations; empty where none were passed. root: the network configuration.
JsonReader pod_annotations(const JsonReader& root);

// The entries of onlink.io/ips, unchecked; what is not a list is a problem.
std::vector<std::string> annotated_ips(const JsonReader& annotations);
std::optional<MacAddress> annotated_mac(const JsonReader& annotations);

inline constexpr char ips_annotation[] = "onlink.io/ips";

}  // namespace onlink::cni
