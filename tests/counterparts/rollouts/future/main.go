// Command rollouts-future is a controller that Argo has not written yet: Rollouts with fields nobody knows, of every
// kind gob has, and calls that no plugin can answer. It is a program of its own because it registers types under the
// names that Argo's rpc package takes for itself.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/rpc"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goPlugin "github.com/hashicorp/go-plugin"

	"github.com/argoproj/argo-rollouts/utils/plugin/types"

	"phasegate.dev/counterparts/rollouts/expect"
)

// raw hands out the net/rpc client itself instead of Argo's wrapper.
type raw struct{}

func (raw) Server(*goPlugin.MuxBroker) (any, error) { return nil, errors.New("this is a host") }

func (raw) Client(_ *goPlugin.MuxBroker, c *rpc.Client) (any, error) { return c, nil }

var (
	config = flag.String("config", "{}", "the step's plugin config, JSON")
	limit  = flag.Duration("call-timeout", 10*time.Second, "longest time any one call may take")
	run    = expect.Expectation{Op: "Run"}
)

func main() {
	path := flag.String("plugin", "", "the plugin binary (required)")
	skip := flag.String("skip", "", "comma-separated scenarios to leave out, and say so")
	run.Flags("")
	flag.Parse()
	if *path == "" {
		flag.Usage()
		os.Exit(2)
	}
	home, err := os.MkdirTemp("", "rollouts-future-")
	if err == nil {
		err = os.Setenv("TMPDIR", home)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	failed := play(exec.Command(*path, flag.Args()...), strings.Split(*skip, ","))
	goPlugin.CleanupClients()
	_ = os.RemoveAll(home)
	if failed {
		os.Exit(1)
	}
}

// play asks everything on one connection: what is wrong with one question must not harm the next.
func play(command *exec.Cmd, skip []string) (failed bool) {
	client := goPlugin.NewClient(&goPlugin.ClientConfig{
		HandshakeConfig: goPlugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "ARGO_ROLLOUTS_RPC_PLUGIN",
			MagicCookieValue: "step",
		},
		Plugins: map[string]goPlugin.Plugin{"RpcStepPlugin": raw{}},
		Cmd:     command,
		Managed: true,
		Logger:  hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Trace}),
	})
	connection, plugin, err := start(client)
	if err != nil {
		fmt.Println("FAIL start", err)
		return true
	}
	for _, s := range scenarios {
		if slices.Contains(skip, s.name) {
			fmt.Println("skipped", s.name)
			continue
		}
		start := time.Now()
		remark, err := s.play(plugin)
		if err == nil {
			err = alive(connection, plugin)
		}
		took := time.Since(start).Round(time.Millisecond)
		if err != nil {
			failed = true
			fmt.Printf("FAIL %s (%s) %s\n", s.name, took, strings.Join(strings.Fields(err.Error()), " "))
			continue
		}
		fmt.Printf("ok %s (%s) %s\n", s.name, took, remark)
	}
	return failed
}

func start(client *goPlugin.Client) (goPlugin.ClientProtocol, *rpc.Client, error) {
	connection, err := client.Client()
	if err != nil {
		return nil, nil, err
	}
	dispensed, err := connection.Dispense("RpcStepPlugin")
	if err != nil {
		return nil, nil, err
	}
	plugin := dispensed.(*rpc.Client)
	var failure types.RpcError
	if err = call(plugin, "InitPlugin", new(any), &failure); err == nil && failure.HasError() {
		err = failure
	}
	return connection, plugin, err
}

// alive is asked after every scenario, on both streams.
func alive(connection goPlugin.ClientProtocol, c *rpc.Client) error {
	var kind string
	if err := call(c, "Type", new(any), &kind); err != nil || kind == "" {
		return fmt.Errorf("afterwards Type answered %q, %w", kind, err)
	}
	if err := connection.Ping(); err != nil {
		return fmt.Errorf("afterwards Ping failed: %w", err)
	}
	return nil
}

func call(c *rpc.Client, method string, argument, reply any) error {
	select {
	case done := <-c.Go("Plugin."+method, argument, reply, make(chan *rpc.Call, 1)).Done:
		return done.Error
	case <-time.After(*limit):
		return fmt.Errorf("%s did not answer within %s", method, *limit)
	}
}

type response struct {
	Result types.RpcStepResult
	Error  types.RpcError
}

func step(c *rpc.Client, op string, argument any) (expect.Answer, error) {
	var reply response
	start := time.Now()
	err := call(c, op, &argument, &reply)
	return expect.Said(op, reply.Result, reply.Error, time.Since(start)), err
}
