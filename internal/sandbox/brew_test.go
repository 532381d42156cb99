package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newBrewMac is a Mac of an ordinary user whose brew loses no time.
func newBrewMac(t *testing.T, o Options) *Mac {
	t.Helper()
	o.UID, o.BrewPause = 501, 10*time.Millisecond
	if o.Caller == CallerReal {
		o.Caller = CallerUser
	}
	if o.Throttle == 0 {
		o.Throttle = 50 * time.Millisecond
	}
	return newMac(t, o)
}

func agentPath(m *Mac, label string) string { return filepath.Join(m.Agents(), label+".plist") }

// writeEnvFile writes the localised text to where brew looks for it.
func writeEnvFile(t *testing.T, m *Mac, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(m.EnvFile()), 0o755))
	check(t, writeWithMode(m.EnvFile(), m.Localise([]byte(text))))
}

// mustBrew runs brew and wants success.
func mustBrew(t *testing.T, m *Mac, args ...string) string {
	t.Helper()
	stdout, stderr, code := m.Brew(args...)
	if code != 0 || stderr != "" {
		t.Fatalf("brew %s: exit %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

func mustContain(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("no %q in:\n%s", part, text)
	}
}

// brewWith runs brew with variables of its own.
func brewWith(m *Mac, vars []string, args ...string) (stdout, stderr string, code int) {
	cmd := exec.Command(filepath.Join(m.Bin(), "brew"), args...)
	cmd.Env = append(m.Env(), vars...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run() // the state says how it ended
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// What a plist may hold, on disk or as launchd has read it.
const (
	gone    = "gone"    // no plist, or no job
	plain   = "plain"   // what the formula says
	merged  = "merged"  // and the env file
	patched = "patched" // edited by hand
)

const patchLine = "PATCH"

// kindOf tells by its variables what a text was made from.
func kindOf(text string) string {
	switch {
	case text == "":
		return gone
	case strings.Contains(text, patchLine):
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

func kindOfJob(m *Mac, label string) string {
	out, _, _ := m.Launchctl("print", m.Domain()+"/"+label)
	return kindOf(out)
}

// writePatched writes a plist that somebody has edited.
func writePatched(t *testing.T, m *Mac, label string) {
	t.Helper()
	env := append(FormulaEnv.environment(), variable{patchLine, "1"})
	check(t, writeWithMode(agentPath(m, label), servicePlist(m.Prefix(), label, env)))
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

// effects is the table of what commands do to the plist, to what runs, and to the keg's copy. A row begins with a plist that has a patch,
// and an env file that was written after all else. The results are those of a Homebrew that reads the env file; one that does not has plain
// in the place of merged.
var effects = []struct {
	name     string
	arrange  func(t *testing.T, m *Mac, label string)
	command  string
	fails    bool
	file     string
	job      string
	keg      string
	replaced bool // the plist is another file than before
}{
	{"start with a process", loaded, "services start ollama", false, patched, patched, plain, false},
	{"start, not loaded", unloaded, "services start ollama", false, merged, merged, plain, true},
	{"start without a process", crashing, "services start ollama", true, merged, patched, plain, true},
	{"restart", loaded, "services restart ollama", false, merged, merged, plain, true},
	{"restart, not loaded", unloaded, "services restart ollama", false, merged, merged, plain, true},
	{"restart of run", ran, "services restart ollama", false, gone, plain, plain, false},
	{"stop", loaded, "services stop ollama", false, gone, gone, plain, true},
	{"stop, not loaded", unloaded, "services stop ollama", false, gone, gone, plain, true},
	{"stop --keep", loaded, "services stop --keep ollama", false, patched, gone, plain, false},
	{"kill", loaded, "services kill ollama", false, patched, patched, plain, false},
	{"info", loaded, "services info ollama --json", false, patched, patched, plain, false},
	{"list", loaded, "services list --json", false, patched, patched, plain, false},
	{"run, not loaded", unloaded, "services run ollama", false, patched, plain, plain, false},
	{"cleanup", loaded, "services cleanup", false, patched, patched, plain, false},
	{"cleanup, not loaded", unloaded, "services cleanup", false, gone, gone, plain, true},
	{"upgrade", loaded, "upgrade ollama", false, patched, patched, merged, false},
	{"reinstall", loaded, "reinstall ollama", false, patched, patched, merged, false},
}

func TestWhatCommandsDo(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"6.0.14", "6.0.18", "7.0.7"} {
		for _, row := range effects {
			t.Run(version+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				m := newBrewMac(t, Options{Brew: version, Throttle: time.Hour})
				r, err := parseRelease(version)
				check(t, err)
				label := r.label()
				writePatched(t, m, label)
				row.arrange(t, m, label)
				writeEnvFile(t, m, "FROM_ENV_FILE=1\n")
				before, _ := os.Stat(agentPath(m, label)) // not there after run
				_, stderr, code := m.Brew(strings.Fields(row.command)...)
				if (code != 0) != row.fails {
					t.Errorf("exit %d: %s", code, stderr)
				}
				want := []string{row.file, row.job, row.keg}
				if !r.since(firstEnvFile) {
					want = strings.Fields(strings.ReplaceAll(strings.Join(want, " "), merged, plain))
				}
				got := []string{kindOfFile(agentPath(m, label)), kindOfJob(m, label), kindOfFile(filepath.Join(m.Keg(), label+".plist"))}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("plist, job, keg: %s", diff)
				}
				after, _ := os.Stat(agentPath(m, label))
				untouched := before != nil && after != nil && os.SameFile(before, after) && before.ModTime().Equal(after.ModTime())
				if before != nil && untouched == row.replaced {
					t.Errorf("the plist is untouched: %t", untouched)
				}
			})
		}
	}
}

func TestServicesMoveProcessesAndSockets(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	writeEnvFile(t, m, "OLLAMA_HOST=0.0.0.0:11434\n")
	mustContain(t, mustBrew(t, m, "services", "start", "ollama"), "==> Successfully started `ollama` (label: "+legacyLabel+")\n")
	check(t, m.WaitVersion(m.at("127.0.0.1"), timeout))
	mustContain(t, readLog(t, m), "Listening on "+wildcard(t))
	first := m.JobPID(legacyLabel)
	mustContain(t, mustBrew(t, m, "services", "start", "ollama"), "already started, use `brew services restart ollama` to restart.\n")
	if m.JobPID(legacyLabel) != first {
		t.Error("start of a running service started another process")
	}

	check(t, os.Remove(m.EnvFile()))
	mustBrew(t, m, "services", "restart", "ollama")
	check(t, m.WaitVersion(m.at("127.0.0.1"), timeout))
	if alive(first) || m.JobPID(legacyLabel) == first {
		t.Errorf("%d lives on after restart", first)
	}
	if lines := strings.Split(readLog(t, m), "Listening on "); !strings.HasPrefix(lines[len(lines)-1], m.at("127.0.0.1")) {
		t.Errorf("log after restart: %s", lines[len(lines)-1])
	}

	mustBrew(t, m, "services", "stop", "ollama")
	if len(m.Processes()) != 0 {
		t.Errorf("processes after stop: %v", m.Processes())
	}
	if conn, err := net.Dial("tcp", m.at("127.0.0.1")); err == nil {
		conn.Close()
		t.Error("somebody listens after stop")
	}
}

func TestOldBrewLosesAPatch(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{Brew: "6.0.14"})
	writeEnvFile(t, m, "OLLAMA_HOST=0.0.0.0:11434\n")
	mustBrew(t, m, "services", "start", "ollama")
	fixed := m.Localise([]byte(plistFixture(t, "brew-arm64-env-host")))
	_, err := m.Install(legacyLabel, fixed)
	check(t, err)
	mustBrew(t, m, "services", "restart", "ollama")
	want := string(m.Localise([]byte(plistFixture(t, "brew-arm64-env"))))
	if diff := cmp.Diff(want, readFile(t, agentPath(m, legacyLabel))); diff != "" {
		t.Error(diff)
	}
	// What survives with an old brew is an edit of the keg's copy.
	check(t, writeWithMode(filepath.Join(m.Keg(), legacyLabel+".plist"), fixed))
	mustBrew(t, m, "services", "restart", "ollama")
	if diff := cmp.Diff(string(fixed), readFile(t, agentPath(m, legacyLabel))); diff != "" {
		t.Error(diff)
	}
	mustBrew(t, m, "upgrade", "ollama")
	mustBrew(t, m, "services", "restart", "ollama")
	if diff := cmp.Diff(want, readFile(t, agentPath(m, legacyLabel))); diff != "" {
		t.Error(diff)
	}
}

func TestNewBrewKeepsTheEnvFile(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{Brew: "6.0.18"})
	const text = "# lan\n OLLAMA_HOST = 0.0.0.0:11434 \r\n"
	writeEnvFile(t, m, text)
	want := string(m.Localise([]byte(plistFixture(t, "brew-arm64-env-host"))))
	for _, commands := range [][]string{{"services start"}, {"services restart"}, {"services stop", "services start"},
		{"upgrade", "services restart"}, {"reinstall", "services restart"}} {
		for _, command := range commands {
			mustBrew(t, m, strings.Fields(command+" ollama")...)
		}
		if diff := cmp.Diff(want, readFile(t, agentPath(m, legacyLabel))); diff != "" {
			t.Errorf("after %q: %s", commands, diff)
		}
		mustContain(t, mustRun(t, m, "print", m.Domain()+"/"+legacyLabel), "\t\tOLLAMA_HOST => "+m.at("0.0.0.0")+"\n")
	}
	if got := readFile(t, m.EnvFile()); got != string(m.Localise([]byte(text))) {
		t.Errorf("env file: %q", got)
	}
}

func TestLabelMigratesAtRestart(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{Brew: "6.0.18"})
	mustBrew(t, m, "services", "start", "ollama")
	check(t, m.SetBrew("7.0.7"))
	pid := m.JobPID(legacyLabel)
	labels := func(want string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(m.Agents(), "*"))
		check(t, err)
		if !slices.Equal(files, []string{agentPath(m, want)}) {
			t.Errorf("want %s, have %q", want, files)
		}
		var info []serviceInfo
		check(t, json.Unmarshal([]byte(mustBrew(t, m, "services", "info", "ollama", "--json")), &info))
		if info[0].ServiceName != want || info[0].File != agentPath(m, want) || *info[0].LoadedFile != info[0].File || !info[0].Running {
			t.Errorf("info: %+v", info[0])
		}
	}
	labels(legacyLabel)
	pending := "Service `ollama` is already loaded as `" + legacyLabel + "`; a service label migration is pending. " +
		"Use `brew services restart ollama` to migrate to `" + canonicalLabel + "`.\n"
	for _, command := range []string{"start", "run"} {
		if got := mustBrew(t, m, "services", command, "ollama"); got != pending {
			t.Errorf("%s: %q", command, got)
		}
	}
	mustBrew(t, m, "upgrade", "ollama")
	labels(legacyLabel)
	if m.JobPID(legacyLabel) != pid || !exists(filepath.Join(m.Keg(), canonicalLabel+".plist")) {
		t.Error("upgrade touched the job, or wrote no plist under the new label")
	}

	m.ResetLog()
	mustContain(t, mustBrew(t, m, "services", "restart", "ollama"), "Successfully started `ollama` (label: "+canonicalLabel+")\n")
	labels(canonicalLabel)
	if m.Loaded(legacyLabel) || alive(pid) {
		t.Error("the old job lives on")
	}
	domain := m.Domain()
	want := []string{"bootout " + domain + "/" + legacyLabel, "enable " + domain + "/" + canonicalLabel,
		"bootstrap " + domain + " " + agentPath(m, canonicalLabel)}
	if diff := cmp.Diff(want, slices.Compact(m.Changes())); diff != "" {
		t.Error(diff)
	}
	text := strings.Replace(plistFixture(t, "brew-arm64-env"), legacyLabel, canonicalLabel, 1)
	if diff := cmp.Diff(string(m.Localise([]byte(text))), readFile(t, agentPath(m, canonicalLabel))); diff != "" {
		t.Error(diff)
	}
}

// What is left of the other label goes when the service is started, job or no job.
func TestStartRemovesTheLegacyPlist(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{Brew: "7.0.7"})
	writePatched(t, m, legacyLabel)
	mustBrew(t, m, "services", "start", "ollama")
	if exists(agentPath(m, legacyLabel)) || kindOfFile(agentPath(m, canonicalLabel)) != plain {
		t.Errorf("legacy plist %s, canonical plist %s", kindOfFile(agentPath(m, legacyLabel)), kindOfFile(agentPath(m, canonicalLabel)))
	}
	// Whoever writes the legacy plist by hand gets a second job, and the one with a process counts.
	writePatched(t, m, legacyLabel)
	loaded(t, m, legacyLabel)
	mustContain(t, mustBrew(t, m, "services", "stop", "ollama"), "Successfully stopped `ollama` (label: "+canonicalLabel+", "+legacyLabel+")\n")
	if len(m.Processes()) != 0 || exists(agentPath(m, legacyLabel)) || exists(agentPath(m, canonicalLabel)) {
		t.Error("stop left something of two jobs")
	}
}

// An old keg has its plist under the legacy label until it is upgraded, and run loads that.
func TestRunOfAnOldKeg(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{Brew: "6.0.18"})
	check(t, m.SetBrew("7.0.7"))
	mustContain(t, mustBrew(t, m, "services", "run", "ollama"), "Successfully ran `ollama` (label: "+legacyLabel+")\n")
	mustBrew(t, m, "services", "stop", "ollama")
	if m.Loaded(legacyLabel) {
		t.Error("still loaded after stop")
	}
}

func TestOnlyNewBrewKnowsBothLabels(t *testing.T) {
	t.Parallel()
	for version, finds := range map[string]bool{"6.0.18": false, "6.0.20": true, "7.0.7": true} {
		m := newBrewMac(t, Options{Brew: "7.0.7"})
		mustBrew(t, m, "services", "start", "ollama")
		check(t, m.SetBrew(version))
		_, stderr, code := m.Brew("services", "stop", "ollama")
		if code != 0 || m.Loaded(canonicalLabel) == finds || exists(agentPath(m, canonicalLabel)) == finds {
			t.Errorf("%s: exit %d, loaded %t: %s", version, code, m.Loaded(canonicalLabel), stderr)
		}
		if !finds && stderr != "Warning: Service `ollama` is not started.\n" {
			t.Errorf("%s: %q", version, stderr)
		}
	}
}

func TestBadEnvFileTakesTheServiceDown(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	mustBrew(t, m, "services", "start", "ollama")
	writeEnvFile(t, m, "OLLAMA_HOST=\xff\n")
	_, stderr, code := m.Brew("services", "restart", "ollama")
	if code != 1 || stderr != "Error: invalid byte sequence in UTF-8\n" {
		t.Errorf("restart: %d %q", code, stderr)
	}
	if m.Loaded(legacyLabel) || exists(agentPath(m, legacyLabel)) || len(m.Processes()) != 0 {
		t.Error("the service is still there")
	}
	_, stderr, code = m.Brew("upgrade", "ollama")
	if code != 1 || stderr != "Error: Failed to install service files\n" {
		t.Errorf("upgrade: %d %q", code, stderr)
	}
	writeEnvFile(t, m, "")
	_, stderr, code = m.Brew("services", "start", "ollama")
	if code != 1 || !strings.HasSuffix(stderr, "or provided a locatable service file.\n") {
		t.Errorf("start without the keg's plist: %d %q", code, stderr)
	}
	mustBrew(t, m, "reinstall", "ollama")
	mustBrew(t, m, "services", "start", "ollama")
}

func TestUntrustedEnvFileIsSkipped(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	writeEnvFile(t, m, "FROM_ENV_FILE=1\n")
	check(t, os.Chmod(m.EnvFile(), 0o664))
	_, stderr, code := m.Brew("services", "start", "ollama")
	if code != 0 || stderr != "Warning: Skipping "+m.EnvFile()+": file is group-writable.\n" {
		t.Errorf("start: %d %q", code, stderr)
	}
	if got := kindOfJob(m, legacyLabel); got != plain {
		t.Errorf("the job is %s", got)
	}
}

func TestCallersEnvironmentFindsTheEnvFile(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	writeEnvFile(t, m, "PATCH=1\n")
	config := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(config, "homebrew", "services"), 0o755))
	check(t, writeWithMode(filepath.Join(config, "homebrew", "services", "ollama.env"), []byte("FROM_ENV_FILE=1\n")))
	for variable, want := range map[string]string{"XDG_CONFIG_HOME=" + config: merged, "HOMEBREW_XDG_CONFIG_HOME=" + config: merged, "X=": patched} {
		stdout, stderr, code := brewWith(m, []string{variable}, "services", "info", "ollama", "--json")
		if code != 0 || kindOf(stdout) != want {
			t.Errorf("%s: exit %d, %s: %s", variable, code, stdout, stderr)
		}
	}
	if _, stderr, code := brewWith(m, []string{"HOME="}, "--version"); code != 1 || stderr != "Error: $HOME must be set to run brew.\n" {
		t.Errorf("without HOME: %d %q", code, stderr)
	}
}

// infoText is what brew services info prints, with the values that vary.
const infoText = `[
  {
    "name": "ollama",
    "service_name": "homebrew.mxcl.ollama",
    "running": %t,
    "loaded": %t,
    "schedulable": false,
    "pid": %s,
    "exit_code": null,
    "user": %s,
    "status": "%s",
    "file": "%s",
    "registered": %t,
    "loaded_file": %s,
    "command": "OLLAMA_FLASH_ATTENTION=\"1\" OLLAMA_KV_CACHE_TYPE=\"q8_0\"%s PREFIX/opt/ollama/bin/ollama serve",
    "working_dir": "PREFIX/var",
    "root_dir": null,
    "log_path": "PREFIX/var/log/ollama.log",
    "error_log_path": "PREFIX/var/log/ollama.log",
    "interval": null,
    "cron": null
  }
]
`

func TestInfo(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	want := func(name, format string, args ...any) {
		t.Helper()
		text := strings.ReplaceAll(fmt.Sprintf(format, args...), "PREFIX", m.Prefix())
		if diff := cmp.Diff(text, mustBrew(t, m, strings.Fields(name)...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	quoted := func(s string) string { return `"` + s + `"` }
	info, list := "services info ollama --json", "services list --json"
	keg, plist := "PREFIX/opt/ollama/homebrew.mxcl.ollama.plist", agentPath(m, legacyLabel)
	want(info, infoText, false, false, "null", "null", "none", keg, false, "null", "")

	mustBrew(t, m, "services", "run", "ollama")
	pid := strconv.Itoa(m.JobPID(legacyLabel))
	want(info, infoText, true, true, pid, "null", "started", keg, false, quoted(keg), "")
	mustBrew(t, m, "services", "stop", "ollama")

	mustBrew(t, m, "services", "start", "ollama")
	pid = strconv.Itoa(m.JobPID(legacyLabel))
	want(info, infoText, true, true, pid, `"alice"`, "started", plist, true, quoted(plist), "")
	want(list, "[\n  {\n    \"name\": \"ollama\",\n    \"status\": \"started\",\n    \"user\": \"alice\",\n    \"file\": \"%s\",\n"+
		"    \"exit_code\": null\n  }\n]\n", plist)

	writeEnvFile(t, m, "OLLAMA_HOST=0.0.0.0:11434\n")
	host := fmt.Sprintf(` OLLAMA_HOST=\"0.0.0.0:%d\"`, m.Port)
	want(info, infoText, true, true, pid, `"alice"`, "started", plist, true, quoted(plist), host)
	check(t, m.SetBrew("6.0.14"))
	want(info, infoText, true, true, pid, `"alice"`, "started", plist, true, quoted(plist), "")
}

func TestInfoOfACrashingJob(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{Throttle: time.Hour})
	m.Fault("exit-at-once", "no")
	mustBrew(t, m, "services", "start", "ollama")
	waitUntil(t, "status error", func() bool {
		out := mustBrew(t, m, "services", "info", "ollama", "--json")
		return strings.Contains(out, `"status": "error"`) && strings.Contains(out, `"exit_code": 1,`) && strings.Contains(out, `"pid": null`)
	})
	check(t, os.RemoveAll(filepath.Join(m.Prefix(), "opt", "ollama")))
	if got := mustBrew(t, m, "services", "list", "--json"); got != "[]\n" {
		t.Errorf("list without a keg: %q", got)
	}
}

func TestServicesAskLaunchctl(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	mustBrew(t, m, "services", "start", "ollama")
	target, plist := "gui/501/"+legacyLabel, agentPath(m, legacyLabel)
	probes := []string{"print " + target, "print user/501/" + legacyLabel, "list " + legacyLabel}
	want := append(slices.Clone(probes), "enable "+target, "bootstrap gui/501 "+plist)
	if diff := cmp.Diff(want, m.Log()); diff != "" {
		t.Errorf("start: %s", diff)
	}
	for _, command := range []string{"upgrade", "reinstall"} {
		m.ResetLog()
		mustContain(t, mustBrew(t, m, command, "ollama"), "To restart ollama after an upgrade:\n  brew services restart ollama\n")
		if log := m.Log(); len(log) != 0 {
			t.Errorf("%s: %q", command, log)
		}
	}
	check(t, m.SetBrew("6.0.15"))
	mustRun(t, m, "bootout", target)
	check(t, m.WaitGone(legacyLabel, timeout))
	m.ResetLog()
	mustBrew(t, m, "services", "info", "ollama", "--json")
	if diff := cmp.Diff([]string{probes[0], probes[2]}, m.Log()); diff != "" {
		t.Errorf("info of a release that looks in one domain: %s", diff)
	}
}

func TestUpgradeMovesTheKeg(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	old := m.Keg()
	mustBrew(t, m, "services", "start", "ollama")
	pid := m.JobPID(legacyLabel)
	mustContain(t, mustBrew(t, m, "upgrade", "ollama"), "ollama 0.33.0 -> 0.33.1\n")
	if filepath.Base(old) != "0.33.0" || filepath.Base(m.Keg()) != "0.33.1" || exists(old) {
		t.Errorf("keg %s, then %s", old, m.Keg())
	}
	if m.JobPID(legacyLabel) != pid || !alive(pid) {
		t.Error("the job did not outlive the upgrade")
	}
	link, err := os.Readlink(filepath.Join(m.Prefix(), "opt", "ollama"))
	if err != nil || link != "../Cellar/ollama/0.33.1" {
		t.Errorf("opt/ollama: %s, %v", link, err)
	}
	mustBrew(t, m, "services", "restart", "ollama")
	check(t, m.WaitVersion(m.at("127.0.0.1"), timeout))
	if got := mustBrew(t, m, "--prefix", "ollama"); got != m.Prefix()+"/opt/ollama\n" {
		t.Errorf("prefix: %q", got)
	}
}

func TestStopRepeatsBootout(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	mustBrew(t, m, "services", "start", "ollama")
	m.ResetLog()
	m.Fault("slow-bootout", "200ms")
	mustBrew(t, m, "services", "stop", "ollama")
	count := 0
	for _, line := range m.Changes() {
		if line != "bootout gui/501/"+legacyLabel {
			t.Errorf("launchctl %s", line)
		}
		count++
	}
	if count < 2 || m.Loaded(legacyLabel) {
		t.Errorf("%d bootouts", count)
	}
}

func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	for version, kept := range map[string]bool{"6.0.18": false, "7.0.7": true} {
		m := newBrewMac(t, Options{Brew: version, ExitTimeout: time.Hour})
		m.Fault("ignore-term", "")
		mustBrew(t, m, "services", "start", "ollama")
		// Until it is up, it cannot ignore anything.
		check(t, m.WaitVersion(fmt.Sprintf("127.0.0.1:%d", m.Port), 20*time.Second))
		r, err := parseRelease(version)
		check(t, err)
		_, stderr, code := m.Brew("services", "stop", "ollama", "--max-wait=2")
		if code != 0 || stderr != "Warning: Unable to stop `ollama` (label: "+r.label()+")\n" || exists(agentPath(m, r.label())) != kept {
			t.Errorf("%s: exit %d, plist kept: %t: %s", version, code, !kept, stderr)
		}
	}
}

func TestStartReplacesALink(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	target := filepath.Join(t.TempDir(), "agent.plist")
	check(t, os.WriteFile(target, []byte("elsewhere"), 0o600))
	check(t, os.Symlink(target, agentPath(m, legacyLabel)))
	mustBrew(t, m, "services", "start", "ollama")
	info, err := os.Lstat(agentPath(m, legacyLabel))
	check(t, err)
	if info.Mode() != 0o644 || readFile(t, target) != "elsewhere" {
		t.Errorf("mode %v, the link's target holds %q", info.Mode(), readFile(t, target))
	}
}

func TestStartEnablesAndFailsWithLaunchctl(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	mustRun(t, m, "disable", "gui/501/"+legacyLabel)
	mustBrew(t, m, "services", "start", "ollama")
	mustBrew(t, m, "services", "stop", "ollama")
	m.Fault("bootstrap-eio", "1")
	_, stderr, code := m.Brew("services", "start", "ollama")
	want := "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n" +
		"Error: Failure while executing; `/bin/launchctl bootstrap gui/501 " + agentPath(m, legacyLabel) + "` exited with 5.\n"
	if code != 1 || stderr != want {
		t.Errorf("start: %d %q", code, stderr)
	}
}

func TestBrewsDomain(t *testing.T) {
	t.Parallel()
	const hint = "Hide this warning by setting HOMEBREW_SERVICES_NO_DOMAIN_WARNING.\nHide these hints with HOMEBREW_NO_ENV_HINTS (see `man brew`).\n"
	for _, c := range []struct {
		name   string
		nogui  bool
		vars   []string
		domain string
		stderr string
	}{
		{"at the screen", false, nil, "gui/501", ""},
		{"ssh, own screen", false, []string{"SSH_TTY=/dev/ttys001"}, "gui/501", ""},
		{"ssh", true, []string{"SSH_TTY=/dev/ttys001"}, "user/501",
			"Warning: running over SSH without /dev/console ownership, using user/* instead of gui/* domain!\n"},
		{"sudo -u", false, []string{"SUDO_USER=bob"}, "user/501", "Warning: running through sudo, using user/* instead of gui/* domain!\n"},
		{"quiet", false, []string{"SUDO_USER=bob", "HOMEBREW_SERVICES_NO_DOMAIN_WARNING=1"}, "user/501", ""},
	} {
		m := newBrewMac(t, Options{NoGUI: c.nogui})
		stdout, stderr, code := brewWith(m, c.vars, "services", "start", "ollama")
		if code != 0 || stderr != c.stderr || strings.HasPrefix(stdout, hint) != (c.stderr != "") {
			t.Errorf("%s: exit %d, %q, %q", c.name, code, stdout, stderr)
		}
		mustRun(t, m, "print", c.domain+"/"+legacyLabel)
		stdout, stderr, code = brewWith(m, append(c.vars, "HOMEBREW_NO_ENV_HINTS=1"), "services", "stop", "ollama")
		if code != 0 || m.Loaded(legacyLabel) || strings.Contains(stdout, "Hide") {
			t.Errorf("%s: stop: exit %d, %q, %q", c.name, code, stdout, stderr)
		}
	}
	// Without a terminal ssh does not set SSH_TTY, and the domain is one that is not there.
	m := newBrewMac(t, Options{NoGUI: true})
	if _, stderr, code := m.Brew("services", "start", "ollama"); code != 1 {
		t.Errorf("ssh without a terminal: %d %q", code, stderr)
	}
}

func TestCleanupOverSSH(t *testing.T) {
	t.Parallel()
	for version, kept := range map[string]bool{"6.0.18": false, "7.0.7": true} {
		m := newBrewMac(t, Options{Brew: version, SSH: true})
		mustBrew(t, m, "services", "start", "ollama")
		for _, name := range []string{"homebrew.mxcl.other.plist", "homebrew.x.plist.bak", "io.x.plist"} {
			check(t, os.WriteFile(filepath.Join(m.Agents(), name), nil, 0o644))
		}
		mustBrew(t, m, "services", "cleanup")
		r, err := parseRelease(version)
		check(t, err)
		if exists(agentPath(m, r.label())) != kept || !m.Loaded(r.label()) {
			t.Errorf("%s: plist kept: %t", version, !kept)
		}
		left, err := filepath.Glob(filepath.Join(m.Agents(), "*.x*"))
		check(t, err)
		if len(left) != 2 || exists(agentPath(m, "homebrew.mxcl.other")) {
			t.Errorf("%s: left %q", version, left)
		}
	}
}

func TestCleanupDoesNotKillOllama(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	mustBrew(t, m, "services", "run", "ollama")
	if got := mustBrew(t, m, "services", "cleanup"); got != "Service `ollama` is set to automatically restart and can't be killed.\n" {
		t.Errorf("%q", got)
	}
	mustBrew(t, m, "services", "stop", "ollama")
	if got := mustBrew(t, m, "services", "kill", "ollama"); got != "Service `ollama` is not started.\n" {
		t.Errorf("%q", got)
	}
	if got := mustBrew(t, m, "services", "cleanup"); got != "All user-space services OK, nothing cleaned...\n" {
		t.Errorf("%q", got)
	}
}

func TestRootsServices(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{Caller: CallerRoot})
	writeEnvFile(t, m, "FROM_ENV_FILE=1\n")
	_, stderr, code := m.Brew("services", "start", "ollama")
	want := "Warning: Skipping " + m.EnvFile() + ": user env overrides are not supported for root services.\n" +
		"Warning: ollama must be run as non-root to start at user login!\n"
	if code != 0 || stderr != want {
		t.Errorf("start: %d %q", code, stderr)
	}
	if got := kindOfFile(filepath.Join(m.Daemons(), legacyLabel+".plist")); got != plain {
		t.Errorf("the daemon's plist is %s", got)
	}
	mustContain(t, mustRun(t, m, "print", "system/"+legacyLabel), "\ttype = LaunchDaemon\n")
	stdout, _, _ := m.Brew("services", "info", "ollama", "--json")
	mustContain(t, stdout, `"user": "root"`)
	stdout, _, _ = m.Brew("services", "run", "ollama")
	mustContain(t, stdout, "already running")
	if _, stderr, code = m.Brew("services", "stop", "ollama"); code != 0 || m.Loaded(legacyLabel) {
		t.Errorf("stop: %d %q", code, stderr)
	}
	stdout, _, _ = m.Brew("services", "run", "ollama")
	mustContain(t, stdout, "cannot be run (but can be started) as root.\n")
}

// A daemon's plist is not the user's to stop.
func TestStopOfRootsService(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	check(t, os.WriteFile(filepath.Join(m.Daemons(), legacyLabel+".plist"), nil, 0o644))
	_, stderr, code := m.Brew("services", "stop", "ollama")
	if code != 1 || stderr != "Error: Service `ollama` is started as `root`. Try:\n  sudo brew services stop ollama\n" {
		t.Errorf("stop: %d %q", code, stderr)
	}
}

func TestBrewFaults(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	m.Fault("exit-code", "brew:3:Error: no")
	if stdout, stderr, code := m.Brew("--version"); code != 3 || stdout != "" || stderr != "Error: no\n" {
		t.Errorf("exit-code: %d %q %q", code, stdout, stderr)
	}
	m.ClearFaults()
	m.Fault("garbage", "brew")
	if stdout, _, code := m.Brew("--version"); code != 0 || !strings.HasPrefix(stdout, "\x00{{") {
		t.Errorf("garbage: %d %q", code, stdout)
	}
	m.ClearFaults()
	m.Fault("hang", "brew")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(m.Bin(), "brew"), "--version")
	cmd.Env = m.Env()
	err := cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("ended by itself: %v", err)
	}
	m.ClearFaults()
	for _, args := range [][]string{nil, {"frob"}, {"services", "start", "redis"}, {"services", "stop", "ollama", "--max-wait=x"}} {
		if _, stderr, code := m.Brew(args...); code != 1 || !strings.HasPrefix(stderr, "Error: the sandbox has no `brew ") {
			t.Errorf("brew %q: %d %q", args, code, stderr)
		}
	}
}

func TestBrewEndsWithTheMac(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{ExitTimeout: time.Hour})
	m.Fault("ignore-term", "")
	mustBrew(t, m, "services", "start", "ollama")
	// It ignores SIGTERM from when it is up, and not before.
	check(t, m.WaitVersion(fmt.Sprintf("127.0.0.1:%d", m.Port), 20*time.Second))
	pids := m.Processes()
	restart := exec.Command(filepath.Join(m.Bin(), "brew"), "services", "restart", "ollama")
	restart.Env = m.Env()
	check(t, restart.Start())
	waitUntil(t, "brew boots the job out", func() bool { return len(m.Changes()) > 4 })
	m.Close()
	if err := restart.Wait(); err == nil {
		t.Error("restart succeeded on a Mac that is closed")
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("%d lives on", pid)
		}
	}
}

func TestBrewIsInTheSandboxOnly(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{})
	for _, path := range []string{filepath.Join(m.Bin(), "brew"), filepath.Join(m.Prefix(), "bin", "brew")} {
		cmd := exec.Command(path, "--prefix")
		cmd.Env = m.Env()
		out, err := cmd.Output()
		if err != nil || string(out) != m.Prefix()+"\n" {
			t.Errorf("%s: %q, %v", path, out, err)
		}
		cmd = exec.Command(path, "services", "stop", "ollama")
		cmd.Env = []string{"HOME=" + t.TempDir()}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.HasPrefix(string(out), "brew: no sandbox: ") {
			t.Errorf("%s without a sandbox: %q, %v", path, out, err)
		}
	}
}
