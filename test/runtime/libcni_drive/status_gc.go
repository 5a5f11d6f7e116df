// SPDX-License-Identifier: Apache-2.0

//go:build libcni12

package main

import (
	"context"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

func init() {
	more["STATUS"] = func(ctx context.Context, c call) error {
		return c.cni.GetStatusNetworkList(ctx, c.list)
	}
	more["GC"] = func(ctx context.Context, c call) error {
		args := libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}
		if c.rt.ContainerID != "" {
			args.ValidAttachments = append(args.ValidAttachments,
				types.GCAttachment{ContainerID: c.rt.ContainerID, IfName: c.rt.IfName})
		}
		return c.cni.GCNetworkList(ctx, c.list, &args)
	}
}
