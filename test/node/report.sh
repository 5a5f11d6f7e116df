#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `report`: one archive with what a question needs, without the secrets that were planted, of a bounded size, whatever is missing, has no
# end or hangs.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_pods
mark=SeCrEt-MaRk
seed_cluster ".bgp = {asNumber: 64512, password: \"bgp-$mark\"}"
applied A; applied B

# Programs whose words are ours: a journal with secrets, one that never ends, one that says nothing and does not end either.
fake=$work/fake conf_dir=$work/net.d tmp=$work/tmp
mkdir -p "$fake" "$conf_dir" "$tmp"
cat >"$fake/journalctl" <<END
#!/bin/sh
echo "onlink-node: BIRD was told bgp-$mark"
echo "onlink-node: the kubeconfig has yaml-$mark, the file in-file-$mark"
echo "onlink-node: GET https://admin:url-$mark@10.0.0.1:6443/api?token=query-$mark"
echo "onlink-node: Authorization: Bearer bearer-$mark"
echo "-----BEGIN RSA PRIVATE KEY-----"
echo "pem-$mark"
echo "-----END RSA PRIVATE KEY-----"
echo "onlink-node: the last line of the journal"
END
printf '#!/bin/sh\nexec yes endless\n' >"$fake/nft"
printf '#!/bin/sh\nexec sleep 1000\n' >"$fake/bridge"
chmod +x "$fake"/*

printf 'users:\n- name: x\n  user:\n    token: yaml-%s\n' $mark >"$work/kubeconfig"
printf 'in-file-%s\n' $mark >"$work/token"
cat >"$conf_dir/10-onlink.conflist" <<END
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "onlink", "log": {"file": "$work/plugin.log", "level": "debug"}, "ipam": {"type": "onlink-ipam", "ranges": []}},
  {"type": "other", "apiToken": "json-$mark", "nested": [{"clientSecret": {"value": "nested-$mark"}}], "kubeconfig": "$work/kubeconfig",
   "tokenFile": "$work/token", "etcd": "http://root:etcd-$mark@10.0.0.1:2379"}]}
END
printf 'not JSON\n  password = "text-%s"\n' $mark >"$conf_dir/20-other.conf"
{ head -c 40000000 /dev/zero | tr '\0' x; echo "password: huge-$mark"; } >"$conf_dir/30-huge.conflist"
mkfifo "$conf_dir/40-pipe.conflist"
{ seq 1000000; echo "error ADD json-$mark, and bgp-$mark"; echo "the last line of the log"; } >"$work/plugin.log"
printf '{"kind":"list","text":"token: event-%s"}\n' $mark >"$work/A/run/events.jsonl"

# report [ARGUMENT...]: on A, in an empty folder. Its archive is in $archive, unpacked in $parts.
here=$work/here
report() {
  local command
  node_command A
  rm -rf "$here" "$work/parts"
  mkdir -p "$here" "$work/parts"
  status=0
  out=$(cd "$here" && on A env TMPDIR="$tmp" PATH="${path-$fake:$PATH}" "${command[@]}" report --cni-conf-dir "$conf_dir" --data-dir "$work/A/ipam" "$@" 2>"$work/A/errors") ||
    status=$?
  errors=$(cat "$work/A/errors")
}
unpack() { # FILE
  checks=$((checks + 1))
  tar -xzf "$1" -C "$work/parts" || fail "tar does not unpack $1"
  parts=$(echo "$work/parts"/*)
  [ -d "$parts" ] || fail "not one folder: $parts"
}
part_has() { # PART WORDS
  checks=$((checks + 1))
  grep -qF -- "$2" "$parts/$1" || fail "$1 has no \"$2\": $(head -c 2000 "$parts/$1")"
}
no_secrets() {
  same "secrets, $1" "$(grep -rla $mark "$work/parts" | xargs -r -n1 basename)" ""
}

before=$(everything A)
report; ok "report: $errors"
archive=$(ls "$here")
case $archive in onlink-report-A-*Z.tar.gz) ;; *) fail "its name: $archive" ;; esac
case $out in "$archive: "*"Read it before you publish it"*) ;; *) fail "it tells: $out" ;; esac
same "who may read it" "$(stat -c %a "$here/$archive")" 600
same "what report has changed" "$(everything A)" "$before"
same "temporary files" "$(ls -A "$tmp")" ""
unpack "$here/$archive"
no_secrets "all of them"
[ "$(stat -c %s "$here/$archive")" -lt 8000000 ] || fail "the archive has $(stat -c %s "$here/$archive") bytes"
same "parts that are too large" "$(find "$parts" -type f -size +1025k)" ""
same "parts that README.txt does not name" "$(cd "$parts" && for name in *; do [ "$name" = README.txt ] || grep -q "  $name\$" README.txt || echo "$name"; done)" ""

holds status.json '.node == "A" and (.peers | length == 1)' "$(cat "$parts/status.json")"
holds plan.json '.commands == [] and .problems == []' "$(cat "$parts/plan.json")"
holds check.json '.peers | length == 1' "$(cat "$parts/check.json")"
holds cluster-file.json '.bgp == {asNumber: 64512, password: "<removed>"} and (.nodes | length == 2)' "$(cat "$parts/cluster-file.json")"
part_has versions.txt "kernel $(uname -r)"
part_has status.txt "node A: in order"
part_has picture.txt "---- direct ----> B"
part_has check.txt "all is well"
part_has ip-route.txt "10.10.1.0/24 via 172.16.91.202 dev eth0"
part_has kernel.txt "route 10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
part_has ip-rule.txt "lookup main"
part_has ip-link.txt "alias onlink pods netns01 eth0"
part_has ip-addr.txt "172.16.91.201/24"
part_has ip-neigh.txt "[did not end within 10 s: killed]"
part_has nft.txt "cut here"
part_has sysctl.txt "net/ipv4/ip_forward = 1"
part_has leases.txt "10.10.0.2"
part_has run-node.json '"before"'
part_has last-good-list.json '"nodes"'
part_has cni-configuration.txt '"onlink-ipam"'
part_has cni-configuration.txt '"apiToken": "<removed>"'
part_has cni-configuration.txt 'http://<removed>@10.0.0.1:2379'
part_has cni-configuration.txt 'password = "<removed>"'
part_has journal.txt "BIRD was told <removed>"
part_has journal.txt "the last line of the journal"
part_has plugin-log.txt "error ADD <removed>, and <removed>"
part_has plugin-log.txt "the last line of the log"
part_has plugin-log.txt "cut here"
part_has events.jsonl "token: <removed>"

# What is killed is gone.
same "programs that are left" "$(pgrep -fx 'sleep 1000|yes endless' || true)" ""
rm "$fake/bridge" "$fake/nft"

# The password in a file, and to standard output.
printf 'bgp-%s\n' $mark >"$work/bgp-password"
seed_cluster ".bgp = {asNumber: 64512, passwordFile: \"$work/bgp-password\"}"
node_command A
TMPDIR=$tmp PATH=$fake:$PATH on A "${command[@]}" report --cni-conf-dir "$conf_dir" -o - >"$work/out.tar.gz" 2>"$work/A/errors" || fail "to standard output: $(cat "$work/A/errors")"
rm -rf "$work/parts"; mkdir "$work/parts"
unpack "$work/out.tar.gz"
no_secrets "a password in a file"
part_has nft.txt "table inet"

# Nothing that it could ask is there.
path=/nonexistent report; ok "without programs: $errors"
unpack "$here"/*.tar.gz
part_has ip-route.txt "run ip: No such file or directory"
part_has nft.txt "run nft: No such file or directory"
part_has kernel.txt "route 10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
part_has leases.txt "10.10.0.2"

# No file of the cluster, or one that is none: that is said where it would be.
mv "$cluster" "$cluster.away"
report; ok "without the file: $errors"
unpack "$here"/*.tar.gz
part_has status.txt "not available: "
part_has cluster-file.json "No such file or directory"
printf '{"bgp": {"password": "broken-%s"' $mark >"$cluster"
report; ok "with a broken file: $errors"
unpack "$here"/*.tar.gz
same "the secret of a broken file" "$(grep -rl "broken-$mark" "$work/parts")" ""
part_has cluster-file.json '"password": "<removed>"'
mv "$cluster.away" "$cluster"

# Without root what can be had is in it.
chmod -R a+rX "$work"
install -d -m 777 "$work/open"
node_command A
on A setpriv --reuid 65534 --regid 65534 --clear-groups "${command[@]}" report --cni-conf-dir "$conf_dir" -o "$work/open/r.tar.gz" >/dev/null || fail "without root"
rm -rf "$work/parts"; mkdir "$work/parts"
unpack "$work/open/r.tar.gz"
part_has status.txt "not visible without privileges"
part_has check.txt "not available: "

# Where it cannot be written.
for place in "$work/nowhere/r.tar.gz" "$work" /dev/full; do
  report -o "$place"
  same "exit status with -o $place" "$status" 1
  case $errors in "onlink-node: report: "*"${place%/r.tar.gz}"*) ;; *) fail "-o $place: $errors" ;; esac
done
[ -c /dev/full ] || fail "/dev/full is no device any more"
printf old >"$work/open/r.tar.gz"
report -o "$work/open/r.tar.gz"; ok "in the place of another: $errors"
tar -tzf "$work/open/r.tar.gz" >/dev/null || fail "it is not whole"
same "who may read it then" "$(stat -c %a "$work/open/r.tar.gz")" 600

# Ctrl-C in the middle leaves nothing.
printf '#!/bin/sh\necho here >%s\nexec sleep 1000\n' "$work/reached" >"$fake/nft"
chmod +x "$fake/nft"
rm -rf "$here"; mkdir "$here"
(cd "$here" && TMPDIR=$tmp PATH=$fake:$PATH exec nsenter --net=/run/netns/A env --default-signal=INT "${command[@]}" report --cni-conf-dir "$conf_dir") >/dev/null 2>&1 &
process=$!
eventually 10 test -e "$work/reached"
kill -INT "$process"
ended=0; wait "$process" || ended=$?
same "how it ended" "$ended" 130
same "files after Ctrl-C" "$(ls -A "$here" "$tmp")" "$(printf '%s:\n\n%s:' "$here" "$tmp")"
done_testing
