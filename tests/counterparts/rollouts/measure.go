package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"

	"phasegate.dev/counterparts/rollouts/expect"
)

const (
	starts  = 15
	warmups = 50
	trips   = 1000
)

type figures struct {
	start, trip []time.Duration
	residentKiB []int
}

// measure prints figures of one plugin binary, or of two in turn, so that both see the same machine.
func (h *host) measure() error {
	binaries := []string{h.plugin}
	if h.beside != "" {
		binaries = append(binaries, h.beside)
	}
	all := make([]figures, len(binaries))
	for round := range starts {
		for i, binary := range binaries {
			args := h.args
			if i > 0 {
				args = nil
			}
			if err := all[i].round(binary, args, round == starts-1); err != nil {
				return fmt.Errorf("%s: %w", binary, err)
			}
		}
	}
	for i, binary := range binaries {
		info, err := os.Stat(binary)
		if err != nil {
			return err
		}
		name := filepath.Base(binary)
		fmt.Printf("figure %s.size %.1f MB\n", name, float64(info.Size())/1e6)
		fmt.Printf("figure %s.start %.1f ms\n", name, milliseconds(median(all[i].start)))
		fmt.Printf("figure %s.resident %.1f MB\n", name, float64(median(all[i].residentKiB))*1024/1e6)
		fmt.Printf("figure %s.empty_run %.3f ms\n", name, milliseconds(median(all[i].trip)))
	}
	return nil
}

// round starts the binary once: until the handshake line, then resident memory after InitPlugin, and at the last
// round the trips of a Run that asks nothing.
func (f *figures) round(binary string, args []string, last bool) error {
	c, command := own(binary, args)
	defer c.Kill()
	start := time.Now()
	if _, err := c.Start(); err != nil {
		return err
	}
	f.start = append(f.start, time.Since(start))
	p, err := dispense(c)
	if err != nil {
		return err
	}
	f.residentKiB = append(f.residentKiB, statusOf(command.Process.Pid, "VmRSS:"))
	if !last {
		return nil
	}
	for i := range warmups + trips {
		start := time.Now()
		if _, failure := p.Run(&v1alpha1.Rollout{}, &types.RpcStepContext{}); i >= warmups {
			f.trip = append(f.trip, time.Since(start))
			if transport := expect.Said("Run", types.RpcStepResult{}, failure, 0); i == warmups && transport.Error != "" {
				if err := (&expect.Expectation{Op: "Run"}).Check(transport); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func median[T int | time.Duration](values []T) T { return sorted(values)[len(values)/2] }

func sorted[T int | time.Duration](values []T) []T {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
