package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// App is the kind of Ollama.app. It supervises a server, and gives it OLLAMA_HOST when
// its own switch is on (ollama/ollama app/server/server.go). The switch is one column of
// its database, which it reads when it starts the server, and writes back from memory
// while it runs: so it has to be stopped for a change.
const App = "app"

// SettingLayer is the layer of the app's switch.
const SettingLayer = "setting"

// AppPort is the port that the app's switch knows. Tests move it.
var AppPort = ollama.DefaultPort

type app struct{}

func (app) name() string { return App }

const (
	mainProgram   = "/Contents/MacOS/Ollama"
	serverProgram = "/Contents/Resources/ollama"
)

// find takes the app that runs, or else the first that is there: all have one database.
func (app) find(ctx context.Context, m Machine, harder bool) ([]candidate, error) {
	if harder {
		return nil, nil
	}
	bundle := cmp.Or(m.AppBundle(), m.fixedBundle())
	if _, err := os.Stat(m.appDatabase()); err != nil && bundle == "" {
		return nil, nil // without asking ps
	}
	job, bundle := m.appJob(ctx, bundle)
	if bundle == "" {
		return nil, nil
	}
	s := Service{Bundle: bundle, Loaded: job.Loaded}
	return []candidate{{s, job}}, nil
}

// AppBundle is the app in one of the folders for it, "" if there is none.
func (m Machine) AppBundle() string {
	for _, folder := range []string{m.Applications, filepath.Join(m.Home, "Applications")} {
		all, _ := filepath.Glob(filepath.Join(folder, "Ollama*.app")) // fails for a bad pattern only
		for _, bundle := range all {
			if isThere(bundle + mainProgram) {
				return bundle
			}
		}
	}
	return ""
}

// fixedBundle is the app of the last fix: a run that was killed may have left it
// stopped, wherever it is.
func (m Machine) fixedBundle() string {
	receipts, _ := m.Store.List()
	for _, r := range receipts {
		if (app{}).owns(r, Service{}) && isThere(r.Label+mainProgram) {
			return r.Label
		}
	}
	return ""
}

func (m Machine) appSupport() string {
	return filepath.Join(m.Home, "Library", "Application Support", "Ollama")
}

func (m Machine) appDatabase() string { return filepath.Join(m.appSupport(), "db.sqlite") }

// appJob is the app's main process, and the environment of its server. Where it does
// not run, the bundle stays as it is.
func (m Machine) appJob(ctx context.Context, bundle string) (Job, string) {
	processes, err := m.Launchd.Processes(ctx)
	if err != nil {
		return Job{Err: err}, bundle
	}
	main := m.mainProcesses(processes)
	job := Job{Job: launchctl.Job{StderrPath: filepath.Join(m.Home, ".ollama", "logs", "server.log")}}
	if len(main) == 0 {
		job.Program = bundle + mainProgram
		return job, bundle
	}
	job.Loaded, job.PID, job.Program = true, main[0].PID, main[0].Program
	for _, p := range processes {
		if p.Parent == job.PID && strings.HasSuffix(p.Program, serverProgram) {
			job.Environment = m.hostIn(ctx, p.PID)
		}
	}
	return job, strings.TrimSuffix(job.Program, mainProgram)
}

// mainProcesses are those of this user's apps, the oldest first.
func (m Machine) mainProcesses(all map[int]launchctl.Process) []launchctl.Process {
	var main []launchctl.Process
	for _, p := range all {
		if p.UID == m.UID && strings.HasSuffix(p.Program, ".app"+mainProgram) {
			main = append(main, p)
		}
	}
	slices.SortFunc(main, func(a, b launchctl.Process) int { return a.PID - b.PID })
	return main
}

// hostIn is OLLAMA_HOST in the environment of a process, and nothing else of it; nil
// where there is no such process.
func (m Machine) hostIn(ctx context.Context, pid int) map[string]string {
	out, err := m.Launchd.Runner.Run(ctx, "ps", "eww", "-o", "command=", "-p", fmt.Sprint(pid))
	if err != nil {
		return nil
	}
	env := map[string]string{}
	for _, word := range strings.Fields(string(out)) { // the last one counts, as with Go's own
		if value, ok := strings.CutPrefix(word, ollama.Variable+"="); ok {
			env[ollama.Variable] = value
		}
	}
	return env
}

func (app) adopt(context.Context, Machine, *State, []candidate) (candidate, bool) {
	return candidate{}, false
}

func (app) job(ctx context.Context, m Machine, s Service) Job {
	job, _ := m.appJob(ctx, s.Bundle)
	return job
}

func (app) settings(ctx context.Context, m Machine, _ State) []Setting {
	path := m.appDatabase()
	if !isThere(path) {
		return []Setting{app{}.parse(SettingLayer, backup.File{Path: path, Real: path, Absent: true})}
	}
	value, err := m.readSwitch(ctx)
	one := app{}.parse(SettingLayer, backup.File{Path: path, Real: path, Data: []byte(value), UID: m.UID, Mode: 0o600})
	if err != nil {
		one.Err, one.Text = err, nil
	}
	one.Use = m.useOfSwitch(ctx)
	return []Setting{one}
}

// useOfSwitch says what keeps the switch from being flipped by anybody but a person.
func (m Machine) useOfSwitch(ctx context.Context) Use {
	waiting, _ := filepath.Glob(filepath.Join(m.Home, "Library", "Caches", "ollama", "updates", "*", "*.zip"))
	if len(waiting) > 0 {
		return UpdateWaits
	}
	_, err := m.Launchd.Print(ctx, launchctl.Target{Domain: launchctl.GUI(m.UID), Label: "com.ollama.ollama"})
	if errors.Is(err, launchctl.ErrNoDomain) {
		return NoScreen
	}
	return Heeded
}

// The switch's values, which stand in for the bytes of a file in receipts and diffs.
const switchOn, switchOff = "on\n", "off\n"

func (app) parse(layer string, f backup.File) Setting {
	one := Setting{Layer: layer, File: f}
	if f.Absent {
		one.Err = fs.ErrNotExist
		return one
	}
	text := strings.TrimSpace(string(f.Data))
	if one.Text = &text; string(f.Data) == switchOn {
		value := "0.0.0.0"
		one.Value = &value
	}
	return one
}

func (app) judge(one Setting, g Goal) (LayerState, string) {
	switch {
	case errors.Is(one.Err, fs.ErrNotExist):
		return Missing, "Ollama.app was never started"
	case one.Err != nil:
		return Unknown, one.Err.Error()
	case (one.Value != nil) != hostOf(g.Lasting).Wildcard():
		return Differs, ""
	}
	return OK, ""
}

// judgeProcess goes by what the server has in its environment.
func (app) judgeProcess(s State, g Goal) Layer {
	l := Layer{Name: ProcessLayer, Value: s.Job.Value()}
	switch {
	case s.Job.Err != nil:
		l.State, l.Detail = Unknown, s.Job.Err.Error()
	case !s.Job.Loaded:
		l.State, l.Detail = Missing, "Ollama.app does not run"
	case s.Job.Environment == nil:
		l.State, l.Detail = Missing, "Ollama.app runs, but no server of its"
	case hostOf(l.Value).Wildcard() != g.Host.Wildcard():
		l.State = Differs
	default:
		l.State = OK
	}
	return l
}

func (app) set(one Setting, value *string) (*backup.Change, error) {
	on := hostOf(value).Wildcard()
	if one.Err != nil || (one.Value != nil) == on {
		return nil, nil // advice refuses what could not be read
	}
	c := &backup.Change{Layer: SettingLayer, File: one.File, After: []byte(switchOff), Mode: one.File.Mode}
	if on {
		c.After = []byte(switchOn)
	}
	return c, nil
}

func (app) writesFiles() bool { return false }

// readSwitch reads the one column of the one row. Whatever else is in the database is
// nobody's business: it holds people's chats.
func (m Machine) readSwitch(ctx context.Context) (string, error) {
	out, err := m.sqlite(ctx, "SELECT id, expose FROM settings", "-readonly")
	if err != nil {
		return "", err
	}
	switch strings.TrimSpace(string(out)) {
	case "1|0":
		return switchOff, nil
	case "1|1":
		return switchOn, nil
	}
	return "", errors.New("its settings are not the one row that is known")
}

func (m Machine) sqlite(ctx context.Context, sql string, flags ...string) ([]byte, error) {
	args := append(flags, "-batch", "-bail", "-noheader", "-list", "-cmd", ".timeout 3000", m.appDatabase(), sql)
	return m.Launchd.Runner.Run(ctx, "sqlite3", args...)
}

// writeSwitch sets the one column.
func (m Machine) writeSwitch(ctx context.Context, to []byte) error {
	value := 0
	if string(to) == switchOn {
		value = 1
	}
	out, err := m.sqlite(ctx, fmt.Sprintf("BEGIN IMMEDIATE; UPDATE settings SET expose = %d WHERE id = 1; SELECT changes(); COMMIT;", value))
	if err == nil && strings.TrimSpace(string(out)) != "1" {
		err = errors.New("there is no such row")
	}
	if err != nil {
		return fmt.Errorf("setting the switch in %s: %w", m.appDatabase(), err)
	}
	return nil
}

// reload stops the app, flips the switch, and starts the app.
func (app) reload(ctx context.Context, t *transaction) (launchctl.Target, error) {
	err := t.turnSwitch(ctx, func(e backup.Change) []byte { return e.After })
	if err == nil {
		err = t.openApp(ctx)
	}
	return launchctl.Target{}, err
}

// unload is reload for an app that is not to run.
func (app) unload(ctx context.Context, t *transaction) error {
	return t.turnSwitch(ctx, func(e backup.Change) []byte { return e.After })
}

// restore puts the switch back, and starts the app if it ran.
func (app) restore(ctx context.Context, t *transaction) error {
	err := t.turnSwitch(ctx, func(e backup.Change) []byte { return e.File.Data })
	if t.plan.State.Service.Loaded {
		err = errors.Join(err, t.openApp(ctx)) // whatever became of the switch
	}
	return err
}

// turns is how often the app is stopped when it starts again by itself.
const turns = 3

// turnSwitch stops the app and sets the switch. An app that has started again
// meanwhile may have read or written it: then all of it is done once more.
func (t *transaction) turnSwitch(ctx context.Context, to func(backup.Change) []byte) error {
	for range turns {
		if err := t.stopApp(ctx); err != nil {
			return err
		}
		for _, e := range t.plan.Edits {
			t.written = 1
			if err := t.machine.writeSwitch(ctx, to(e)); err != nil {
				return err
			}
		}
		processes, err := t.machine.Launchd.Processes(ctx)
		if err != nil || len(t.machine.mainProcesses(processes)) == 0 {
			return err
		}
	}
	return errors.New("restarting Ollama.app: it starts again by itself")
}

// stopApp ends the app in order, and waits until it and its servers are gone.
func (t *transaction) stopApp(ctx context.Context) error {
	processes, err := t.machine.Launchd.Processes(ctx)
	if err != nil {
		return err
	}
	main := t.machine.mainProcesses(processes)
	if len(main) == 0 {
		return nil
	}
	t.progress(launchctl.StepBootout)
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
		select {
		case <-time.After(longestPause):
		case <-ctx.Done():
			return fmt.Errorf("waiting for Ollama.app to end: %w", context.Cause(ctx))
		}
	}
	return nil
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// openApp starts the app without a window. macOS refuses while the old one is about to
// end.
func (t *transaction) openApp(ctx context.Context) error {
	t.progress(launchctl.StepBootstrap)
	for {
		_, err := t.machine.Launchd.Runner.Run(ctx, "open", "-g", "-j", "-a", t.plan.State.Service.Bundle, "--args", "hidden")
		var exit *launchctl.ExitError
		if err == nil || !errors.As(err, &exit) || !strings.Contains(exit.Stderr, "-600") {
			return err
		}
		select {
		case <-time.After(longestPause):
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// steps are what somebody would type.
func (app) steps(p Plan) []string {
	var steps []string
	if p.State.Service.Loaded {
		steps = append(steps, "pkill -x Ollama")
	}
	for _, e := range p.Edits {
		value := 0
		if string(e.After) == switchOn {
			value = 1
		}
		steps = append(steps, fmt.Sprintf("sqlite3 %s 'UPDATE settings SET expose = %d WHERE id = 1'", shell.Quote(e.File.Path), value))
	}
	if p.Reload {
		steps = append(steps, "open -g -j -a "+shell.Quote(p.State.Service.Bundle)+" --args hidden")
	}
	return steps
}

// owns goes by the layer: there is one such database.
func (app) owns(r backup.Receipt, _ Service) bool {
	return slices.ContainsFunc(r.Files, func(f backup.Saved) bool { return f.Layer == SettingLayer })
}

func (app) mayHold(m Machine, _ backup.Receipt, f backup.Saved) bool {
	return f.Layer == SettingLayer && f.Path == m.appDatabase()
}
