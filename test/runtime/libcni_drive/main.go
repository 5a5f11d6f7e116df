// SPDX-License-Identifier: Apache-2.0

// Runs one command of the protocol the way container runtimes do: through libcni, with its cache, over a conflist.
//
//	drive COMMAND CONFLIST CONTAINER NETNS IFNAME
//
// COMMAND: ADD and CACHED (the result that libcni remembers) print the result; CHECK; DEL; VALIDATE (which asks the
// plugins for their versions); with libcni 1.2 and up also STATUS, and GC, for which CONTAINER is the only valid one
// ("" for none). Environment: CNI_PATH, CACHE_DIR, CAPABILITIES (JSON, what runtimes give as runtimeConfig).
// Failures go to standard error, exit status 1.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

type call struct {
	cni  *libcni.CNIConfig
	list *libcni.NetworkConfigList
	rt   *libcni.RuntimeConf
}

// More commands, where this libcni has them (status_gc.go).
var more = map[string]func(context.Context, call) error{}

func show(result types.Result, err error) error {
	if err != nil {
		return err
	}
	if result == nil {
		return fmt.Errorf("no result")
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func run(command string, c call) error {
	ctx := context.Background()
	switch command {
	case "ADD":
		return show(c.cni.AddNetworkList(ctx, c.list, c.rt))
	case "CACHED":
		return show(c.cni.GetNetworkListCachedResult(c.list, c.rt))
	case "CHECK":
		return c.cni.CheckNetworkList(ctx, c.list, c.rt)
	case "DEL":
		return c.cni.DelNetworkList(ctx, c.list, c.rt)
	case "VALIDATE":
		_, err := c.cni.ValidateNetworkList(ctx, c.list)
		return err
	}
	if handler, ok := more[command]; ok {
		return handler(ctx, c)
	}
	return fmt.Errorf("unknown command %s", command)
}

func prepare(arguments []string) (call, error) {
	if len(arguments) != 5 {
		return call{}, fmt.Errorf("usage: drive COMMAND CONFLIST CONTAINER NETNS IFNAME")
	}
	list, err := libcni.ConfListFromFile(arguments[1])
	if err != nil {
		return call{}, err
	}
	rt := &libcni.RuntimeConf{ContainerID: arguments[2], NetNS: arguments[3], IfName: arguments[4]}
	if given := os.Getenv("CAPABILITIES"); given != "" {
		if err := json.Unmarshal([]byte(given), &rt.CapabilityArgs); err != nil {
			return call{}, err
		}
	}
	path := filepath.SplitList(os.Getenv("CNI_PATH"))
	return call{libcni.NewCNIConfigWithCacheDir(path, os.Getenv("CACHE_DIR"), nil), list, rt}, nil
}

func main() {
	c, err := prepare(os.Args[1:])
	if err == nil {
		err = run(os.Args[1], c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
