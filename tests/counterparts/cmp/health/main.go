// Command argocd-health asks Argo CD's own Lua engine for the health of objects, as a script of ours and as the script
// that Argo CD ships tell it.
//
//	argocd-health --folder DIRECTORY [OBJECT.json...]
//
// DIRECTORY is a customization in Argo CD's own layout: health.lua, health_test.yaml and testdata/. Its script must pass
// its own tests, run as an override runs (without Lua's standard libraries), and every test that Argo CD has for its own
// script of the same kind. Of each object given it prints what both scripts say, one "answer {json}" line each; a test is
// one line "ok NAME" or "FAIL NAME why". It exits 1 if any failed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/argoproj/argo-cd/v3/resource_customizations"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type tests struct {
	Tests []struct {
		InputPath    string `json:"inputPath"`
		HealthStatus health `json:"healthStatus"`
	} `json:"tests"`
}

func main() {
	folder := flag.String("folder", "", "the customization, GROUP/KIND at its end (required)")
	flag.Parse()
	if *folder == "" {
		flag.Usage()
		os.Exit(2)
	}
	fmt.Println("counterpart", counterpart())
	good, err := judge(*folder, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !good {
		os.Exit(1)
	}
}

func judge(folder string, objects []string) (bool, error) {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return false, err
	}
	kind := path.Join(filepath.Base(filepath.Dir(absolute)), filepath.Base(absolute))
	theirs, err := fs.Sub(resource_customizations.Embedded, kind)
	if err != nil {
		return false, err
	}
	ours := os.DirFS(absolute)
	script, err := fs.ReadFile(ours, "health.lua")
	if err != nil {
		return false, err
	}
	original, err := fs.ReadFile(theirs, "health.lua")
	if err != nil {
		return false, err
	}
	good := true
	for _, suite := range []struct {
		name string
		in   fs.FS
	}{{"ours/", ours}, {"argo-cd/", theirs}} {
		passed, err := play(suite.name, suite.in, string(script))
		if err != nil {
			return false, fmt.Errorf("%s: %w", suite.name, err)
		}
		good = good && passed
	}
	for _, name := range objects {
		if err := compare(name, string(script), string(original)); err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
	}
	return good, nil
}

// play runs a script against the tests of a customization.
func play(prefix string, in fs.FS, script string) (bool, error) {
	text, err := fs.ReadFile(in, "health_test.yaml")
	if err != nil {
		return false, err
	}
	var all tests
	if err := yaml.UnmarshalStrict(text, &all); err != nil {
		return false, err
	}
	good := true
	for _, test := range all.Tests {
		text, err := fs.ReadFile(in, test.InputPath)
		if err != nil {
			return false, err
		}
		object := map[string]any{}
		if err := yaml.Unmarshal(text, &object); err != nil {
			return false, fmt.Errorf("%s: %w", test.InputPath, err)
		}
		found, err := ask(object, script, false)
		if err == nil && *found == test.HealthStatus {
			fmt.Println("ok", prefix+test.InputPath)
			continue
		}
		good = false
		why := fmt.Sprintf("expected %+v, got %+v, %v", test.HealthStatus, found, err)
		fmt.Println("FAIL", prefix+test.InputPath, strings.Join(strings.Fields(why), " "))
	}
	return good, nil
}

// compare prints what both scripts say of one object. The shipped script has the standard libraries.
func compare(name, ours, theirs string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	object := map[string]any{}
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	say := func(script string, libraries bool) any {
		found, err := ask(object, script, libraries)
		if err != nil {
			return map[string]string{"error": err.Error()}
		}
		return found
	}
	answer := map[string]any{"object": filepath.Base(name), "ours": say(ours, false), "theirs": say(theirs, true)}
	line, err := json.Marshal(answer)
	fmt.Printf("answer %s\n", line)
	return err
}

func ask(object map[string]any, script string, libraries bool) (*health, error) {
	vm := lua.VM{UseOpenLibs: libraries}
	found, err := vm.ExecuteHealthLua(&unstructured.Unstructured{Object: object}, script)
	if err != nil {
		return nil, err
	}
	return &health{Status: string(found.Status), Message: found.Message}, nil
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
