//go:build torture

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func init() {
	tortures = append(tortures,
		torture{"error at every system call", failAtSteps},
		torture{"killed while taking back", killUndoing},
		torture{"signal by name", tortureSignals},
		torture{"another user", tortureStranger},
		torture{"clock", tortureClock},
		torture{"not at work", tortureIdle})
}

const (
	failedCall = "error at a system call"
	killedUndo = "killed while taking back"
	byName     = "signal by name"
	stranger   = "another user"
	clock      = "clock"
	notAtWork  = "a service that was disabled, stopped or not loaded"
)

// failAtSteps lets each system call that changes a file fail, one a run.
func failAtSteps(t *testing.T, c *chamber) {
	mustTrace(t)
	if skipCall == nil {
		t.Skip("nobody knows here how to let a system call fail")
	}
	macs := newCompany(t, c)
	var points []point
	for _, s := range scenes {
		var all []point
		for i, step := range s.on(macs[0]).rehearse(t) {
			if step.failed || step.isCommand() {
				continue
			}
			errno := []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EPERM}[i%3]
			all = append(all, point{scene: s, step: i, side: beforeIt, signal: failWith(errno),
				name: fmt.Sprintf("%s, %v at step %d (%s)", s.name, errno, i+1, step)})
		}
		points = append(points, sample(c, all, 4)...)
	}
	macs.perform(points, func(j judge, p point) {
		if hit, err := j.failAt(p); hit {
			c.count(t, failedCall, p.name, err)
		}
	})
}

// failAt is one case: the command has worked, or everything is as before.
func (j judge) failAt(p point) (hit bool, err error) {
	var where step
	r, err := j.play(p.watcher(&where))
	if err != nil || where.verb == "" {
		return err != nil, err
	}
	want := j.before
	if r.code == exitOK {
		want = j.after
	}
	// What it could not remove is litter, which the next run sweeps up.
	swept := func(w world) world {
		maps.DeleteFunc(w, func(path string, _ thing) bool { return temporary.MatchString(filepath.Base(path)) })
		return w
	}
	home := readWorld(j.dirs()...)
	err = cmp.Or(documented(r.outcome), j.halfway(home), j.arrivedIn(swept(home), want), j.next("fix", false))
	if err != nil {
		err = fmt.Errorf("exit %d after %q: %s: %w", r.code, where, r.stderr, err)
	}
	return true, err
}

// killUndoing interrupts the command when the service is down, and kills it at each
// step of taking that back.
func killUndoing(t *testing.T, c *chamber) {
	mustTrace(t)
	macs := newCompany(t, c)
	var points []point
	for _, s := range []scene{scenes[0], scenes[3]} {
		n := s.on(macs[0]).undoing(t)
		var all []point
		for i := range n {
			next := []string{"fix", "rollback"}[i%2]
			all = append(all, point{scene: s, step: i, next: next, name: fmt.Sprintf("%s, killed before step %d of its undoing, then %s", s.name, i+1, next)})
		}
		points = append(points, sample(c, all, 5)...)
	}
	macs.perform(points, func(j judge, p point) {
		var where step
		r, err := j.play(j.undoWatcher(p.step, &where))
		if err != nil || !r.killed {
			return
		}
		waitFor(r.children)
		if err = cmp.Or(j.halfway(readWorld(j.dirs()...)), j.next(p.next, false)); err != nil {
			err = fmt.Errorf("killed before %q: %w", where, err)
		}
		c.count(t, killedUndo, p.name, err)
	})
}

// undoWatcher interrupts at the third command that is started after the plist
// was written, which are enable, bootout and a look, and kills before the n-th step
// after that.
func (j judge) undoWatcher(n int, hit *step) watcher {
	written, started, seen := false, 0, 0
	return func(s step, side side) syscall.Signal {
		switch {
		case started == 3 && side == beforeIt:
			if seen++; seen == n+1 {
				*hit = s
				return syscall.SIGKILL
			}
		case side == afterIt && s.verb == "start" && written && started < 3:
			if started++; started == 3 {
				return syscall.SIGINT
			}
		case side == afterIt && s.to == j.plist:
			written = true
		}
		return 0
	}
}

// undoing counts the steps.
func (j judge) undoing(t *testing.T) int {
	t.Helper()
	steps := 0
	var none step
	watch := j.undoWatcher(-1, &none)
	r, err := j.play(func(s step, side side) syscall.Signal {
		if side == beforeIt {
			steps++
		}
		signal := watch(s, side)
		if signal == syscall.SIGINT {
			steps = 0
		}
		return signal
	})
	must(t, err)
	if r.code != exitInterrupted {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	return steps
}

// named are the signals that somebody may send by name, and whether they end a command.
var named = []struct {
	signal syscall.Signal
	ends   bool
}{
	{syscall.SIGHUP, true}, {syscall.SIGTSTP, false}, {syscall.SIGQUIT, true}, {syscall.SIGTTOU, false}, {syscall.SIGABRT, true},
	{syscall.SIGINT, true}, {syscall.SIGTERM, true}, {syscall.SIGTTIN, false}, {syscall.SIGPIPE, false}, {syscall.SIGUSR1, false},
	{syscall.SIGUSR2, false}, {syscall.SIGALRM, false}, {syscall.SIGCONT, false}, {syscall.SIGWINCH, false}, {syscall.SIGURG, false}, {syscall.SIGXFSZ, false},
}

// tortureSignals sends each while the service is down.
func tortureSignals(t *testing.T, c *chamber) {
	v := newTheatre(t)
	for _, n := range named[:c.some(len(named), 5)] {
		for _, s := range []scene{scenes[0], scenes[3]} {
			j := s.on(v)
			c.count(t, byName, fmt.Sprintf("%s, %v", s.name, n.signal), j.signalled(n.signal, n.ends))
		}
	}
}

func (j judge) signalled(signal syscall.Signal, ends bool) error {
	if err := j.become(j.before); err != nil {
		return err
	}
	j.now = ""
	j.ResetLog()
	j.Fault("slow-bootout", "200ms")
	defer j.ClearFaults()
	cmd := j.program(j.args()...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(enough); j.told("bootout") == 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	cmd.Process.Signal(signal)
	code := exitOf(cmd.Wait())
	switch {
	case ends && code == exitInterrupted:
		return cmp.Or(j.arrived(j.before), j.litter())
	case !ends && code == exitOK:
		return cmp.Or(j.arrived(j.after), j.litter())
	}
	return fmt.Errorf("exit %d (%v): %s", code, cmd.ProcessState, said.String())
}

// tortureStranger has a process that lsof does not show hold the port: it says nothing,
// hangs up, or talks like Ollama.
func tortureStranger(t *testing.T, c *chamber) {
	answers := map[string]string{"silent": "", "hanging up": "-", "like Ollama": "HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{\"version\":\"0.33.0\"}"}
	for how, answer := range answers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		go speak(l, answer)
		s := newStillOn(t, l.Addr().(*net.TCPAddr).Port)
		for _, args := range [][]string{{"status", "--json", "--host", s.wanted()}, {"status", "--host", s.wanted()}, {"doctor", "--host", s.wanted()}, {"fix", "--host", s.wanted()}, {"fix", "-n", "--host", s.wanted()}} {
			o := s.run(args...)
			err := decent(o)
			for _, lie := range []string{"nothing listens", "the service is up", "now bound", "already bound"} {
				if strings.Contains(o.stdout+o.stderr, lie) {
					err = errors.Join(err, fmt.Errorf("it says %q: %s%s", lie, o.stdout, o.stderr))
				}
			}
			c.count(t, stranger, fmt.Sprintf("%v with one %s on the port", args, how), err)
		}
		l.Close()
	}
}

// speak answers every connection; "-" is to hang up, and nothing to wait for them to go.
func speak(l net.Listener, answer string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			if answer == "" {
				io.Copy(io.Discard, conn)
			} else if answer != "-" {
				conn.Read(make([]byte, 4096))
				io.WriteString(conn, answer)
			}
		}()
	}
}

// tortureClock puts the clock back, by as much as all backups so far are put ahead,
// before any of several runs: a rollback goes back to what was there first all the same.
func tortureClock(t *testing.T, c *chamber) {
	s := newStill(t)
	runs := [][]string{{"fix", "1"}, {"fix", "2"}, {"rollback"}, {"fix", "3"}, {"fix", "1"}, {"rollback"}}
	jumps := []time.Duration{time.Hour, 400 * 24 * time.Hour, time.Millisecond}
	for i := range c.some(1<<len(runs), 4) {
		s.reset(t)
		var err error
		for n, run := range runs {
			if i&(1<<n) != 0 {
				s.ahead(t, jumps[(i+n)%len(jumps)])
			}
			o := s.rollback()
			if run[0] == "fix" {
				o = s.run("fix", "--no-restart", "--host", fmt.Sprintf("127.0.0.%s:%d", run[1], s.port), "--timeout", patienceHere.String())
			}
			data, _ := os.ReadFile(s.plist)
			switch {
			case o.code != exitOK:
				err = errors.Join(err, fmt.Errorf("run %d: exit %d: %s", n, o.code, o.stderr))
			case run[0] == "rollback" && string(data) != string(s.before):
				err = errors.Join(err, fmt.Errorf("run %d: not as it was first: %s", n, data))
			}
		}
		c.count(t, clock, fmt.Sprintf("clock put back before runs %06b", i), errors.Join(err, s.clean()))
	}
}

// ahead makes all backups be from later.
func (s *still) ahead(t *testing.T, d time.Duration) {
	t.Helper()
	dir := filepath.Join(s.state, "backups")
	entries, _ := os.ReadDir(dir)
	ids := map[string]string{}
	for _, e := range entries {
		if at, err := time.Parse("20060102T150405.000Z", strings.Split(e.Name(), "-")[0]); err == nil {
			ids[e.Name()] = at.Add(d).Format("20060102T150405.000Z") + e.Name()[strings.Index(e.Name(), "-"):]
		}
	}
	for _, e := range slices.Backward(entries) { // none takes the name of another
		to, ok := ids[e.Name()]
		if !ok {
			continue
		}
		path := filepath.Join(dir, e.Name(), "receipt.json")
		text, err := os.ReadFile(path)
		must(t, err)
		for old, new := range ids {
			text = []byte(strings.ReplaceAll(string(text), old, new))
		}
		must(t, os.WriteFile(path, text, 0o600))
		must(t, os.Rename(filepath.Join(dir, e.Name()), filepath.Join(dir, to)))
	}
}

// tortureIdle has fixes that fail, are interrupted, or are taken back, of a service that
// launchd does not load, or does not run: then it is so again.
func tortureIdle(t *testing.T, c *chamber) {
	v := newVictim(t, "brew-arm64-env")
	plist, err := os.ReadFile(v.plist)
	must(t, err)
	plist = []byte(strings.Replace(string(plist), "\t<key>KeepAlive</key>\n\t<true/>\n", "", 1))
	for i := range 6 {
		for _, end := range []string{"fails", "is interrupted", "is taken back"} {
			if c.short && (i*3+len(end))%4 != 0 {
				continue
			}
			state := [...]string{"runs", "stopped", "not loaded"}[i/2]
			v.idle(t, plist, state, i%2 == 1)
			was := v.standing()
			o := v.fixed(end)
			if now := v.standing(); now != was {
				err = fmt.Errorf("before: %s; now: %s; exit %d: %s", was, now, o.code, o.stderr)
			}
			c.count(t, notAtWork, fmt.Sprintf("%s, disabled: %v, and a fix that %s", state, i%2 == 1, end), errors.Join(err, v.litter()))
			err = nil
		}
	}
}

// idle puts the service into a state.
func (v *victim) idle(t *testing.T, plist []byte, state string, disabled bool) {
	t.Helper()
	target := v.Domain() + "/" + v.label
	v.Launchctl("enable", target)
	v.afresh(t, plist)
	switch state {
	case "stopped":
		syscall.Kill(v.JobPID(v.label), syscall.SIGTERM)
		for end := time.Now().Add(enough); v.JobPID(v.label) != 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	case "not loaded":
		v.Launchctl("bootout", target)
		must(t, v.WaitGone(v.label, enough))
	}
	if disabled {
		v.Launchctl("disable", target)
	}
	v.ResetLog()
}

// fixed runs a fix that comes to such an end.
func (v *victim) fixed(end string) outcome {
	defer v.ClearFaults()
	args := []string{"fix", "--host", v.host}
	switch end {
	case "fails":
		v.Fault("drop-environment", "")
	case "is taken back":
		v.run(args...)
		return v.run("rollback")
	case "is interrupted":
		v.Fault("slow-start", "5s")
		cmd := v.program(args...)
		go func() {
			for end := time.Now().Add(enough); v.told("kickstart") == 0 && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
			v.ClearFaults()
			cmd.Process.Signal(syscall.SIGINT)
		}()
		return ended(cmd)
	}
	return v.run(args...)
}

// standing is how launchd has the service.
func (v *victim) standing() string {
	off, _, _ := v.Launchctl("print-disabled", v.Domain())
	return fmt.Sprintf("loaded: %v, runs: %v, disabled: %v, listens %s", v.Loaded(v.label), v.JobPID(v.label) != 0,
		strings.Contains(off, fmt.Sprintf("%q => disabled", v.label)), v.reach())
}
