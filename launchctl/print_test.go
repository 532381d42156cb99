package launchctl

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// capture reads one of the captures; their README says where each comes from.
func capture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "fixtures", "captures", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What launchd gives every job of a user who is logged in at the screen.
var inherited = map[string]string{"SSH_AUTH_SOCK": "/var/run/com.apple.launchd.XXXXXXXXXX/Listeners"}

func TestParsePrint(t *testing.T) {
	tests := map[string]Job{
		"print-running-chat.txt": {
			Path:       "/Users/tester/Library/LaunchAgents/com.mattstack.deck.chat.plist",
			State:      "running",
			Program:    "/Applications/mattstack.app/Contents/Helpers/chat",
			StderrPath: "/Users/tester/.mattstack/deck/logs/chat.err.log",
			Environment: map[string]string{
				"OSLogRateLimit":           "64",
				"PORT":                     "11002",
				"PATH":                     "/Applications/mattstack.app/Contents/Helpers:/Users/tester/.local/bin:/Users/tester/.bun/bin:/Users/tester/.cargo/bin:/opt/homebrew/bin:/opt/homebrew/sbin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
				"MATTSTACK_CANONICAL_HOST": "chat.mattstack",
				"XPC_SERVICE_NAME":         "com.mattstack.deck.chat",
			},
			InheritedEnvironment: inherited,
			PID:                  17594,
			ExitTimeout:          5 * time.Second,
			Runs:                 103,
			LastExit:             "Terminated: 15",
			Properties:           []string{"keepalive", "runatload", "inferred program"},
		},
		// A job of an app has no plist, and an exit code beside a live pid.
		"print-running-managed-smd.txt": {
			Path:  "(submitted by smd.543)",
			State: "running",
			Environment: map[string]string{
				"OSLogRateLimit":   "64",
				"MATTSTACK_FLAVOR": "prod",
				"PATH":             "/usr/bin:/bin:/usr/sbin:/sbin",
				"XPC_SERVICE_NAME": "com.mattstack.daemon",
			},
			InheritedEnvironment: inherited,
			PID:                  28474,
			ExitTimeout:          30 * time.Second,
			Runs:                 3,
			LastExit:             "1",
			JobState:             "running",
			Properties:           []string{"partial import", "runatload", "resolve program", "has LWCR"},
		},
		"print-notrunning-retention.txt": {
			Path:                 "/Users/user/Library/LaunchAgents/com.motherboard.snapshot.retention.plist",
			State:                "not running",
			Program:              "/bin/bash",
			StderrPath:           "/Users/user/motherboard-backup-system/launchd.err.log",
			Environment:          map[string]string{"XPC_SERVICE_NAME": "com.motherboard.snapshot.retention"},
			InheritedEnvironment: inherited,
			ExitTimeout:          5 * time.Second,
			Runs:                 3,
			LastExit:             "0",
			Properties:           []string{"runatload", "inferred program", "managed LWCR", "has LWCR"},
		},
		"print-spawnscheduled-CONSTRUCTED.txt": {
			Path:       "/Users/tester/Library/LaunchAgents/homebrew.mxcl.ollama.plist",
			State:      "spawn scheduled",
			Program:    "/opt/homebrew/opt/ollama/bin/ollama",
			StderrPath: "/opt/homebrew/var/log/ollama.log",
			Environment: map[string]string{
				"OLLAMA_FLASH_ATTENTION": "1",
				"OLLAMA_KV_CACHE_TYPE":   "q8_0",
				"XPC_SERVICE_NAME":       "homebrew.mxcl.ollama",
			},
			InheritedEnvironment: inherited,
			ExitTimeout:          5 * time.Second,
			Runs:                 4,
			LastExit:             "1",
			Properties:           []string{"keepalive", "runatload", "inferred program"},
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePrint(capture(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What there is to know of a job that does not run, or has not always: in the words of
// state, pid, runs, last exit; job state; pended; doubled variables.
func TestParsePrintMore(t *testing.T) {
	for name, want := range map[string]string{
		"print-lwcr-stuck-78.txt":                          `not running 0 27 78: EX_CONFIG "" "" [] needs`,
		"print-reloaded-needs-lwcr-macos27.txt":            `not running 0 0 (never exited) "" "" [] needs`,
		"print-btm-spawn-failed-78.txt":                    `spawn scheduled 0 54 78: EX_CONFIG "spawn failed" "" []`,
		"print-codesigning-refused.txt":                    `spawn scheduled 0 153 OS_REASON_CODESIGNING "spawn failed" "" []`,
		"print-pended-inefficient-macos27-PARTIAL.txt":     `not running 0 1 0 "" "inefficient" []`,
		"print-pended-speculative-PARTIAL.txt":             `not running 0 0 (never exited) "" "speculative" []`,
		"print-env-variable-twice-ipados18.txt":            `running 283 1 (never exited) "" "" [MallocMaxMagazines]`,
		"print-extension-env-twice-ipados18.txt":           `not running 0 0 (never exited) "uninitialized" "" []`,
		"print-gh-runner-macos14-watchpaths-throttled.txt": `spawn scheduled 0 2 1 "" "" []`,
		"print-inefficient-second-run-macos26.txt":         `running 3268 2 0 "" "" []`,
		"print-interval-agent.txt":                         `not running 0 2 0 "" "" []`,
		"print-daemon-akd-exponential-throttling.txt":      `running 928 1 (never exited) "running" "" []`,
		"print-daemon-endpoints-macos26.txt":               `running 573 1 (never exited) "" "" []`,
		"print-daemon-never-started-macos26.txt":           `not running 0 0 (never exited) "" "" []`,
		"print-last-exit-reason-jetsam-ipados18.txt":       `running 1493 6 JETSAM_REASON_MEMORY_PERPROCESSLIMIT "running" "" []`,
		"print-loginitem-btm-successful-exit.txt":          `not running 0 1 0 "exited" "" []`,
		"print-resource-limits-ipados18.txt":               `running 112 1 (never exited) "running" "" []`,
		"print-sshd-sockets-macos26.5-cut.txt":             `not running 0 0 (never exited) "" "" []`,
	} {
		j, err := ParsePrint(capture(t, name))
		got := fmt.Sprintf("%s %d %d %s %q %q %v", j.State, j.PID, j.Runs, j.LastExit, j.JobState, j.Pended, j.Doubled)
		if slices.Contains(j.Properties, "needs LWCR update") {
			got += " needs"
		}
		if got != want || err != nil {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
		}
	}
}

// plain is what an answer with someEnvironment, and little else that
// counts, is read as.
var plain = Job{State: "running", Environment: map[string]string{"XPC_SERVICE_NAME": "l"}}

// Every capture of a job has blocks with keys of their own. Without the lines
// of one TAB nothing of them may be left.
func TestParsePrintNestedKeys(t *testing.T) {
	text := "gui/501/l = {\n\tstate = running\n" + someEnvironment +
		"\tresource coalition = {\n\t\tstate = active\n\t\ttype = resource\n\t\tpid = 7\n\t\tpath = /nested\n\t\truns = 9\n\t}\n" +
		"\tevent triggers = {\n\t\tx => {\n\t\t\tdescriptor = {\n\t\t\t\t\"Minute\" => 0\n\t\t\t}\n\t\t}\n\t}\n}\n"
	got, err := ParsePrint([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParsePrintEnvironments(t *testing.T) {
	text := `gui/501/l = {
	state = running
	inherited environment = {
		OLLAMA_HOST => from setenv
	}

	default environment = {
		OLLAMA_HOST => from launchd
	}

	environment = {
		OLLAMA_HOST => from the plist
		EMPTY => 
		EMPTY_TRIMMED =>
		ARROW => a => b = c
		BRACE => {
	}
}
`
	got, err := ParsePrint([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Job{
		State:                "running",
		InheritedEnvironment: map[string]string{"OLLAMA_HOST": "from setenv"},
		Environment: map[string]string{
			"OLLAMA_HOST":   "from the plist",
			"EMPTY":         "",
			"EMPTY_TRIMMED": "",
			"ARROW":         "a => b = c",
			"BRACE":         "{",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A value with line breaks in it must not become a key of the job, as far as that
// can be told: the comment of ParsePrint does not promise more.
func TestParsePrintLineBreaks(t *testing.T) {
	job := func(change func(*Job)) *Job {
		j := Job{State: "not running", Runs: 1, Environment: map[string]string{"XPC_SERVICE_NAME": "l"}}
		change(&j)
		return &j
	}
	kept := func(value string) *Job { return job(func(j *Job) { j.Environment["A"] = value }) }
	tests := map[string]*Job{ // nil: refused
		"one\ntwo":                             kept("one\ntwo"),
		"x\n\tpid = 1":                         kept("x\n\tpid = 1"),
		"x\n}\n\tpid = 1":                      kept("x\n}\n\tpid = 1"),
		"x\n}":                                 kept("x\n}"),
		"x\n\tenvironment = {\n\t\t\tB => 2":   kept("x\n\tenvironment = {\n\t\t\tB => 2"),
		"x\n\t}\n\tpid = 1":                    nil, // a closing brace is left over
		"x\n\t}\n\tpid = 1\n\tenvironment = {": nil, // a block is there twice
		"x\n\t}\n\tstate = running\n\tendpoints = {": nil, // a key is there twice
		"x\n\t}\n\tpid = 4242\n\tz = {": job(func(j *Job) {
			j.PID, j.Environment = 4242, map[string]string{"A": "x"}
		}),
		"x\n\t\tOLLAMA_HOST => 0.0.0.0": job(func(j *Job) {
			j.Environment["A"], j.Environment["OLLAMA_HOST"] = "x", "0.0.0.0"
		}),
	}
	for value, want := range tests {
		got, err := ParsePrint([]byte("gui/501/l = {\n\tstate = not running\n\tenvironment = {\n\t\tA => " + value +
			"\n\t\tXPC_SERVICE_NAME => l\n\t}\n\truns = 1\n}\n"))
		if want == nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%q: %+v, %v; want ErrFormat", value, got, err)
			}
			continue
		}
		if diff := cmp.Diff(*want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", value, err, diff)
		}
	}
}

// TestParsePrintTwice is about variables that launchd adds to those that a plist has.
func TestParsePrintTwice(t *testing.T) {
	text := "gui/501/l = {\n\tstate = running\n\tenvironment = {\n\t\tA => 1\n\t\tB => 3\n\t\tA => 2\n\t}\n}\n"
	got, err := ParsePrint([]byte(text))
	want := Job{State: "running", Environment: map[string]string{"A": "2", "B": "3"}, Doubled: []string{"A"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestParsePrintRefuses(t *testing.T) {
	tests := map[string]string{
		"empty":                "",
		"an error text":        string(capture(t, "print-missing.stderr.txt")),
		"a domain":             string(capture(t, "print-domain-gui501-head.txt")),
		"a running job's part": string(capture(t, "print-killed9-lwcr-block.txt")),
		"the system domain":    string(capture(t, "print-domain-system-sLaunchctl-trimmed.txt")),
		"an answer of list":    string(capture(t, "list-label-homebrew.mxcl.ollama.txt")),
		"no environment":       "gui/501/l = {\n\tstate = running\n}\n",
		"cut short":            "gui/501/l = {\n\tstate = running\n",
		"cut short in block":   "gui/501/l = {\n\tstate = running\n\targuments = {\n}\n",
		"pid in another form":  "gui/501/l = {\n\tstate = running\n" + someEnvironment + "\tpid = 0x10\n}\n",
		"every key twice":      "gui/501/l = {\n\tstate = running\n\tstate = running\n\tpid = 7\n\tpid = 7\n" + someEnvironment + someEnvironment + "}\n",
	}
	for name, text := range tests {
		if job, err := ParsePrint([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v; want ErrFormat", name, job, err)
		}
	}
}

// A count that is none is unknown and no reason to refuse the answer.
func TestParsePrintUnknownCounts(t *testing.T) {
	text := "gui/501/l = {\n\tstate = running\n\truns = -1\n\texit timeout = 99999999999999\n" + someEnvironment + "}\n"
	got, err := ParsePrint([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParsePrint(f *testing.F) {
	for _, name := range []string{
		"print-running-chat.txt", "print-running-managed-smd.txt", "print-notrunning-retention.txt",
		"print-spawnscheduled-excerpts.txt", "print-domain-gui501-head.txt",
	} {
		f.Add(capture(f, name))
	}
	f.Add([]byte("gui/501/l = {\n\tstate = running\n\tenvironment = {\n\t\tA =>\n\t}\n}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		job, err := ParsePrint(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("unexpected kind of error: %v", err)
			}
			if diff := cmp.Diff(Job{}, job); diff != "" {
				t.Errorf("a job beside an error: %s", diff)
			}
			return
		}
		if job.PID < 0 || job.Runs < 0 || job.ExitTimeout < 0 {
			t.Errorf("negative: %+v", job)
		}
		for name := range job.Environment {
			if name == "" || !strings.Contains(string(data), "\t\t"+name+" =>") {
				t.Errorf("made-up variable %q", name)
			}
		}
	})
}

func TestParsePrintDisabled(t *testing.T) {
	for name, want := range map[string]string{ // in order; the rest is enabled
		"print-disabled-gui501.txt": "Ciaobot ai.openclaw.gateway com.apple.FolderActionsDispatcher " +
			"com.apple.ManagedClientAgent.enrollagent com.apple.ScriptMenuApp " +
			"com.apple.appleseed.seedusaged.postinstall com.ciao.menubar of 15",
		"print-disabled-macos27-trimmed.txt":          "com.flint.grow com.flint.retrain of 4",
		"print-disabled-with-associations.txt":        " of 1",
		"print-disabled-none.txt":                     " of 0",
		"print-disabled-system.txt":                   "com.apple.AEServer com.apple.ftpd com.apple.mdmclient.daemon.runatboot com.apple.screensharing of 6",
		"print-disabled-macos26.6.2-associations.txt": "com.apple.ftpd of 2",
	} {
		all, err := ParsePrintDisabled(capture(t, name))
		var disabled []string
		for _, label := range slices.Sorted(maps.Keys(all)) {
			if all[label] {
				disabled = append(disabled, label)
			}
		}
		if got := fmt.Sprintf("%s of %d", strings.Join(disabled, " "), len(all)); got != want || err != nil {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
		}
	}
}

// Before macOS 13 the words were about "disabled", not about the service.
func TestParsePrintDisabledOldWords(t *testing.T) {
	got, err := ParsePrintDisabled([]byte("\n\tdisabled services = {\n\t\t\"a\" => true\n\t\t\"b\" => false\n\t}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"a": true, "b": false}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "disabled services = {\n", "disabled services = {\n\"a\" => maybe\n}\n"} {
		if got, err := ParsePrintDisabled([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v, %v; want ErrFormat", text, got, err)
		}
	}
}

// FuzzParsePrintDisabled reads whatever launchctl prints as overrides, or as an ErrFormat.
func FuzzParsePrintDisabled(f *testing.F) {
	for _, name := range []string{"print-disabled-gui501.txt", "print-disabled-macos27-trimmed.txt", "print-disabled-with-associations.txt"} {
		f.Add(capture(f, name))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		if all, err := ParsePrintDisabled(out); err != nil && (!errors.Is(err, ErrFormat) || all != nil) {
			t.Fatalf("%v, %v", all, err)
		}
	})
}
