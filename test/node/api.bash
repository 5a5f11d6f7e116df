# SPDX-License-Identifier: Apache-2.0
# Sourced after lib.bash by the tests with a Kubernetes API: the small one of fake_api.py, in a host of its own. Its files
# lie in $api, a kubeconfig among them.

api=$work/api
fake=$(dirname "${BASH_SOURCE[0]}")/fake_api.py
api_process=

# api_host WIRE: the host "apiserver", 172.16.91.100, and all that it needs.
api_host() {
  mkdir -p "$api"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=api -addext subjectAltName=IP:172.16.91.100 \
    -keyout "$api/key.pem" -out "$api/cert.pem" 2>/dev/null || give_up "openssl"
  echo token-1 >"$api/token"
  cat >"$api/kubeconfig" <<'YAML'
apiVersion: v1
kind: Config
current-context: here
contexts:
- {name: here, context: {cluster: lab, user: onlink}}
clusters:
- name: lab
  cluster:
    server: https://172.16.91.100:6443
    certificate-authority: cert.pem
users:
- name: onlink
  user: {tokenFile: token}
YAML
  host apiserver && plug apiserver eth0 "$1" 172.16.91.100/24
}
# start_api [PORT]: knows what it knew before; remembers no events.
start_api() {
  (exec nsenter --net=/run/netns/apiserver "$python" "$fake" serve "$api" 172.16.91.100 "${1:-6443}") >>"$api/log" 2>&1 &
  api_process=$!
  eventually 10 "$python" "$fake" tell "$api" stats
}
# api_lab RESYNC-SECONDS [HOST ADDRESS]...: hosts on a wire with the API, which is their source, and is started.
api_lab() {
  local resync=$1
  shift
  wire lan
  while [ $# -gt 0 ]; do
    host "$1" && plug "$1" eth0 lan "$2/24"
    shift 2
  done
  api_host lan
  jq -n --arg api "$api" --argjson resync "$resync" '{ipipMode: "Never", masquerade: false, filter: false,
    resyncSeconds: $resync, source: {type: "kubernetes", kubeconfig: ($api + "/kubeconfig")}}' >"$cluster"
  start_api
  tell tokens token-1
}
stop_api() {
  kill -KILL "$api_process"
  wait "$api_process" 2>/dev/null || true
  api_process=
}
tell() { told=$("$python" "$fake" tell "$api" "$@") || fail "the API server: $told: $(tail -3 "$api/log")"; }
# put NAME NODE-IP POD-CIDR
put() {
  tell put "$1" "{\"spec\":{\"podCIDR\":\"$3\",\"podCIDRs\":[\"$3\"]},
    \"status\":{\"addresses\":[{\"type\":\"Hostname\",\"address\":\"$1\"},{\"type\":\"InternalIP\",\"address\":\"$2\"}]}}"
}
