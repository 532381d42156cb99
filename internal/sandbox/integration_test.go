//go:build integration

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"howett.net/plist"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/launchd"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// On a Mac, TestIntegration takes a service of its own through every launchctl
// verb that this program uses, does the same in the sandbox, and compares. It
// touches no other service: guard refuses to run what names anything else.
// Elsewhere TestRehearsal plays the Mac by a second sandbox, so that the
// comparison itself has been tried.
//
// What is compared, and what fails:
//
//   - Each answer's exit status and texts. A difference is printed and fails
//     nothing: by design nobody goes by wording.
//   - Each answer's reading, which is what package launchctl makes of it: one
//     of its errors, a decision of Load, Unload or Reload (go on, try again,
//     give up), or the fields of Job that the program looks at. A difference
//     there fails, because then the sandbox has proved something that is not so.
//   - Except in steps with a loose: its text says why no code depends on it,
//     or that several readings are known and all of them are dealt with.

// labelPrefix marks temporary services. It must not hold "homebrew." or
// "sh.brew.", which brew would take for its own.
const labelPrefix = "com.github.ollama-bind.test."

// side is one of the two machines: the one that is examined, or the sandbox.
type side struct {
	tool   func(name string, args ...string) (stdout, stderr string, code int)
	domain launchctl.Domain
	uid    int
	dir    string // holds the plists
	label  string
	last   rawAnswer
}

// rawAnswer is what a tool said.
type rawAnswer struct {
	command        string
	stdout, stderr string
	code           int
}

// Run makes a side a Runner.
func (s *side) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	a := s.raw(name, args...)
	if a.code == 0 {
		return []byte(a.stdout), nil
	}
	argv := append([]string{name}, args...)
	stderr := strings.TrimSpace(a.stderr)
	return []byte(a.stdout), &launchctl.ExitError{Args: argv, Code: a.code, Stderr: stderr}
}

func (s *side) raw(name string, args ...string) rawAnswer {
	if err := s.guard(name, args); err != nil {
		panic(err)
	}
	stdout, stderr, code := s.tool(name, args...)
	s.last = rawAnswer{name + " " + strings.Join(args, " "), stdout, stderr, code}
	return s.last
}

// guard lets nothing pass that could change another service than the temporary one.
func (s *side) guard(name string, args []string) error {
	if name != "launchctl" || len(args) == 0 || !launchd.IsChange(args[0]) {
		return nil
	}
	for _, arg := range args[1:] {
		if strings.HasSuffix(arg, "/"+s.label) || filepath.Dir(arg) == s.dir {
			return nil
		}
	}
	return fmt.Errorf("this is not about the temporary service: launchctl %q", args)
}

func (s *side) client() launchctl.Client { return launchctl.Client{Runner: s} }
func (s *side) path() string             { return filepath.Join(s.dir, s.label+".plist") }
func (s *side) target() launchctl.Target {
	return launchctl.Target{Domain: s.domain, Label: s.label}
}

// plain replaces what has to differ between two machines.
func (s *side) plain(text string) string {
	text = strings.ReplaceAll(text, s.dir, "DIR")
	return strings.ReplaceAll(text, s.label, "L")
}

// write puts the temporary service's plist in place.
func (s *side) write(keys map[string]any) error {
	all := map[string]any{
		"Label":                  s.label,
		"LimitLoadToSessionType": []string{"Aqua", "Background"},
		"StandardOutPath":        filepath.Join(s.dir, "log"),
		"StandardErrorPath":      filepath.Join(s.dir, "log"),
		"WorkingDirectory":       s.dir,
	}
	maps.Copy(all, keys)
	data, err := plist.MarshalIndent(all, plist.XMLFormat, "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path(), data, 0o644); err != nil {
		return err
	}
	return os.Chmod(s.path(), 0o644)
}

// difference is a step that went differently on the two sides.
type difference struct {
	step, command string
	examined      string
	sandbox       string
	reading       bool // not only the words
	loose         string
}

func (d difference) fails() bool { return d.reading && d.loose == "" }

func (d difference) String() string {
	kind := "words differ"
	switch {
	case d.fails():
		kind = "FAILS, readings differ"
	case d.reading:
		kind = "readings differ (" + d.loose + ")"
	}
	return fmt.Sprintf("- %s: %s\n  - `%s`\n  - examined: %s\n  - sandbox: %s",
		d.step, kind, d.command, d.examined, d.sandbox)
}

// compare runs all steps on both sides.
func compare(examined, box *side, log func(string, ...any)) []difference {
	var all []difference
	for _, st := range steps {
		start := time.Now()
		a := st.do(examined)
		took := time.Since(start)
		b := st.do(box)
		log("%s: %s (exit %d, %s)", st.name, a, examined.last.code, took)
		command := examined.plain(examined.last.command)
		d := difference{step: st.name, command: command, loose: st.loose}
		if a != b {
			d.examined, d.sandbox, d.reading = strconv.Quote(a), strconv.Quote(b), true
			all = append(all, d)
		}
		if wordsA, wordsB := examined.words(), box.words(); wordsA != wordsB {
			d.examined, d.sandbox, d.reading = wordsA, wordsB, false
			all = append(all, d)
		}
	}
	return all
}

var pids = regexp.MustCompile(`\b\d{3,}\b`)

// words are an answer without what is never the same. Dumps are read, and
// compared by their layout in a step of its own.
func (s *side) words() string {
	stdout := s.last.stdout
	if len(stdout) > 200 {
		stdout = "(a dump)"
	}
	clean := func(text string) string { return pids.ReplaceAllString(s.plain(text), "N") }
	return fmt.Sprintf("exit %d, %q, %q", s.last.code, clean(stdout), clean(s.last.stderr))
}

// boxSide is a sandbox as one of the two.
func boxSide(t *testing.T, label string, o Options) (*side, *Mac) {
	t.Helper()
	m, err := Start(t.TempDir(), o)
	check(t, err)
	t.Cleanup(m.Close)
	return &side{
		tool: m.Run, domain: launchctl.Domain(m.Domain()), uid: m.UID(),
		dir: m.Agents(), label: label,
	}, m
}

func ownLabel() string { return labelPrefix + strconv.Itoa(os.Getpid()) }

func TestIntegration(t *testing.T) {
	if runtime.GOOS != "darwin" {
		t.Skip("this needs a Mac; TestRehearsal plays one")
	}
	if os.Geteuid() == 0 {
		t.Skip("as root launchctl answers differently: run it as an ordinary user")
	}
	mac := realMac(t)
	noGUI := strings.HasPrefix(string(mac.domain), "user/")
	box, _ := boxSide(t, mac.label, Options{UID: mac.uid, NoGUI: noGUI})
	version, _ := exec.Command("/usr/bin/sw_vers", "-productVersion").Output()
	t.Logf("macOS %s, %s, %s, service %s",
		bytes.TrimSpace(version), runtime.GOARCH, mac.domain, mac.label)
	report(t, compare(mac, box, t.Logf))
}

// report prints every difference, into the file $OLLAMA_BIND_REPORT too, and
// fails where one is of consequence.
func report(t *testing.T, all []difference) {
	t.Helper()
	var text strings.Builder
	failed := 0
	for _, d := range all {
		fmt.Fprintln(&text, d)
		if d.fails() {
			failed++
		}
	}
	t.Logf("%d steps, %d differences\n%s", len(steps), len(all), text.String())
	if path := os.Getenv("OLLAMA_BIND_REPORT"); path != "" {
		check(t, os.WriteFile(path, []byte(text.String()), 0o644))
	}
	if failed > 0 {
		t.Errorf("%d differences that the program depends on", failed)
	}
}

// realMac is this Mac, swept of what killed runs have left, and with a promise
// to leave nothing behind. One thing launchd keeps: that the label was enabled.
// No verb takes such a line out of its database again.
func realMac(t *testing.T) *side {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	s := &side{tool: runReal, uid: os.Getuid(), dir: dir, label: ownLabel()}
	s.domain = launchctl.GUI(s.uid)
	if s.raw("launchctl", "print", string(s.domain)).code != 0 {
		s.domain = launchctl.User(s.uid)
	}
	sweep(t, s)
	t.Cleanup(func() { takeOut(t, s) })
	return s
}

// takeOut takes the temporary service out of wherever it is.
func takeOut(t *testing.T, s *side) {
	t.Helper()
	for _, domain := range launchctl.DomainsFor(s.uid, false) {
		target := launchctl.Target{Domain: domain, Label: s.label}
		err := s.client().Unload(context.Background(), target, 0, nil)
		if err != nil && !errors.Is(err, launchctl.ErrNoDomain) {
			t.Errorf("%s may be left behind: %v", target, err)
		}
	}
	s.raw("launchctl", "enable", s.target().String())
}

// sweep removes the services of runs that were killed: their label holds the
// number of a process that is no more.
func sweep(t *testing.T, s *side) {
	t.Helper()
	for line := range strings.Lines(s.raw("launchctl", "list").stdout) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		number, ok := strings.CutPrefix(fields[2], labelPrefix)
		pid, err := strconv.Atoi(number)
		if ok && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			left := *s
			left.label = fields[2]
			takeOut(t, &left)
		}
	}
}

// runReal runs one of macOS's own tools.
func runReal(name string, args ...string) (stdout, stderr string, code int) {
	path, err := launchctl.Lookup(name)
	if err != nil {
		return "", err.Error(), -1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); cmd.ProcessState == nil {
		return "", err.Error(), -1
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// A sandbox that is examined differs from another one in nothing.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	o := Options{UID: 501}
	examined, _ := boxSide(t, ownLabel(), o)
	box, _ := boxSide(t, ownLabel(), o)
	for _, d := range compare(examined, box, t.Logf) {
		t.Error(d)
	}
}

// What a killed run has left is removed, and what belongs to a living one is not.
func TestRehearsalSweeps(t *testing.T) {
	t.Parallel()
	ended := exec.Command("/bin/sh", "-c", "exit 0")
	check(t, ended.Run())
	left := labelPrefix + strconv.Itoa(ended.Process.Pid)
	dead, m := boxSide(t, left, Options{UID: 501})
	alive := *dead
	alive.label = labelPrefix + strconv.Itoa(os.Getppid())
	for _, s := range []*side{dead, &alive} {
		check(t, s.write(sleeper(nil)))
		if said := bootstrapped(s); said != "ok" {
			t.Fatal(said)
		}
	}
	own := *dead
	own.label = ownLabel()
	sweep(t, &own)
	if m.Loaded(dead.label) || !m.Loaded(alive.label) {
		t.Errorf("left over: %t, of a living run: %t",
			m.Loaded(dead.label), m.Loaded(alive.label))
	}
	takeOut(t, &own) // is not there, which is no error
}

func TestGuard(t *testing.T) {
	t.Parallel()
	s := &side{label: labelPrefix + "1", dir: "/tmp/x"}
	for _, line := range []string{"bootout gui/501/sh.brew.ollama", "bootout gui/501",
		"bootout gui/501/", "kickstart -k gui/501/" + labelPrefix + "2",
		"unload /tmp/y/a.plist", "setenv OLLAMA_HOST 0.0.0.0", "remove other",
		"bootstrap gui/501 /tmp/x/../y/a.plist"} {
		if s.guard("launchctl", strings.Fields(line)) == nil {
			t.Errorf("%s passes", line)
		}
	}
	for _, line := range []string{"print gui/501/sh.brew.ollama", "list",
		"bootout gui/501/" + labelPrefix + "1", "bootstrap gui/501 /tmp/x/a.plist"} {
		if err := s.guard("launchctl", strings.Fields(line)); err != nil {
			t.Error(err)
		}
	}
}
