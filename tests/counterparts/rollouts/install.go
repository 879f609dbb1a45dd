package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/argoproj/argo-rollouts/utils/config"
	"github.com/argoproj/argo-rollouts/utils/defaults"
	"github.com/argoproj/argo-rollouts/utils/plugin"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
)

// The controller keeps one process for each of these names: the silent connection gets a process of its own.
const (
	pluginName = "phasegate/gate"
	idleName   = "phasegate/idle"
)

// host is a directory as a controller's working directory, with the plugin installed in it by Argo's own code.
type host struct {
	*options
	home    string
	fixture fixture
}

// install lets Argo read its ConfigMap from an API server of one object and copy the binary to plugin-bin/.
func install(o *options) (*host, error) {
	h := &host{options: o}
	var err error
	if h.fixture, err = loadFixture(o); err != nil {
		return nil, err
	}
	for _, path := range []*string{&o.plugin, &o.beside} {
		if *path != "" {
			if *path, err = filepath.Abs(*path); err != nil {
				return nil, err
			}
		}
	}
	if h.home, err = os.MkdirTemp("", "rollouts-driver-"); err != nil {
		return nil, err
	}
	// Argo installs below its working directory and offers no other place.
	if err = os.Chdir(h.home); err != nil {
		return nil, err
	}
	// A killed plugin cannot remove its socket; here it goes with the directory.
	if err = os.Setenv("TMPDIR", h.home); err != nil {
		return nil, err
	}
	var items []types.PluginItem
	for _, name := range []string{pluginName, idleName} {
		items = append(items, types.PluginItem{Name: name, Location: "file://" + o.plugin, Args: o.args})
	}
	server, client, err := apiServer(items)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	if _, err = config.InitializeConfig(client, defaults.DefaultRolloutsConfigMapName); err != nil {
		return nil, err
	}
	return h, plugin.DownloadPlugins(plugin.FileDownloaderImpl{}, client)
}

func apiServer(items []types.PluginItem) (*httptest.Server, kubernetes.Interface, error) {
	list, err := yaml.Marshal(items)
	if err != nil {
		return nil, nil, err
	}
	configMap := v1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: defaults.DefaultRolloutsConfigMapName, Namespace: defaults.Namespace()},
		Data:       map[string]string{"stepPlugins": string(list)},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/configmaps/"+configMap.Name) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(configMap)
	}))
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	return server, client, err
}

// installed is where Argo put the binary of that name.
func (h *host) installed(name string) (string, error) {
	path, _, err := plugin.GetPluginInfo(name, types.PluginTypeStep)
	if err != nil {
		return "", err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("Argo installed no %s: %w", name, err)
	}
	return path, nil
}

func (h *host) uninstall() {
	_ = os.RemoveAll(h.home)
}
