package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The labels of Homebrew's service for Ollama; what is written changed with 6.0.22.
const (
	legacyLabel    = label
	canonicalLabel = "sh.brew.ollama"
)

// newBrewMac is a Mac of an ordinary user with that version of Homebrew.
func newBrewMac(t *testing.T, version string) *Mac {
	t.Helper()
	o := userOptions()
	o.Brew = version
	return newMac(t, o)
}

func writtenLabel(version string) string {
	if version == "7.0.7" {
		return canonicalLabel
	}
	return legacyLabel
}

func agentPath(m *Mac, label string) string {
	return filepath.Join(m.Agents(), label+".plist")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// writeEnvFile writes the localised text to where brew looks for it.
func writeEnvFile(t *testing.T, m *Mac, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(m.EnvFile()), 0o755))
	check(t, write(string(m.Localise([]byte(text))))(m.EnvFile()))
}

// mustBrew runs brew and wants success.
func mustBrew(t *testing.T, m *Mac, args ...string) string {
	t.Helper()
	stdout, stderr, code := m.Run("brew", args...)
	if code != 0 || stderr != "" {
		t.Fatalf("brew %s: exit %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// What a plist may hold, on disk or as launchd has read it.
const (
	gone    = "gone"    // no plist, or no job
	plain   = "plain"   // what the formula says
	merged  = "merged"  // and the env file
	patched = "patched" // edited by hand
)

// kindOf tells by its variables what a text was made from.
func kindOf(text string) string {
	switch {
	case text == "":
		return gone
	case strings.Contains(text, "PATCH"):
		return patched
	case strings.Contains(text, "FROM_ENV_FILE"):
		return merged
	default:
		return plain
	}
}

func kindOfFile(path string) string {
	data, _ := os.ReadFile(path) // one that is not there is gone
	return kindOf(string(data))
}

// kegPlist is the keg's copy.
func kegPlist(m *Mac, label string) string {
	return filepath.Join(m.Prefix(), "opt", "ollama", label+".plist")
}

// writePatched writes a plist that somebody has edited.
func writePatched(t *testing.T, m *Mac, label string) {
	t.Helper()
	_, err := m.Install(label, agent(brewKeys, "PATCH=1"))
	check(t, err)
}

func loaded(t *testing.T, m *Mac, label string) {
	mustRun(t, m, "bootstrap", m.Domain(), agentPath(m, label))
}

func unloaded(*testing.T, *Mac, string) {}

// crashing leaves the job loaded, without a process, and not to be started again soon.
func crashing(t *testing.T, m *Mac, label string) {
	m.Fault("exit-at-once", "no")
	loaded(t, m, label)
	waitUntil(t, "the job has no process", func() bool { return m.JobPID(label) == 0 })
}

// ran is a job that was started with brew services run.
func ran(t *testing.T, m *Mac, label string) {
	check(t, os.Remove(agentPath(m, label)))
	mustBrew(t, m, "services", "run", "ollama")
}

// asRun is what runs after brew services run: it depends on the release.
const asRun = "as-run"

// effects is the table of what commands do to the plist, to what runs, and to the keg's
// copy. A row begins with a plist that has a patch, and an env file that was written
// after all else. The results are those of a Homebrew that reads the env file; one that
// does not has plain in the place of merged.
var effects = []struct {
	name           string
	arrange        func(t *testing.T, m *Mac, label string)
	command        string
	fails          bool
	file, job, keg string
}{
	{"process", loaded, "services start ollama", false, patched, patched, plain},
	{"not loaded", unloaded, "services start ollama", false, merged, merged, plain},
	{"no process", crashing, "services start ollama", true, merged, patched, plain},
	{"loaded", loaded, "services restart ollama", false, merged, merged, plain},
	{"not loaded", unloaded, "services restart ollama", false, merged, merged, plain},
	{"run", ran, "services restart ollama", false, gone, asRun, plain},
	{"loaded", loaded, "services stop ollama", false, gone, gone, plain},
	{"not loaded", unloaded, "services stop ollama", false, gone, gone, plain},
	{"loaded", loaded, "services stop --keep ollama", false, patched, gone, plain},
	{"not loaded", unloaded, "services run ollama", false, patched, asRun, plain},
	{"loaded", loaded, "services cleanup", false, patched, patched, plain},
	{"not loaded", unloaded, "services cleanup", false, gone, gone, plain},
	{"loaded", loaded, "upgrade ollama", false, patched, patched, merged},
}

func TestWhatCommandsDo(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"6.0.14", "6.0.18", "7.0.7"} {
		for _, row := range effects {
			t.Run(version+"/"+row.command+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				o := userOptions()
				o.Brew, o.Throttle = version, time.Hour
				m := newMac(t, o)
				label := writtenLabel(version)
				writePatched(t, m, label)
				row.arrange(t, m, label)
				writeEnvFile(t, m, "FROM_ENV_FILE=1\n")
				_, stderr, code := m.Run("brew", strings.Fields(row.command)...)
				if (code != 0) != row.fails {
					t.Errorf("exit %d: %s", code, stderr)
				}
				want := strings.Join([]string{row.file, row.job, row.keg}, " ")
				if version == "7.0.7" { // where run reads the env file too
					want = strings.ReplaceAll(want, asRun, merged)
				}
				want = strings.ReplaceAll(want, asRun, plain)
				if version == "6.0.14" {
					want = strings.ReplaceAll(want, merged, plain)
				}
				job, _, _ := m.Launchctl("print", m.Domain()+"/"+label)
				got := strings.Join([]string{kindOfFile(agentPath(m, label)), kindOf(job),
					kindOfFile(kegPlist(m, label))}, " ")
				if got != want {
					t.Errorf("plist, job, keg: %s, want %s", got, want)
				}
			})
		}
	}
}

func TestLabelMigratesAtRestart(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, "6.0.18")
	mustBrew(t, m, "services", "start", "ollama")
	check(t, m.SetBrew("7.0.7"))
	pid := m.JobPID(legacyLabel)
	pending := "Service `ollama` is already loaded as `" + legacyLabel +
		"`; a service label migration is pending. " +
		"Use `brew services restart ollama` to migrate to `" + canonicalLabel + "`.\n"
	for _, command := range []string{"start", "run"} {
		if got := mustBrew(t, m, "services", command, "ollama"); got != pending {
			t.Errorf("%s: %q", command, got)
		}
	}
	mustBrew(t, m, "upgrade", "ollama")
	if m.JobPID(legacyLabel) != pid || !exists(kegPlist(m, canonicalLabel)) {
		t.Error("upgrade touched the job, or wrote no plist under the new label")
	}

	m.ResetLog()
	mustBrew(t, m, "services", "restart", "ollama")
	if m.Loaded(legacyLabel) || alive(pid) || exists(agentPath(m, legacyLabel)) {
		t.Error("the old job or its plist lives on")
	}
	domain := m.Domain()
	want := []string{"bootout " + domain + "/" + legacyLabel,
		"enable " + domain + "/" + canonicalLabel,
		"bootstrap " + domain + " " + agentPath(m, canonicalLabel)}
	if diff := cmp.Diff(want, slices.Compact(m.Changes())); diff != "" {
		t.Error(diff)
	}
	// The legacy plist written by hand makes a second job.
	writePatched(t, m, legacyLabel)
	loaded(t, m, legacyLabel)
	mustContain(t, mustBrew(t, m, "services", "stop", "ollama"),
		"(label: "+canonicalLabel+", "+legacyLabel+")\n")
	if len(m.Processes()) != 0 || exists(agentPath(m, legacyLabel)) {
		t.Error("stop left something of two jobs")
	}
}

func TestBadEnvFileTakesTheServiceDown(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, "6.0.18")
	mustBrew(t, m, "services", "start", "ollama")
	writeEnvFile(t, m, "OLLAMA_HOST=\xff\n")
	_, stderr, code := m.Run("brew", "services", "restart", "ollama")
	if code != 1 || stderr != "Error: invalid byte sequence in UTF-8\n" {
		t.Errorf("restart: %d %q", code, stderr)
	}
	if m.Loaded(legacyLabel) || exists(agentPath(m, legacyLabel)) {
		t.Error("the service is still there")
	}
	_, stderr, code = m.Run("brew", "upgrade", "ollama")
	if code != 1 || stderr != "Error: Failed to install service files\n" {
		t.Errorf("upgrade: %d %q", code, stderr)
	}
}

func TestServicesAskLaunchctl(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, "6.0.18")
	mustBrew(t, m, "services", "start", "ollama")
	target, plist := "gui/501/"+legacyLabel, agentPath(m, legacyLabel)
	want := []string{"print " + target, "print user/501/" + legacyLabel,
		"list " + legacyLabel, "enable " + target, "bootstrap gui/501 " + plist}
	if diff := cmp.Diff(want, m.Log()); diff != "" {
		t.Errorf("start: %s", diff)
	}
	m.ResetLog()
	mustContain(t, mustBrew(t, m, "upgrade", "ollama"), "ollama 0.33.0 -> 0.33.1\n")
	if log := m.Log(); len(log) != 0 {
		t.Errorf("upgrade: %q", log)
	}
	link, err := os.Readlink(filepath.Join(m.Prefix(), "opt", "ollama"))
	if err != nil || link != "../Cellar/ollama/0.33.1" {
		t.Errorf("opt/ollama: %s, %v", link, err)
	}
	if exists(filepath.Join(m.Prefix(), "Cellar", "ollama", "0.33.0")) {
		t.Error("the old keg is still there")
	}
}

func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	for version, kept := range map[string]bool{"6.0.18": false, "7.0.7": true} {
		o := userOptions()
		o.Brew, o.ExitTimeout = version, time.Hour
		m := newMac(t, o)
		m.Fault("ignore-term", "")
		mustBrew(t, m, "services", "start", "ollama")
		check(t, m.WaitVersion(m.at("127.0.0.1"), timeout)) // until then it ignores nothing
		label := writtenLabel(version)
		want := "Warning: Unable to stop `ollama` (label: " + label + ")\n"
		_, stderr, code := m.Run("brew", "services", "stop", "ollama")
		if code != 0 || stderr != want || exists(agentPath(m, label)) != kept {
			t.Errorf("%s: exit %d, plist kept: %t: %s", version, code, !kept, stderr)
		}
	}
}
