// SPDX-License-Identifier: Apache-2.0

// Converts each result on standard input (one document a line) with libcni to every version that it knows, and
// prints "<line> <version> <document>"; the document is null where libcni refuses.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/containernetworking/cni/pkg/types/create"
	"github.com/containernetworking/cni/pkg/version"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for number := 1; lines.Scan(); number++ {
		for _, wanted := range version.All.SupportedVersions() {
			result, err := create.CreateFromBytes(lines.Bytes())
			if err != nil { // of a version that this libcni does not know
				fmt.Fprintf(os.Stderr, "line %d left out: %v\n", number, err)
				break
			}
			document := []byte("null")
			if converted, err := result.GetAsVersion(wanted); err == nil {
				if document, err = json.Marshal(converted); err != nil {
					panic(err)
				}
			}
			fmt.Printf("%d %s %s\n", number, wanted, document)
		}
	}
}
