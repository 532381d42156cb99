package rebind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// byApp restarts Ollama.app, whose switch can be flipped only while it is stopped.
type byApp struct{}

// reload stops the app, flips the switch, and starts the app.
func (byApp) reload(ctx context.Context, t *transaction) (launchctl.Target, error) {
	err := byApp{}.unload(ctx, t)
	if err == nil {
		err = t.openApp(ctx)
	}
	return launchctl.Target{}, err
}

// unload is reload for an app that is not to run. Nothing is stopped for a switch that
// cannot be flipped.
func (byApp) unload(ctx context.Context, t *transaction) error {
	if len(t.plan.Edits) > 0 {
		if err := t.machine.TrySwitch(ctx); err != nil {
			return err
		}
	}
	return t.turnSwitch(ctx, func(e backup.Change) []byte { return e.After })
}

// restore puts the switch back, and starts the app if it ran. One that was told to end,
// and does not, runs as before.
func (byApp) restore(ctx context.Context, t *transaction) error {
	var err error
	if t.written > 0 {
		err = t.turnSwitch(ctx, func(e backup.Change) []byte { return e.File.Data })
	} else {
		attempt, cancel := keepTimeToUndo(ctx)
		defer cancel()
		if t.stopApp(attempt) != nil {
			return nil // the proof decides
		}
	}
	if t.stopped || t.plan.State.Service.Loaded {
		err = errors.Join(err, t.openApp(ctx)) // whatever became of the switch
	}
	return err
}

// appPause is between looks at whether the app has ended, and tries to open it.
const appPause = 100 * time.Millisecond

// turns is how often the app is stopped if it starts again by itself.
const turns = 3

// turnSwitch stops the app and sets the switch. An app that started again meanwhile may
// have read or written it; then everything is done once more.
func (t *transaction) turnSwitch(ctx context.Context, to func(backup.Change) []byte) error {
	for range turns {
		if err := t.stopApp(ctx); err != nil {
			return err
		}
		for _, e := range t.plan.Edits {
			t.written, t.told = 1, true // as far as anybody knows who is interrupted
			if err := t.machine.WriteSwitch(ctx, to(e)); err != nil && !t.machine.SwitchIs(ctx, to(e)) {
				return err
			}
		}
		processes, err := t.machine.Launchd.Processes(ctx)
		if err != nil || len(t.machine.AppProcesses(processes)) == 0 {
			return err
		}
	}
	return errors.New("restarting Ollama.app: it starts again by itself")
}

// stopApp ends the app in an orderly way, and waits until it and its servers are gone.
func (t *transaction) stopApp(ctx context.Context) error {
	processes, err := t.machine.Launchd.Processes(ctx)
	if err != nil {
		return err
	}
	main := t.machine.AppProcesses(processes)
	if len(main) == 0 {
		return nil
	}
	t.progress(launchctl.StepBootout)
	t.stopped = true
	var pids []int
	for _, p := range main {
		if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping Ollama.app: %w", err)
		}
		pids = append(pids, p.PID)
	}
	for _, p := range processes {
		if slices.Contains(pids, p.Parent) {
			pids = append(pids, p.PID)
		}
	}
	for slices.ContainsFunc(pids, alive) {
		if err := wait(ctx, appPause); err != nil {
			return fmt.Errorf("stopping Ollama.app: it was told to end, and has not: %w", err)
		}
	}
	return nil
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// openApp starts the app without a window. macOS refuses while the old one is about to
// end. Where it refuses for good, as it may without a screen, the app's login item is
// tried, which does the same.
func (t *transaction) openApp(ctx context.Context) error {
	t.progress(launchctl.StepBootstrap)
	for {
		_, err := t.machine.Launchd.Runner.Run(ctx, "open", "-g", "-j", "-a", t.plan.State.Service.Bundle, "--args", "hidden")
		var exit *launchctl.ExitError
		if err == nil || !errors.As(err, &exit) || !strings.Contains(exit.Stderr, "-600") {
			if err != nil && t.machine.Launchd.Kickstart(ctx, service.LoginItem(t.machine.UID)) == nil {
				return nil
			}
			return err
		}
		if over := wait(ctx, appPause); over != nil {
			return errors.Join(err, over)
		}
	}
}

// steps are the commands to type by hand.
func (byApp) steps(p Plan) []string {
	var steps []string
	if p.State.Service.Loaded {
		steps = append(steps, "pkill -x Ollama")
	}
	for _, e := range p.Edits {
		value := 0
		if string(e.After) == service.SwitchOn {
			value = 1
		}
		steps = append(steps, fmt.Sprintf("sqlite3 %s 'UPDATE settings SET expose = %d WHERE id = 1'", shell.Quote(e.File.Path), value))
	}
	if p.Reload {
		steps = append(steps, "open -g -j -a "+shell.Quote(p.State.Service.Bundle)+" --args hidden")
	}
	return steps
}
