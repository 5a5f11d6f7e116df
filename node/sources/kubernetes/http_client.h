// SPDX-License-Identifier: Apache-2.0
// Non-blocking HTTP requests to an API server: libcurl's multi interface behind one descriptor.
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
  std::chrono::seconds limit{30};  // for the whole request
};

struct HttpAnswer {
  long status = 0;         // 0: no answer
  std::string error = {};  // why the answer is missing or cut short; empty: it is whole
  std::string body = {};   // of a refusal (status >= 300), its first 64 KiB
  long retry_after_s = 0;

  bool good() const { return status >= 200 && status < 300; }
};

class HttpClient {
 public:
  // Gets the body of a good answer as it arrives; an empty text, once, when the answer begins. False ends the request.
  using Sink = std::function<bool(std::string_view)>;
  using Done = std::function<void(const HttpAnswer&)>;

  // Throws Failure.
  HttpClient();
  ~HttpClient();
  HttpClient(HttpClient&&) = delete;

  // Readable when run() has something to do.
  int descriptor() const { return descriptors_.descriptor(); }
  // Does not wait; run() calls the callbacks, never this. Several requests may be under way. Throws Failure if libcurl
  // refuses a part of the request.
  std::uint64_t start(const HttpRequest& request, Sink sink, Done done);
  // Ends a request without another callback. Does nothing if it has ended.
  void cancel(std::uint64_t id);
  void run();
  // The server of the last good answer.
  const std::optional<IpAddress>& server() const { return server_; }

 private:
  struct Transfer;
  static void set_options(const HttpRequest& request, Transfer& transfer);
  void finish(CURL* easy, int code);
  void wait_for_news();

  Descriptors descriptors_;
  Timer timer_;
  std::vector<int> watched_;  // sockets
  CURLM* multi_ = nullptr;
  std::optional<IpAddress> server_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace onlink::node
