# SPDX-License-Identifier: Apache-2.0
# Sourced after lib.bash by tests that call plugins the way runtimes do: libcni's cache, prevResult handed along a
# conflist, capabilities. Builds libcni_drive/ with the libcni under $CNI_GOPATH (default: Debian's package).
gopath=${CNI_GOPATH:-/usr/share/gocode}
libcni=$gopath/src/github.com/containernetworking/cni/libcni
need go golang-go; need $reference/portmap containernetworking-plugins
[ -d "$libcni" ] || skip "no libcni under $gopath (package golang-github-appc-cni-dev)"
libcni_tags=
! grep -q 'GCNetworkList' "$libcni/api.go" || libcni_tags=libcni12
# The compiler's cache is kept beside the programs: the standard library is not built for every run.
(cd "$repository/test/runtime/libcni_drive" &&
  GO111MODULE=off GOPATH=$gopath CGO_ENABLED=0 GOCACHE=$bin/../go-cache go build -tags "$libcni_tags" -o $work/drive .)

list=$work/net.conflist
# conflist VERSION [JQ-PROGRAM]: the network of the next calls, onlink and portmap unless the program changes it.
conflist() {
  jq -n --arg version "$1" '{cniVersion: $version, name: "net1", plugins: [
    {type: "onlink", mtu: 1500, ipam: {type: "onlink-ipam", subnet: "10.10.0.0/24"}},
    {type: "portmap", capabilities: {portMappings: true}}]} | '"${2:-.}" >$list
}
# drive COMMAND CONTAINER [IFNAME]: the container's namespace is of the same name. Document in $out, words of a failure
# in $error, exit status in $status; it does not end the script. $capabilities: JSON.
drive() {
  status=0
  out=$(CNI_PATH=${cni_path:-$bin:$reference} CACHE_DIR=$work/cache CAPABILITIES=${capabilities:-} \
    $work/drive "$1" $list "$2" "/run/netns/$2" "${3:-eth0}" 2>$work/error) || status=$?
  error=$(cat $work/error)
}
ok() { checks=$((checks + 1)); [ "$status" = 0 ] || fail "$1: $error"; }
refused() { checks=$((checks + 1)); [ "$status" = 1 ] && [[ $error == *"$2"* ]] || fail "$1: expected \"$2\": status $status: $error"; }
host_ends() { ip -j link show type veth | jq -r '.[].ifname | select(startswith("onl"))'; }
no_host_end() { [ -z "$(host_ends)" ]; }
nothing_left() { # WHAT
  until_true 10 no_host_end || true
  same "interfaces: $1" "$(host_ends)" ""
  same "routes: $1" "$(ip route show proto 169)" ""
  same "leases: $1" "$(files)" ""
}
