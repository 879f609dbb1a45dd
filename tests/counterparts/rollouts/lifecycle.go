package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goPlugin "github.com/hashicorp/go-plugin"

	"github.com/argoproj/argo-rollouts/rollout/steps/plugin/rpc"

	"phasegate.dev/counterparts/rollouts/expect"
)

// The constants and the configuration of Argo's client package, which keeps them to itself
// (rollout/steps/plugin/client/client.go): used where a scenario must hold the process in its own hands.
var (
	handshakeConfig = goPlugin.HandshakeConfig{
		ProtocolVersion:  1,
		MagicCookieKey:   "ARGO_ROLLOUTS_RPC_PLUGIN",
		MagicCookieValue: "step",
	}
	pluginMap = map[string]goPlugin.Plugin{"RpcStepPlugin": &rpc.RpcStepPlugin{}}
)

func own(path string, args []string) (*goPlugin.Client, *exec.Cmd) {
	command := exec.Command(path, args...)
	return goPlugin.NewClient(&goPlugin.ClientConfig{
		HandshakeConfig: handshakeConfig,
		Plugins:         pluginMap,
		Cmd:             command,
		Managed:         true,
		Logger:          hclog.NewNullLogger(),
	}), command
}

func dispense(c *goPlugin.Client) (rpc.StepPlugin, error) {
	connection, err := c.Client()
	if err != nil {
		return nil, err
	}
	if err = connection.Ping(); err != nil {
		return nil, err
	}
	raw, err := connection.Dispense("RpcStepPlugin")
	if err != nil {
		return nil, err
	}
	p, ok := raw.(rpc.StepPlugin)
	if !ok {
		return nil, fmt.Errorf("dispensed %T", raw)
	}
	if failure := p.InitPlugin(); failure.HasError() {
		return nil, failure
	}
	return p, nil
}

// cookie starts the binary as a person would, who must be told what it is.
func (h *host) cookie() (string, error) {
	for _, environment := range [][]string{nil, {handshakeConfig.MagicCookieKey + "=metrics"}} {
		command := exec.Command(h.plugin, h.args...)
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		command.Env = append(os.Environ(), environment...)
		if err := command.Start(); err != nil {
			return "", err
		}
		_, err := within(h.callTimeout, "a start without the cookie", func() (any, error) { return nil, command.Wait() })
		var exit *exec.ExitError
		switch {
		case !errors.As(err, &exit):
			_ = command.Process.Kill()
			return "", fmt.Errorf("started with the environment %q it did not fail: %v", environment, err)
		case exit.ExitCode() <= 0:
			return "", fmt.Errorf("started with the environment %q it died: %v", environment, err)
		case stdout.Len() > 0 || stderr.Len() == 0:
			return "", fmt.Errorf("it must explain itself on stderr and leave stdout alone: %q, %q", stderr.String(), stdout.String())
		}
	}
	return "", nil
}

// kill stops the process, so that the call is surely under way, then kills it: the caller gets an error at once, and
// the next reconciles get a new process that answers.
func (h *host) kill() (string, error) {
	p, err := h.get(pluginName)
	if err != nil {
		return "", err
	}
	pid, err := h.pid(pluginName)
	if err != nil {
		return "", err
	}
	if err = stop(pid); err != nil {
		return "", err
	}
	answered := make(chan error, 1)
	var a expect.Answer
	go func() {
		var err error
		a, err = h.ask(p, "Run", h.fixture.rollout, h.fixture.context)
		answered <- err
	}()
	select {
	case <-answered:
		_ = syscall.Kill(pid, syscall.SIGKILL)
		return "", fmt.Errorf("a stopped process answered: %s", a)
	case <-time.After(300 * time.Millisecond):
	}
	if err = syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return "", err
	}
	if err = <-answered; err != nil {
		return "", err
	}
	if !strings.HasPrefix(a.Error, "Run"+expect.TransportError) {
		return "", fmt.Errorf("the killed call answered %s", a)
	}
	return h.recovers(pid)
}

// crash kills the process while two hundred calls are under way, wherever each of them is.
func (h *host) crash() (string, error) {
	p, err := h.get(pluginName)
	if err != nil {
		return "", err
	}
	pid, err := h.pid(pluginName)
	if err != nil {
		return "", err
	}
	const calls = 200
	type outcome struct {
		broken bool
		err    error
	}
	outcomes := make(chan outcome, calls)
	for range calls {
		go func() {
			a, err := h.ask(p, "Run", h.fixture.rollout, h.fixture.context)
			outcomes <- outcome{strings.HasPrefix(a.Error, "Run"+expect.TransportError), err}
		}()
	}
	broken := 0
	for i := range calls {
		o := <-outcomes
		if o.err != nil {
			return "", o.err
		}
		if o.broken {
			broken++
		}
		if i == 0 {
			if err = syscall.Kill(pid, syscall.SIGKILL); err != nil {
				return "", err
			}
		}
	}
	remark, err := h.recovers(pid)
	return fmt.Sprintf("%d calls answered, %d broken off; %s", calls-broken, broken, remark), err
}

// recovers reconciles as the controller does: at most one attempt notices the death and a later one starts anew.
func (h *host) recovers(before int) (string, error) {
	var errs []error
	for attempt := range 4 {
		p, err := h.get(pluginName)
		if err != nil {
			errs = append(errs, err)
			time.Sleep(200 * time.Millisecond)
			continue
		}
		a, err := h.ask(p, "Run", h.fixture.rollout, h.fixture.context)
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(a.Error, "Run"+expect.TransportError) {
			errs = append(errs, errors.New(a.Error))
			continue
		}
		after, err := h.pid(pluginName)
		if err == nil && after == before {
			err = fmt.Errorf("process %d outlived its own death", after)
		}
		if err == nil {
			err = h.options.run.Check(a)
		}
		return fmt.Sprintf("restarted in reconcile %d: %s", attempt+1, a), err
	}
	return "", fmt.Errorf("no new process after %d reconciles: %w", len(errs), errors.Join(errs...))
}

// quit ends one process by Control.Quit alone: it leaves by itself, with exit code 0 and without its socket.
func (h *host) quit() (string, error) {
	c, command := own(h.plugin, h.args)
	p, err := within(h.callTimeout, "the start", func() (rpc.StepPlugin, error) { return dispense(c) })
	if err != nil {
		c.Kill()
		return "", err
	}
	if _, err = h.askAndCheck(p, &h.options.run, h.fixture.rollout); err != nil {
		c.Kill()
		return "", err
	}
	socket := c.ReattachConfig().Addr.String()
	start := time.Now()
	if _, err = within(h.callTimeout, "Kill", func() (any, error) { c.Kill(); return nil, nil }); err != nil {
		return "", err
	}
	took := time.Since(start).Round(time.Millisecond)
	if state := command.ProcessState; state == nil || !state.Exited() || state.ExitCode() != 0 {
		return "", fmt.Errorf("it did not leave by itself with 0: %v after %s", state, took)
	}
	if _, err = os.Stat(socket); err == nil {
		return "", fmt.Errorf("it left its socket behind: %s", socket)
	}
	return fmt.Sprintf("left after %s", took), nil
}

const hostArgument = "--act-as-a-host-that-will-be-killed"

// orphan kills a host: a plugin nobody can reach any more must not stay.
func (h *host) orphan() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	doomed := exec.Command(self, hostArgument)
	doomed.Env = append(os.Environ(), "DRIVER_PLUGIN="+strings.Join(append([]string{h.plugin}, h.args...), "\n"))
	doomed.Stderr = os.Stderr
	out, err := doomed.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err = doomed.Start(); err != nil {
		return "", err
	}
	line := make([]byte, 32)
	n, err := out.Read(line)
	_ = doomed.Process.Kill()
	_ = doomed.Wait()
	if err != nil {
		return "", fmt.Errorf("the host to be killed said nothing: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		return "", err
	}
	start := time.Now()
	if !until(5*time.Second, func() bool { return gone(pid) }) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		return "", fmt.Errorf("process %d was still there 5 s after its host had died", pid)
	}
	return fmt.Sprintf("left %s after its host", time.Since(start).Round(10*time.Millisecond)), nil
}

// actAsHost is the other half of orphan: start the plugin, say its process, and wait for death.
func actAsHost() {
	words := strings.Split(os.Getenv("DRIVER_PLUGIN"), "\n")
	c, command := own(words[0], words[1:])
	if _, err := dispense(c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(command.Process.Pid)
	time.Sleep(time.Minute)
	c.Kill()
	os.Exit(1)
}

// idleThenRun leaves the connection to yamux's keepalive for longer than any timeout of it (75 s for a stream that was
// not acknowledged), then uses the same stream again.
func (h *host) idleThenRun() (string, error) {
	p, err := h.get(idleName)
	if err != nil {
		return "", err
	}
	pid, err := h.pid(idleName)
	if err != nil {
		return "", err
	}
	if _, err = h.askAndCheck(p, &h.options.run, h.fixture.rollout); err != nil {
		return "", err
	}
	time.Sleep(h.idle)
	a, err := h.askAndCheck(p, &h.options.run, h.fixture.rollout)
	if err != nil {
		return "", fmt.Errorf("after %s of silence: %w", h.idle, err)
	}
	if _, err = h.get(idleName); err != nil {
		return "", err
	}
	if after, err := h.pid(idleName); err != nil || after != pid {
		return "", fmt.Errorf("process %d became %d: %v", pid, after, err)
	}
	return fmt.Sprintf("the same process answered after %s: %s", h.idle, a), nil
}

// cleanup is the end of a controller: Argo's last call takes every plugin with it.
func (h *host) cleanup() (string, error) {
	if _, err := h.get(pluginName); err != nil {
		return "", err
	}
	start := time.Now()
	if _, err := within(h.callTimeout, "CleanupClients", func() (any, error) { goPlugin.CleanupClients(); return nil, nil }); err != nil {
		return "", err
	}
	took := time.Since(start).Round(time.Millisecond)
	for _, name := range []string{pluginName, idleName} {
		path := filepath.Join(h.home, "plugin-bin", name)
		if pids, err := running(path, 0); err != nil || len(pids) > 0 {
			return "", fmt.Errorf("%s still runs as %v: %v", name, pids, err)
		}
	}
	return fmt.Sprintf("everything left after %s", took), nil
}
