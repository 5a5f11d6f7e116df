#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# onlink-ipam against the real host-local: the same calls on folders of their own give the same results and the same
# files; on one folder they take turns.
. "$(dirname "$0")/lib.bash"

contents() { (cd "$1" && find . -type f ! -name '.onlink-*' ! -name lock "${@:2}" | sort | xargs -r sha1sum); }
# The two results are the same, whatever their layout: an empty dns is none.
same_result() {
  checks=$((checks + 1))
  jq -en --argjson a "$2" --argjson b "$3" 'def norm: if .dns == {} then del(.dns) else . end; ($a | norm) == ($b | norm)' >/dev/null ||
    fail "$1: expected: $3
  but it is: $2"
}

# alike WHAT [JQ-PROGRAM...]: a row of calls by each of the two, with the same configuration. $versions: CNI versions.
alike() {
  local what=$1 version call expected; shift
  for version in ${versions:-1.0.0}; do
    rm -rf "$disk/A" "$disk/B"
    mkdir "$disk/A" "$disk/B"
    data=$disk/A pool ".cniVersion = \"$version\"" "$@"
    local conf_a=$conf
    data=$disk/B pool ".cniVersion = \"$version\"" "$@" '.ipam.cooldown = 0'
    local conf_b=$conf but=()
    for call in ADD/a ADD/b ADD/a/eth1 DEL/a ADD/c DEL/b DEL/b ADD/d DEL/nobody; do
      IFS=/ read -r verb container ifname <<<"$call"
      conf=$conf_a; ask "$hostlocal" "$verb" "$container" $ifname
      expected_status=$status expected=$out
      conf=$conf_b; ipam "$verb" "$container" $ifname
      # host-local's DEL needs a configuration that could give addresses; ours takes back whatever there is.
      [ "$verb" != DEL ] || expected_status=0
      same "$what, $version, $call: exit status ($out)" "$status" "$expected_status"
      if [ "$status" != 0 ]; then
        but=(! -name 'last_reserved_ip.*') # host-local goes on from addresses that it gave back at once
        # Ours says at least what host-local says.
        local words; words=$(jq -r .msg <<<"$expected" | sed -E 's/^invalid range set [0-9]+: //')
        case ${out,,} in *"${words,,}"*) ;; *) fail "$what, $version, $call: \"$words\" is not in $out" ;; esac
      elif [ "$verb" = ADD ]; then
        same_result "$what, $version, $call" "$out" "$expected"
      fi
    done
    mkdir -p "$disk/A/net1" "$disk/B/net1"
    same "$what, $version: files" "$(contents "$disk/B/net1" "${but[@]}")" "$(contents "$disk/A/net1" "${but[@]}")"
  done
}

range() { echo ".ipam |= (del(.subnet) | .ranges = $1)"; }
versions="0.1.0 0.2.0 0.3.1 1.0.0" alike "one subnet"
alike "small subnet" '.ipam.subnet = "10.1.2.0/30"'
alike "start, end and gateway" '.ipam += {rangeStart: "10.1.2.3", rangeEnd: "10.1.2.6", gateway: "10.1.2.4"}'
alike "gateway outside of the range" '.ipam += {rangeStart: "10.1.2.0", rangeEnd: "10.1.2.2", gateway: "10.1.2.254"}'
versions="0.2.0 1.0.0" alike "two families" "$(range '[[{"subnet":"10.1.2.0/24"}],[{"subnet":"2001:db8:1::0/64"}]]')"
alike "sets of several ranges" "$(range '[[{"subnet":"10.1.2.0/30"},{"subnet":"10.9.0.0/30","gateway":"10.9.0.2"}],
  [{"subnet":"fd00::/126"},{"subnet":"fd00:0:0:1::/64","rangeStart":"fd00:0:0:1::ff"}]]')"
alike "old form before ranges" '.ipam.ranges = [[{"subnet":"fd00::/64"}]]'
alike "routes" '.ipam.routes = [{"dst":"0.0.0.0/0"},{"dst":"192.168.0.0/16","gw":"10.1.2.1"},{"dst":"fd01::/64","gw":"fd00::1"}]'
printf 'nameserver 192.0.2.3\nsearch a b\ndomain d\noptions x y\n' >"$disk/resolv.conf"
alike "resolvConf" ".ipam.resolvConf = \"$disk/resolv.conf\""
alike "resolvConf that is missing" '.ipam.resolvConf = "/nowhere/resolv.conf"'
alike "args" '.args = {cni: {ips: ["10.1.2.88"]}}'
alike "runtimeConfig with a prefix" '.runtimeConfig = {ips: ["10.1.2.88/24"]}'
alike "runtimeConfig ranges" '.runtimeConfig = {ipRanges: [[{"subnet":"10.7.0.0/24"}]]}' 'del(.ipam.subnet)'
cni_args="IgnoreUnknown=1;IP=10.1.2.99" alike "CNI_ARGS"
cni_args="IgnoreUnknown=1;IP=10.1.2.99/24" alike "CNI_ARGS with a prefix"
alike "a request that is the gateway" '.args = {cni: {ips: ["10.1.2.1"]}}'
alike "a request out of range" '.args = {cni: {ips: ["10.1.3.1"]}}'
versions="0.2.0 1.0.0" alike "too many of a family" "$(range '[[{"subnet":"10.1.2.0/24"}],[{"subnet":"10.1.3.0/24"}]]')"
for bad in '[[{"subnet":"10.1.2.0/31"}]]' '[[{"subnet":"10.1.2.1/24"}]]' '[[{"subnet":"10.1.2.0/24","rangeStart":"10.1.3.0"}]]' \
  '[[{"subnet":"10.1.2.0/24","rangeEnd":"10.1.3.0"}]]' '[[{"subnet":"10.1.2.0/24"},{"subnet":"fd00::/64"}]]' \
  '[[{"subnet":"10.1.0.0/22"},{"subnet":"10.1.2.0/24"}]]' '[[{"subnet":"10.1.0.0/22"}],[{"subnet":"10.1.2.0/24"}]]'; do
  data=$disk/A pool "$(range "$bad")"
  ask "$hostlocal" ADD a
  words=$(jq -r .msg <<<"$out" | sed -E 's/^invalid range set [0-9]+: //')
  data=$disk/B pool "$(range "$bad")"
  ipam ADD a
  refused 7 "$words"
done

# Taking turns at random on one folder, beside a folder that only host-local uses: the same addresses in both.
RANDOM=${SEED:=${ONLINK_SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d " ")}}
echo "seed $SEED"
rm -rf "$disk/A" "$disk/B"
declare -A live=()
common="$(range '[[{"subnet":"10.1.2.0/26"}],[{"subnet":"fd00::/122"}]]')"
data=$disk/A pool "$common"
conf_a=$conf
data=$disk/B pool "$common" '.ipam.cooldown = 0'
conf_b=$conf
for turn in $(seq 160); do
  container=c$((RANDOM % 40))
  if [ -n "${live[$container]:-}" ] && [ $((RANDOM % 3)) != 0 ]; then verb=DEL; else verb=ADD; fi
  # host-local gives a second address to one that requests it while it has one; that is an error in ours.
  cni_args=
  [ -n "${live[$container]:-}" ] || [ $((RANDOM % 8)) != 0 ] || cni_args="IP=10.1.2.$((RANDOM % 60 + 2))"
  conf=$conf_a
  ask "$hostlocal" $verb "$container"
  expected_status=$status expected=$out
  conf=$conf_b
  if [ $((RANDOM % 2)) = 0 ]; then ask "$hostlocal" $verb "$container"; else ipam $verb "$container"; fi
  same "turn $turn: $verb $container ($out)" "$status" "$expected_status"
  [ "$status" != 0 ] || [ $verb = DEL ] || same_result "turn $turn: $verb $container" "$out" "$expected"
  [ "$status" != 0 ] || { [ $verb = ADD ] && live[$container]=1 || unset "live[$container]"; }
done
cni_args=
same "files after all turns" "$(contents "$disk/B/net1")" "$(contents "$disk/A/net1")"
[ "$(find "$disk/B/net1" -name '10.*' | wc -l)" -gt 5 ] || fail "the turns left too little to compare"
for container in "${!live[@]}"; do ipam DEL "$container"; ok "DEL $container"; done
same "all released" "$(find "$disk/B/net1" -type f ! -name '.onlink-*' -printf '%f ' | tr ' ' '\n' | sort | xargs)" "last_reserved_ip.0 last_reserved_ip.1 lock"

# Both at the same time.
mkdir "$disk/hammer"
data=$disk/C pool '.ipam.subnet = "10.1.2.0/26"'
"$bin/ipam_hammer" "$disk/hammer" "$bin/onlink-ipam,$hostlocal" 16 320 0 0 "$SEED" <<<"$conf" ||
  fail "the two at the same time"
same "nothing left" "$(find "$disk/C/net1" -name '10.*')" ""
done_testing
