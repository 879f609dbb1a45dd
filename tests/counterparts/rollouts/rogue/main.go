// Command step-plugin-rogue is a step plugin with one fault, named by its argument: the selftest shows with it that
// the driver sees each of them. With the argument "none" it is a good one.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	goPlugin "github.com/hashicorp/go-plugin"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/rollout/steps/plugin/rpc"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
)

type rogue struct {
	fault string
	mutex sync.Mutex
	types atomic.Int64
}

func (r *rogue) InitPlugin() types.RpcError {
	if r.fault == "init" {
		return types.RpcError{ErrorString: "no database"}
	}
	return types.RpcError{}
}

func (r *rogue) Run(rollout *v1alpha1.Rollout, _ *types.RpcStepContext) (types.RpcStepResult, types.RpcError) {
	good := types.RpcStepResult{Phase: types.PhaseRunning, Message: "waiting", RequeueAfter: 15 * time.Second}
	switch r.fault {
	case "phase-error":
		good.Phase = types.PhaseError
	case "phase-unknown":
		good.Phase = "Waiting"
	case "impatient":
		good.RequeueAfter = 10 * time.Second
	case "broken-status":
		good.Status = json.RawMessage("{")
	case "slow":
		time.Sleep(time.Minute)
	case "one-at-a-time":
		r.mutex.Lock()
		defer r.mutex.Unlock()
		time.Sleep(20 * time.Millisecond)
	case "small":
		if len(rollout.Status.Canary.StepPluginStatuses) > 20 {
			return types.RpcStepResult{}, types.RpcError{ErrorString: "too big"}
		}
	case "short-lived":
		go func() {
			time.Sleep(500 * time.Millisecond)
			os.Exit(0)
		}()
	}
	return good, types.RpcError{}
}

func (r *rogue) Terminate(*v1alpha1.Rollout, *types.RpcStepContext) (types.RpcStepResult, types.RpcError) {
	if r.fault == "endless-end" {
		return types.RpcStepResult{Phase: types.PhaseRunning, RequeueAfter: time.Minute}, types.RpcError{}
	}
	return types.RpcStepResult{Phase: types.PhaseSuccessful}, types.RpcError{}
}

func (r *rogue) Abort(a *v1alpha1.Rollout, c *types.RpcStepContext) (types.RpcStepResult, types.RpcError) {
	return r.Terminate(a, c)
}

func (r *rogue) Type() string {
	if n := r.types.Add(1); r.fault == "crossed" {
		return fmt.Sprint("type ", n)
	}
	return "rogue"
}

func main() {
	r := &rogue{}
	if len(os.Args) > 1 {
		r.fault = os.Args[1]
	}
	goPlugin.Serve(&goPlugin.ServeConfig{
		HandshakeConfig: goPlugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "ARGO_ROLLOUTS_RPC_PLUGIN",
			MagicCookieValue: "step",
		},
		Plugins: map[string]goPlugin.Plugin{"RpcStepPlugin": &rpc.RpcStepPlugin{Impl: r}},
	})
	switch r.fault {
	case "deaf":
		time.Sleep(time.Minute)
	case "bad-exit":
		os.Exit(3)
	}
}
