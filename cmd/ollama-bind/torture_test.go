//go:build torture

package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// TestTorture does to the program what a hostile world may do, case by case, and
// counts what was lost. With -short it takes a sample of every kind:
//
//	make torture, make torture-short
//	go test -tags torture -run '^TestTorture$/^races$' ./cmd/ollama-bind
func TestTorture(t *testing.T) {
	c := &chamber{short: testing.Short()}
	for _, kind := range tortures {
		t.Run(kind.name, func(t *testing.T) {
			c.ran++
			t.Parallel()
			kind.run(t, c)
		})
	}
	t.Cleanup(func() {
		fmt.Print(c.table())
		if err := c.check(); err != nil {
			t.Error(err)
		}
		if *figures != "" {
			if err := c.write(*figures); err != nil {
				t.Error(err)
			}
		}
	})
}

var figures = flag.String("figures", "", "write the table into this file, between its markers")

// torture is a family of faults. Each file torture_*_test.go adds its own.
type torture struct {
	name string
	run  func(t *testing.T, c *chamber)
}

var tortures []torture

// chamber counts cases.
type chamber struct {
	short bool
	ran   int // tortures; the others were not asked for

	mu      sync.Mutex
	tallies []*tally
}

// tally is one row of the table.
type tally struct {
	kind  string
	cases int
	lost  []string
}

// some is how many of n cases are tried: all, or with -short a sample.
func (c *chamber) some(n, sample int) int {
	if c.short {
		return min(n, sample)
	}
	return n
}

// count adds a case to the row of a kind. err says what was lost in it, if
// anything was.
func (c *chamber) count(t *testing.T, kind, name string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.tallies, func(row *tally) bool { return row.kind == kind })
	if i < 0 {
		i = len(c.tallies)
		c.tallies = append(c.tallies, &tally{kind: kind})
	}
	c.tallies[i].cases++
	if err != nil {
		c.tallies[i].lost = append(c.tallies[i].lost, name)
		t.Errorf("%s: %s: %v", kind, name, err)
	}
}

// victim is a Mac in a folder, and the program on it.
type victim struct {
	*sandbox.Mac
	test  *testing.T
	dir   string
	label string
	plist string // path of the service's plist
	env   []string
	state string // the program's state folder
	host  string // 0.0.0.0:PORT
}

// newVictim starts a Mac with a running service whose plist is the
// fixture.
func newVictim(t *testing.T, fixtureName string) *victim {
	t.Helper()
	v := newMac(t)
	var err error
	v.plist, err = v.Install(v.label, readFixture(t, "plists/"+fixtureName+".plist"))
	must(t, err)
	must(t, v.StartService(v.label))
	return v
}

// newMac starts a Mac without any Ollama.
func newMac(t *testing.T) *victim {
	t.Helper()
	dir := t.TempDir()
	options := sandbox.Options{BrewPause: 10 * time.Millisecond, Throttle: 200 * time.Millisecond, ExitTimeout: time.Second}
	m, err := sandbox.Start(filepath.Join(dir, "mac"), options)
	must(t, err)
	t.Cleanup(m.Close)
	v := &victim{Mac: m, test: t, dir: dir, label: "sh.brew.ollama", state: filepath.Join(dir, "state"), host: fmt.Sprintf("0.0.0.0:%d", m.Port)}
	v.env = append(m.Env(),
		"PATH="+m.Bin(), "DAEMONS="+m.Daemons(), "APP="+filepath.Join(dir, "Ollama.app"),
		"OLLAMA_BIND_STATE_DIR="+v.state)
	return v
}

// outcome is how a run of the program ended.
type outcome struct {
	code           int // -1 where a signal ended it
	stdout, stderr string
	took           time.Duration
}

// longest is how long a run may take that nobody has set another limit for. A
// run that takes longer hangs.
const longest = 2 * enough

// program is a command that runs the program on the Mac, in a process group of
// its own.
func (v *victim) program(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	cmd := exec.CommandContext(ctx, sandbox.Program(name), args...)
	cmd.Env = v.env
	cmd.Cancel = func() error { defer cancel(); return cmd.Process.Kill() }
	return cmd
}

// run runs the program to its end. Whatever happens to it, its JSON meets the schema.
func (v *victim) run(args ...string) outcome {
	o := ended(v.program(args...))
	if killed := o.code < 0; wantsJSON(args) && !killed {
		if err := schemas.check(append([]string{name}, args...), o.code, o.stdout); err != nil {
			v.test.Errorf("%s: %v", strings.Join(args, " "), err)
		}
	}
	return o
}

// ended runs a command to its end.
func ended(cmd *exec.Cmd) outcome {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	code := exitOf(cmd.Run())
	if code < 0 {
		fmt.Fprint(&stderr, cmd.ProcessState)
	}
	return outcome{code, stdout.String(), stderr.String(), time.Since(start)}
}

// table is all rows, and what they add up to.
func (c *chamber) table() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	cases, lost := 0, 0
	fmt.Fprintf(&b, "| %-60s | %7s | %8s | %4s |\n|%s|%s:|%s:|%s:|\n", "kind of fault", "cases", "survived", "lost",
		strings.Repeat("-", 62), strings.Repeat("-", 8), strings.Repeat("-", 9), strings.Repeat("-", 5))
	rows := slices.SortedFunc(slices.Values(c.tallies), func(a, b *tally) int { return strings.Compare(a.kind, b.kind) })
	for _, row := range rows {
		fmt.Fprintf(&b, "| %-60s | %7d | %8d | %4d |\n", row.kind, row.cases, row.cases-len(row.lost), len(row.lost))
		cases, lost = cases+row.cases, lost+len(row.lost)
	}
	fmt.Fprintf(&b, "| %-60s | %7d | %8d | %4d |\n", "all", cases, cases-lost, lost)
	kills, lostKills := c.sum(kills...)
	fmt.Fprintf(&b, "\n%d kills, %d recovered, %d lost\n", kills, kills-lostKills, lostKills)
	return b.String()
}

// kills are the kinds of faults that end the program from outside.
var kills = []string{killedFix, killedRollback, killedAtRandom, interrupted, killedUndo, killedApp}

// sum adds up rows of the table.
func (c *chamber) sum(kinds ...string) (cases, lost int) {
	for _, row := range c.tallies {
		if slices.Contains(kinds, row.kind) {
			cases, lost = cases+row.cases, lost+len(row.lost)
		}
	}
	return cases, lost
}

// check makes sure that there was something to survive.
func (c *chamber) check() error {
	if c.ran < len(tortures) && len(c.tallies) > 0 {
		return nil
	}
	malformed, _ := c.sum(malformedPlist, truncatedPlist)
	all := 0
	for _, row := range c.tallies {
		all += row.cases
	}
	leastMalformed, least := 350, 350+2000
	if c.short {
		leastMalformed, least = 100, 500
	}
	if malformed < leastMalformed || all < least {
		return fmt.Errorf("only %d cases were tried, %d of them malformed plists: want %d, %d", all, malformed, least, leastMalformed)
	}
	return nil
}

// The figures stand between these lines of docs/reliability.md.
const figuresBegin, figuresEnd = "<!-- figures -->\n", "<!-- end of figures -->\n"

func (c *chamber) write(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), figuresBegin)
	_, after, ok2 := strings.Cut(rest, figuresEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the figures", path)
	}
	head := fmt.Sprintf("\nThe last run: %s, %s/%s, %d CPUs.\n\n", time.Now().Format("January 2006"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	return os.WriteFile(path, []byte(before+figuresBegin+head+c.table()+"\n"+figuresEnd+after), 0o644)
}
