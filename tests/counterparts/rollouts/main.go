// Command rollouts-driver is the host half of a step plugin conversation: Argo Rollouts' own client packages, installed,
// configured and called as its controller does it, against the plugin binary it is given.
//
// It prints one line a scenario, "ok NAME ..." or "FAIL NAME why", and exits 1 if any failed. What the plugin should
// answer depends on what stands behind it, so the caller says that with the --expect flags.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	goPlugin "github.com/hashicorp/go-plugin"

	"phasegate.dev/counterparts/rollouts/expect"
)

type options struct {
	plugin, beside, rollout, config, status, operations, expectType, skip string
	args                                                                  listFlag
	run, terminate, abort                                                 expect.Expectation
	idle, callTimeout                                                     time.Duration
}

type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(v string) error { *l = append(*l, v); return nil }

func parse() (*options, []string) {
	o := &options{run: expect.Expectation{Op: "Run"}, terminate: expect.Expectation{Op: "Terminate"}, abort: expect.Expectation{Op: "Abort"}}
	flag.StringVar(&o.plugin, "plugin", "", "the plugin binary (required)")
	flag.Var(&o.args, "plugin-arg", "an argument for the plugin, as stepPlugins[].args; repeatable")
	flag.StringVar(&o.beside, "beside", "", "measure: another plugin binary to measure in turn with the first")
	flag.StringVar(&o.rollout, "rollout", "", "a Rollout (YAML or JSON file) instead of the built-in one")
	flag.StringVar(&o.config, "config", "{}", "the step's plugin config, JSON")
	flag.StringVar(&o.status, "status", "", "call: the status of an earlier run, JSON")
	flag.StringVar(&o.operations, "operations", "Run", "call: any of Run,Terminate,Abort")
	flag.StringVar(&o.expectType, "expect-type", "", "what Type must answer")
	flag.StringVar(&o.skip, "skip", "", "comma-separated scenarios that all leaves out, and says so")
	flag.DurationVar(&o.idle, "idle", 100*time.Second, "idle: how long the connection stays silent")
	flag.DurationVar(&o.callTimeout, "call-timeout", 10*time.Second, "longest time any one call may take")
	o.run.Flags("")
	o.terminate.Flags("terminate-")
	o.abort.Flags("abort-")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: %s --plugin BINARY [flags] SCENARIO...\nscenarios: all measure measure-gate call %s\n",
			filepath.Base(os.Args[0]), strings.Join(names(), " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if o.plugin == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	return o, flag.Args()
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == hostArgument {
		actAsHost()
	}
	o, wanted := parse()
	h, err := install(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot install the plugin:", err)
		os.Exit(2)
	}
	// A driver that is interrupted takes its plugins with it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		h.close()
		os.Exit(1)
	}()
	fmt.Println("counterpart", counterpart())
	failed, err := h.perform(wanted)
	h.close()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

// counterpart names the genuine modules in this binary, from the build itself.
func counterpart() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	said := info.GoVersion
	for _, m := range info.Deps {
		switch m.Path {
		case "github.com/argoproj/argo-rollouts", "github.com/hashicorp/go-plugin", "github.com/hashicorp/yamux":
			said = filepath.Base(m.Path) + " " + m.Version + ", " + said
		}
	}
	return said
}

func (h *host) close() {
	goPlugin.CleanupClients()
	h.uninstall()
}
