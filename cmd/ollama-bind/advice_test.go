package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/rogpeppe/go-internal/testscript"
)

var adviceEvery = flag.Int("advice-every", 0, "TestAdvice: follow the advice from every `N`th state, 0 for none")

// TestAdvice: in every state that a story sets up, doctor starts with what status
// advises, and following that leads out; see cmdAdvised. A state is what a story has
// made before it first runs the program, before each run that finds it not bound, and
// at the end. It takes a while, so make advice runs it, and make test does not.
func TestAdvice(t *testing.T) {
	if *adviceEvery == 0 {
		t.Skip("make advice runs it")
	}
	dir := t.TempDir()
	states := map[string]bool{}
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		// Where no command helps, and where states would share the machine's one port 11434.
		if slices.Contains([]string{"full-disk.txtar", "app-stubborn.txtar", "default-port.txtar"}, filepath.Base(file)) {
			continue
		}
		for i, script := range statesOf(t, file) {
			if states[withoutComments(script)] {
				continue
			}
			states[withoutComments(script)] = true
			if len(states)%*adviceEvery != 0 {
				continue
			}
			name := fmt.Sprintf("%s-%d.txtar", strings.TrimSuffix(filepath.Base(file), ".txtar"), i)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script+filesOf(t, file)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(states) < 60 {
		t.Errorf("only %d states", len(states))
	}
	testscript.Run(t, testscript.Params{Dir: dir, Setup: setup, Cmds: commands, Condition: condition, RequireExplicitExec: true})
}

// statesOf are beginnings of a story, each with the question at its end.
func statesOf(t *testing.T, file string) (all []string) {
	t.Helper()
	story, _, _ := strings.Cut(readDoc(t, "cmd/ollama-bind/"+file), "\n-- ")
	var begun strings.Builder
	mac := false
	for line := range strings.Lines(story + "\n") {
		first := len(all) == 0 && strings.Contains(line, "ollama-bind ") && !strings.HasPrefix(line, "#")
		unbound := strings.HasPrefix(line, "exits 3 ollama-bind status")
		if mac && (first || unbound) {
			all = append(all, begun.String()+"advised\n")
		}
		mac = mac || strings.HasPrefix(line, "mac")
		begun.WriteString(line)
	}
	if mac {
		all = append(all, begun.String()+"advised\n")
	}
	return all
}

// filesOf are the files that a story brings along.
func filesOf(t *testing.T, file string) string {
	t.Helper()
	_, files, found := strings.Cut(readDoc(t, "cmd/ollama-bind/"+file), "\n-- ")
	if !found {
		return ""
	}
	return "-- " + files
}

func withoutComments(script string) string {
	lines := slices.DeleteFunc(strings.Split(script, "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "mac -ownlsof")
	})
	return strings.Join(lines, "\n")
}

// advised is what --json says of what to do.
type advised struct {
	Advice *answer.Advice `json:"advice"`
}

// most is how many steps lead out of any state.
const most = 4

// cmdAdvised follows the advice of status step by step, until there is none, or only a
// person can go on. Faults are off by then: nothing would cure them.
func cmdAdvised(ts *testscript.TestScript, neg bool, args []string) {
	theMac(ts).ClearFaults()
	var steps []string
	for range most + 1 {
		a := settled(ts)
		if a == nil || a.ID == "app-by-hand" || forAPerson(a.Hint) {
			return
		}
		steps = append(steps, a.ID+": "+a.Hint)
		if strings.HasPrefix(a.Hint, "SUDO_UID=") { // root asks, and means the user at the screen from now on
			ts.Setenv("SUDO_UID", "502")
		}
		cmd := exec.Command("/bin/sh", "-c", typedByRoot(a.Hint))
		cmd.Dir = ts.Getenv("WORK")
		for _, name := range []string{"HOME", "HOMEBREW_PREFIX", "OLLAMA_BIND_STATE_DIR", "TMPDIR", "DAEMONS", "APP", "SUDO_UID"} {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
		cmd.Env = append(cmd.Env, theMac(ts).Env()...)
		cmd.Env = append(cmd.Env, "PATH="+ts.Getenv("PATH")+":/usr/bin:/bin")
		if out, err := cmd.CombinedOutput(); err != nil {
			ts.Fatalf("what is advised fails: %s: %v\n%s", a.Hint, err, out)
		}
	}
	ts.Fatalf("the advice leads nowhere:\n%s", strings.Join(steps, "\n"))
}

// settled is the advice that status and doctor agree on, once the service has come up,
// if it is about to.
func settled(ts *testscript.TestScript) *answer.Advice {
	a := adviceOf(ts, "status")
	for wait := time.Now().Add(3 * time.Second); a != nil && slices.Contains([]string{"no-answer", "not-running", "crash-looping"}, a.ID) && time.Now().Before(wait); {
		time.Sleep(50 * time.Millisecond)
		a = adviceOf(ts, "status")
	}
	d := adviceOf(ts, "doctor")
	switch {
	case d != nil && d.ID == "container-reaches-ollama", d == nil && a != nil && a.ID == "listens-elsewhere" && measured(ts):
		// doctor has asked from inside containers
	case (a == nil) != (d == nil), a != nil && *a != *d:
		ts.Fatalf("status advises %+v, doctor %+v", a, d)
	}
	return a
}

// measured reports whether doctor's last answer is about containers.
func measured(ts *testscript.TestScript) bool {
	return regexp.MustCompile(`container-reaches-ollama +reachable`).MatchString(ts.ReadFile("stdout"))
}

// adviceOf also checks that no line is in the command's answer twice.
func adviceOf(ts *testscript.TestScript, command string) *answer.Advice {
	ask := []string{command, "--host", ts.Getenv("HOST")}
	_ = ts.Exec(name, append(ask, "--json")...) // 3 where it is not as wanted
	var answer advised
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &answer))
	_ = ts.Exec(name, ask...)
	said := map[string]bool{}
	for _, text := range gaps.Split(ts.ReadFile("stdout")+ts.ReadFile("stderr"), -1) {
		if len(text) > 28 && strings.Contains(text, " ") && said[text] {
			ts.Fatalf("%s says twice: %s", command, text)
		}
		said[text] = true
	}
	if a := answer.Advice; a != nil {
		a.Hint = strings.ReplaceAll(a.Hint, "~/", ts.Getenv("HOME")+"/")
		a.Message = strings.ReplaceAll(a.Message, "~/", ts.Getenv("HOME")+"/")
	}
	return answer.Advice
}

// gaps part an answer into sentences and commands.
var gaps = regexp.MustCompile(`\s*\n\s*([!✓✗–?] )?|\s{2,}|ollama-bind: \w+: |hint: |\x1b\[[\d;]*m`)

// forAPerson reports whether a command only shows something.
func forAPerson(hint string) bool {
	verb, rest, _ := strings.Cut(strings.TrimPrefix(hint, "sudo "), " ")
	return strings.HasPrefix(hint, "sudo -u ") || slices.Contains([]string{"", "cat", "df", "grep", "ls", "lsof", "plutil", "ps", "tail"}, verb) ||
		verb == "launchctl" && strings.HasPrefix(rest, "print") ||
		strings.HasSuffix(hint, " ollama serve") || // which stays in the foreground
		strings.HasPrefix(hint, "sudo ") && os.Geteuid() != 0 ||
		strings.HasPrefix(rest, "probe") || strings.HasPrefix(rest, "update") || strings.HasPrefix(rest, "install")
}

// typedByRoot does without sudo. At the screen is whom agent-shared.txtar has there.
func typedByRoot(hint string) string {
	return strings.NewReplacer("sudo ", "", "$(stat -f %u /dev/console)", "502").Replace(hint)
}
