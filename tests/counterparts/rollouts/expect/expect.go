// Package expect is what a caller wants of an answer, and what no caller may ever get.
package expect

import (
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/argoproj/argo-rollouts/utils/plugin/types"
)

// Expectation is what the caller says an operation must answer. Without a word from the caller any well-formed answer
// will do, but what would harm a stock controller never does.
type Expectation struct {
	Op, Phase, Message, ErrorText string
}

// Flags are how the caller says it, as --expect-phase and, with an infix, --expect-abort-phase.
func (e *Expectation) Flags(infix string) {
	flag.StringVar(&e.Phase, "expect-"+infix+"phase", "", "phase that "+e.Op+" must answer")
	flag.StringVar(&e.Message, "expect-"+infix+"message-contains", "", "text that the message of "+e.Op+" must contain")
	flag.StringVar(&e.ErrorText, "expect-"+infix+"error-contains", "", "text that the RpcError of "+e.Op+" must contain")
}

// TransportError: Argo's StepPluginRPC reports a broken connection with this text, as if the plugin had answered it.
const TransportError = " rpc call error: "

// Check compares an answer with the expectation.
func (e *Expectation) Check(a Answer) error {
	if strings.HasPrefix(a.Error, e.Op+TransportError) {
		return fmt.Errorf("the call itself failed: %s", a.Error)
	}
	if a.Error != "" {
		if e.Phase != "" || e.Message != "" {
			return fmt.Errorf("expected phase %q with message %q, got the error %q", e.Phase, e.Message, a.Error)
		}
		if !strings.Contains(a.Error, e.ErrorText) {
			return fmt.Errorf("expected an error with %q, got %q", e.ErrorText, a.Error)
		}
		return nil
	}
	if e.ErrorText != "" {
		return fmt.Errorf("expected an error with %q, got %s", e.ErrorText, a)
	}
	if e.Phase != "" && a.Phase != e.Phase || !strings.Contains(a.Message, e.Message) {
		return fmt.Errorf("expected phase %q with message %q, got %s", e.Phase, e.Message, a)
	}
	return a.harmless()
}

// Answer is one reply, in a form that a test in another language can read.
type Answer struct {
	Operation    string          `json:"operation"`
	Phase        string          `json:"phase,omitempty"`
	Message      string          `json:"message,omitempty"`
	RequeueAfter float64         `json:"requeueAfterSeconds,omitempty"`
	Status       json.RawMessage `json:"status,omitempty"`
	Error        string          `json:"error,omitempty"`
	Seconds      float64         `json:"seconds"`
}

// Said is one reply as it came.
func Said(op string, r types.RpcStepResult, e types.RpcError, took time.Duration) Answer {
	return Answer{Operation: op, Phase: string(r.Phase), Message: r.Message, RequeueAfter: r.RequeueAfter.Seconds(),
		Status: r.Status, Error: e.ErrorString, Seconds: took.Seconds()}
}

func (a Answer) String() string {
	if a.Error != "" {
		return fmt.Sprintf("error %q", a.Error)
	}
	return fmt.Sprintf("%s %q", a.Phase, a.Message)
}

// harmless refuses what stock Argo Rollouts cannot live with, whatever was expected.
func (a Answer) harmless() error {
	switch types.StepPhase(a.Phase) {
	case types.PhaseSuccessful, types.PhaseFailed:
	case types.PhaseRunning:
		// Argo turns anything up to ten seconds into thirty.
		if a.Operation == "Run" && a.RequeueAfter <= 10 {
			return fmt.Errorf("a running step asks to be called again after %g s, which Argo ignores", a.RequeueAfter)
		}
		if a.Operation != "Run" {
			return fmt.Errorf("%s answered Running, which Argo turns into Failed", a.Operation)
		}
	case types.PhaseError:
		return fmt.Errorf("phase Error in a result: Argo stores an empty backoff and never calls the step again")
	default:
		return fmt.Errorf("phase %q is none of Argo's", a.Phase)
	}
	if len(a.Status) > 0 && !json.Valid(a.Status) {
		return fmt.Errorf("the status is not JSON: %q", a.Status)
	}
	return nil
}
