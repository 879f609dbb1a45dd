// Command cmp-drive plays the repo-server to a genuine argocd-cmp-server: it starts one with a plugin.yaml, packs a
// checkout as Argo CD does, and asks everything its gRPC API offers, through Argo CD's own client and stream code.
//
// It prints one "answer {json}" line, one line a check ("ok NAME" or "FAIL NAME why"), and exits 1 if any failed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
)

type options struct {
	server, pluginDir, binDir, repo, app, name   string
	env, parameters                              listFlag
	timeout                                      time.Duration
	manifests, noManifests, announced, contained listFlag
	match, errorText                             string
	parallel                                     int
}

type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(v string) error { *l = append(*l, v); return nil }

func parse() *options {
	o := &options{}
	flag.StringVar(&o.server, "server", "", "the argocd-cmp-server binary (required)")
	flag.StringVar(&o.pluginDir, "plugin-dir", "", "the directory with plugin.yaml (required)")
	flag.StringVar(&o.binDir, "bin-dir", "", "a directory to put first on the PATH of the server and its plugin")
	flag.StringVar(&o.repo, "repo", "", "the checkout to send (required)")
	flag.StringVar(&o.app, "app", ".", "the Application's path in the checkout")
	flag.StringVar(&o.name, "name", "customers", "the Application's name")
	flag.Var(&o.env, "env", "NAME=VALUE of spec.source.plugin.env; the plugin sees ARGOCD_ENV_NAME; repeatable")
	flag.Var(&o.parameters, "parameter", "one of spec.source.plugin.parameters as JSON, {\"name\":..,\"string\":..|\"array\":..|\"map\":..}; repeatable")
	flag.DurationVar(&o.timeout, "timeout", 30*time.Second, "deadline of each question; cmp-server stops the plugin at it")
	flag.IntVar(&o.parallel, "parallel", 1, "ask GenerateManifest that many times at once, which must all answer alike")
	flag.StringVar(&o.match, "expect-match", "", "discovered, refused, or none if the plugin must have no discovery")
	flag.Var(&o.announced, "expect-parameter", "a parameter that must be announced; repeatable")
	flag.Var(&o.manifests, "expect-manifest", "KIND/NAME that must be rendered, where a NAME that ends in * is a prefix; repeatable")
	flag.Var(&o.noManifests, "expect-no-manifest", "KIND/NAME that must not be rendered; repeatable")
	flag.Var(&o.contained, "expect-contains", "text that some manifest must contain; repeatable")
	flag.StringVar(&o.errorText, "expect-error-contains", "", "GenerateManifest must fail with this text")
	flag.Parse()
	if o.server == "" || o.pluginDir == "" || o.repo == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

func main() {
	o := parse()
	fmt.Println("counterpart", counterpart())
	environment, err := o.environment()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	s, err := startServer(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot start argocd-cmp-server:", err)
		os.Exit(2)
	}
	a, err := s.ask(o, environment)
	s.close()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot ask argocd-cmp-server:", err)
		os.Exit(2)
	}
	text, err := json.Marshal(a)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Printf("answer %s\n", text)
	if !o.check(a) {
		os.Exit(1)
	}
}

func counterpart() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	said := info.GoVersion
	for _, m := range info.Deps {
		if m.Path == "github.com/argoproj/argo-cd/v3" {
			said = "argo-cd " + m.Version + ", " + said
		}
	}
	return said
}

// environment is what the repo-server sends with a request (reposerver/repository/repository.go newEnv and
// getPluginEnvs, which are not exported).
func (o *options) environment() ([]string, error) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	env := []string{
		"ARGOCD_APP_NAME=" + o.name,
		"ARGOCD_APP_NAMESPACE=shop",
		"ARGOCD_APP_PROJECT_NAME=default",
		"ARGOCD_APP_REVISION=" + revision,
		"ARGOCD_APP_REVISION_SHORT=" + revision[:7],
		"ARGOCD_APP_REVISION_SHORT_8=" + revision[:8],
		"ARGOCD_APP_SOURCE_REPO_URL=https://git.example.com/shop/customers.git",
		"ARGOCD_APP_SOURCE_PATH=" + filepath.Clean(o.app),
		"ARGOCD_APP_SOURCE_TARGET_REVISION=main",
		"KUBE_VERSION=1.34.4",
		"KUBE_API_VERSIONS=v1,apps/v1,batch/v1,argoproj.io/v1alpha1",
	}
	for _, e := range o.env {
		if !strings.Contains(e, "=") {
			return nil, fmt.Errorf("--env %s: want NAME=VALUE", e)
		}
		env = append(env, "ARGOCD_ENV_"+e)
	}
	var parameters v1alpha1.ApplicationSourcePluginParameters
	for _, text := range o.parameters {
		var p v1alpha1.ApplicationSourcePluginParameter
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return nil, fmt.Errorf("--parameter %s: %w", text, err)
		}
		parameters = append(parameters, p)
	}
	more, err := parameters.Environ()
	return append(env, more...), err
}
