package main

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

// check prints a line for everything the caller expected, and for what Argo CD demands of any plugin.
func (o *options) check(a *answer) bool {
	good := true
	report := func(name string, ok bool, why string, args ...any) {
		if ok {
			fmt.Println("ok", name)
			return
		}
		good = false
		fmt.Println("FAIL", name, strings.Join(strings.Fields(fmt.Sprintf(why, args...)), " "))
	}
	switch o.match {
	case "":
		report("match", a.MatchError == "" || a.Discovery, "the plugin was not found: %s", a.MatchError)
	case "none":
		report("match", !a.Discovery && !a.Enabled && a.MatchError == "", "discovery is configured, or: %s", a.MatchError)
	case "discovered":
		report("match", a.Discovery && a.Supported && a.MatchError == "", "not discovered: %s", a.MatchError)
	case "refused":
		report("match", a.Discovery && !a.Supported, "the checkout was taken")
	default:
		report("match", false, "--expect-match %s: want discovered, refused or none", o.match)
	}
	if o.match == "refused" {
		return good
	}
	if a.ParamError != "" {
		report("parameters", false, "%s", a.ParamError)
	}
	for _, name := range o.announced {
		found := false
		for _, p := range a.Parameters {
			found = found || p.Name == name
		}
		report("parameter "+name, found, "announced are %v", a.Parameters)
	}
	if o.errorText != "" {
		report("error", strings.Contains(a.Error, o.errorText), "expected an error with %q, got %q and %d manifests", o.errorText, a.Error, len(a.Manifests))
		return good
	}
	report("generate", a.Error == "" && len(a.Manifests) > 0, "%d manifests, %s", len(a.Manifests), a.Error)
	rendered := o.rendered(a, report)
	for _, want := range o.manifests {
		report("manifest "+want, has(rendered, want), "rendered are %v", rendered)
	}
	for _, want := range o.noManifests {
		report("no manifest "+want, !has(rendered, want), "rendered are %v", rendered)
	}
	all := strings.Join(a.Manifests, "\n")
	for _, text := range o.contained {
		report("contains "+text, strings.Contains(all, text), "not in %d bytes of manifests", len(all))
	}
	return good
}

// rendered names the manifests, and refuses two of one name: of those Argo CD keeps the last.
func (o *options) rendered(a *answer, report func(string, bool, string, ...any)) []string {
	var names []string
	for _, text := range a.Manifests {
		var m object
		err := yaml.Unmarshal([]byte(text), &m)
		name := m.Kind + "/" + m.Metadata.Name
		if err != nil || m.Kind == "" || m.Metadata.Name == "" {
			report("manifest", false, "no object with a kind and a name (%v): %.200s", err, text)
		}
		if has(names, name) {
			report("manifest "+name, false, "rendered twice")
		}
		names = append(names, name)
	}
	return names
}

func has(names []string, want string) bool {
	for _, name := range names {
		if prefix, ok := strings.CutSuffix(want, "*"); name == want || ok && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
