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
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// App is the kind of Ollama.app. It supervises a server, and gives it OLLAMA_HOST when
// its own switch is on (ollama/ollama app/server/server.go). The switch is one column of
// its database, which it reads when it starts the server, and writes back from memory
// while it runs: so it has to be stopped for a change.
const App = "app"

// SettingLayer is the layer of the app's switch.
const SettingLayer = "setting"

// AppPort is the only port that the app's switch uses. Tests move it.
var AppPort = ollama.DefaultPort

type app struct{}

func (app) Name() string { return App }

const (
	mainProgram   = "/Contents/MacOS/Ollama"
	serverProgram = "/Contents/Resources/ollama"
)

// find takes the running app, or the first one installed: all share one database.
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

// AppBundle is the app in one of the folders for applications, or "".
func (m Machine) AppBundle() string {
	for _, folder := range []string{m.Applications, filepath.Join(m.Home, "Applications")} {
		all, _ := filepath.Glob(filepath.Join(folder, "Ollama*.app")) // fails only for a bad pattern
		for _, bundle := range all {
			if IsThere(bundle + mainProgram) {
				return bundle
			}
		}
	}
	return ""
}

// fixedBundle is the app of the last fix: a killed run may have left it stopped,
// wherever it is.
func (m Machine) fixedBundle() string {
	receipts, _ := m.Store.List()
	for _, r := range receipts {
		if (app{}).Owns(r, Service{}) && IsThere(r.Label+mainProgram) {
			return r.Label
		}
	}
	return ""
}

func (m Machine) appDatabase() string {
	return filepath.Join(m.Home, "Library", "Application Support", "Ollama", "db.sqlite")
}

// appJob is the app's main process, and the environment of its server. If it does not
// run, the bundle stays as it is.
func (m Machine) appJob(ctx context.Context, bundle string) (Job, string) {
	processes, err := m.Launchd.Processes(ctx)
	if err != nil {
		return Job{Err: err}, bundle
	}
	main := m.AppProcesses(processes)
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

// Orphan reports whether the port is held by the server of an app that was killed. The
// app ends it at its next start.
func (s State) Orphan() bool {
	foreign := s.Foreign(s.Socket.Port)
	if len(foreign) == 0 || s.Service.KindName() != App || s.Job.PID != 0 {
		return false
	}
	p := s.processes[foreign[0].PID]
	return p.Parent == 1 && strings.HasSuffix(p.Program, ".app"+serverProgram)
}

// AppProcesses are this user's app processes, oldest first.
func (m Machine) AppProcesses(all map[int]launchctl.Process) []launchctl.Process {
	var main []launchctl.Process
	for _, p := range all {
		if p.UID == m.UID && strings.HasSuffix(p.Program, ".app"+mainProgram) {
			main = append(main, p)
		}
	}
	slices.SortFunc(main, func(a, b launchctl.Process) int { return a.PID - b.PID })
	return main
}

// hostIn is OLLAMA_HOST in the environment of a process, and nothing else of it; nil if
// there is no such process.
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

func (app) Job(ctx context.Context, m Machine, s Service) Job {
	job, _ := m.appJob(ctx, s.Bundle)
	return job
}

func (app) settings(ctx context.Context, m Machine, _ State) []Setting {
	path := m.appDatabase()
	if !IsThere(path) {
		return []Setting{app{}.Parse(SettingLayer, backup.File{Path: path, Real: path, Absent: true})}
	}
	value, version, err := m.readSwitch(ctx)
	one := app{}.Parse(SettingLayer, backup.File{Path: path, Real: path, Data: []byte(value), UID: m.UID, Mode: 0o600})
	if err != nil {
		one.Err, one.Text = err, nil
	}
	if one.Use = m.useOfSwitch(ctx); one.Use == Heeded && version > NewestSchema {
		one.Use = Newer
	}
	return []Setting{one}
}

// LoginItem is the job that starts the app at login.
func LoginItem(uid int) launchctl.Target {
	return launchctl.Target{Domain: launchctl.GUI(uid), Label: "com.ollama.ollama"}
}

// useOfSwitch says why only a person could flip the switch, if so.
func (m Machine) useOfSwitch(ctx context.Context) Use {
	waiting, _ := filepath.Glob(filepath.Join(m.Home, "Library", "Caches", "ollama", "updates", "*", "*.zip"))
	if len(waiting) > 0 {
		return UpdateWaits
	}
	_, err := m.Launchd.Print(ctx, LoginItem(m.UID))
	if errors.Is(err, launchctl.ErrNoDomain) {
		return NoScreen
	}
	return Heeded
}

// The switch's values; they stand in for a file's bytes in receipts and diffs.
const SwitchOn, SwitchOff = "on\n", "off\n"

func (app) Parse(layer string, f backup.File) Setting {
	one := Setting{Layer: layer, File: f}
	if f.Absent {
		one.Err = fs.ErrNotExist
		return one
	}
	text := strings.TrimSpace(string(f.Data))
	if one.Text = &text; string(f.Data) == SwitchOn {
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
	case (one.Value != nil) != HostOf(g.Lasting).Wildcard():
		return Differs, ""
	}
	return OK, ""
}

// judgeProcess goes by the server's environment.
func (app) judgeProcess(s State, g Goal) Layer {
	l := Layer{Name: ProcessLayer, Value: s.Job.Value()}
	switch {
	case s.Job.Err != nil:
		l.State, l.Detail = Unknown, s.Job.Err.Error()
	case !s.Job.Loaded:
		l.State, l.Detail = Missing, "Ollama.app does not run"
	case s.Job.Environment == nil:
		l.State, l.Detail = Missing, "Ollama.app runs, but no server of its"
	case HostOf(l.Value).Wildcard() != g.Host.Wildcard():
		l.State = Differs
	default:
		l.State = OK
	}
	return l
}

func (app) Set(one Setting, value *string) (*backup.Change, error) {
	on := HostOf(value).Wildcard()
	if one.Err != nil || (one.Value != nil) == on {
		return nil, nil // advice refuses what could not be read
	}
	c := &backup.Change{Layer: SettingLayer, File: one.File, After: []byte(SwitchOff), Mode: one.File.Mode}
	if on {
		c.After = []byte(SwitchOn)
	}
	return c, nil
}

func (app) left(Machine) Service { return Service{} }

func (app) WritesFiles() bool { return false }

// NewestSchema is the newest version of the app's settings that is known to have the
// switch there, of 0.34.0.
const NewestSchema = 19

// readSwitch reads the one column of the one row, and the version of all, 0 where there
// is none. Whatever else is in the database is nobody's business: it holds people's chats.
func (m Machine) readSwitch(ctx context.Context) (value string, version int, err error) {
	// Without a column of that name, the inner query finds the name outside.
	out, err := m.sqlite(ctx, "SELECT id, expose, (SELECT schema_version FROM settings LIMIT 1) "+
		"FROM settings, (SELECT 0 AS schema_version)", "-readonly")
	if err != nil {
		return "", 0, err
	}
	row := strings.TrimSpace(string(out))
	for start, value := range map[string]string{"1|0|": SwitchOff, "1|1|": SwitchOn} {
		if number, is := strings.CutPrefix(row, start); is && !strings.Contains(number, "\n") {
			version, _ := strconv.Atoi(number)
			return value, version, nil
		}
	}
	return "", 0, errors.New("its settings are not the one row that is known")
}

func (m Machine) sqlite(ctx context.Context, sql string, flags ...string) ([]byte, error) {
	args := append(flags, "-batch", "-bail", "-noheader", "-list", "-cmd", ".timeout 3000", m.appDatabase(), sql)
	return m.Launchd.Runner.Run(ctx, "sqlite3", args...)
}

// SwitchIs reports whether the switch is known to have a value.
func (m Machine) SwitchIs(ctx context.Context, value []byte) bool {
	now, _, err := m.readSwitch(ctx)
	return err == nil && now == string(value)
}

// WriteSwitch sets the one column.
func (m Machine) WriteSwitch(ctx context.Context, to []byte) error {
	value := "0"
	if string(to) == SwitchOn {
		value = "1"
	}
	return m.updateSwitch(ctx, value, "COMMIT")
}

// TrySwitch finds out whether the column can be set, and leaves it as it is.
func (m Machine) TrySwitch(ctx context.Context) error {
	return m.updateSwitch(ctx, "expose", "ROLLBACK")
}

func (m Machine) updateSwitch(ctx context.Context, value, end string) error {
	out, err := m.sqlite(ctx, fmt.Sprintf("BEGIN IMMEDIATE; UPDATE settings SET expose = %s WHERE id = 1; SELECT changes(); %s;", value, end))
	if err == nil && strings.TrimSpace(string(out)) != "1" {
		err = errors.New("there is no such row")
	}
	if err != nil {
		return fmt.Errorf("setting the switch in %s: %w", m.appDatabase(), err)
	}
	return nil
}

// Owns goes by the layer: there is only one such database.
func (app) Owns(r backup.Receipt, _ Service) bool {
	return slices.ContainsFunc(r.Files, func(f backup.Saved) bool { return f.Layer == SettingLayer })
}

func (app) mayHold(m Machine, _ backup.Receipt, f backup.Saved) bool {
	return f.Layer == SettingLayer && f.Path == m.appDatabase()
}
