package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	log "github.com/sirupsen/logrus"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/rollout/steps/plugin"
	"github.com/argoproj/argo-rollouts/rollout/steps/plugin/client"
	"github.com/argoproj/argo-rollouts/rollout/steps/plugin/rpc"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"

	"phasegate.dev/counterparts/rollouts/expect"
)

type scenario struct {
	name string
	// play answers a remark for the ok line.
	play func(*host) (string, error)
}

// In the order of a plugin's life. Those that end the process come last.
var scenarios = []scenario{
	{"cookie", (*host).cookie},
	{"init", (*host).init},
	{"type", (*host).askType},
	{"run", (*host).run},
	{"terminate", (*host).terminateStep},
	{"abort", (*host).abortStep},
	{"controller", (*host).controller},
	{"concurrent", (*host).concurrent},
	{"large", (*host).large},
	{"largest", (*host).largest},
	{"future", (*host).future},
	{"kill", (*host).kill},
	{"crash", (*host).crash},
	{"quit", (*host).quit},
	{"orphan", (*host).orphan},
	{"idle", (*host).idleThenRun},
	{"cleanup", (*host).cleanup},
}

func names() []string {
	var all []string
	for _, s := range scenarios {
		all = append(all, s.name)
	}
	return all
}

// perform plays what is wanted and counts the failures. The silence of idle passes while the others play.
func (h *host) perform(wanted []string) (failed int, err error) {
	asked := map[string]bool{}
	for _, name := range wanted {
		switch name {
		case "measure", "measure-gate", "call":
			if len(wanted) > 1 {
				return 0, fmt.Errorf("%s goes alone", name)
			}
			if name == "call" {
				return 0, h.call()
			}
			if name == "measure-gate" {
				return 0, h.gate()
			}
			return 0, h.measure()
		case "all":
			for _, name := range names() {
				asked[name] = true
			}
		default:
			asked[name] = true
		}
	}
	for _, name := range strings.FieldsFunc(h.skip, func(r rune) bool { return r == ',' }) {
		if strings.HasPrefix(name, futurePrefix) {
			continue
		}
		if !asked[name] {
			return 0, fmt.Errorf("--skip %s: not asked for", name)
		}
		asked[name] = false
		fmt.Println("skipped", name)
	}
	waiting := make(chan func(), 1)
	for _, s := range scenarios {
		if s.name == "idle" && asked["idle"] {
			go func() { waiting <- report(h, s, &failed) }()
		}
	}
	for _, s := range scenarios {
		switch {
		case asked[s.name] && s.name == "idle":
			(<-waiting)()
		case asked[s.name]:
			report(h, s, &failed)()
		}
		delete(asked, s.name)
	}
	for name, on := range asked {
		if on {
			return failed, fmt.Errorf("no scenario %q; there are all measure measure-gate call %s", name, strings.Join(names(), " "))
		}
	}
	return failed, nil
}

// report plays s and answers how to print the outcome.
func report(h *host, s scenario, failed *int) func() {
	start := time.Now()
	remark, err := s.play(h)
	took := time.Since(start).Round(time.Millisecond)
	return func() {
		if err != nil {
			*failed++
			fmt.Printf("FAIL %s (%s) %s\n", s.name, took, oneLine(err.Error()))
			return
		}
		remark = oneLine(remark)
		if cut := []rune(remark); len(cut) > 160 {
			remark = string(cut[:160]) + "…"
		}
		fmt.Printf("ok %s (%s) %s\n", s.name, took, remark)
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// within is a call with the patience of a test; a controller has none and would wait for ever.
func within[T any](limit time.Duration, what string, f func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := f()
		done <- outcome{v, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-time.After(limit):
		var none T
		return none, fmt.Errorf("%s did not return within %s", what, limit)
	}
}

// get is how every reconcile begins: Argo starts the plugin, or pings it.
func (h *host) get(name string) (rpc.StepPlugin, error) {
	return within(h.callTimeout, "GetPlugin", func() (rpc.StepPlugin, error) { return client.GetPlugin(name) })
}

func (h *host) ask(p rpc.StepPlugin, op string, r *v1alpha1.Rollout, c *types.RpcStepContext) (expect.Answer, error) {
	return within(h.callTimeout, op, func() (expect.Answer, error) {
		start := time.Now()
		var result types.RpcStepResult
		var failure types.RpcError
		switch op {
		case "Run":
			result, failure = p.Run(r, c)
		case "Terminate":
			result, failure = p.Terminate(r, c)
		case "Abort":
			result, failure = p.Abort(r, c)
		}
		return expect.Said(op, result, failure, time.Since(start)), nil
	})
}

// askAndCheck is one call with the caller's expectation.
func (h *host) askAndCheck(p rpc.StepPlugin, e *expect.Expectation, r *v1alpha1.Rollout) (expect.Answer, error) {
	a, err := h.ask(p, e.Op, r, h.fixture.context)
	if err != nil {
		return a, err
	}
	return a, e.Check(a)
}

func (h *host) one(e *expect.Expectation) (string, error) {
	p, err := h.get(pluginName)
	if err != nil {
		return "", err
	}
	a, err := h.askAndCheck(p, e, h.fixture.rollout)
	return a.String(), err
}

func (h *host) run() (string, error)           { return h.one(&h.options.run) }
func (h *host) terminateStep() (string, error) { return h.one(&h.terminate) }
func (h *host) abortStep() (string, error)     { return h.one(&h.abort) }

// init is called by GetPlugin once; a restarted controller may find reasons to call it again.
func (h *host) init() (string, error) {
	p, err := h.get(pluginName)
	if err != nil {
		return "", err
	}
	again, err := within(h.callTimeout, "InitPlugin", func() (types.RpcError, error) { return p.InitPlugin(), nil })
	if err == nil && again.HasError() {
		err = again
	}
	return "", err
}

func (h *host) askType() (string, error) {
	p, err := h.get(pluginName)
	if err != nil {
		return "", err
	}
	got, err := within(h.callTimeout, "Type", func() (string, error) { return p.Type(), nil })
	switch {
	case err != nil:
		return "", err
	case got == "" || strings.HasPrefix(got, "Type"+expect.TransportError):
		return "", fmt.Errorf("not a type: %q", got)
	case h.expectType != "" && got != h.expectType:
		return "", fmt.Errorf("expected type %q, got %q", h.expectType, got)
	}
	return got, nil
}

// controller goes through the layer above the client, where Argo judges phases and backoffs: two reconciles, then the
// end of the step both ways.
func (h *host) controller() (string, error) {
	rollout := h.fixture.rollout.DeepCopy()
	step := v1alpha1.PluginStep{Name: pluginName, Config: h.fixture.context.Config}
	quiet := log.New()
	quiet.SetLevel(log.WarnLevel)
	s, err := plugin.NewResolver().Resolve(0, step, log.NewEntry(quiet))
	if err != nil {
		return "", err
	}
	status := func(f func(*v1alpha1.Rollout) (*v1alpha1.StepPluginStatus, error), op string) (*v1alpha1.StepPluginStatus, error) {
		return within(h.callTimeout, op, func() (*v1alpha1.StepPluginStatus, error) { return f(rollout) })
	}
	first, err := status(s.Run, "Run")
	if err != nil {
		return "", err
	}
	if first.Phase == v1alpha1.StepPluginPhaseError {
		err = h.options.run.Check(expect.Answer{Operation: "Run", Error: first.Message})
	} else {
		backoff, _ := time.ParseDuration(string(first.Backoff))
		err = h.options.run.Check(expect.Answer{Operation: "Run", Phase: string(first.Phase), Message: first.Message,
			Status: first.Status, RequeueAfter: backoff.Seconds()})
	}
	if err != nil {
		return "", err
	}
	finished := first.Phase == v1alpha1.StepPluginPhaseSuccessful || first.Phase == v1alpha1.StepPluginPhaseFailed
	if !finished {
		// The backoff is over, and the same Rollout comes back with what the plugin said last time.
		past := first.UpdatedAt.Add(-time.Hour)
		first.UpdatedAt.Time = past
	}
	rollout.Status.Canary.StepPluginStatuses = []v1alpha1.StepPluginStatus{*first}
	second, err := status(s.Run, "second Run")
	switch {
	case err != nil:
		return "", fmt.Errorf("the step is wedged after its first call: %w", err)
	case finished && second != nil:
		return "", fmt.Errorf("Argo called a step again that was %s", first.Phase)
	case !finished && (second == nil || second.Executions != 2 || second.Phase != first.Phase):
		return "", fmt.Errorf("the second call did not repeat the first: %+v after %+v", second, first)
	}
	for _, end := range []struct {
		op   string
		f    func(*v1alpha1.Rollout) (*v1alpha1.StepPluginStatus, error)
		want *expect.Expectation
	}{{"Terminate", s.Terminate, &h.terminate}, {"Abort", s.Abort, &h.abort}} {
		ended, err := status(end.f, end.op)
		if err != nil {
			return "", err
		}
		if ended != nil && ended.Phase != v1alpha1.StepPluginPhaseSuccessful && end.want.Phase == "" && end.want.ErrorText == "" {
			return "", fmt.Errorf("%s of a %s step ended %s: %s", end.op, first.Phase, ended.Phase, ended.Message)
		}
	}
	return fmt.Sprintf("%s, backoff %q: %s", first.Phase, first.Backoff, first.Message), nil
}

// concurrent has as many rollouts at once as two hundred workers, all on one connection, with another kind of call in
// between so that a reply on the wrong call cannot go unseen.
func (h *host) concurrent() (string, error) {
	const calls, types = 200, 20
	p, err := h.get(pluginName)
	if err != nil {
		return "", err
	}
	kind := p.Type()
	start := time.Now()
	failures := make(chan error, calls+types)
	var group sync.WaitGroup
	for i := range calls + types {
		group.Add(1)
		go func() {
			defer group.Done()
			if i%((calls+types)/types) == 0 {
				got, err := within(h.callTimeout, "Type", func() (string, error) { return p.Type(), nil })
				if err == nil && got != kind {
					err = fmt.Errorf("type %q among the runs, %q alone", got, kind)
				}
				failures <- err
				return
			}
			r := h.fixture.rollout.DeepCopy()
			r.Name = fmt.Sprintf("%s-%d", r.Name, i)
			_, err := h.askAndCheck(p, &h.options.run, r)
			failures <- err
		}()
	}
	group.Wait()
	close(failures)
	var all []error
	for err := range failures {
		if err != nil {
			all = append(all, err)
		}
	}
	if len(all) > 0 {
		return "", fmt.Errorf("%d of %d calls failed, one with: %w", len(all), calls+types, all[0])
	}
	return fmt.Sprintf("%d runs and %d types at once, all answered after %s", calls, types, time.Since(start).Round(time.Millisecond)), nil
}

func (h *host) sized(bytes int) (string, error) {
	p, err := h.get(pluginName)
	if err != nil {
		return "", err
	}
	r, size, err := h.fixture.padded(bytes)
	if err != nil {
		return "", err
	}
	a, err := h.askAndCheck(p, &h.options.run, r)
	return fmt.Sprintf("%d bytes as JSON: %s", size, a), err
}

func (h *host) large() (string, error) { return h.sized(100 * 1024) }

// largest is what etcd lets a Rollout grow to.
func (h *host) largest() (string, error) { return h.sized(1400 * 1024) }

// call asks once and prints the answers, for tests in another language.
func (h *host) call() error {
	p, err := h.get(pluginName)
	if err != nil {
		return err
	}
	var wrong []error
	for _, e := range []*expect.Expectation{&h.options.run, &h.terminate, &h.abort} {
		if !strings.Contains(h.operations, e.Op) {
			continue
		}
		a, err := h.askAndCheck(p, e, h.fixture.rollout)
		text, marshalErr := json.Marshal(a)
		fmt.Printf("answer %s\n", text)
		wrong = append(wrong, err, marshalErr)
	}
	return errors.Join(wrong...)
}
