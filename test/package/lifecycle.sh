#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Inside a fresh Debian, as root, without a service manager (test/package/run): the package is installed, configured, upgraded,
# downgraded, removed, and purged, beside pods that talk. Afterwards files, addresses, routes, nftables and settings are those of
# before. Usage: lifecycle.sh OLD.deb NEW.deb
set -euo pipefail
old=$1 new=$2
if [ -z "${ONLINK_IN_NAMESPACE:-}" ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends iproute2 nftables jq iputils-ping procps systemd >/dev/null 2>&1
  exec unshare --net env ONLINK_IN_NAMESPACE=1 "$0" "$@"
fi
# shellcheck source=../checks.bash
source "$(dirname "$0")/checks.bash"
work=/tmp
# Files by content, mode and owner; what dpkg and apt themselves keep is theirs.
files() {
  find / -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /proc -o -path /sys -o -path /dev \
    -o -path /tmp -o -path /root -o -path /run/netns \) -prune -o -printf '%M %u %p %l\n' | sort
  find /etc /usr/lib/cni /usr/lib/systemd /usr/sbin -xdev -type f -exec sha256sum {} + 2>/dev/null | sort
  find /run -not -path '/run/netns*' -not -path '/run/systemd*' | sort
}
network() {
  ip -j address | jq -S 'map(del(.addr_info[]?.valid_life_time, .addr_info[]?.preferred_life_time))'
  ip -j route show table all; ip -j -6 route show table all; ip -j rule; ip -j neigh; nft list ruleset
  sysctl -a 2>/dev/null | grep '^net\.' | grep -vE 'random|nf_conntrack_count|\.stat|tcp_fastopen_key'
}
ip link set lo up
ip link add uplink address 02:00:00:00:00:01 type veth peer name wire address 02:00:00:00:00:02
for end in uplink wire; do ip link set $end addrgenmode none; ip link set $end up; done
ip address add 192.0.2.1/24 dev uplink
[ -e /run/netns ] || { ip netns add first && ip netns del first; }
files_before=$(files) network_before=$(network)

# Installed: files, and nothing else. Nothing is started or enabled.
succeeds "install" dpkg -i "$old"
same "the network after the installation" "$(network)" "$network_before"
same "nothing runs" "$(pgrep onlink || true)" ""
same "nothing is enabled" "$(find /etc/systemd -name 'onlink-node*')" ""
onlink-node --version >/dev/null && [ -x /usr/lib/cni/onlink ] || give_up "the programs"
succeeds "the unit" systemd-analyze verify --man=no /usr/lib/systemd/system/onlink-node.service
! grep -q onlink /tmp/out || fail "the unit: $(cat /tmp/out)"

# Configured as the manual page and the examples say.
cluster() {
  mkdir -p /etc/onlink
  cat >/etc/onlink/cluster.json <<END
{"ipipMode": "Never", "nodes": [{"name": "$(hostname)", "nodeIP": "192.0.2.1", "podCIDRs": ["10.10.0.0/24"]},
                                {"name": "b", "nodeIP": "192.0.2.2", "podCIDRs": ["10.10.1.0/24"]}]}
END
}
cluster
succeeds "apply" onlink-node apply
call() { # COMMAND POD
  jq -c '.plugins[0] + {cniVersion, name, ipMasq: true}' /usr/share/doc/onlink/examples/10-onlink.conflist | CNI_COMMAND=$1 CNI_CONTAINERID=$2 \
    CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/onlink
}
for pod in pod1 pod2; do
  ip netns add $pod
  call ADD $pod >/tmp/$pod || give_up "ADD: $(cat /tmp/$pod)"
done
address() { jq -r '.ips[0].address | sub("/.*"; "")' "/tmp/$1"; }
talk() { checks=$((checks + 1)); ip netns exec pod1 ping -q -c 3 -i 0.2 -W 5 "$(address pod2)" >/tmp/ping && ip netns exec pod1 ping -q -c 1 -W 5 192.0.2.1 >>/tmp/ping || fail "$1: the pods do not talk"; }
route() { ip route show 10.10.1.0/24; }
talk "configured"
wanted_route=$(route)
[ -n "$wanted_route" ] || fail "no route to the other node's pods"
echo '# edited' >>/etc/sysctl.d/99-zzz-onlink.conf
rm /etc/NetworkManager/conf.d/onlink.conf

# stays WHAT COMMAND...: beside a stream of packets, none of which is lost.
stays() {
  ip netns exec pod1 ping -i 0.01 -W 5 "$(address pod2)" >/tmp/stream & local stream=$!
  succeeds "$@"
  sleep 0.3
  kill -INT $stream; wait $stream || true
  checks=$((checks + 1))
  grep -qE ' 0% packet loss|\+?[0-9]+ packets transmitted' /tmp/stream || fail "$1: the stream: $(tail -3 /tmp/stream)"
  local sent received
  read -r sent received < <(sed -nE 's/^([0-9]+) packets transmitted, ([0-9]+) received.*/\1 \2/p' /tmp/stream)
  # The last one may be on its way.
  [ "$sent" -gt 10 ] && [ $((sent - received)) -le 1 ] || fail "$1: $received of $sent packets"
  talk "$1"
  same "$1: the route" "$(route)" "$wanted_route"
}
stays "upgrade" dpkg -i --force-confdef --force-confold "$new"
same "the edited file" "$(tail -1 /etc/sysctl.d/99-zzz-onlink.conf)" "# edited"
[ ! -e /etc/NetworkManager/conf.d/onlink.conf ] || fail "a file that was removed came back"
grep -q newer /etc/iproute2/rt_protos.d/onlink.conf || fail "a file that nobody edited is not the new one"
succeeds "CHECK of a pod of the old version" bash -c "$(declare -f call); jq -c --slurpfile result /tmp/pod1 '.plugins[0] + {cniVersion, name, ipMasq: true, prevResult: \$result[0]}' \
  /usr/share/doc/onlink/examples/10-onlink.conflist | CNI_COMMAND=CHECK CNI_CONTAINERID=pod1 CNI_NETNS=/run/netns/pod1 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/onlink"
stays "downgrade" dpkg -i --force-confdef --force-confold "$old"
stays "remove" dpkg -r onlink
[ ! -e /usr/sbin/onlink-node ] && [ ! -e /usr/lib/cni/onlink ] || fail "removed, and the programs are there"
[ -e /etc/sysctl.d/99-zzz-onlink.conf ] || fail "removed, and so is what keeps the pods' settings"
stays "install again" dpkg -i "$old"
same "the edited file, again" "$(tail -1 /etc/sysctl.d/99-zzz-onlink.conf)" "# edited"

# Purged beside a pod: the way to the other nodes goes, the pods and what is known of them stay.
call DEL pod2
ip netns del pod2
succeeds "purge beside a pod" dpkg -P onlink
same "the route to the other node" "$(route)" ""
check ip netns exec pod1 ping -q -c 1 -W 5 192.0.2.1 >/tmp/ping || fail "the pod does not reach its host"
same "its reservation" "$(ls /var/lib/cni/networks/onlink | grep -v '^l')" "$(address pod1)"

# Purged without pods: as before.
succeeds "install after a purge" dpkg -i "$old"
call DEL pod1
ip netns del pod1
echo 0 >/proc/sys/net/ipv4/ip_forward # what ADD turned on is nobody's; clean's own case is below
cluster
succeeds "apply" onlink-node apply
ip netns add pod1; call ADD pod1 >/tmp/pod1; call DEL pod1; ip netns del pod1
succeeds "purge" dpkg -P onlink
for _ in $(seq 50); do ip -o link show type veth | grep -q onl || break; sleep 0.1; done # the kernel takes its time
same "the network, after purge" "$(network)" "$network_before"
same "the files, after purge" "$(files)" "$files_before"
done_testing
