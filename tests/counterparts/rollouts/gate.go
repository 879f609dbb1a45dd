package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/rollout/steps/plugin/rpc"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	k8stypes "k8s.io/apimachinery/pkg/types"
)

const (
	// waiting is how many Rollouts wait, and every how long Argo asks for each: 15 s and its buffer of 5.
	waiting = 5000
	every   = 20 * time.Second
	// workers is how many Argo's controller has.
	workers = 10
	// rounds of them all: the first makes the plugin remember, the others are measured.
	rounds = 3
	// gateTrips is how many questions have their trip measured.
	gateTrips = 3000
)

// gate measures the plugin as a gate: starts and memory, the trip of a real question beside that of Argo's sample, and
// what thousands of waiting Rollouts cost. Behind the plugin stand a ledger that lets nobody in, and an API that knows
// the Rollout of --rollout, and that as NAME-0 to NAME-4999 with their UIDs as uid-0 to uid-4999.
func (h *host) gate() error {
	if h.beside == "" {
		return errors.New("measure-gate needs --beside, the plugin to compare with")
	}
	var ours, peer figures
	for range starts {
		if err := ours.round(h.plugin, h.args, false); err != nil {
			return err
		}
		if err := peer.round(h.beside, nil, false); err != nil {
			return err
		}
	}
	info, err := os.Stat(h.plugin)
	if err != nil {
		return err
	}
	if err = h.tripsBeside(&ours, &peer); err != nil {
		return err
	}
	percent, peak, reads, err := h.thousandsWait()
	if err != nil {
		return err
	}
	slowest := func(trips []time.Duration) time.Duration { return percentile(trips, 99) }
	for _, figure := range []struct {
		name, unit string
		value      float64
	}{
		{"sample_round_trip_median_ms", "ms", milliseconds(median(peer.trip))},
		{"sample_round_trip_p99_ms", "ms", milliseconds(slowest(peer.trip))},
		{"sample_resident_mb", "MB", float64(median(peer.residentKiB)) * 1024 / 1e6},
		{"waiting_5000_questions_per_s", "1/s", reads},
		{"run_round_trip_median_ms", "ms", milliseconds(median(ours.trip))},
		{"run_round_trip_p99_ms", "ms", milliseconds(slowest(ours.trip))},
		{"waiting_5000_core_percent", "%", percent},
		{"waiting_5000_mb", "MB", peak},
		{"handshake_ms", "ms", milliseconds(median(ours.start))},
		{"resident_mb", "MB", float64(median(ours.residentKiB)) * 1024 / 1e6},
		{"binary_mb", "MB", float64(info.Size()) / 1e6},
	} {
		fmt.Printf("figure %s %.3f %s\n", figure.name, figure.value, figure.unit)
	}
	return nil
}

// tripsBeside asks both plugins the same question in turn, so that both see the same machine.
func (h *host) tripsBeside(ours, peer *figures) error {
	c, _ := own(h.plugin, h.args)
	defer c.Kill()
	p, err := dispense(c)
	if err != nil {
		return err
	}
	other, _ := own(h.beside, nil)
	defer other.Kill()
	q, err := dispense(other)
	if err != nil {
		return err
	}
	for i := range warmups + gateTrips {
		start := time.Now()
		if err = mustWait(p, h.fixture.rollout, h.fixture.context); err != nil {
			return err
		}
		ourTrip := time.Since(start)
		start = time.Now()
		_, _ = q.Run(h.fixture.rollout, h.fixture.context)
		if i >= warmups {
			ours.trip, peer.trip = append(ours.trip, ourTrip), append(peer.trip, time.Since(start))
		}
	}
	return nil
}

// thousandsWait asks for each of them as often as Argo does: the share of a core, the most memory and the questions a
// second.
func (h *host) thousandsWait() (percent, peak, rate float64, err error) {
	c, command := own(h.plugin, h.args)
	defer c.Kill()
	p, err := dispense(c)
	if err != nil {
		return 0, 0, 0, err
	}
	rollouts := make(chan *v1alpha1.Rollout, workers)
	var failed atomic.Pointer[error]
	var asking sync.WaitGroup
	for range workers {
		asking.Go(func() {
			for r := range rollouts {
				if err := mustWait(p, r, h.fixture.context); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	all := make([]*v1alpha1.Rollout, waiting)
	for i := range all {
		all[i] = h.fixture.rollout.DeepCopy()
		all[i].Name = fmt.Sprintf("%s-%d", h.fixture.rollout.Name, i)
		all[i].UID = k8stypes.UID(fmt.Sprintf("uid-%d", i))
	}
	pid := command.Process.Pid
	var before, began = time.Duration(0), time.Now()
	for round := range rounds {
		if round == 1 {
			before, began = cpu(pid), time.Now()
		}
		tick := time.NewTicker(every / waiting)
		for _, r := range all {
			<-tick.C
			rollouts <- r
		}
		tick.Stop()
	}
	close(rollouts)
	asking.Wait()
	took := time.Since(began)
	if err := failed.Load(); err != nil {
		return 0, 0, 0, *err
	}
	percent = 100 * float64(cpu(pid)-before) / float64(took)
	rate = float64((rounds-1)*waiting) / took.Seconds()
	return percent, float64(statusOf(pid, "VmHWM:")) * 1024 / 1e6, rate, nil
}

// mustWait asks, and whatever is not a wait fails: a measure of errors would be none.
func mustWait(p rpc.StepPlugin, r *v1alpha1.Rollout, context *types.RpcStepContext) error {
	result, failure := p.Run(r, context)
	if failure.HasError() || result.Phase != types.PhaseRunning {
		return fmt.Errorf("%s was told %q %s%s", r.Name, result.Phase, result.Message, failure.ErrorString)
	}
	return nil
}

// cpu is what a process used of it, user and system, with all its threads.
func cpu(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var user, system int64
	_, _ = fmt.Sscan(fields[11], &user)
	_, _ = fmt.Sscan(fields[12], &system)
	// In clock ticks, of which Linux has told user space 100 a second on every architecture since 2.6.
	return time.Duration(user+system) * 10 * time.Millisecond
}

func percentile(values []time.Duration, percent int) time.Duration {
	return sorted(values)[len(values)*percent/100]
}
