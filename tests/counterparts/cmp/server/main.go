// Command argocd-cmp-server is Argo CD's own config management plugin server, and nothing else: Argo CD ships it
// inside an all-in-one binary that embeds a web UI, which its Go module does not carry.
package main

import (
	"os"

	"github.com/argoproj/argo-cd/v3/cmd/argocd-cmp-server/commands"
)

func main() {
	if err := commands.NewCommand().Execute(); err != nil {
		os.Exit(1)
	}
}
