package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
)

//go:embed rollout.yaml
var builtIn []byte

// fixture is the Rollout and the step that every scenario asks about.
type fixture struct {
	rollout *v1alpha1.Rollout
	context *types.RpcStepContext
}

func loadFixture(o *options) (fixture, error) {
	text := builtIn
	if o.rollout != "" {
		var err error
		if text, err = os.ReadFile(o.rollout); err != nil {
			return fixture{}, err
		}
	}
	f := fixture{rollout: &v1alpha1.Rollout{}, context: &types.RpcStepContext{PluginName: pluginName}}
	if err := yaml.Unmarshal(text, f.rollout); err != nil {
		return f, fmt.Errorf("not a Rollout: %w", err)
	}
	for name, text := range map[string]string{"config": o.config, "status": o.status} {
		if text != "" && !json.Valid([]byte(text)) {
			return f, fmt.Errorf("--%s is not JSON: %s", name, text)
		}
	}
	f.context.Config = json.RawMessage(o.config)
	if o.status != "" {
		f.context.Status = json.RawMessage(o.status)
	}
	return f, nil
}

// padded is the same Rollout blown up to that many bytes of JSON by what big Rollouts are big with: annotations,
// environment variables, and a history of step statuses.
func (f fixture) padded(bytes int) (*v1alpha1.Rollout, int, error) {
	r := f.rollout.DeepCopy()
	if r.Annotations == nil {
		r.Annotations = map[string]string{}
	}
	if len(r.Spec.Template.Spec.Containers) == 0 {
		r.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app"}}
	}
	container := &r.Spec.Template.Spec.Containers[0]
	for i := 0; ; i++ {
		text, err := json.Marshal(r)
		if err != nil || len(text) >= bytes {
			return r, len(text), err
		}
		step := (bytes - len(text)) / 8
		r.Annotations[fmt.Sprintf("padding.example.com/%d", i)] = strings.Repeat("é", step/2)
		for j := range step/64 + 1 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("PADDING_%d_%d", i, j), Value: "0123456789abcdef"})
		}
		for j := range step/256 + 1 {
			r.Status.Canary.StepPluginStatuses = append(r.Status.Canary.StepPluginStatuses, v1alpha1.StepPluginStatus{
				Index: int32(1000 + j), Name: "example/other", Operation: v1alpha1.StepPluginOperationRun,
				Phase: v1alpha1.StepPluginPhaseSuccessful, Status: json.RawMessage(`{"padding":true}`)})
		}
	}
}
