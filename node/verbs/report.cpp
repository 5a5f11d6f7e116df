// SPDX-License-Identifier: Apache-2.0
#include "node/verbs/report.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <exception>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/command.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/json_reader.h"
#include "base/text.h"
#include "cni/configuration_files.h"
#include "ipam/commands.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "netlink/socket.h"
#include "netlink/sysctl.h"
#include "node/journal.h"
#include "node/report/archive.h"
#include "node/report/secrets.h"
#include "node/verbs/check.h"
#include "node/verbs/install.h"
#include "node/verbs/picture.h"
#include "node/verbs/status.h"

namespace onlink::node {
namespace {

using nlohmann::json;

constexpr std::size_t largest_part = 1u << 20;
// Read beyond that, so that a secret at the cut is still found whole.
constexpr std::size_t margin = 1u << 16;
constexpr CommandLimits limits{std::chrono::seconds(10), largest_part + margin};
constexpr std::size_t most_files = 100;

enum class Keep : std::uint8_t { beginning, end };

std::string cut(std::string text, Keep keep) {
  if (text.size() <= largest_part) return text;
  const std::string line = fmt::format("[onlink-node report: cut here, {} bytes are shown]\n", largest_part);
  if (keep == Keep::beginning) return text.substr(0, largest_part) + "\n" + line;
  text.erase(0, text.size() - largest_part);
  return line + text.substr(std::min(text.find('\n'), text.size() - 1) + 1);
}

struct FileText {
  std::string text;
  off_t size = 0;
};

// At most the size of a part and the margin. Only from a plain file: others may never end. Throws Failure.
FileText read_file_part(const std::string& path, Keep keep) {
  const UniqueFd file = open_file(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw system_failure("stat " + path);
  if (!S_ISREG(status.st_mode)) throw Failure(path + " is not a plain file");
  constexpr off_t most = largest_part + margin;
  const off_t from = keep == Keep::end && status.st_size > most ? status.st_size - most : 0;
  FileText part{std::string(static_cast<std::size_t>(most), '\0'), status.st_size};
  part.text.resize(read_at(file.get(), std::as_writable_bytes(std::span(part.text)), from, path));
  return part;
}

// The text as a JSON document, if it is one and not too large.
std::optional<json> parse_whole(const std::string& text) {
  if (text.size() > largest_part) return std::nullopt;
  try {
    return parse_json(text, "");
  } catch (const Failure&) {
    return std::nullopt;
  }
}

class Reporter {
 public:
  explicit Reporter(const ReportInput& input) : input_(input) {
    learn(input.config);
    attempt([&] {
      for (const std::string& path : configurations()) learn(path);
    });
    secrets_.learn_file("/var/run/secrets/kubernetes.io/serviceaccount/token");
  }

  void gather() {
    add("versions.txt", versions());
    gather_onlink();
    gather_configuration();
    gather_state();
    gather_kernel();
    gather_logs();
  }

  std::string pack(const std::string& folder, std::int64_t time) const {
    Archive archive(folder, time);
    std::string contents =
        "What `onlink-node report` found on this node. A part says itself what could not be had. Passwords, "
        "tokens and keys were\n"
        "taken out where they were known or looked like it; names of nodes and pods, and addresses, are in "
        "it. Read it before you\n"
        "publish it.\n\n";
    for (const auto& [name, text] : parts_) contents += fmt::format("{:>9} bytes  {}\n", text.size(), name);
    archive.add("README.txt", contents);
    for (const auto& [name, text] : parts_) archive.add(name, text);
    return archive.finish();
  }

  std::size_t size() const { return parts_.size(); }

 private:
  template <class Action>
  static void attempt(const Action& action) {
    try {
      action();
    } catch (const Failure&) {
      return;  // a later use reports it
    }
  }

  std::vector<std::string> configurations() const {
    auto paths = cni::configuration_files(input_.cni_conf_dir);
    if (paths.size() > most_files) paths.resize(most_files);
    return paths;
  }

  void learn(const std::string& path) {
    attempt([&] {
      const FileText file = read_file_part(path, Keep::beginning);
      const auto document = parse_whole(file.text);
      document ? secrets_.learn(*document) : secrets_.learn_text(file.text);
    });
  }

  // Every part comes through these two, so everything in the archive was cleaned.
  void add(const std::string& name, const std::string& text, Keep keep = Keep::beginning) {
    parts_.emplace_back(name, cut(secrets_.clean_text(text), keep));
  }
  void add_document(const std::string& name, const json& document) {
    parts_.emplace_back(name, cut(dump_json(secrets_.clean(document), 2) + "\n", Keep::beginning));
  }

  template <class Make>
  void try_add(const std::string& name, const Make& make) {
    try {
      make();
    } catch (const std::exception& failure) {
      add(name, fmt::format("not available: {}\n", failure.what()));
    }
  }

  void add_file(const std::string& name, const std::string& path, Keep keep = Keep::beginning) {
    try_add(name, [&] {
      const FileText file = read_file_part(path, keep);
      const auto document = name.ends_with(".json") ? parse_whole(file.text) : std::nullopt;
      if (document) return add_document(name, *document);
      add(name, file.text, keep);
    });
  }

  static std::string output_of(const std::vector<std::string>& command) {
    const CommandOutput output = run_for_output(command, limits);
    return fmt::format("$ {}\n{}{}\n", fmt::join(command, " "), output.text,
                       output.failure.empty() ? "" : fmt::format("[{}]\n", output.failure));
  }

  void add_commands(const std::string& name, const std::vector<std::vector<std::string>>& commands) {
    std::string text;
    for (const auto& command : commands) text += output_of(command);
    add(name, text);
  }

  std::string versions() const {
    utsname kernel{};
    (void)::uname(&kernel);
    std::string text = fmt::format("onlink-node {}\nnode {}\n{}\nuser {}\nkernel {} {} {}\n", input_.version,
                                   input_.node, in_utc(time_by(CLOCK_REALTIME).tv_sec), ::geteuid(),
                                   kernel.release, kernel.version, kernel.machine);
    attempt(
        [&] { text += "\n/etc/os-release:\n" + read_file_part("/etc/os-release", Keep::beginning).text; });
    text += "\n";
    for (const char* plugin : {"onlink", "onlink-ipam"})
      text += output_of({own_folder() + "/" + plugin, "--version"});
    text += output_of({"ip", "-V"}) + output_of({"nft", "--version"});
    attempt([&] {
      text += "modules:\n";
      const std::string modules = read_file_part("/proc/modules", Keep::beginning).text;
      for (const std::string_view line : split(modules, "\n"))
        for (const char* wanted : {"ip", "tunnel", "vxlan", "nf", "veth", "bridge"})
          if (line.substr(0, line.find(' ')).find(wanted) != std::string_view::npos) {
            text += fmt::format("  {}\n", line);
            break;
          }
    });
    return text;
  }

  void gather_onlink() {
    try_add("status.txt", [&] {
      const json status = input_.status();
      add("status.txt", print_status(status));
      add("picture.txt", draw_text(picture_of(status)));
      add_document("status.json", status);
    });
    try_add("plan.json", [&] { add_document("plan.json", input_.plan()); });
    try_add("check.txt", [&] {
      const json check = input_.check();
      add("check.txt", print_check(check));
      add_document("check.json", check);
    });
  }

  void gather_configuration() {
    add_file("cluster-file.json", input_.config);
    try_add("cni-configuration.txt", [&] {
      std::string text;
      for (const std::string& path : configurations()) {
        text += fmt::format("==> {}\n", path);
        if (text.size() > largest_part) break;
        try {
          const FileText file = read_file_part(path, Keep::beginning);
          const auto document = parse_whole(file.text);
          if (document) note_log(*document);
          text += document ? dump_json(secrets_.clean(*document), 2) : file.text;
          text += "\n";
        } catch (const Failure& failure) {
          text += fmt::format("not available: {}\n", failure.what());
        }
      }
      add("cni-configuration.txt", text.empty() ? "no configuration in " + input_.cni_conf_dir + "\n" : text);
    });
  }

  // "log": {"file": ...} of a plugin.
  void note_log(const json& document) {
    if (!document.is_structured()) return;
    for (const auto& [name, value] : document.items()) {
      if (document.is_object() && name == "log" && value.is_object() && value.contains("file") &&
          value["file"].is_string())
        plugin_log_ = value["file"].get<std::string>();
      note_log(value);
    }
  }

  void gather_state() {
    const Directories& folders = input_.directories;
    for (const char* name : {"node.json", "service.json"})
      add_file(std::string("run-") + name, folders.run + "/" + name);
    for (const char* name : {"paths", "mtu", "reserved"})
      add_file(fmt::format("run-{}.txt", name), folders.run + "/" + name);
    add_file("last-good-list.json", folders.state + "/cluster.json");
    const ipam::Answer leases =
        ipam::run_command({"list", "--data-dir", input_.data_dir, "--run-dir", folders.run});
    add("leases.txt", leases.output + leases.error);
  }

  void gather_kernel() {
    try_add("kernel.txt", [&] { add("kernel.txt", kernel()); });
    add_commands("ip-link.txt", {{"ip", "-d", "-s", "link"}});
    add_commands("ip-addr.txt", {{"ip", "-d", "addr"}});
    add_commands("ip-route.txt", {{"ip", "-d", "-4", "route", "show", "table", "all"},
                                  {"ip", "-d", "-6", "route", "show", "table", "all"}});
    add_commands("ip-rule.txt", {{"ip", "-4", "rule"}, {"ip", "-6", "rule"}});
    add_commands("ip-neigh.txt", {{"ip", "-d", "-s", "neigh"}, {"bridge", "fdb"}});
    add_commands("nft.txt", {{"nft", "list", "ruleset"}});
    add_commands("iptables.txt", {{"iptables-legacy-save"}, {"ip6tables-legacy-save"}});
    add("sysctl.txt", sysctl());
  }

  // The same through our own netlink, where there is no ip(8), as in onlink-node's own image.
  static std::string kernel() {
    auto socket = netlink::Socket::open();
    std::string text;
    std::vector<std::pair<std::uint32_t, std::string>> names;
    for (const netlink::Link& link : netlink::list_links(socket)) {
      names.emplace_back(link.index, link.name);
      text += fmt::format("link {} {} {} mtu {} {}{}\n", link.index, link.name,
                          link.kind.empty() ? "-" : link.kind, link.mtu, link.up() ? "up" : "down",
                          link.alias.empty() ? "" : " alias " + link.alias);
    }
    const auto name_of = [&](std::uint32_t index) {
      for (const auto& [number, name] : names)
        if (number == index) return name;
      return fmt::format("if{}", index);
    };
    for (const netlink::Address& address : netlink::list_addresses(socket))
      text += fmt::format("addr {} dev {}\n", address.prefix.to_string(), name_of(address.link));
    for (const netlink::Route& route : netlink::list_routes(socket, {}))
      text += fmt::format("route {}\n", netlink::to_string(route, name_of(route.link)));
    return text;
  }

  static std::string sysctl() {
    std::string text;
    const auto print = [&](const std::string& name) {
      if (const auto value = netlink::read_sysctl(name)) text += fmt::format("{} = {}\n", name, *value);
    };
    for (const char* name : {"net/ipv4/ip_forward", "net/ipv4/ip_no_pmtu_disc", "net/ipv4/icmp_ratelimit",
                             "net/ipv4/neigh/default/gc_thresh3", "net/ipv6/neigh/default/gc_thresh3",
                             "net/ipv6/route/max_size", "net/netfilter/nf_conntrack_count",
                             "net/netfilter/nf_conntrack_max", "net/core/devconf_inherit_init_net",
                             "fs/inotify/max_user_watches", "fs/inotify/max_user_instances"})
      print(name);
    for (const auto& [folder, settings] :
         std::initializer_list<std::pair<const char*, std::vector<const char*>>>{
             {"net/ipv4/conf",
              {"forwarding", "rp_filter", "proxy_arp", "arp_ignore", "arp_filter", "accept_local",
               "route_localnet", "send_redirects", "accept_redirects"}},
             {"net/ipv6/conf", {"forwarding", "accept_ra", "disable_ipv6", "accept_dad", "proxy_ndp"}}}) {
      const std::string path = std::string("/proc/sys/") + folder;
      const auto directory = open_if_exists(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
      if (!directory) continue;
      auto names = names_in(directory->get(), path);
      std::sort(names.begin(), names.end());
      for (const std::string& name : names)
        for (const char* setting : settings) print(fmt::format("{}/{}/{}", folder, name, setting));
    }
    return text;
  }

  void gather_logs() {
    for (const std::string& path : journal_files(input_.directories))
      add_file(path.substr(path.rfind('/') + 1), path, Keep::end);
    add("journal.txt",
        output_of(
            {"journalctl", "--no-pager", "-q", "-u", "onlink-node", "-n", "2000", "-o", "short-iso-precise"}),
        Keep::end);
    if (!plugin_log_.empty()) add_file("plugin-log.txt", plugin_log_, Keep::end);
  }

  const ReportInput& input_;
  Secrets secrets_;
  std::string plugin_log_;
  std::vector<std::pair<std::string, std::string>> parts_;
};

// "onlink-report-NODE-TIME", of characters that every file system and every shell accepts.
std::string name_of_report(const std::string& node, std::int64_t time) {
  std::string name;
  for (const char c : shortened(node, 40))
    name += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'
                ? c
                : '_';
  std::string when = in_utc(time);
  std::erase_if(when, [](char c) { return c == ':' || c == '-'; });
  return fmt::format("onlink-report-{}-{}", name, when);
}

// Checked before the work, which takes a while.
void require_place(const std::string& output) {
  if (output == "-") {
    if (::isatty(STDOUT_FILENO) != 0)
      throw Failure("standard output is a terminal, and an archive is not for reading: -o FILE");
    return;
  }
  struct stat status {};
  if (::stat(output.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    throw Failure(output + " is a folder, not a file");
  const std::string folder = folder_of(output);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) throw system_failure("write into " + folder);
}

// An existing device or pipe is written to, not replaced.
void write_output(const std::string& output, const std::string& archive) {
  struct stat status {};
  if (output == "-") return write_all(STDOUT_FILENO, archive, "standard output");
  if (::stat(output.c_str(), &status) != 0 || S_ISREG(status.st_mode))
    return replace_file(AT_FDCWD, output, archive, 0600);
  write_all(open_file(AT_FDCWD, output, O_WRONLY).get(), archive, output);
}

}  // namespace

std::string write_report(const ReportInput& input, const std::string& output) {
  const std::int64_t now = time_by(CLOCK_REALTIME).tv_sec;
  const std::string name = name_of_report(input.node, now);
  const std::string path = output.empty() ? name + ".tar.gz" : output;
  return with_context("report", [&] {
    require_place(path);
    Reporter reporter(input);
    reporter.gather();
    const std::string archive = reporter.pack(name, now);
    write_output(path, archive);
    return fmt::format(
        "{}: {} parts, {} bytes. Read it before you publish it: names and addresses are in it\n",
        path == "-" ? "standard output" : path, reporter.size(), archive.size());
  });
}

}  // namespace onlink::node
