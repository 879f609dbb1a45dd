package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pid is the one child of this process that runs the plugin installed under that name. Argo's client does not tell.
func (h *host) pid(name string) (int, error) {
	path, err := h.installed(name)
	if err != nil {
		return 0, err
	}
	pids, err := running(path, os.Getpid())
	if err != nil {
		return 0, err
	}
	if len(pids) != 1 {
		return 0, fmt.Errorf("%d processes run %s, expected one", len(pids), name)
	}
	return pids[0], nil
}

// running finds the live processes of a binary; parent 0 means anybody's.
func running(path string, parent int) ([]int, error) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != path {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			return nil, err
		}
		if parent == 0 || statusOf(pid, "PPid:") == parent {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// statusOf is a number of /proc/PID/status, 0 if the process or the line is not there.
func statusOf(pid int, field string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), field); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// until polls for something that no event announces.
func until(limit time.Duration, f func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if f() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// stop halts a process and returns when it stands: the signal alone leaves its other threads running for a moment.
func stop(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	halted := func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		// The state follows the name, which stands in brackets and may contain anything.
		return err == nil && bytes.HasPrefix(text[bytes.LastIndexByte(text, ')')+1:], []byte(" T"))
	}
	if !until(5*time.Second, halted) {
		return fmt.Errorf("process %d does not stop", pid)
	}
	return nil
}

func gone(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err != nil
}
