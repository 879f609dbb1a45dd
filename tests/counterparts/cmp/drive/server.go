package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"

	pluginclient "github.com/argoproj/argo-cd/v3/cmpserver/apiclient"
	"github.com/argoproj/argo-cd/v3/util/app/discovery"
	"github.com/argoproj/argo-cd/v3/util/cmp"
)

// server is one running argocd-cmp-server with a home of its own: its working directory is wiped at start, so two must
// never share one.
type server struct {
	home    string
	command *exec.Cmd
	exited  chan error
	name    string
}

func startServer(o *options) (*server, error) {
	home, err := os.MkdirTemp("", "cmp-")
	if err != nil {
		return nil, err
	}
	s := &server{home: home, exited: make(chan error, 1)}
	sockets := filepath.Join(home, "plugins")
	for _, dir := range []string{sockets, filepath.Join(home, "tmp")} {
		if err = os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	environment := map[string]string{
		"ARGOCD_PLUGINSOCKFILEPATH": sockets,
		"ARGOCD_CMP_WORKDIR":        home,
		"TMPDIR":                    filepath.Join(home, "tmp"),
	}
	if o.binDir != "" {
		bin, err := filepath.Abs(o.binDir)
		if err != nil {
			return nil, err
		}
		environment["PATH"] = bin + ":" + os.Getenv("PATH")
	}
	// The client finds its sockets by the same variable.
	for name, value := range environment {
		if err = os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	s.command = exec.Command(o.server, "--config-dir-path", o.pluginDir, "--loglevel", "info", "--logformat", "text")
	s.command.Stderr = os.Stderr
	s.command.Stdout = os.Stderr
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err = s.command.Start(); err != nil {
		return nil, err
	}
	go func() { s.exited <- s.command.Wait() }()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(sockets, "*.sock"))
		if err != nil {
			return nil, err
		}
		// The file is there before anybody listens.
		if len(found) == 1 {
			if conn, err := net.Dial("unix", found[0]); err == nil {
				_ = conn.Close()
				s.name = strings.TrimSuffix(filepath.Base(found[0]), ".sock")
				return s, nil
			}
		}
		select {
		case err = <-s.exited:
			_ = os.RemoveAll(home)
			return nil, fmt.Errorf("it exited: %w", err)
		default:
		}
	}
	s.close()
	return nil, errors.New("it made no socket within 20 s")
}

// close kills: while idle it ignores SIGTERM.
func (s *server) close() {
	_ = s.command.Process.Kill()
	<-s.exited
	_ = os.RemoveAll(s.home)
}

// answer is everything the server said, for the checks and for tests in another language.
type answer struct {
	Plugin     string      `json:"plugin"`
	Discovery  bool        `json:"discoveryConfigured"`
	GitCreds   bool        `json:"provideGitCreds"`
	Supported  bool        `json:"isSupported"`
	Enabled    bool        `json:"isDiscoveryEnabled"`
	MatchError string      `json:"matchError,omitempty"`
	Parameters []parameter `json:"parameters"`
	ParamError string      `json:"parametersError,omitempty"`
	Manifests  []string    `json:"manifests"`
	Error      string      `json:"error,omitempty"`
	Seconds    float64     `json:"generateSeconds"`
}

type parameter struct {
	Name     string            `json:"name"`
	Title    string            `json:"title,omitempty"`
	Tooltip  string            `json:"tooltip,omitempty"`
	Required bool              `json:"required,omitempty"`
	Type     string            `json:"itemType,omitempty"`
	Kind     string            `json:"collectionType,omitempty"`
	String   string            `json:"string,omitempty"`
	Array    []string          `json:"array,omitempty"`
	Map      map[string]string `json:"map,omitempty"`
}

// ask goes the way of the repo-server: find the plugin by name (CheckPluginConfiguration and, with discovery,
// MatchRepository with the whole tarball), then announce and generate with a tarball each.
func (s *server) ask(o *options, environment []string) (*answer, error) {
	repo, err := filepath.Abs(o.repo)
	if err != nil {
		return nil, err
	}
	app := filepath.Join(repo, o.app)
	if _, err = os.Stat(app); err != nil {
		return nil, err
	}
	a := &answer{Plugin: s.name}
	ctx, cancel := context.WithTimeout(context.Background(), 6*o.timeout)
	defer cancel()

	// The named detection is what an Application with spec.source.plugin.name goes through.
	conn, client, err := discovery.DetectConfigManagementPlugin(ctx, app, repo, s.name, environment, nil)
	if err != nil {
		a.MatchError = err.Error()
		conn, client, err = pluginclient.NewConfigManagementPluginClientSet(
			filepath.Join(s.home, "plugins", s.name+".sock")).NewConfigManagementPluginClient()
		if err != nil {
			return nil, err
		}
	}
	defer conn.Close()
	config, err := client.CheckPluginConfiguration(ctx, &emptypb.Empty{})
	if err != nil {
		return nil, err
	}
	a.Discovery, a.GitCreds = config.GetIsDiscoveryConfigured(), config.GetProvideGitCreds()
	if err = s.match(ctx, o, client, a, app, repo, environment); err != nil {
		a.MatchError = err.Error()
	}
	if err = s.announce(ctx, o, client, a, app, repo, environment); err != nil {
		a.ParamError = err.Error()
	}
	s.generateAll(ctx, o, client, a, app, repo, environment)
	return a, nil
}

func (s *server) match(ctx context.Context, o *options, c pluginclient.ConfigManagementPluginServiceClient, a *answer, app, repo string, env []string) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	stream, err := c.MatchRepository(ctx)
	if err != nil {
		return err
	}
	if err = cmp.SendRepoStream(ctx, app, repo, stream, env, nil); err != nil {
		return err
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	a.Supported, a.Enabled = reply.GetIsSupported(), reply.GetIsDiscoveryEnabled()
	return nil
}

// announce sends less of an environment, as the repo-server does (populatePluginAppDetails).
func (s *server) announce(ctx context.Context, o *options, c pluginclient.ConfigManagementPluginServiceClient, a *answer, app, repo string, env []string) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	var fewer []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		switch {
		case name == "ARGOCD_APP_NAME", strings.HasPrefix(name, "ARGOCD_APP_SOURCE_"), name == "ARGOCD_APP_PARAMETERS",
			strings.HasPrefix(name, "ARGOCD_ENV_"), strings.HasPrefix(name, "PARAM_"):
			fewer = append(fewer, e)
		}
	}
	stream, err := c.GetParametersAnnouncement(ctx)
	if err != nil {
		return err
	}
	if err = cmp.SendRepoStream(ctx, app, repo, stream, fewer, nil); err != nil {
		return err
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	for _, p := range reply.GetParameterAnnouncements() {
		a.Parameters = append(a.Parameters, parameter{Name: p.GetName(), Title: p.GetTitle(), Tooltip: p.GetTooltip(),
			Required: p.GetRequired(), Type: p.GetItemType(), Kind: p.GetCollectionType(), String: p.GetString_(),
			Array: p.GetArray(), Map: p.GetMap()})
	}
	return nil
}

// generateAll asks as often at once as the caller wants and demands one answer of all.
func (s *server) generateAll(ctx context.Context, o *options, c pluginclient.ConfigManagementPluginServiceClient, a *answer, app, repo string, env []string) {
	type outcome struct {
		manifests []string
		err       string
	}
	outcomes := make([]outcome, max(o.parallel, 1))
	start := time.Now()
	var group sync.WaitGroup
	for i := range outcomes {
		group.Add(1)
		go func() {
			defer group.Done()
			manifests, err := generate(ctx, o, c, app, repo, env)
			outcomes[i].manifests = manifests
			if err != nil {
				outcomes[i].err = err.Error()
			}
		}()
	}
	group.Wait()
	a.Seconds = time.Since(start).Seconds()
	a.Manifests, a.Error = outcomes[0].manifests, outcomes[0].err
	for i, other := range outcomes {
		if other.err != a.Error || strings.Join(other.manifests, "\n") != strings.Join(a.Manifests, "\n") {
			a.Error = fmt.Sprintf("request %d of the same bytes was answered differently: %q and %q, %d and %d manifests",
				i, a.Error, other.err, len(a.Manifests), len(other.manifests))
			return
		}
	}
}

func generate(ctx context.Context, o *options, c pluginclient.ConfigManagementPluginServiceClient, app, repo string, env []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	stream, err := c.GenerateManifest(ctx)
	if err != nil {
		return nil, err
	}
	if err = cmp.SendRepoStream(ctx, app, repo, stream, env, nil); err != nil {
		return nil, err
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return nil, err
	}
	return reply.GetManifests(), nil
}
