#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manifests and overlays of conf/kubernetes: they parse, every overlay stands on a base that is there, every patch changes
what the base has, the image is this version's, and the conflist in the manifest is that of the template. With kubectl on the
path each overlay is rendered, and must have the folders that README.md says. Usage: kustomize.py (no arguments)"""
import json
import os
import shutil
import subprocess
import sys

import yaml

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
conf = os.path.join(root, "conf/kubernetes")
checks = 0


def check(condition, words):
    global checks
    checks += 1
    if not condition:
        sys.exit("FAILED: " + words)


def documents(path):
    with open(path, encoding="utf-8") as file:
        return list(yaml.safe_load_all(file))


def key(document):
    return document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]


def load(folder):
    """The objects of a kustomization, patched: what the few features in use here amount to."""
    (kustomization,) = documents(os.path.join(folder, "kustomization.yaml"))
    known = {"apiVersion", "kind", "resources", "bases", "patchesStrategicMerge"}
    check(set(kustomization) <= known, f"{folder}: {set(kustomization) - known} are not known to this test")
    objects = {}
    for name in kustomization.get("resources", []):
        objects.update((key(each), each) for each in documents(os.path.join(folder, name)))
    for base in kustomization.get("bases", []):
        objects.update(load(os.path.normpath(os.path.join(folder, base))))
    for name in kustomization.get("patchesStrategicMerge", []):
        for patch in documents(os.path.join(folder, name)):
            check(key(patch) in objects, f"{folder}/{name}: no {key(patch)} in the base")
            merge(objects[key(patch)], patch, f"{folder}/{name}")
    return objects


def merge(target, patch, where):
    for name, value in patch.items():
        if isinstance(value, dict) and name != "annotations":
            check(isinstance(target.get(name), dict), f"{where}: the base has no {name}")
            merge(target[name], value, where)
        elif isinstance(value, list) and isinstance(value[0], dict):
            for item in value:
                there = [each for each in target.setdefault(name, []) if each["name"] == item["name"]]
                if not there and name in ("env", "ports"):
                    target[name].append(item)
                    continue
                check(len(there) == 1, f"{where}: the base has no {name} {item['name']}")
                merge(there[0], item, where)
        else:
            target[name] = value


def folders(objects):
    (daemon_set,) = [each for each in objects.values() if each["kind"] == "DaemonSet"]
    return {volume["name"]: volume["hostPath"]["path"]
            for volume in daemon_set["spec"]["template"]["spec"]["volumes"] if "hostPath" in volume}


common = {"cni-bin": "/opt/cni/bin", "cni-conf": "/etc/cni/net.d", "run": "/run/onlink", "state": "/var/lib/onlink",
          "leases": "/var/lib/cni/networks"}
k3s = "/var/lib/rancher/k3s/"
wanted = {
    "kubeadm": common,
    "kind": common,
    "cri-o": common,
    "debian": {**common, "cni-bin": "/usr/lib/cni"},
    "metrics": common,
    "k3s": {**common, "cni-bin": k3s + "data/cni", "cni-conf": k3s + "agent/etc/cni/net.d"},
}
check(set(os.listdir(os.path.join(conf, "overlays"))) == set(wanted), "another overlay than this test knows")
with open(os.path.join(conf, "README.md"), encoding="utf-8") as file:
    readme = file.read()
kubectl = shutil.which("kubectl")
for name, paths in {**wanted, "k3s/remove": {**{k: v for k, v in wanted["k3s"].items() if k not in ("cni-bin", "leases")}}}.items():
    folder = os.path.join(conf, "overlays", name)
    check(folders(load(folder)) == paths, f"overlays/{name}: {folders(load(folder))}")
    for path in paths.values():
        check(path in readme or path in ("/run/onlink", "/var/lib/onlink"), f"README.md does not name {path}")
    if kubectl:
        text = subprocess.run([kubectl, "kustomize", folder], check=True, capture_output=True, text=True).stdout
        rendered = {key(each): each for each in yaml.safe_load_all(text)}
        check(folders(rendered) == paths, f"kubectl kustomize overlays/{name}: {folders(rendered)}")
        check(set(rendered) == set(load(folder)), f"kubectl kustomize overlays/{name}: {sorted(rendered)}")

(agent,) = [each["spec"]["template"]["spec"]["containers"][0] for each in load(os.path.join(conf, "overlays/metrics")).values()
            if each["kind"] == "DaemonSet"]
(port,) = agent["ports"]
check(agent["command"][:2] == ["/onlink-node", "run"] and f"$(HOST_IP):{port['containerPort']}" in agent["command"], "overlays/metrics: --listen")
check({"ONLINK_NODE", "HOST_IP"} == {each["name"] for each in agent["env"]}, "overlays/metrics: the environment")
mounts = {each["mountPath"] for each in agent["volumeMounts"]}
check({agent["command"][agent["command"].index("--cni-conf-dir") + 1], "/var/lib/cni/networks"} <= mounts, "overlays/metrics: its folders")

version = subprocess.run([os.path.join(root, "hack/version"), "--base"], check=True, capture_output=True, text=True).stdout.strip()
for folder in ("base", "remove"):
    for each in load(os.path.join(conf, folder)).values():
        if each["kind"] != "DaemonSet":
            continue
        pod = each["spec"]["template"]["spec"]
        for container in pod["initContainers"] + pod["containers"]:
            check(container["image"] == f"localhost/onlink-node:{version}", f"{folder}: the image is {container['image']}")
            check(container["imagePullPolicy"] == "IfNotPresent" and container["resources"]["requests"], f"{folder}: {container['name']}")
        check(pod["priorityClassName"] == "system-node-critical", f"{folder}: priority")
        check({"operator": "Exists"} in pod["tolerations"], f"{folder}: it has to start on a node that is not ready")
(config,) = [each for each in load(os.path.join(conf, "base")).values() if each["kind"] == "ConfigMap"]
with open(os.path.join(conf, "10-onlink.conflist.template"), encoding="utf-8") as file:
    check(json.loads(config["data"]["conflist.json"]) == json.load(file), "conflist.json is not the template")
print(f"kustomize.py: {checks} checks passed" + ("" if kubectl else ", none of them by kubectl, which is not here"))
