package sandbox

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// notModelled are the situations of the captures that the sandbox does not bring about by
// itself, with the reason. The fault exit-code gives each of these answers.
var notModelled = map[string]string{
	"not permitted (sandboxed caller)": sandboxed,
	"kickstart, caller sandboxed":      sandboxed,
	"kickstart -k of an Apple agent":   "there are none of Apple's own jobs",
	"setenv refused":                   "who is refused is not known",
	"disabled, non-root (b)":           "what tells it from (a) is not known",

	"already bootstrapped, non-root, macOS 11": tooOld,
	"bootout, process still dying":             tooOld,
	"print, label unknown, older":              tooOld,
	"load already loaded, old":                 tooOld,
	"load malformed plist, old":                tooOld,
	"load wrong owner/mode, old":               tooOld,

	"bootout not loaded, by path":       noUse,
	"bootout --wait + several services": noUse,
	"kickstart -p, tty":                 noUse,
	"load a LaunchDaemons path as user": noUse,
	"load a LaunchAgents path as root":  noUse,
	"error N":                           noUse,
	"managername":                       noUse,
	"unknown subcommand":                noUse,
}

const (
	sandboxed = "nobody runs inside Apple's sandbox here"
	tooOld    = "the sandbox is a macOS 26"
	noUse     = "neither the project nor Homebrew runs it"
)

// situation is how a row of the captures comes about.
type situation struct {
	options Options                // besides those of userOptions
	arrange func(*testing.T, *Mac) // before the command; L is installed already
	system  bool                   // P is a daemon's plist
}

func loadedJob(t *testing.T, m *Mac) { service(t, m) }
func loadedDaemon(t *testing.T, m *Mac) {
	mustRun(t, m, "bootstrap", "system", filepath.Join(m.Daemons(), label+".plist"))
}
func disabledJob(t *testing.T, m *Mac) { mustRun(t, m, "disable", "gui/501/"+label) }
func disabledDaemon(t *testing.T, m *Mac) {
	mustRun(t, m, "disable", "system/"+label)
}
func aquaOnly(t *testing.T, m *Mac) { install(t, m, agent(keepAlive)) }
func idleJob(t *testing.T, m *Mac) {
	mustRun(t, m, "bootstrap", "gui/501", install(t, m, agent("")))
}
func dyingJob(t *testing.T, m *Mac) {
	service(t, m)
	m.Fault("slow-bootout", "1h")
	m.Launchctl("bootout", "gui/501/"+label)
}

var (
	asRoot  = Options{Root: true}
	nowhere = Options{NoGUI: true}
)

var situations = map[string]situation{
	"bootstrap ok":                               {},
	"already bootstrapped, non-root":             {arrange: loadedJob},
	"bootout teardown not finished (same label)": {arrange: dyingJob},
	"already bootstrapped / in progress, root or some users": {
		arrange: loadedDaemon, system: true, options: asRoot},
	"root, generic failure (bad owner/mode, already loaded, unusable binary...)": {
		system: true, options: asRoot,
		arrange: func(_ *testing.T, m *Mac) { m.Fault("bootstrap-eio", "1") }},
	"disabled, root":         {arrange: disabledDaemon, system: true, options: asRoot},
	"disabled, non-root (a)": {arrange: disabledJob},

	"gui domain, no GUI login (ssh/headless)":           {options: nowhere},
	"gui domain does not exist for uid":                 {},
	"arbitrary Aqua-only agent into user/UID, non-root": {arrange: aquaOnly},

	"bootout ok":                                {arrange: loadedJob},
	"bootout not loaded, by label":              {},
	"bootout wrong domain / disabled leftovers": {options: nowhere},

	"print ok":                                 {arrange: loadedJob},
	"print, label unknown, newer":              {},
	"print, label unknown in user domain":      {},
	"print, label unknown in system":           {},
	"print, no such gui domain":                {},
	"print other user's domain, non-root":      {},
	"print gui/UID when there is no GUI login": {options: nowhere},

	"kickstart ok":                          {arrange: idleJob},
	"kickstart -p, not a tty":               {arrange: idleJob},
	"kickstart without -k, already running": {arrange: loadedJob},
	"kickstart, not loaded":                 {},
	"kickstart, no gui session":             {},
	"enable/disable ok":                     {},
	"enable/disable refused":                {},

	"load ok":                     {},
	"load, session type mismatch": {arrange: aquaOnly, options: Options{SSH: true}},
	"load already loaded / disabled / any failure, non-root": {arrange: loadedJob},
	"unload ok":          {arrange: loadedJob},
	"unload, not loaded": {},
	"list LABEL unknown": {},
	"list ok":            {arrange: loadedJob},
	"getenv unset":       {},
	"usage error":        {},
	"bad target":         {},
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, row := range readRows(t) {
		name := row["situation"]
		if _, ok := notModelled[name]; ok {
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
		check(t, write(string(setLabel(m.Localise(agent(brewKeys)), label)))(path))
	}
	if s.arrange != nil {
		s.arrange(t, m)
	}
	stdout, stderr, code := m.Launchctl(words(row["argv"], path)...)
	texts := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `P: `, path+": ",
		`"L"`, `"`+label+`"`, "12345", strconv.Itoa(m.JobPID(label)))
	matchText(t, "stdout", stdout, texts.Replace(row["stdout"]))
	matchText(t, "stderr", stderr, texts.Replace(row["stderr"]))
	want, _, _ := strings.Cut(row["rc"], " ")
	if want != "" && want != strconv.Itoa(code) {
		t.Errorf("exit %d, want %s", code, want)
	}
}

func (s situation) fullOptions() Options {
	o, base := s.options, userOptions()
	o.UID, o.Throttle, o.ExitTimeout = base.UID, base.Throttle, time.Hour
	return o
}

// words turns the row's argv into arguments.
func words(argv, path string) []string {
	words := strings.Fields(strings.TrimSuffix(argv, " (non-root)"))
	for i, w := range words {
		switch {
		case w == "P":
			words[i] = path
		case w == "L" || strings.HasSuffix(w, "/L"):
			words[i] = strings.TrimSuffix(w, "L") + label
		}
	}
	return words
}

// matchText compares exactly, but for the notation of the captures: <…> stands for
// anything, ... for the rest, and "(code only)" for a text that nobody has published.
func matchText(t *testing.T, stream, got, want string) {
	t.Helper()
	head, _, rest := strings.Cut(want, "...")
	switch {
	case strings.HasPrefix(want, "<"):
		if got == "" {
			t.Errorf("no %s", stream)
		}
	case strings.HasPrefix(want, "(code only)"):
	case rest:
		if !strings.HasPrefix(got, head) {
			t.Errorf("%s: %q does not begin with %q", stream, got, head)
		}
	case got != want:
		t.Errorf("%s: %s", stream, cmp.Diff(want, got))
	}
}
