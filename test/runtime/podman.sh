#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# podman with its CNI backend runs containers on onlink: a published port, two networks on one container, restart,
# `podman network` on the conflist. Whatever podman removes is gone.
needs_cgroups=1
. "$(dirname "$0")/lib.bash"
need podman podman; need conmon conmon; need runc runc; need busybox busybox-static; need python3 python3
own_cni_folders
rm -f /etc/cni/net.d/*
jq '.plugins[0].capabilities = {ips: true, mac: true}' "$repository/conf/10-onlink.conflist" >/etc/cni/net.d/10-onlink.conflist
jq '.name = "second" | .plugins[0] += {isDefaultGateway: false} |
  .plugins[0].ipam += {ranges: [[{subnet: "10.20.0.0/24"}]], routes: [{dst: "10.20.0.0/24"}]}' \
  "$repository/conf/10-onlink.conflist" >/etc/cni/net.d/20-second.conflist
root_of_busybox $work/root
cat >$work/containers.conf <<END
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
default_capabilities = ["NET_RAW", "CHOWN", "KILL", "SETUID", "SETGID", "NET_BIND_SERVICE", "SYS_CHROOT"]
[network]
network_backend = "cni"
network_config_dir = "/etc/cni/net.d"
cni_plugin_dirs = ["/opt/cni/bin"]
default_network = "onlink"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
END
export CONTAINERS_CONF=$work/containers.conf
podman() { command podman --root $work/podman --runroot $work/podman-run --storage-driver vfs --runtime runc "$@"; }
# start NAME OPTION... -- COMMAND...
start() {
  local name=$1 options=(); shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  podman run --detach --name "$name" "${options[@]}" --rootfs $work/root "$@" >/dev/null 2>$work/errors || fail "podman run $name: $(cat $work/errors)"
}
settings() { podman inspect "$1" | jq -c '.[0].NetworkSettings'; }
address() { settings "$1" | jq -r ".Networks.${2:-onlink}.IPAddress"; }
aliases() { ip -j link show type veth | jq -r '.[].ifalias // .[].ifname'; }
no_interface() { [ -z "$(ip -o link show type veth)" ]; }
nothing_left() { # WHAT
  until_true 10 no_interface || true
  same "interfaces: $1" "$(aliases)" ""
  same "routes: $1" "$(ip route show proto 169)" ""
  same "leases: $1" "$(files | grep networks || true)" ""
  same "DNAT rules: $1" "$(iptables-save -t nat | grep -c -- '--to-destination' || true)" 0
}
answers() { # WHAT ADDRESS PORT
  until_true 5 eval "[ \"\$(ask '' tcp $2 $3)\" = onlink ]" || fail "$1: no answer from $2:$3"
  checks=$((checks + 1))
}

# Podman 5 of Debian 13 is built without CNI.
podman network ls >/dev/null 2>$work/errors || ! grep -q 'cni support is not enabled' $work/errors || skip "this podman has no CNI"

# `podman network` knows the conflists.
same "podman network ls" "$(podman network ls --format '{{.Name}} {{.Driver}}')" "onlink onlink
second onlink"
same "podman network inspect" "$(podman network inspect onlink | jq -r '.[0].driver')" onlink

# What podman says of a container, what the kernel does, and a published port.
start web --publish 8080:80 -- nc -ll -p 80 -e /bin/echo onlink
id=$(podman inspect web | jq -r '.[0].Id')
same "alias" "$(aliases)" "onlink onlink $id eth0"
holds "podman inspect" '.Networks.onlink | .Gateway == "169.254.1.1" and .IPPrefixLen == 32 and (.IPAddress | startswith("10.10.0."))' "$(settings web)"
web=$(address web)
same "address" "$(podman exec web ip -4 -o addr show eth0 | awk '{print $4}')" "$web/32"
same "MAC" "$(podman exec web cat /sys/class/net/eth0/address)" "$(settings web | jq -r .Networks.onlink.MacAddress)"
answers "host to container" "$web" 80
answers "published port" 192.0.2.1 8080
same "container to container" "$(podman run --rm --rootfs $work/root nc -w 5 "$web" 80)" onlink
same "container to published port" "$(podman run --rm --rootfs $work/root nc -w 5 192.0.2.1 8080)" onlink

# Restart, and a restart after the container's processes were killed.
podman restart --time 0 web >/dev/null; answers "published port after restart" 192.0.2.1 8080
same "attachments after restart" "$(aliases)" "onlink onlink $id eth0"
kill -9 "$(podman inspect web | jq '.[0].State.Pid')"
is_stopped() { [ "$(podman inspect web | jq -r '.[0].State.Status')" = exited ]; }
until_true 10 is_stopped || fail "the killed container is still there"
podman start web >/dev/null; answers "published port after kill and start" 192.0.2.1 8080
podman rm --force --time 0 web >/dev/null; nothing_left "one container"

# Chosen address and MAC, by the capabilities of the conflist.
start fixed --ip 10.10.0.77 --mac-address 02:11:22:33:44:55 -- sleep 600
same "chosen address and MAC" "$(settings fixed | jq -r '.Networks.onlink | .IPAddress, .MacAddress' | xargs)" "10.10.0.77 02:11:22:33:44:55"
ping -q -c 1 -W 10 10.10.0.77 >/dev/null || fail "no ping to the chosen address"
podman rm --force --time 0 fixed >/dev/null; nothing_left "chosen address"

# Two networks from the start, and a network that comes and goes while the container runs.
start both --network onlink --network second -- sleep 600
start peer --network second:interface_name=eth0 -- sleep 600
holds "two networks" '[.Networks.onlink.IPAddress, .Networks.second.IPAddress] | (.[0] | startswith("10.10.0.")) and (.[1] | startswith("10.20.0."))' "$(settings both)"
# podman gives the names eth0 and eth1 in any order.
same "default route" "$(podman exec both ip route | awk '/^default/ {print $5}')" \
  "$(podman exec both ip -4 -o addr | awk '$4 ~ /^10.10.0/ {print $2}')"
ping -q -c 1 -W 10 "$(address both)" >/dev/null || fail "no ping by the first network"
podman exec both ping -q -c 1 -W 10 "$(address peer second)" >/dev/null || fail "no ping by the second network"
podman network disconnect second both
same "attachments after disconnect" "$(aliases | grep -c ' second ')" 1
ping -q -c 1 -W 10 "$(address both)" >/dev/null || fail "no ping after the second network is gone"
podman network connect second both
podman exec both ping -q -c 1 -W 10 "$(address peer second)" >/dev/null || fail "no ping by the second network that came back"
podman rm --force --time 0 both peer >/dev/null; nothing_left "two networks"
done_testing
