//go:build torture

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/sandbox"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

func init() {
	tortures = append(tortures,
		torture{"killed at a step of Ollama.app's change", killAppAtSteps},
		torture{"Ollama.app in the way", tortureApp})
}

const (
	killedApp = "killed at a step of Ollama.app's change"
	appInWay  = "Ollama.app or its database is in the way"
)

// brief is a --timeout for what cannot get to its end.
const brief = 8 * time.Second

// studio is a Mac with Ollama.app alone.
type studio struct {
	*victim
	bundle string
	dumps  map[string]string // of the database, by the switch
	fixed  world             // the state folder after a fix
}

func newStudio(t *testing.T) *studio {
	t.Helper()
	if !hasApp() {
		t.Skip("the app needs Linux and sqlite3")
	}
	v := &studio{victim: newMac(t), dumps: map[string]string{}}
	v.bundle = filepath.Join(v.dir, "My Apps", "Ollama.app")
	must(t, v.InstallApp(v.bundle, "0.33.0"))
	must(t, v.OpenApp(v.bundle, "hidden"))
	v.dumps[service.SwitchOff] = v.dump()
	if o := v.run(v.command("fix", enough)...); o.code != 0 {
		t.Fatalf("fix: exit %d: %s", o.code, o.stderr)
	}
	v.dumps[service.SwitchOn], v.fixed = v.dump(), readWorld(v.state)
	return v
}

func (v *studio) command(name string, timeout time.Duration) []string {
	args := []string{name, "--timeout", timeout.String()}
	if name == "fix" {
		args = append(args, "--host", v.host)
	}
	return args
}

func (v *studio) dump() string {
	out, _ := exec.Command(sandbox.OwnSQLite(), v.AppDatabase(), ".dump").Output()
	return string(out)
}

// become puts the Mac to before a command: the app runs, and was fixed or was not.
func (v *studio) become(command string) error {
	v.ClearFaults()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		all, err := v.Running()
		if err != nil || len(all) == 0 {
			break
		}
		for _, p := range all {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		if time.Now().After(end) {
			return fmt.Errorf("still running: %v", all)
		}
	}
	state := world{}
	if command == "rollback" {
		state = v.fixed
	}
	return cmp.Or(state.restore(v.state), v.Expose(command == "rollback"), v.OpenApp(v.bundle, "hidden"))
}

// arrived says in what the Mac is not as the command leaves it.
func (v *studio) arrived(command string) error {
	value, want := service.SwitchOff, loopback
	if command == "fix" {
		value, want = service.SwitchOn, outside
	}
	if got := v.dump(); got != v.dumps[value] {
		return fmt.Errorf("the database is\n%s", got)
	}
	if got := v.appReach(); got != want {
		return fmt.Errorf("Ollama listens %s, want %s", got, want)
	}
	return nil
}

func (v *studio) appReach() string {
	if v.AppPID() == 0 {
		return nowhere
	}
	return v.answers()
}

// known says whether a switch that is not as before is in a backup.
func (v *studio) known(command string) error {
	before, now := service.SwitchOff, v.dump()
	if command == "rollback" {
		before = service.SwitchOn
	}
	if now == v.dumps[before] {
		return nil
	}
	kept, err := backups(readWorld(v.state), v.state)
	if err != nil {
		return err
	}
	for _, r := range kept {
		if slices.ContainsFunc(r.Files, func(f backup.Saved) bool { return f.Before == backup.Sum([]byte(before)) }) {
			return nil
		}
	}
	return errors.New("the switch was flipped, and no backup knows how it was")
}

// next runs the next command, which has to get to its end.
func (v *studio) next(command string) error {
	o := v.run(v.command(command, enough)...)
	if o.code != 0 {
		return fmt.Errorf("the next %s: exit %d: %s", command, o.code, o.stderr)
	}
	if err := v.arrived(command); err != nil {
		return fmt.Errorf("after the next %s: %w", command, err)
	}
	return nil
}

// killAppAtSteps kills fix and rollback at each step with a program, a process or a
// receipt.
func killAppAtSteps(t *testing.T, c *chamber) {
	mustTrace(t)
	v := newStudio(t)
	for _, command := range []string{"fix", "rollback"} {
		var steps []step
		must(t, v.become(command))
		r, err := trace(v.program(v.command(command, enough)...), func(s step, side side) syscall.Signal {
			if side == afterIt {
				steps = append(steps, s)
			}
			return 0
		})
		must(t, err)
		if r.code != 0 {
			t.Fatalf("%s: exit %d: %s", command, r.code, r.stderr)
		}
		must(t, v.arrived(command))
		var points []point
		for _, p := range (scene{name: command + " of the app"}).points(steps) {
			if s := steps[p.step]; s.isCommand() || s.verb == "signal" || s.verb == "rename" {
				points = append(points, p)
			}
		}
		t.Logf("%s: %d steps, %d cases", command, len(steps), len(points))
		for _, p := range sample(c, points, 6) {
			if hit, err := v.killAt(command, p); hit {
				c.count(t, killedApp, p.name, err)
			}
		}
	}
}

func (v *studio) killAt(command string, p point) (hit bool, err error) {
	if err := v.become(command); err != nil {
		return true, err
	}
	var where step
	pid, told := v.AppPID(), false
	at := p.watcher(&where)
	r, err := trace(v.program(v.command(command, enough)...), func(s step, side side) syscall.Signal {
		told = told || s.verb == "signal"
		return at(s, side)
	})
	if err != nil || !r.killed {
		return err != nil, err
	}
	waitFor(r.children)
	for end := time.Now().Add(5 * time.Second); told && v.AppPID() == pid && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond) // the app ends in its time
	}
	if err := cmp.Or(v.known(command), v.next(p.next)); err != nil {
		return true, fmt.Errorf("killed %s %q: %w", p.side, where, err)
	}
	return true, nil
}

// tortureApp puts things in the way of the app's change. Whatever comes of that, Ollama
// is there, or the next command brings it back.
func tortureApp(t *testing.T, c *chamber) {
	v := newStudio(t)
	var cases []string
	for _, command := range []string{"fix", "rollback"} {
		for _, way := range []string{
			"database locked", "database read-only", "database newer", "database schema", "database rows", "database corrupt",
			"app-ignore-term", "app-comes-back 1ms", "app-comes-back 50ms", "app-comes-back 300ms",
			"open-600 3", "hang open", "garbage open", "exit-code open:1:-10810", "exit-code ps:1:", "hang ps",
			"exit-at-once", "deaf", "slow-start 500ms", "mute-outside",
		} {
			cases = append(cases, command+" "+way)
		}
	}
	for i, one := range sample(c, cases, 6) {
		command, way, _ := strings.Cut(one, " ")
		c.count(t, appInWay, one, v.inTheWay(command, way, []string{"fix", "rollback"}[i%2]))
	}
}

func (v *studio) inTheWay(command, way, next string) error {
	if err := v.become(command); err != nil {
		return err
	}
	before, pid := v.dump(), v.AppPID()
	name, arg, _ := strings.Cut(way, " ")
	if way == "app-ignore-term" { // for the apps that are started from now on
		v.Fault(name, arg)
		v.EndApp(syscall.SIGKILL)
		v.OpenApp(v.bundle, "hidden")
		pid = v.AppPID()
	}
	if name != "database" {
		v.Fault(name, arg)
		o := v.run(v.command(command, brief)...)
		if way == "app-ignore-term" {
			if o.code != exitUndone || v.AppPID() != pid {
				return fmt.Errorf("exit %d, and it is not as before: %s", o.code, o.stderr)
			}
			v.EndApp(syscall.SIGKILL) // somebody does, and opens it again
			v.ClearFaults()
			v.OpenApp(v.bundle, "hidden")
		}
		return v.survived(command, o, next)
	}
	data, err := os.ReadFile(v.AppDatabase())
	if err != nil {
		return err
	}
	heal, err := v.BreakDatabase(arg)
	if err != nil {
		return err
	}
	o := v.run(v.command(command, brief)...)
	heal()
	switch {
	case o.code != exitOK && v.AppPID() != pid:
		return fmt.Errorf("exit %d, and the app was stopped: %s", o.code, o.stderr)
	case arg == "locked" && v.dump() != before:
		return fmt.Errorf("the database is\n%s", v.dump())
	case arg == "locked" && o.code != exitFailed, arg == "newer" && o.code != exitOK,
		slices.Contains([]string{"schema", "rows", "corrupt"}, arg) && o.code != exitFailed:
		return fmt.Errorf("exit %d: %s", o.code, o.stderr)
	}
	os.RemoveAll(filepath.Dir(v.AppDatabase())) // nothing of it heals
	os.MkdirAll(filepath.Dir(v.AppDatabase()), 0o755)
	return os.WriteFile(v.AppDatabase(), data, 0o644)
}

func (v *studio) survived(command string, o outcome, next string) error {
	err := cmp.Or(documented(o), v.known(command))
	v.ClearFaults()
	if o.code == exitOK && err == nil {
		err = v.arrived(command)
	}
	if err == nil {
		err = v.next(next)
	}
	if err != nil {
		return fmt.Errorf("exit %d: %s: %w", o.code, o.stderr, err)
	}
	return nil
}
