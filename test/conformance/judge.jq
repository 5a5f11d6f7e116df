# SPDX-License-Identifier: Apache-2.0
# What a result says against what the kernel says. Every judgement yields one sentence for each thing that is wrong.
# A world is {result, version, netns, ifname, host: {before, after}, pod: {links, routes}, gateways}, from observe() in lib.bash;
# links and routes are `ip -j` output.

def number: split(".") | map(tonumber) | .[0] * 10000 + .[1] * 100 + .[2];
def since($v): (.version | number) >= ($v | number);
def list: if type == "array" then .[] else empty end;

# --- the kernel's notation and the result's, brought together

def family: if contains(":") then 6 else 4 end;
def route_family: if has("pref") then 6 else ((.dst + (.gateway // "")) | family) end;  # only IPv6 routes have "pref"
def route_dst: route_family as $f
  | if .dst == "default" then (if $f == 6 then "::/0" else "0.0.0.0/0" end)
    elif .dst | contains("/") then .dst
    else .dst + (if $f == 6 then "/128" else "/32" end) end;
def table_name: {"null": "main", "0": "main", "254": "main", "253": "default", "255": "local"}[tostring] // tostring;
def scope_number: {"null": 0, global: 0, site: 200, link: 253, host: 254}[tostring] // (tostring | tonumber);
def made_routes: list | select((.type // "unicast") == "unicast" and .protocol != "kernel");
def metric_of($name): [.metrics[]?[$name] // empty] | first;

# --- interfaces

def side($w): if (.sandbox // "") == "" then $w.host.after else $w.pod.links end;
def kernel_link($w): .name as $n | side($w) | map(select(.ifname == $n)) | first;
def place: if (.sandbox // "") == "" then "the host" else "the container" end;

def unlisted_interfaces: . as $w
  | [$w.result.interfaces | list | select((.sandbox // "") == "") | .name] as $host
  | [$w.result.interfaces | list | select((.sandbox // "") != "") | .name] as $pod
  | [$w.host.before[].ifname] as $old
  | ($w.host.after[].ifname | select(IN($old[]) | not) | select(IN($host[]) | not) | "host interface \(.) was made but is not listed"),
    ($w.pod.links[].ifname | select(. != "lo" and (IN($pod[]) | not)) | "container interface \(.) was made but is not listed");

def missing_interfaces: . as $w | .result.interfaces | list | select(kernel_link($w) == null)
  | "\(.name) is listed in \(place), where it does not exist";

def wrong_macs: . as $w | .result.interfaces | list | kernel_link($w) as $k
  | select($k != null and $k.address != null and ((.mac // "") | ascii_downcase) != $k.address)
  | "\(.name): the result says mac \(.mac // "nothing"), the kernel \($k.address)";

def wrong_mtus: . as $w | .result.interfaces | list | kernel_link($w) as $k | select($k != null and .mtu != $k.mtu)
  | "\(.name): the result says mtu \(.mtu // "nothing"), the kernel \($k.mtu)";

def wrong_sandboxes: .netns as $netns | .result.interfaces | list | .sandbox // "" | select(. != "" and . != $netns)
  | "sandbox is \(.), CNI_NETNS was \($netns)";

# --- addresses

def interface_of($w): if (.interface | type) == "number" and .interface >= 0 then $w.result.interfaces[.interface]? else null end;

def wrong_interface_indexes: . as $w | .result.ips | list | select(interface_of($w) == null)
  | "\(.address): interface is \(.interface), interfaces has \($w.result.interfaces | length) entries";

def missing_addresses: . as $w | .result.ips | list | (interface_of($w) // {name: $w.ifname, sandbox: $w.netns}) as $i
  | [$i | kernel_link($w) | .addr_info | list | "\(.local)/\(.prefixlen)"] as $held
  | select(.address | IN($held[]) | not)
  | "\(.address) is not on \($i.name) in \($i | place), which has \($held)";

def unlisted_addresses: . as $w | [.result.ips | list | .address] as $told
  | .pod.links[] | select(.ifname != "lo") | .ifname as $n | .addr_info | list | select(.scope == "global")
  | "\(.local)/\(.prefixlen)" | select(IN($told[]) | not) | "\(.) is on \($n) but not listed";

# A gateway is a neighbour: the kernel in the container reaches it through the address's interface, with no hop between.
def wrong_gateways: . as $w | .result.ips | list | select((.gateway // "") != "") | . as $ip
  | (interface_of($w) // {name: $w.ifname}) as $i | ($w.gateways[.gateway] // {}) as $get
  | if (.gateway | family) != (.address | family) then "\(.address) has gateway \(.gateway) of the other family"
    elif $get.dev == null then "gateway \(.gateway) of \(.address) is not reachable from the container"
    elif $get.gateway then "gateway \(.gateway) of \(.address) is behind another next hop, \($get.gateway)"
    elif $get.dev != $i.name then "gateway \(.gateway) of \(.address) is reached through \($get.dev), not \($i.name)"
    else empty end;

# --- routes

def route_faults($r; $w): . as $k
  | [$w.result.ips | list | .gateway | strings] as $gateways
  | (if ($r.gw // "") != "" then select($k.gateway != $r.gw) | "gw is \($r.gw), the kernel's is \($k.gateway // "none")"
     else select($k.gateway != null and ($k.gateway | IN($gateways[]) | not))
       | "has no gw and no gateway in ips explains the kernel's \($k.gateway)" end),
    ($r.mtu // empty | select(. != 0 and . != ($k | metric_of("mtu"))) | "mtu is \(.), the kernel's is \($k | metric_of("mtu"))"),
    ($r.advmss // empty | select(. != 0 and . != ($k | metric_of("advmss"))) | "advmss is \(.), the kernel's is \($k | metric_of("advmss"))"),
    ($r.priority // empty | select(. != 0 and . != ($k.metric // 0)) | "priority is \(.), the kernel's is \($k.metric // 0)"),
    ($r.scope // empty | select(($k | route_family) == 4 and . != ($k.scope | scope_number))
      | "scope is \(.), the kernel's is \($k.scope | scope_number)"),
    ([$w.result.interfaces | list | select((.sandbox // "") != "") | .name] as $devs
      | select($k.dev | IN($devs[]) | not) | "goes through \($k.dev), no interface of this result");

def wrong_routes: . as $w | .result.routes | list | . as $r
  | [$w.pod.routes[] | select(route_dst == $r.dst and (.table | table_name) == ($r.table | table_name))] as $same
  | if $same == [] then "route \(.dst) (table \(.table | table_name)) is listed but not in the container"
    else [$same[] | [route_faults($r; $w)]] | sort_by(length) | first | .[] | "route \($r.dst): \(.)" end;

def unlisted_routes: . as $w | [.result.routes | list | .dst + " " + (.table | table_name)] as $told
  | .pod.routes | made_routes | route_dst + " " + (.table | table_name) | select(IN($told[]) | not)
  | "route \(.) was made but is not listed";

# --- types of the keys, with no look at the kernel

def is_string($where): select(type != "string") | "\($where) is \(type), not string";
def is_uint($where): select(type != "number" or . < 0 or . != floor) | "\($where) is not an unsigned integer: \(.)";
def is_list($where): select(. != null and type != "array") | "\($where) is \(type), not list";
def is_cidr: type == "string" and test("^[0-9a-fA-F.:]+/[0-9]{1,3}$") and ((split("/")[1] | tonumber) <= (if contains(":") then 128 else 32 end));
def is_ip: type == "string" and test("^([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)$");

def interface_types: (.interfaces | is_list("interfaces")), (.interfaces | list
  | (.name | is_string("name")), (.mac // "" | is_string("mac")), (.mtu // 0 | is_uint("mtu")),
    (.sandbox // "" | is_string("sandbox")), (.pciID // "" | is_string("pciID")),
    (.socketPath // "/" | select(type != "string" or (startswith("/") | not)) | "socketPath is not an absolute path: \(.)"));
def ip_types: (.ips | is_list("ips")), (.ips | list
  | (.address | select(is_cidr | not) | "address is not in CIDR notation: \(.)"),
    (.gateway // empty | select(is_ip | not) | "gateway is not an address: \(.)"),
    (.interface // 0 | is_uint("interface")));
def route_types: (.routes | is_list("routes")), (.routes | list
  | (.dst | select(is_cidr | not) | "dst is not in CIDR notation: \(.)"), (.gw // empty | select(is_ip | not) | "gw is not an address: \(.)"),
    (to_entries[] | select(.key | IN("mtu", "advmss", "priority", "table", "scope")) | .key as $k | .value | is_uint($k)));
def dns_types: (.dns // {}) | select(type != "object") | "dns is \(type), not dictionary";
def dns_key_types: (.dns // {} | objects)
  | (.nameservers, .search, .options | is_list("a list of dns")), (.domain // "" | is_string("domain")),
    (.nameservers | list | select(is_ip | not) | "nameserver is not an address: \(.)"),
    ((.search, .options) | list | is_string("an entry of search or options"));

# --- the shape of a result in each version of the protocol

# Keys that the version does not know are not held against a plugin: no sentence forbids them.
def has_shape_of($v): ($v | number) as $n
  | (select(.cniVersion != $v) | "asked in \($v), answered in \(.cniVersion)"),
    if $n < 300 then select((.ips or .interfaces) and (.ip4 or .ip6 | not)) | "\($v) knows ip4 and ip6, not ips or interfaces"
    else (select((.ip4 or .ip6) and (.ips | not)) | "\($v) knows ips, not ip4 or ip6"),
      (select($n < 10000) | .ips | list | select(.version | IN("4", "6") | not) | "\($v): an entry of ips needs its version, \"4\" or \"6\"")
    end;

# --- what the recording IPAM plugin answers to ADD

def recorder_addresses($ipv6): [{address: "198.51.100.5/24", gateway: "198.51.100.1"}]
  + if $ipv6 then [{address: "2001:db8:5::5/64", gateway: "2001:db8:5::1"}] else [] end;
def recorder_routes($ipv6): [{dst: "0.0.0.0/0"}, {dst: "203.0.113.0/24", gw: "198.51.100.1"}]
  + if $ipv6 then [{dst: "::/0"}] else [] end;
def recorder_result($v; $ipv6): ($v | number) as $n | recorder_addresses($ipv6) as $ips | recorder_routes($ipv6) as $routes
  | {cniVersion: $v, dns: {nameservers: ["192.0.2.53"], domain: "conformance.test", search: ["conformance.test"], options: ["ndots:2"]}}
  + if $n < 300 then {ip4: {ip: $ips[0].address, gateway: $ips[0].gateway, routes: [$routes[0]]}}
    else {ips: [$ips[] | if $n < 10000 then .version = (.address | family | tostring) else . end],
          routes: ($routes + if $n < 10100 then [] else [
            {dst: "192.0.2.0/25", gw: "198.51.100.1", mtu: 1400, advmss: 1300, priority: 77, table: 77}] end)} end;

# --- host or container, as lines that can be compared: slurped `ip -j` of addr, route, rule, rule -6, neigh

def snapshot: (.[0][] | "link \(.ifname)", (.ifname as $n | .addr_info[] | select(.scope != "link") | "address \(.local)/\(.prefixlen) \($n)")),
  (.[1] | made_routes | "route \(.dst) via \(.gateway) dev \(.dev) table \(.table | table_name)"),
  ((.[2] + .[3])[] | "rule \(del(.priority))"), (.[4][] | "neighbour \(.dst) dev \(.dev)");
