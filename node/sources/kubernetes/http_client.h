// SPDX-License-Identifier: Apache-2.0
// HTTP requests to an API server that do not wait: libcurl's multi interface behind one descriptor.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/wait.h"

using CURL = void;
using CURLM = void;

namespace onlink::node {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers = {};  // "Name: value"
  std::string body = {};
  // PEM. Empty: the system's authorities; no client certificate.
  std::string authorities = {};
  std::string certificate = {};
  std::string key = {};
  bool verify = true;
  std::chrono::seconds limit{30};  // for all of it
};

struct HttpAnswer {
  long status = 0;         // 0: there was none
  std::string error = {};  // why the answer is missing or cut short; empty: it is whole
  std::string body = {};   // of a refusal (status >= 300), its first 64 KiB
  long retry_after_s = 0;

  bool good() const { return status >= 200 && status < 300; }
};

class HttpClient {
 public:
  // What arrives of the body of a good answer, as it arrives; nothing, once, when it begins. False ends the
  // request.
  using Sink = std::function<bool(std::string_view)>;
  using Done = std::function<void(const HttpAnswer&)>;

  // Throws Failure.
  HttpClient();
  ~HttpClient();
  HttpClient(HttpClient&&) = delete;

  // Readable when run() has something to do.
  int descriptor() const { return descriptors_.descriptor(); }
  // Returns at once; the callbacks come from run(), never from here. Several may be under way. Throws Failure for a
  // request of which libcurl refuses a part.
  std::uint64_t start(const HttpRequest& request, Sink sink, Done done);
  // Without another callback. One that has ended is none any more.
  void cancel(std::uint64_t id);
  void run();
  // Who gave the last good answer.
  const std::optional<IpAddress>& server() const { return server_; }

 private:
  struct Transfer;
  static int on_socket(CURL* easy, int socket, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long milliseconds, void* self);
  static void set_options(const HttpRequest& request, Transfer& transfer);
  void finish(CURL* easy, int code);

  Descriptors descriptors_;
  Timer timer_;
  CURLM* multi_ = nullptr;
  std::optional<IpAddress> server_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace onlink::node
