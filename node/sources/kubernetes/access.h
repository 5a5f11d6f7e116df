// SPDX-License-Identifier: Apache-2.0
// Where the Kubernetes API is, and who we are there: what a pod is given by the kubelet, or a kubeconfig file
// (YAML or JSON). Everything is read again for each request: tokens and certificates are rotated.
#pragma once

#include <string>
#include <string_view>

#include "base/json_reader.h"
#include "node/sources/kubernetes/http_client.h"

namespace onlink::node {

// The keys of the source "kubernetes".
struct KubernetesConfig {
  std::string kubeconfig;         // a file; empty: as a pod
  std::string server;             // another address of the API than the credentials name
  std::string conflist_template;  // empty: no conflist is written
  std::string conflist_path;
  bool network_unavailable = true;  // the node's condition of this name is kept right
};
// reader: of the object under "source". The folder of a relative path is the caller's.
KubernetesConfig read_kubernetes_config(const JsonReader& reader);

// A request with server, credentials and trust filled in, without path, method and body. Throws Failure that
// names the file, or the environment variable, that is missing or not in order.
HttpRequest api_request(const KubernetesConfig& config);

// For a kubeconfig's text: the same. folder: for relative paths in it.
HttpRequest kubeconfig_request(const std::string& text, const std::string& name, const std::string& folder);
// Throws Failure where the text is not base64.
std::string decode_base64(std::string_view text, std::string_view what);

}  // namespace onlink::node
