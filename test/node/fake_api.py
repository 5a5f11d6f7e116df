#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An API server that knows Nodes only, and misbehaves when it is told to.

  fake_api.py serve FOLDER ADDRESS PORT     HTTPS with FOLDER/cert.pem and key.pem; state in FOLDER/state.json
  fake_api.py tell FOLDER COMMAND [ARG...]  talks to it over FOLDER/control; prints its answer

Commands: put NAME MERGE-PATCH, delete NAME, heartbeat COUNT, bookmark, garbage TEXT, drop (ends all watches),
compact status|event (all earlier versions are gone, and how that is said), hide NAME... (a list lacks them, no event
tells), hide-once NAME... (only the next list does), show, pages SIZE [COUNT] (lists come in pages of at most so many; the
next COUNT continue tokens have expired),
swallow 0|1 (what a PATCH asks for is done, and not answered), mute 0|1 (connections are taken, and nothing is said any more), tokens TOKEN... (cn:NAME: of a client certificate that
cert.pem has signed), forbid 0|1, condition NAME (of type NetworkUnavailable), stats.
"""
import base64
import http.server
import json
import os
import select
import socket
import ssl
import sys
import threading
import urllib.parse


def merge(target, patch):
    """RFC 7396."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


class Store:
    def __init__(self, folder):
        self.file = folder + "/state.json"
        self.changed = threading.Condition()
        self.events = []  # (version, line)
        self.mute = self.once = self.swallow = False
        self.page, self.expired = 500, 0
        self.watches = {}  # id -> lines that only this one gets, None ends it
        self.stats = {"lists": 0, "pages": 0, "watches": 0, "patches": 0, "refused": 0}
        self.state = {"version": 100, "compacted": 0, "gone": "status", "nodes": {}, "hidden": [], "tokens": [], "forbid": False}
        if os.path.exists(self.file):
            with open(self.file) as file:
                self.state = json.load(file)
            self.state["compacted"] = self.state["version"]  # a restarted server remembers no events
            self.events = []

    def save(self):
        with open(self.file + ".new", "w") as file:
            json.dump(self.state, file)
        os.rename(self.file + ".new", self.file)

    def event(self, kind, node):
        self.state["version"] += 1
        node["metadata"]["resourceVersion"] = str(self.state["version"])
        self.events.append((self.state["version"], json.dumps({"type": kind, "object": node})))
        self.save()
        self.changed.notify_all()

    def tell(self, words):
        command, rest = words[0], words[1:]
        state = self.state
        with self.changed:
            if command == "put":
                known = rest[0] in state["nodes"]
                node = state["nodes"].setdefault(rest[0], new_node(rest[0]))
                merge(node, json.loads(rest[1]))
                self.event("MODIFIED" if known else "ADDED", node)
            elif command == "delete":
                self.event("DELETED", state["nodes"].pop(rest[0]))
            elif command == "heartbeat":
                for number in range(int(rest[0])):
                    for node in state["nodes"].values():
                        node["status"]["conditions"][0]["lastHeartbeatTime"] = "beat %d" % number
                        self.event("MODIFIED", node)
            elif command in ("bookmark", "garbage", "drop"):
                line = None
                if command == "bookmark":
                    line = json.dumps({"type": "BOOKMARK", "object": {"kind": "Node", "metadata": {"resourceVersion": str(state["version"])}}})
                if command == "garbage":
                    line = rest[0]
                for lines in self.watches.values():
                    lines.append(line)
                self.changed.notify_all()
            elif command == "compact":
                state["version"] += 10
                state["compacted"], state["gone"] = state["version"], rest[0]
                self.events = []
                self.save()
            elif command in ("hide", "hide-once"):
                state["hidden"], self.once = rest, command == "hide-once"
                self.save()
            elif command == "show":
                state["hidden"] = []
                self.save()
            elif command == "tokens":
                state["tokens"] = rest
                self.save()
            elif command == "pages":
                self.page, self.expired = int(rest[0]), int(rest[1]) if rest[1:] else 0
            elif command == "mute":
                self.mute = rest[0] == "1"
                self.changed.notify_all()
            elif command == "swallow":
                self.swallow = rest[0] == "1"
            elif command == "forbid":
                state["forbid"] = rest[0] == "1"
                self.save()
            elif command == "condition":
                found = [c for c in state["nodes"][rest[0]]["status"]["conditions"] if c["type"] == "NetworkUnavailable"]
                return " ".join(c["status"] + " " + c["reason"] for c in found) or "none"
            elif command == "stats":
                return json.dumps(dict(self.stats, open=len(self.watches)))
            else:
                return "what?"
        return "ok"


def new_node(name):
    return {
        "kind": "Node", "apiVersion": "v1",
        "metadata": {"name": name, "uid": "uid of " + name, "labels": {"x": "y" * 200}, "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}]},
        "spec": {},
        "status": {
            "capacity": {"cpu": "2"}, "addresses": [{"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": "beat"}],
            "images": [{"names": ["registry.example/image-%d@sha256:%s" % (i, "0" * 64)], "sizeBytes": 1} for i in range(50)],
        },
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store = None

    def log_message(self, *arguments):
        pass

    def answer(self, code, document):
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, code, message):
        self.store.stats["refused"] += 1
        self.answer(code, {"kind": "Status", "status": "Failure", "message": message, "code": code})

    def allowed(self):
        with self.store.changed:
            while self.store.mute:
                self.store.changed.wait()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        certificate = self.connection.getpeercert()
        if certificate and not token:
            token = "cn:" + dict(pair for name in certificate["subject"] for pair in name)["commonName"]
        if token not in self.store.state["tokens"]:
            self.refuse(401, "Unauthorized")
        elif self.store.state["forbid"]:
            self.refuse(403, 'nodes is forbidden: User "onlink" cannot list resource "nodes" at the cluster scope')
        else:
            return True
        return False

    def do_GET(self):
        if not self.allowed():
            return
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/api/v1/nodes" and query.get("watch") == "1":
            self.watch(int(query["resourceVersion"]))
        elif url.path == "/api/v1/nodes":
            self.list(query)
        else:
            node = self.store.state["nodes"].get(url.path.split("/")[4])
            self.answer(200, node) if node else self.refuse(404, "not found")

    def list(self, query):
        with self.store.changed:
            state = self.store.state
            self.store.stats["pages"] += 1
            after, version = "", state["version"]
            if "continue" in query:
                after, version = json.loads(base64.b64decode(query["continue"]))
                self.store.expired -= 1
                if version < state["compacted"] or self.store.expired >= 0:
                    return self.refuse(410, "The provided continue parameter is too old")
            else:
                self.store.stats["lists"] += 1
            names = sorted(name for name in state["nodes"] if name > after and name not in state["hidden"])
            page = names[: min(self.store.page, int(query.get("limit", 500)))]
            metadata = {"resourceVersion": str(version)}
            if len(page) < len(names):
                metadata["continue"] = base64.b64encode(json.dumps([page[-1], version]).encode()).decode()
            if self.store.once:
                state["hidden"], self.store.once = [], False
            self.answer(200, {"kind": "NodeList", "metadata": metadata, "items": [state["nodes"][name] for name in page] or None})

    def watch(self, version):
        store = self.store
        gone = version < store.state["compacted"]
        store.stats["watches"] += 1
        if gone and store.state["gone"] == "status":
            return self.refuse(410, "too old resource version")
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if gone:
            self.chunk(json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}))
            return self.chunk(None)
        lines = store.watches[id(self)] = []
        try:
            while True:
                with store.changed:
                    while store.mute or not lines and not (store.events and store.events[-1][0] > version):
                        store.changed.wait(0.2)
                        if select.select([self.connection], [], [], 0)[0]:  # the client has gone
                            self.close_connection = True
                            return
                    out = [(n, line) for n, line in store.events if n > version] + [(0, line) for line in lines]
                    lines.clear()
                for number, line in out:
                    version = max(version, number)
                    self.chunk(line)
                    if line is None:
                        return
        except OSError:
            self.close_connection = True
        finally:
            store.watches.pop(id(self), None)

    def chunk(self, line):
        data = b"" if line is None else line.encode() + b"\n"
        half = len(data) // 2  # a line comes in two pieces
        for piece in (data[:half], data[half:]) if half else (data,):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

    def do_PATCH(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.allowed():
            return
        name = self.path.split("/")[4]
        if self.headers["Content-Type"] != "application/strategic-merge-patch+json" or self.path != "/api/v1/nodes/%s/status" % name:
            return self.refuse(415, "not this way")
        with self.store.changed:
            self.store.stats["patches"] += 1
            node = self.store.state["nodes"][name]
            for condition in body["status"]["conditions"]:
                others = [c for c in node["status"]["conditions"] if c["type"] != condition["type"]]
                node["status"]["conditions"] = others + ([] if condition.get("$patch") == "delete" else [condition])
            self.store.event("MODIFIED", node)
            self.close_connection = self.store.swallow
            if not self.store.swallow:
                self.answer(200, node)


def control(store, path):
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(path):
        os.unlink(path)
    listener.bind(path)
    listener.listen(16)
    while True:
        client, _ = listener.accept()
        with client, client.makefile("rw") as stream:
            try:
                stream.write(store.tell(json.loads(stream.readline())))
            except Exception as error:  # pylint: disable=broad-except
                stream.write("failed: %r" % error)
            stream.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context = None

    def finish_request(self, request, client_address):  # in a thread of its own: a slow handshake stops nobody
        try:
            super().finish_request(self.context.wrap_socket(request, server_side=True), client_address)
        except OSError:
            pass


def main():
    if sys.argv[1] == "tell":
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(sys.argv[2] + "/control")
            with client.makefile("rw") as stream:
                stream.write(json.dumps(sys.argv[3:]) + "\n")
                stream.flush()
                answer = stream.read()
        print(answer)
        sys.exit(answer.startswith("failed") or answer == "what?")
    folder = sys.argv[2]
    Handler.store = Store(folder)
    Server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Server.context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
    Server.context.load_verify_locations(folder + "/cert.pem")
    Server.context.verify_mode = ssl.CERT_OPTIONAL
    server = Server((sys.argv[3], int(sys.argv[4])), Handler)
    threading.Thread(target=control, args=(Handler.store, folder + "/control"), daemon=True).start()
    server.serve_forever()


main()
