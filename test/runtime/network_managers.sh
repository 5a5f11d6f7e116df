#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# NetworkManager and systemd-networkd, really running, beside a pod's interface, the tunnel and our routes: with the files of
# conf/node/ they leave them alone, without them they take the interfaces for their own. Each in namespaces of its own, with its own /run and /etc folders.
# shellcheck source=../node/lib.bash
source "$(dirname "$0")/../node/lib.bash"
conf=$root/conf/node
networkd=/usr/lib/systemd/systemd-networkd
mount -o remount,ro /sys # no udev here, as in a container: devices count as complete at once

# What both meet: a pod's host end, the tunnel's device (here of another kind), an uplink of their own with our route to
# another node's pods.
ip link add onlabc type veth peer name pod
ip link add tunl0 type veth peer name other
ip link add uplink type veth peer name router
for link in onlabc pod tunl0 other uplink router; do ip link set "$link" up; done
# What a manager without our files has taken away (networkd of Debian 13 the tunnel's address, too) is there again for the next one.
restore() {
  ip addr replace 10.10.0.1/32 dev tunl0
  ip addr replace 172.16.91.201/24 brd + dev uplink
  ip route replace 10.10.0.2/32 dev onlabc proto 169
  ip route replace 10.10.1.0/24 via 172.16.91.202 dev uplink proto 169
}
has() { ip -j route show "$1" proto 169 | jq -e 'length == 1' >/dev/null; }
stop() { kill -KILL "$1"; wait "$1" 2>/dev/null || true; }

if command -v NetworkManager nmcli dbus-daemon >/dev/null; then
  mkdir -p /run/dbus /run/NetworkManager /var/lib/dbus /var/lib/NetworkManager
  mount -t tmpfs tmpfs /etc/NetworkManager
  mkdir /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections
  printf '[main]\nplugins=keyfile\n[device]\nmatch-device=interface-name:*\nmanaged=1\n' >/etc/NetworkManager/NetworkManager.conf
  dbus-uuidgen --ensure
  dbus-daemon --system --fork --nopidfile
  state() { nmcli -t -f DEVICE,STATE device | sed -n "s/^$1://p"; }
  starts_manager() {
    restore
    (exec NetworkManager -n) >"$work/manager" 2>&1 &
    manager=$!
    eventually 30 nmcli -t general status
    # It has looked at every device when it takes the one that is nobody's.
    eventually 30 eval 'case $(state pod) in connect*) ;; *) false ;; esac'
  }
  starts_manager
  eventually 30 eval 'case $(state onlabc) in connect*) ;; *) false ;; esac' # DHCP, on a pod's interface
  stop $manager
  cp "$conf/networkmanager-onlink.conf" /etc/NetworkManager/conf.d/onlink.conf
  starts_manager
  for link in onlabc tunl0; do same "$link, of NetworkManager" "$(state $link)" unmanaged; done
  has 10.10.0.2 && has 10.10.1.0/24 || fail "NetworkManager took a route"
  holds "the tunnel's address" 'any(.[0].addr_info[]; .local == "10.10.0.1")' "$(ip -j addr show tunl0)"
  stop $manager
else
  echo "network_managers.sh: without NetworkManager (packages network-manager, dbus)"
fi

if [ -x $networkd ]; then
  mkdir -p /run/systemd/network /run/systemd/networkd.conf.d /run/systemd/netif/{links,leases,lldp}
  chown -R systemd-network: /run/systemd/netif 2>/dev/null || true
  # An administrator's: the uplink, and whatever else there is.
  printf '[Match]\nName=uplink\n[Network]\nAddress=172.16.91.201/24\nLinkLocalAddressing=no\n' >/run/systemd/network/40-uplink.network
  printf '[Match]\nName=onl* tunl0\n[Network]\nLinkLocalAddressing=no\n' >/run/systemd/network/50-all.network
  starts_networkd() {
    restore
    : >"$work/networkd"
    (exec env SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=debug $networkd) >"$work/networkd" 2>&1 &
    manager=$!
    eventually 30 grep -q 'uplink: State changed: .* configured' "$work/networkd"
  }
  starts_networkd
  # Without our files it takes the pod's interface and the tunnel for its own.
  for link in onlabc tunl0; do eventually 30 grep -q "$link: State changed: .* configured" "$work/networkd"; done
  stop $manager
  cp "$conf/networkd-onlink.network" /run/systemd/network/05-onlink.network
  cp "$conf/networkd.conf.d-onlink.conf" /run/systemd/networkd.conf.d/onlink.conf
  starts_networkd
  for link in onlabc tunl0; do eventually 30 grep -q "$link: State changed: .* unmanaged" "$work/networkd"; done
  has 10.10.0.2 && has 10.10.1.0/24 || fail "networkd took a route"
  holds "the tunnel's address" 'any(.[0].addr_info[]; .local == "10.10.0.1")' "$(ip -j addr show tunl0)"
  stop $manager
else
  echo "network_managers.sh: without systemd-networkd (package systemd)"
fi
[ $checks -gt 0 ] || exit 77
done_testing
