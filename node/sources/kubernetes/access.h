// SPDX-License-Identifier: Apache-2.0
// Where the Kubernetes API is, and who we are there: from the files that the kubelet gives a pod, or from a kubeconfig
// (YAML or JSON). Everything is read again for each request, because tokens and certificates are rotated.
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
  bool network_unavailable = true;  // keep the node's condition of this name right
};
// reader: of the object under "source". Relative paths are relative to the working directory.
KubernetesConfig read_kubernetes_config(const JsonReader& reader);

// A request with server, credentials and authorities filled in, without path, method and body. Throws Failure that
// names the file or the environment variable that is missing or wrong.
HttpRequest api_request(const KubernetesConfig& config);

// The same from a kubeconfig's text. folder: for relative paths in it.
HttpRequest kubeconfig_request(const std::string& text, const std::string& name, const std::string& folder);
// Throws Failure if the text is not base64.
std::string decode_base64(std::string_view text, std::string_view what);

}  // namespace onlink::node
