// CoreDNS with the two of its plugins that the node's Corefile names: the whole of it takes two minutes more to build, most
// of them for the libraries of three clouds.
package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

func main() {
	coremain.Run()
}
