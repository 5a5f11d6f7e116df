// SPDX-License-Identifier: Apache-2.0
#include "node/sources/kubernetes/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nss.h>
#include <openssl/crypto.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/failure.h"

namespace onlink::node {
namespace {

constexpr std::size_t longest_refusal = 64u << 10;
// A server that vanishes is noticed after 15 + 3 * 5 seconds.
constexpr long keepalive_idle_s = 15;
constexpr long keepalive_interval_s = 5;
constexpr int keepalive_probes = 3;
constexpr int unacknowledged_ms = 30'000;
constexpr long connect_limit_s = 10;
// While a connection is made, libcurl may wait for something that no socket and no time of its own tells.
constexpr long longest_blind_ms = 100;

// Where distributions keep them, in the order in which Go's programs look.
constexpr const char* system_authorities[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

// nsswitch.conf and openssl.cnf may name modules to load into this process. A static program would load them with a C
// library of another version than its own, and crash. So names are looked up in /etc/hosts and with the servers of
// /etc/resolv.conf only, and OpenSSL uses its defaults. A dynamic build does the same, so that both behave alike.
CURLcode start_libcurl() {
  if (::__nss_configure_lookup("hosts", "files dns") != 0) return CURLE_FAILED_INIT;
  if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) return CURLE_FAILED_INIT;
  return curl_global_init(CURL_GLOBAL_DEFAULT);
}

int on_connect(void*, curl_socket_t socket, curlsocktype) {
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &keepalive_probes, sizeof keepalive_probes);
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
  return CURL_SOCKOPT_OK;
}

// A refused option would leave the default: the system's authorities, the environment's proxy. No request goes out so.
template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  if (code == CURLE_OK) return;
  const curl_easyoption* known = curl_easy_option_by_id(option);
  throw Failure(fmt::format("prepare an HTTP request: libcurl refuses the option {}: {}",
                            known != nullptr ? known->name : std::to_string(option),
                            curl_easy_strerror(code)));
}

void set_blob(CURL* easy, CURLoption option, const std::string& text) {
  if (text.empty()) return;
  curl_blob blob{const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
  set(easy, option, &blob);
}

void set_tls(CURL* easy, const HttpRequest& request) {
  set_blob(easy, CURLOPT_CAINFO_BLOB, request.authorities);
  // Only these authorities, not also those of the folder that was compiled into libcurl.
  set(easy, CURLOPT_CAPATH, static_cast<char*>(nullptr));
  if (request.authorities.empty())
    for (const char* file : system_authorities)
      if (::access(file, R_OK) == 0) {
        set(easy, CURLOPT_CAINFO, file);
        break;
      }
  set_blob(easy, CURLOPT_SSLCERT_BLOB, request.certificate);
  set_blob(easy, CURLOPT_SSLKEY_BLOB, request.key);
  set(easy, CURLOPT_SSL_VERIFYPEER, request.verify ? 1L : 0L);
  set(easy, CURLOPT_SSL_VERIFYHOST, request.verify ? 2L : 0L);
}

void set_keepalive(CURL* easy) {
  set(easy, CURLOPT_CONNECTTIMEOUT, connect_limit_s);
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_TCP_KEEPIDLE, keepalive_idle_s);
  set(easy, CURLOPT_TCP_KEEPINTVL, keepalive_interval_s);
  set(easy, CURLOPT_SOCKOPTFUNCTION, &on_connect);
}

}  // namespace

struct HttpClient::Transfer {
  HttpClient* client = nullptr;
  std::uint64_t id = 0;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string server;  // of the URL
  std::string body;
  Sink sink;
  Done done;
  HttpAnswer answer;
  char error[CURL_ERROR_SIZE] = "";

  ~Transfer() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }

  // Looks up the name, or connects, or negotiates TLS.
  bool connecting() const {
    curl_off_t microseconds = 0;
    return curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds) == CURLE_OK &&
           microseconds == 0;
  }

  // Acts on the empty line after the headers.
  static std::size_t header(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    long status = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    const bool begins = std::string_view(data, size * count) == "\r\n" && status >= 200 && status < 300;
    const char* address = nullptr;
    if (begins && curl_easy_getinfo(transfer.easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK &&
        address != nullptr)
      transfer.client->server_ = IpAddress::parse(address);
    return begins && !transfer.sink({}) ? 0 : size * count;
  }

  static std::size_t write(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string_view chunk(data, size * count);
    long status = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 300) return transfer.sink(chunk) ? chunk.size() : 0;
    const std::size_t room = longest_refusal - std::min(longest_refusal, transfer.answer.body.size());
    transfer.answer.body += chunk.substr(0, room);
    return chunk.size();
  }
};

HttpClient::HttpClient() : descriptors_("prepare HTTP requests"), timer_("prepare HTTP requests") {
  static const CURLcode started = start_libcurl();
  descriptors_.add(timer_.descriptor());
  multi_ = started == CURLE_OK ? curl_multi_init() : nullptr;
  if (multi_ == nullptr) throw Failure("prepare HTTP requests: libcurl does not start");
}

HttpClient::~HttpClient() {
  while (!transfers_.empty()) cancel(transfers_.begin()->first);
  curl_multi_cleanup(multi_);
}

// Asks libcurl after each turn, as a callback would not tell all: 7.88 closes the socket of an address that does not answer,
// and says nothing of it, nor that it wants another turn to open the one for the name's next address.
void HttpClient::wait_for_news() {
  for (const int socket : watched_)
    (void)::epoll_ctl(descriptors_.descriptor(), EPOLL_CTL_DEL, socket, nullptr);
  watched_.clear();
  fd_set readable, writable, urgent;
  for (fd_set* set : {&readable, &writable, &urgent}) FD_ZERO(set);
  int last = -1;
  curl_multi_fdset(multi_, &readable, &writable, &urgent, &last);
  for (int socket = 0; socket <= last; ++socket) {
    epoll_event event{.events = 0, .data = {.fd = socket}};
    if (FD_ISSET(socket, &readable)) event.events |= EPOLLIN;
    if (FD_ISSET(socket, &writable)) event.events |= EPOLLOUT;
    if (event.events == 0) continue;
    (void)::epoll_ctl(descriptors_.descriptor(), EPOLL_CTL_ADD, socket, &event);
    watched_.push_back(socket);
  }
  long milliseconds = -1;
  curl_multi_timeout(multi_, &milliseconds);
  const bool connecting = std::any_of(transfers_.begin(), transfers_.end(),
                                      [](const auto& each) { return each.second->connecting(); });
  if (connecting && (milliseconds < 0 || milliseconds > longest_blind_ms)) milliseconds = longest_blind_ms;
  if (milliseconds >= 0)
    timer_.set(milliseconds);
  else
    timer_.stop();
}

void HttpClient::set_options(const HttpRequest& request, Transfer& transfer) {
  CURL* easy = transfer.easy;
  for (const std::string& header : request.headers) {
    curl_slist* longer = curl_slist_append(transfer.headers, header.c_str());
    if (longer == nullptr) throw Failure("prepare an HTTP request: out of memory");
    transfer.headers = longer;
  }
  set(easy, CURLOPT_URL, request.url.c_str());
  set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (!transfer.body.empty()) {
    set(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(transfer.body.size()));
    set(easy, CURLOPT_POSTFIELDS, transfer.body.c_str());
  }
  set(easy, CURLOPT_HTTPHEADER, transfer.headers);
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_PROTOCOLS_STR, "https,http");
  set(easy, CURLOPT_PROXY, "");  // an API server is reached directly
  set(easy, CURLOPT_NOSIGNAL, 1L);
  // The end of a request must not wait for the thread that looks up its name: with DNS servers that do not answer it
  // takes half a minute.
  set(easy, CURLOPT_QUICK_EXIT, 1L);
  set(easy, CURLOPT_TIMEOUT, static_cast<long>(request.limit.count()));
  set_tls(easy, request);
  set_keepalive(easy);
  set(easy, CURLOPT_ERRORBUFFER, transfer.error);
  set(easy, CURLOPT_HEADERFUNCTION, &Transfer::header);
  set(easy, CURLOPT_HEADERDATA, &transfer);
  set(easy, CURLOPT_WRITEFUNCTION, &Transfer::write);
  set(easy, CURLOPT_WRITEDATA, &transfer);
  set(easy, CURLOPT_PRIVATE, &transfer);
}

std::uint64_t HttpClient::start(const HttpRequest& request, Sink sink, Done done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->client = this;
  transfer->id = next_id_++;
  transfer->sink = std::move(sink);
  transfer->done = std::move(done);
  transfer->body = request.body;
  transfer->server = request.url.substr(0, request.url.find('/', request.url.find("//") + 2));
  transfer->easy = curl_easy_init();
  if (transfer->easy == nullptr) throw Failure("prepare an HTTP request: out of memory");
  set_options(request, *transfer);
  CURL* easy = transfer->easy;
  const std::uint64_t id = transfer->id;
  if (const CURLMcode code = curl_multi_add_handle(multi_, easy); code != CURLM_OK)
    throw Failure(fmt::format("prepare an HTTP request: {}", curl_multi_strerror(code)));
  transfers_.emplace(id, std::move(transfer));
  timer_.set(0);
  return id;
}

void HttpClient::cancel(std::uint64_t id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  curl_multi_remove_handle(multi_, found->second->easy);
  transfers_.erase(found);
}

void HttpClient::run() {
  (void)timer_.expired();
  int running = 0;
  curl_multi_perform(multi_, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left))
    if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
  wait_for_news();
}

void HttpClient::finish(CURL* easy, int code) {
  char* self = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
  curl_multi_remove_handle(multi_, easy);
  // Out of the map before its callback, which may start the next one.
  auto node = transfers_.extract(reinterpret_cast<Transfer*>(self)->id);
  Transfer& transfer = *node.mapped();
  HttpAnswer& answer = transfer.answer;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_off_t retry_after = 0;
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
  answer.retry_after_s = static_cast<long>(std::min<curl_off_t>(retry_after, 300));
  if (code != CURLE_OK)
    answer.error =
        transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(static_cast<CURLcode>(code));
  // "Couldn't connect": says whether it was refused, or there is no route.
  if (long reason = 0; code == CURLE_COULDNT_CONNECT &&
                       curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &reason) == CURLE_OK && reason != 0)
    answer.error += fmt::format(": {}", std::strerror(static_cast<int>(reason)));
  // "Connection timed out after 10000 milliseconds": says whose.
  if (code != CURLE_OK && answer.status == 0)
    answer.error = fmt::format("{}: {}", transfer.server, answer.error);
  transfer.done(answer);
}

}  // namespace onlink::node
