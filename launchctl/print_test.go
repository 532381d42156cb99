package launchctl

import (
	"errors"
	"os"
	"path/filepath"
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
var (
	inherited  = map[string]string{"SSH_AUTH_SOCK": "/var/run/com.apple.launchd.XXXXXXXXXX/Listeners"}
	defaultEnv = map[string]string{"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
)

func TestParsePrint(t *testing.T) {
	tests := map[string]Job{
		"print-running-chat.txt": {
			Path:             "/Users/tester/Library/LaunchAgents/com.mattstack.deck.chat.plist",
			Type:             "LaunchAgent",
			State:            "running",
			Program:          "/Applications/mattstack.app/Contents/Helpers/chat",
			Arguments:        []string{"/Applications/mattstack.app/Contents/Helpers/chat"},
			WorkingDirectory: "/Users/tester/.mattstack/chat",
			StdoutPath:       "/Users/tester/.mattstack/deck/logs/chat.out.log",
			StderrPath:       "/Users/tester/.mattstack/deck/logs/chat.err.log",
			Environment: map[string]string{
				"OSLogRateLimit":           "64",
				"PORT":                     "11002",
				"PATH":                     "/Applications/mattstack.app/Contents/Helpers:/Users/tester/.local/bin:/Users/tester/.bun/bin:/Users/tester/.cargo/bin:/opt/homebrew/bin:/opt/homebrew/sbin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
				"MATTSTACK_CANONICAL_HOST": "chat.mattstack",
				"XPC_SERVICE_NAME":         "com.mattstack.deck.chat",
			},
			InheritedEnvironment: inherited,
			DefaultEnvironment:   defaultEnv,
			PID:                  17594,
			MinimumRuntime:       10 * time.Second,
			ExitTimeout:          5 * time.Second,
			Runs:                 103,
			LastExit:             "Terminated: 15",
		},
		"print-running-bun-neverexited.txt": {
			Path:             "/Users/tester/Library/LaunchAgents/com.mattstack.deck.mattari.plist",
			Type:             "LaunchAgent",
			State:            "running",
			Program:          "/Users/tester/.bun/bin/bun",
			Arguments:        []string{"/Users/tester/.bun/bin/bun", "server/index.ts"},
			WorkingDirectory: "/Users/tester/Documents/GitHub/mattari/apps/api",
			StdoutPath:       "/Users/tester/.mattstack/deck/logs/mattari.out.log",
			StderrPath:       "/Users/tester/.mattstack/deck/logs/mattari.err.log",
			Environment: map[string]string{
				"OSLogRateLimit":   "64",
				"PORT":             "11010",
				"API_PORT":         "11010",
				"SERVE_STATIC":     "1",
				"PATH":             "/Users/tester/.local/bin:/Users/tester/.bun/bin:/Users/tester/.cargo/bin:/opt/homebrew/bin:/opt/homebrew/sbin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
				"XPC_SERVICE_NAME": "com.mattstack.deck.mattari",
			},
			InheritedEnvironment: inherited,
			DefaultEnvironment:   defaultEnv,
			PID:                  3246,
			MinimumRuntime:       10 * time.Second,
			ExitTimeout:          5 * time.Second,
			Runs:                 1,
			LastExit:             "(never exited)",
		},
		// A job of an app has no plist, and an exit code beside a live pid.
		"print-running-managed-smd.txt": {
			Path:      "(submitted by smd.543)",
			Type:      "Submitted",
			State:     "running",
			Arguments: []string{"Contents/MacOS/rt", "--daemon"},
			Environment: map[string]string{
				"OSLogRateLimit":   "64",
				"MATTSTACK_FLAVOR": "prod",
				"PATH":             "/usr/bin:/bin:/usr/sbin:/sbin",
				"XPC_SERVICE_NAME": "com.mattstack.daemon",
			},
			InheritedEnvironment: inherited,
			DefaultEnvironment:   defaultEnv,
			PID:                  28474,
			MinimumRuntime:       10 * time.Second,
			ExitTimeout:          30 * time.Second,
			Runs:                 3,
			LastExit:             "1",
		},
		"print-notrunning-retention.txt": {
			Path:                 "/Users/user/Library/LaunchAgents/com.motherboard.snapshot.retention.plist",
			Type:                 "LaunchAgent",
			State:                "not running",
			Program:              "/bin/bash",
			Arguments:            []string{"/bin/bash", "/Users/user/motherboard-backup-system/snapshot-manager-prod.sh"},
			WorkingDirectory:     "/Users/user/motherboard-backup-system",
			StdoutPath:           "/Users/user/motherboard-backup-system/launchd.out.log",
			StderrPath:           "/Users/user/motherboard-backup-system/launchd.err.log",
			Environment:          map[string]string{"XPC_SERVICE_NAME": "com.motherboard.snapshot.retention"},
			InheritedEnvironment: inherited,
			DefaultEnvironment:   defaultEnv,
			MinimumRuntime:       10 * time.Second,
			ExitTimeout:          5 * time.Second,
			Runs:                 3,
			LastExit:             "0",
		},
		"print-spawnscheduled-CONSTRUCTED.txt": {
			Path:             "/Users/tester/Library/LaunchAgents/homebrew.mxcl.ollama.plist",
			Type:             "LaunchAgent",
			State:            "spawn scheduled",
			Program:          "/opt/homebrew/opt/ollama/bin/ollama",
			Arguments:        []string{"/opt/homebrew/opt/ollama/bin/ollama", "serve"},
			WorkingDirectory: "/opt/homebrew/var",
			StdoutPath:       "/opt/homebrew/var/log/ollama.log",
			StderrPath:       "/opt/homebrew/var/log/ollama.log",
			Environment: map[string]string{
				"OLLAMA_FLASH_ATTENTION": "1",
				"OLLAMA_KV_CACHE_TYPE":   "q8_0",
				"XPC_SERVICE_NAME":       "homebrew.mxcl.ollama",
			},
			InheritedEnvironment: inherited,
			DefaultEnvironment:   defaultEnv,
			MinimumRuntime:       10 * time.Second,
			ExitTimeout:          5 * time.Second,
			Runs:                 4,
			LastExit:             "1",
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

// The excerpts file holds three partial captures; the first has its TABs.
func TestParsePrintExcerpt(t *testing.T) {
	_, text, _ := strings.Cut(string(capture(t, "print-spawnscheduled-excerpts.txt")), "(y3owk1n/mimi)\n")
	text, _, _ = strings.Cut(text, "# 2.")
	got, err := ParsePrint([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Job{
		Path:     "/Users/test/Library/LaunchAgents/com.example.mimi.plist",
		Type:     "LaunchAgent",
		State:    "spawn scheduled",
		Program:  "/usr/local/bin/mimi",
		Runs:     17169,
		LastExit: "1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every capture of a job has blocks with keys of their own. Without the lines
// of one TAB nothing of them may be left.
func TestParsePrintNestedKeys(t *testing.T) {
	text := "gui/501/l = {\n\tstate = running\n" +
		"\tresource coalition = {\n\t\tstate = active\n\t\ttype = resource\n\t\tpid = 7\n\t\tpath = /nested\n\t\truns = 9\n\t}\n" +
		"\tevent triggers = {\n\t\tx => {\n\t\t\tdescriptor = {\n\t\t\t\t\"Minute\" => 0\n\t\t\t}\n\t\t}\n\t}\n}\n"
	got, err := ParsePrint([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Job{State: "running"}, got); diff != "" {
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
		DefaultEnvironment:   map[string]string{"OLLAMA_HOST": "from launchd"},
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

// A value with line breaks in it must not become a key of the job.
func TestParsePrintForgedLines(t *testing.T) {
	print := func(value string) []byte {
		return []byte("gui/501/l = {\n\tpath = /l.plist\n\tstate = not running\n\targuments = {\n\t\t" + value +
			"\n\t\tserve\n\t}\n\tenvironment = {\n\t\tA => " + value + "\n\t\tXPC_SERVICE_NAME => l\n\t}\n\truns = 1\n}\n")
	}
	kept := []string{
		"one\ntwo",
		"x\n\tpid = 1",
		"x\n}\n\tpid = 1",
		"x\n}",
		"x\n\tenvironment = {\n\t\t\tB => 2",
	}
	for _, value := range kept {
		got, err := ParsePrint(print(value))
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		want := Job{
			Path: "/l.plist", State: "not running", Runs: 1,
			Arguments:   []string{value, "serve"},
			Environment: map[string]string{"A": value, "XPC_SERVICE_NAME": "l"},
		}
		if strings.Contains(value, "\t\t\t") {
			want.Arguments = strings.Split(value, "\n\t\t")
			want.Arguments = append(want.Arguments, "serve")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
	refused := []string{
		"x\n\t}\n\tpid = 1",                          // a closing brace is left over
		"x\n\t}\n\tpid = 1\n\tenvironment = {",       // a block is there twice
		"x\n\t}\n\tstate = running\n\tendpoints = {", // a key is there twice
	}
	for _, value := range refused {
		if job, err := ParsePrint(print(value)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %+v, %v; want ErrFormat", value, job, err)
		}
	}
}

// What a line break in a value can forge all the same: the comment of ParsePrint
// does not promise more.
func TestParsePrintForgeable(t *testing.T) {
	print := func(value string) []byte {
		return []byte("gui/501/l = {\n\tstate = not running\n\tenvironment = {\n\t\tA => " + value +
			"\n\t\tXPC_SERVICE_NAME => l\n\t}\n\truns = 1\n}\n")
	}
	tests := map[string]Job{
		"x\n\t}\n\tpid = 4242\n\tz = {": {
			State: "not running", PID: 4242, Runs: 1, Environment: map[string]string{"A": "x"},
		},
		"x\n\t\tOLLAMA_HOST => 0.0.0.0": {
			State: "not running", Runs: 1,
			Environment: map[string]string{"A": "x", "OLLAMA_HOST": "0.0.0.0", "XPC_SERVICE_NAME": "l"},
		},
	}
	for value, want := range tests {
		got, err := ParsePrint(print(value))
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
}

func TestParsePrintRefuses(t *testing.T) {
	tests := map[string]string{
		"empty":               "",
		"an error text":       string(capture(t, "print-missing.stderr.txt")),
		"a domain":            string(capture(t, "print-domain-gui501-head.txt")),
		"an answer of list":   string(capture(t, "list-label-pidash.txt")),
		"cut short":           "gui/501/l = {\n\tstate = running\n",
		"cut short in block":  "gui/501/l = {\n\tstate = running\n\targuments = {\n}\n",
		"pid in another form": "gui/501/l = {\n\tstate = running\n\tpid = 0x10\n}\n",
		"variable twice":      "gui/501/l = {\n\tstate = running\n\tenvironment = {\n\t\tA => 1\n\t\tA => 2\n\t}\n}\n",
	}
	for name, text := range tests {
		if job, err := ParsePrint([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v; want ErrFormat", name, job, err)
		}
	}
}

// A count that is none is unknown and no reason to refuse the answer.
func TestParsePrintUnknownCounts(t *testing.T) {
	text := "gui/501/l = {\n\tstate = running\n\truns = many\n\texit timeout = -1\n\tminimum runtime = 99999999999999\n}\n"
	got, err := ParsePrint([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Job{State: "running"}, got); diff != "" {
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
		if job.PID < 0 || job.Runs < 0 || job.ExitTimeout < 0 || job.MinimumRuntime < 0 {
			t.Errorf("negative: %+v", job)
		}
		for name := range job.Environment {
			if name == "" || !strings.Contains(string(data), "\t\t"+name+" =>") {
				t.Errorf("made-up variable %q", name)
			}
		}
	})
}
