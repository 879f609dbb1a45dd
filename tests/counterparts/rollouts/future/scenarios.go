package main

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/rpc"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"

	"phasegate.dev/counterparts/rollouts/expect"
)

type scenario struct {
	name string
	play func(*rpc.Client) (string, error)
}

var scenarios = []scenario{
	{"unknown-fields", unknownFields},
	{"missing-fields", missingFields},
	{"no-rollout", noRollout},
	{"unknown-method", unknownMethod},
	{"unknown-type", unknownType},
	{"wrong-argument", wrongArgument},
	{"unknown-fields-again", unknownFields},
}

// news is one field of every kind that gob can send, so that a reader must skip each.
type news struct {
	Bool    bool
	Int     int64
	Uint    uint64
	Float   float64
	Complex complex128
	Bytes   []byte
	Text    string
	List    []news
	Array   [3]int
	Map     map[string]*news
	Numbers map[int][]float64
	Tree    *tree
	Any     any
	Time    time.Time
	Big     *big.Int
	Empty   struct{}
}

type tree struct {
	Left, Right *tree
	Leaf        string
}

func allNews(depth int) news {
	n := news{Bool: true, Int: -1 << 62, Uint: 1 << 63, Float: -0.1, Complex: complex(1, -2), Bytes: []byte{0, 255},
		Text: "日本語", Array: [3]int{1, 0, 3}, Numbers: map[int][]float64{-1: {1, 2}}, Any: tree{Leaf: "inside"},
		Tree: &tree{Left: &tree{Leaf: "l"}, Right: &tree{Left: &tree{}}}, Time: time.Unix(1, 2), Big: big.NewInt(-7)}
	if depth > 0 {
		deeper := allNews(depth - 1)
		n.List, n.Map = []news{{}, deeper}, map[string]*news{"x": &deeper}
		n.Any = &deeper
	}
	return n
}

// The Rollout of that day: gob goes by field names, so these stand before, between and after the ones of today.
type futureRollout struct {
	AAnnounced news
	metav1.TypeMeta
	metav1.ObjectMeta
	Middle news
	Spec   futureSpec
	Status futureStatus
	Zoo    map[string]news
}

type futureSpec struct {
	AAnnounced news
	Replicas   *int32
	Selector   *metav1.LabelSelector
	Template   futureTemplate
	Strategy   struct {
		AAnnounced news
		Canary     *futureCanary
		Purple     *futureCanary
	}
	Zoo any
}

type futureTemplate struct {
	Before news
	metav1.ObjectMeta
	Spec  corev1.PodSpec
	After []news
}

type futureCanary struct {
	AAnnounced news
	Steps      []futureStep
	Zoo        news
}

type futureStep struct {
	Before news
	v1alpha1.CanaryStep
	Plugin *v1alpha1.PluginStep
	After  *news
}

type futureStatus struct {
	AAnnounced news
	v1alpha1.RolloutStatus
	Phase          v1alpha1.RolloutPhase
	CurrentPodHash string
	StableRS       string
	Zoo            any
}

type futureContext struct {
	AAnnounced news
	PluginName string
	Config     json.RawMessage
	Deadline   time.Time
	Status     json.RawMessage
	Zoo        any
}

type futureArgs struct {
	AAnnounced news
	Rollout    *futureRollout
	Caller     any
	Context    *futureContext
	Zoo        []news
}

// The same field set three times: gob wants one type for each name.
type (
	runArgs       futureArgs
	terminateArgs futureArgs
	abortArgs     futureArgs
)

// bogus is sent under a name that no plugin knows.
type bogus struct{ Rollout string }

func init() {
	gob.RegisterName("step.RunArgs", new(runArgs))
	gob.RegisterName("step.TerminateArgs", new(terminateArgs))
	gob.RegisterName("step.AbortArgs", new(abortArgs))
	gob.RegisterName("step.BogusArgs", new(bogus))
	gob.RegisterName("future.tree", tree{})
	gob.RegisterName("future.news", new(news))
}

func today() (*futureRollout, *futureContext) {
	r := &futureRollout{
		TypeMeta: metav1.TypeMeta{APIVersion: "argoproj.io/v1beta9", Kind: "Rollout"},
		ObjectMeta: metav1.ObjectMeta{Name: "customers", Namespace: "shop", UID: "6f1c1c3e-2f0a-4c54-8e0e-9d7d6d2f6b10",
			CreationTimestamp: metav1.Unix(1772359200, 0)},
	}
	r.Spec.Template.ObjectMeta = metav1.ObjectMeta{
		Labels:      map[string]string{"app": "customers", "database.phasegate.dev/customers": ""},
		Annotations: map[string]string{"supports.phasegate.dev/customers": "split-full-name"},
	}
	r.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "registry.example.com/customers:v2"}}
	r.Spec.Strategy.Canary = &futureCanary{Steps: []futureStep{{Plugin: &v1alpha1.PluginStep{Name: "phasegate/gate"}}}}
	r.Status.Phase, r.Status.CurrentPodHash, r.Status.StableRS = v1alpha1.RolloutPhaseProgressing, "7d9c5c9b5d", "5f6b8f9c4d"
	return r, &futureContext{PluginName: "phasegate/gate", Config: json.RawMessage(*config)}
}

// unknownFields must be answered as if the fields were not there. The second round of calls sends no types any more.
func unknownFields(c *rpc.Client) (string, error) {
	r, context := today()
	n := allNews(2)
	r.AAnnounced, r.Middle, r.Zoo = n, n, map[string]news{"a": n}
	r.Spec.AAnnounced, r.Spec.Zoo, r.Spec.Strategy.AAnnounced, r.Spec.Strategy.Purple = n, n, n, &futureCanary{Zoo: n}
	r.Spec.Template.Before, r.Spec.Template.After = n, []news{n}
	r.Spec.Strategy.Canary.AAnnounced, r.Spec.Strategy.Canary.Zoo = n, n
	r.Spec.Strategy.Canary.Steps[0].Before, r.Spec.Strategy.Canary.Steps[0].After = n, &n
	r.Status.AAnnounced, r.Status.Zoo = n, &n
	context.AAnnounced, context.Deadline, context.Zoo = n, time.Unix(3, 4), n
	all := futureArgs{AAnnounced: n, Rollout: r, Caller: tree{}, Context: context, Zoo: []news{n}}
	return rounds(c, all)
}

func rounds(c *rpc.Client, all futureArgs) (said string, err error) {
	for range 2 {
		for _, ask := range []struct {
			want     *expect.Expectation
			argument any
		}{
			{&run, runArgs(all)},
			{&expect.Expectation{Op: "Terminate"}, terminateArgs(all)},
			{&expect.Expectation{Op: "Abort"}, abortArgs(all)},
		} {
			a, err := step(c, ask.want.Op, ask.argument)
			if err == nil {
				err = ask.want.Check(a)
			}
			if err != nil {
				return "", fmt.Errorf("%s: %w", ask.want.Op, err)
			}
			if a.Operation == "Run" {
				said = a.String()
			}
		}
	}
	return said, nil
}

// missingFields is a controller of the past, so to say: nothing but a name.
func missingFields(c *rpc.Client) (string, error) {
	return anything(c, runArgs{Rollout: &futureRollout{ObjectMeta: metav1.ObjectMeta{Name: "customers", Namespace: "shop"}}})
}

func noRollout(c *rpc.Client) (string, error) { return anything(c, runArgs{}) }

// anything is answered, as long as it is well formed; what it says is the plugin's affair.
func anything(c *rpc.Client, argument any) (string, error) {
	a, err := step(c, "Run", argument)
	if err == nil {
		err = (&expect.Expectation{Op: "Run"}).Check(a)
	}
	return a.String(), err
}

func unknownMethod(c *rpc.Client) (string, error) {
	var reply response
	argument := any(runArgs{})
	return refused(call(c, "Frobnicate", &argument, &reply), reply)
}

// unknownType is where Go's own server loses its place in the stream; a plugin that keeps it is the better one.
func unknownType(c *rpc.Client) (string, error) {
	var reply response
	argument := any(bogus{Rollout: "x"})
	return refused(call(c, "Run", &argument, &reply), reply)
}

// wrongArgument is a string where an interface value belongs.
func wrongArgument(c *rpc.Client) (string, error) {
	var reply response
	return refused(call(c, "Run", "a string", &reply), reply)
}

// refused wants net/rpc's own way to say no, which leaves the connection usable, or the step's.
func refused(err error, reply response) (string, error) {
	var said rpc.ServerError
	switch {
	case errors.As(err, &said):
		return fmt.Sprintf("refused: %q", string(said)), nil
	case err == nil && reply.Error.HasError() && reply.Result.Phase == "":
		return fmt.Sprintf("answered: %q", reply.Error.ErrorString), nil
	}
	return "", fmt.Errorf("expected a refusal, got %v and %+v", err, reply)
}
