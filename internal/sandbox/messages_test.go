package sandbox

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// notModelled are the situations of the captures that the sandbox does not bring about by itself, with the reason. The fault exit-code
// gives each of these answers.
var notModelled = map[string]string{
	"not permitted (sandboxed caller)": "nobody runs inside Apple's sandbox here",
	"kickstart, caller sandboxed":      "nobody runs inside Apple's sandbox here",
	"kickstart -k of an Apple agent":   "there are none of Apple's own jobs",
	"setenv refused":                   "who is refused is not known: an ordinary user may set variables of the own domain",
}

// situation is how a row of the captures comes about.
type situation struct {
	options Options                      // besides those of userOptions
	arrange func(*testing.T, *Mac)       // before the command; L is installed already
	system  bool                         // P is a daemon's plist
	argv    func(argv []string) []string // where the row's words are no arguments
}

func loadedJob(t *testing.T, m *Mac) { service(t, m) }
func loadedDaemon(t *testing.T, m *Mac) {
	mustRun(t, m, "bootstrap", "system", filepath.Join(m.Daemons(), label+".plist"))
}
func disabledJob(t *testing.T, m *Mac)    { mustRun(t, m, "disable", "gui/501/"+label) }
func disabledDaemon(t *testing.T, m *Mac) { mustRun(t, m, "disable", "system/"+label) }
func aquaOnly(t *testing.T, m *Mac)       { install(t, m, agent(keepAlive)) }
func idleJob(t *testing.T, m *Mac) {
	mustRun(t, m, "bootstrap", "gui/501", install(t, m, agent("")))
}
func dyingJob(t *testing.T, m *Mac) {
	service(t, m)
	m.Fault("slow-bootout", "1h")
	m.Launchctl("bootout", "gui/501/"+label)
}
func openToAll(t *testing.T, m *Mac) {
	check(t, os.Chmod(filepath.Join(m.Agents(), label+".plist"), 0o666))
}
func malformed(t *testing.T, m *Mac) {
	check(t, write("<plist>")(filepath.Join(m.Agents(), label+".plist")))
}
func without(word string) func([]string) []string {
	return func(argv []string) []string {
		return slices.DeleteFunc(argv, func(s string) bool { return s == word })
	}
}

var situations = map[string]situation{
	"bootstrap ok":                                           {},
	"already bootstrapped, non-root":                         {arrange: loadedJob},
	"already bootstrapped, non-root, macOS 11":               {arrange: loadedJob, options: Options{Version: 11}},
	"bootout teardown not finished (same label)":             {arrange: dyingJob},
	"already bootstrapped / in progress, root or some users": {arrange: loadedDaemon, system: true, options: Options{Caller: CallerRoot}},
	"root, generic failure (bad owner/mode, already loaded, unusable binary...)": {system: true, options: Options{Caller: CallerRoot},
		arrange: func(_ *testing.T, m *Mac) { m.Fault("bootstrap-eio", "1") }},
	"disabled, root":                                         {arrange: disabledDaemon, system: true, options: Options{Caller: CallerRoot}},
	"disabled, non-root (a)":                                 {arrange: disabledJob},
	"disabled, non-root (b)":                                 {arrange: disabledJob, options: Options{Disabled119: true}},
	"gui domain, no GUI login (ssh/headless)":                {options: Options{NoGUI: true}},
	"gui domain does not exist for uid":                      {},
	"arbitrary Aqua-only agent into user/UID, non-root":      {arrange: aquaOnly},
	"bootout ok":                                             {arrange: loadedJob},
	"bootout not loaded, by label":                           {},
	"bootout not loaded, by path":                            {},
	"bootout, process still dying":                           {arrange: dyingJob, options: Options{Version: 11}},
	"bootout wrong domain / disabled leftovers":              {options: Options{NoGUI: true}},
	"bootout --wait + several services":                      {},
	"print ok":                                               {arrange: loadedJob},
	"print, label unknown, newer":                            {},
	"print, label unknown, older":                            {options: Options{Version: 15}},
	"print, label unknown in user domain":                    {},
	"print, label unknown in system":                         {},
	"print, no such gui domain":                              {},
	"print other user's domain, non-root":                    {},
	"print gui/UID when there is no GUI login":               {options: Options{NoGUI: true}},
	"kickstart ok":                                           {arrange: idleJob},
	"kickstart -p, not a tty":                                {arrange: idleJob},
	"kickstart without -k, already running":                  {arrange: loadedJob},
	"kickstart, not loaded":                                  {},
	"kickstart, no gui session":                              {},
	"enable/disable ok":                                      {},
	"enable/disable refused":                                 {argv: without("(non-root)")},
	"load ok":                                                {},
	"load already loaded / disabled / any failure, non-root": {arrange: loadedJob},
	"load already loaded, old":                               {arrange: loadedJob, options: Options{Version: 11}},
	"load malformed plist, old":                              {arrange: malformed, options: Options{Version: 10}},
	"load wrong owner/mode, old":                             {arrange: openToAll, options: Options{Version: 10}},
	"load a LaunchDaemons path as user":                      {system: true},
	"load a LaunchAgents path as root":                       {options: Options{Caller: CallerRoot}, argv: without("sudo")},
	"load, session type mismatch":                            {arrange: aquaOnly, options: Options{SSH: true}},
	"unload ok":                                              {arrange: loadedJob},
	"unload, not loaded":                                     {},
	"list LABEL unknown":                                     {},
	"list ok":                                                {arrange: loadedJob},
	"error N":                                                {},
	"managername":                                            {},
	"getenv unset":                                           {},
	"usage error":                                            {},
	"bad target":                                             {},
	"unknown subcommand":                                     {},
}

// inProcess are the situations that need a terminal, which the tools have none of here.
const inProcess = "kickstart -p, tty"

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, row := range readRows(t) {
		name := row["situation"]
		if _, ok := notModelled[name]; ok || name == inProcess {
			continue
		}
		s, ok := situations[name]
		if !ok {
			t.Errorf("situation %q is neither modelled nor listed as not modelled", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.check(t, row)
		})
	}
}

func readRows(t *testing.T) []map[string]string {
	t.Helper()
	f, err := os.Open("../../fixtures/captures/stderr-messages.tsv")
	check(t, err)
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	records, err := r.ReadAll()
	check(t, err)
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, value := range record {
			row[records[0][i]] = value
		}
		rows = append(rows, row)
	}
	return rows
}

func (s situation) check(t *testing.T, row map[string]string) {
	m := newMac(t, s.fullOptions())
	path := install(t, m, agent(brewKeys))
	if s.system {
		path = filepath.Join(m.Daemons(), label+".plist")
		check(t, os.WriteFile(path, setLabel(m.Localise(agent(brewKeys)), label), 0o644))
	}
	if s.arrange != nil {
		s.arrange(t, m)
	}
	stdout, stderr, code := m.Launchctl(s.words(row["argv"], path)...)
	texts := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `P: `, path+": ", `: P\n`, ": "+path+"\n", `"L"`, `"`+label+`"`,
		"12345", strconv.Itoa(m.JobPID(label)))
	matchText(t, "stdout", stdout, texts.Replace(row["stdout"]))
	matchText(t, "stderr", stderr, texts.Replace(row["stderr"]))
	if want := regexp.MustCompile(`^\d+`).FindString(row["rc"]); want != "" && want != strconv.Itoa(code) {
		t.Errorf("exit %d, want %s", code, want)
	}
}

func (s situation) fullOptions() Options {
	o, base := s.options, userOptions()
	o.UID, o.Throttle, o.ExitTimeout = base.UID, base.Throttle, time.Hour
	if o.Caller == CallerReal {
		o.Caller = base.Caller
	}
	return o
}

// words turns the row's argv into arguments.
func (s situation) words(argv, path string) []string {
	words := strings.Fields(argv)
	if s.argv != nil {
		words = s.argv(words)
	}
	for i, w := range words {
		switch {
		case w == "P" || w == "P1" || w == "P2" || strings.HasSuffix(w, "/x.plist"):
			words[i] = path
		case w == "L" || strings.HasSuffix(w, "/L"):
			words[i] = strings.TrimSuffix(w, "L") + label
		}
	}
	return words
}

// matchText compares exactly, but for the notation of the captures: <…> stands for anything, ... for the rest, " | " between
// alternatives, and "(code only)" for a text that nobody has published.
func matchText(t *testing.T, stream, got, want string) {
	t.Helper()
	head, _, rest := strings.Cut(want, "...")
	switch {
	case strings.HasPrefix(want, "<"):
		if got == "" {
			t.Errorf("no %s", stream)
		}
	case strings.HasPrefix(want, "(code only)"):
	case strings.Contains(want, "\n | "):
		if !slices.Contains(strings.Split(want, " | "), got) {
			t.Errorf("%s: %q is none of %q", stream, got, want)
		}
	case rest:
		if !strings.HasPrefix(got, head) {
			t.Errorf("%s: %q does not begin with %q", stream, got, head)
		}
	case got != want:
		t.Errorf("%s: %s", stream, cmp.Diff(want, got))
	}
}

func TestKickstartPrintsForTerminals(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	idleJob(t, m)
	a, _ := m.launchd.answer(request{Tool: "launchctl", Args: []string{"kickstart", "-p", "gui/501/" + label}, Terminal: true})
	if want := "service spawned with pid: " + strconv.Itoa(m.JobPID(label)) + "\n"; a.Stdout != want {
		t.Errorf("got %q, want %q", a.Stdout, want)
	}
}

func TestOlderMacs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options Options
		arrange func(*testing.T, *Mac)
		argv    string
		stderr  string
		code    int
	}{
		{"macOS 11, generic failure", Options{Version: 11}, openToAll, "bootstrap gui/501 P", "Bootstrap failed: 5: Input/output error\n", 5},
		{"macOS 11, unload", Options{Version: 11}, nil, "unload P", "Unload failed: 5: Input/output error\n", 0},
		{"macOS 11, bootout of a running job", Options{Version: 11}, loadedJob, "bootout gui/501/L", "Boot-out failed: 36: Operation now in progress\n", 36},
		{"macOS 15, --wait", Options{Version: 15}, loadedJob, "bootout --wait gui/501/L", "Usage: launchctl bootout...", 64},
		{"OS X 10.9, bootstrap", Options{Legacy: true}, nil, "bootstrap gui/501 P", "Unrecognized subcommand: bootstrap\n", 1},
		{"OS X 10.9, print", Options{Legacy: true}, nil, "print gui/501/L", "Unrecognized subcommand: print\n", 1},
		{"OS X 10.9, mode", Options{Legacy: true}, openToAll, "load P", "launchctl: Dubious permissions on file (skipping): P\n", 0},
		{"OS X 10.9, malformed", Options{Legacy: true}, malformed, "load P", "nothing found to load\n", 1},
		{"OS X 10.9, loaded", Options{Legacy: true}, func(t *testing.T, m *Mac) {
			mustRun(t, m, "load", filepath.Join(m.Agents(), label+".plist"))
		}, "load P", "L: Already loaded\n", 0},
		{"service target for bootstrap", Options{}, nil, "bootstrap gui/501/L P", "Unrecognized target specifier....", 64},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := situation{options: c.options}
			m := newMac(t, s.fullOptions())
			path := install(t, m, agent(brewKeys))
			if c.arrange != nil {
				c.arrange(t, m)
			}
			_, stderr, code := m.Launchctl(s.words(c.argv, path)...)
			want := strings.NewReplacer(": P\n", ": "+path+"\n", "L: ", label+": ").Replace(c.stderr)
			matchText(t, "stderr", stderr, want)
			if code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
		})
	}
}

func TestJobVerbs(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	pid := service(t, m)
	mustRun(t, m, "stop", label)
	pid, err := m.WaitPID(label, pid, timeout)
	check(t, err)
	mustRun(t, m, "kill", "SIGKILL", "gui/501/"+label)
	_, err = m.WaitPID(label, pid, timeout)
	check(t, err)
	mustRun(t, m, "start", label)
	mustRun(t, m, "remove", label)
	check(t, m.WaitGone(label, timeout))
	wantExit(t, m, 113, "stop", label)
	mustRun(t, m, "bootstrap", "gui/501", filepath.Join(m.Agents(), label+".plist"))
	mustRun(t, m, "bootout", "gui/501")
	check(t, m.WaitGone(label, timeout))
}
