package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const futurePrefix = "future/"

// future hands over to the program beside this one, which speaks for a controller that Argo has not written yet:
// Argo's rpc package takes the type names for itself, so that no program can hold both. Its scenarios can be skipped
// as future/NAME.
func (h *host) future() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	var skip []string
	for _, name := range strings.Split(h.skip, ",") {
		if name, ok := strings.CutPrefix(name, futurePrefix); ok {
			skip = append(skip, name)
		}
	}
	arguments := []string{"--plugin", h.plugin, "--config", h.config, "--call-timeout", h.callTimeout.String(),
		"--skip", strings.Join(skip, ","), "--expect-phase", h.options.run.Phase,
		"--expect-message-contains", h.options.run.Message, "--expect-error-contains", h.options.run.ErrorText, "--"}
	command := exec.Command(filepath.Join(filepath.Dir(self), "rollouts-future"), append(arguments, h.args...)...)
	command.Stderr = os.Stderr
	out, err := within(20*h.callTimeout, "rollouts-future", func() ([]byte, error) { return command.Output() })
	if command.Process != nil {
		_ = command.Process.Kill()
	}
	var passed, failed []string
	for _, line := range strings.Split(string(out), "\n") {
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "ok":
			name, _, _ := strings.Cut(rest, " ")
			passed = append(passed, name)
		case "skipped":
			fmt.Println("skipped", futurePrefix+rest)
		case "FAIL":
			failed = append(failed, rest)
		}
	}
	if len(failed) > 0 {
		return "", errors.New(strings.Join(failed, "; "))
	}
	if err == nil && len(passed) == 0 {
		err = errors.New("it played nothing")
	}
	return strings.Join(passed, ", "), err
}
