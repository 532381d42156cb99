//go:build torture

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/sandbox"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// The tools that the program runs, broken in every way, one at a time: the
// others, and the broken one's other verbs, work.
func init() {
	tortures = append(tortures, torture{"tools", tortureTools})
}

func tortureTools(t *testing.T, c *chamber) {
	var cases, patient []toolCase
	for _, k := range slices.Concat(missingTools(), brokenTools(t), silentTools(), reportedTools()) {
		if k.waits() {
			patient = append(patient, k)
		} else {
			cases = append(cases, k)
		}
	}
	cases, patient = sample(c, cases, 18), sample(c, patient, 6)
	var both sync.WaitGroup
	both.Go(func() { sideBySide(t, 16, patient, func(t *testing.T, k toolCase) { k.try(t, c) }) })
	both.Go(func() { sideBySide(t, 3, cases, func(t *testing.T, k toolCase) { k.try(t, c) }) })
	both.Wait()
}

// The rows.
const (
	toolMissing = "a tool is missing or not executable"
	toolHangs   = "a tool hangs"
	toolBabbles = "a tool prints garbage or 100 MB"
	toolFails   = "a tool fails (each code and text)"
	toolDies    = "a tool is killed or closes its output"
	toolOdd     = "launchd or lsof does what Macs were reported to do"
)

// sample takes cases from all over the list: all of them, or with -short some.
func sample[T any](c *chamber, all []T, few int) []T {
	return spaced(all, c.some(len(all), few))
}

// spaced takes n of all, evenly.
func spaced[T any](all []T, n int) []T {
	some := make([]T, n)
	for i := range some {
		some[i] = all[(2*i+1)*len(all)/(2*n)]
	}
	return some
}

// sideBySide runs a subtest for each case, some at a time. It is not bound to
// the number of CPUs, as t.Parallel is: what hangs needs none.
func sideBySide[T fmt.Stringer](t *testing.T, workers int, cases []T, try func(*testing.T, T)) {
	shareOut(make([]struct{}, workers), cases, func(_ struct{}, k T) {
		t.Run(k.String(), func(t *testing.T) { try(t, k) })
	})
}

// shareOut gives each worker a case, and another when it is done with that.
func shareOut[W, T any](workers []W, cases []T, do func(W, T)) {
	queue := make(chan T)
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() {
			for k := range queue {
				do(w, k)
			}
		})
	}
	for _, k := range cases {
		queue <- k
	}
	close(queue)
	all.Wait()
}

// toolCase is one command of the program with one tool broken.
type toolCase struct {
	row     string
	command string // "fix", "rollback", "status", "doctor" or "probe"
	tool    string
	verb    string // the tool's first argument; "" is any
	fault   string // what is wrong with it, for the name
	script  string // what it does in its stead, for sh; without it the front folder lacks the tool
	once    bool   // the first time only

	sandbox [2]string // the sandbox's fault that takes the script's place

	// unspoiled is a file that the script must not get to write.
	unspoiled string
}

func (k toolCase) String() string {
	when := "always"
	if k.once {
		when = "once"
	}
	return strings.Join([]string{k.command, k.tool, k.verb, k.fault, when}, ",")
}

// waits tells whether the program is going to wait more than work.
func (k toolCase) waits() bool {
	return k.row == toolHangs || !k.once && k.command != "status" && k.verb != "enable" && k.verb != "print" && k.tool == "launchctl"
}

// timeout is short where the fault stays: then it is always used up.
func (k toolCase) timeout() time.Duration {
	if k.once || k.row == toolOdd {
		return 12 * time.Second
	}
	return 8 * time.Second
}

// limit is how long the command may take. What --timeout bounds may be followed
// by taking things back (5 s at least) and a last look (3 s); status is bounded
// by itself, and no single tool may hold it for more than its deadline of 5 s.
// The rest is for a machine that has other things to do.
func (k toolCase) limit() time.Duration {
	const slack = 5 * time.Second
	switch k.command {
	case "fix", "rollback":
		return k.timeout() + 5*time.Second + 3*time.Second + slack
	case "status":
		return 10*time.Second + slack
	}
	return 40 * time.Second
}

func (k toolCase) try(t *testing.T, c *chamber) {
	v := newVictim(t, "brew-arm64-env")
	defer os.RemoveAll(v.dir)
	defer v.Close()
	err := k.prepare(v)
	if err != nil {
		t.Fatalf("%s: before the fault: %v", k, err)
	}
	err = k.run(v)
	if errors.Is(err, errTooSlow) {
		t.Skipf("not counted: %v", err)
	}
	c.count(t, k.row, k.String(), err)
}

// errTooSlow is a machine on which --timeout ended before the fault was met.
var errTooSlow = errors.New("the time was up before the fault was met")

// prepare makes the Mac as the command needs it.
func (k toolCase) prepare(v *victim) error {
	switch k.command {
	case "rollback":
		if o := v.run("fix", "--host", v.host); o.code != exitOK {
			return fmt.Errorf("fix: exit %d: %s", o.code, o.stderr)
		}
	case "probe", "doctor":
		if err := v.StartEngine(sandbox.Engine{Product: "desktop"}); err != nil {
			return err
		}
		return v.Docker.Run(sandbox.Container{Name: "app", Image: "app:1", Tools: []string{"curl"}, Network: "bridge",
			Env: []string{fmt.Sprintf("OLLAMA_BASE_URL=http://host.docker.internal:%d", v.Port)}})
	}
	return nil
}

func (k toolCase) arguments(v *victim) []string {
	args := []string{k.command}
	if k.command == "fix" || k.command == "rollback" {
		args = append(args, "--timeout", k.timeout().String())
	}
	if k.command != "rollback" {
		args = append(args, "--host", v.host)
	}
	return args
}

func (k toolCase) run(v *victim) error {
	before := v.look()
	wanted := before
	switch k.command {
	case "fix":
		wanted = before.fixed(v.host)
	case "rollback":
		wanted = before.unfixed()
	}
	front, err := k.breakTool(v)
	if err != nil {
		return err
	}
	healthy := v.env
	mark := "TORTURE_MARK=" + v.dir
	v.env = append(slices.Clone(healthy), "PATH="+front, mark)
	o := v.run(k.arguments(v)...)
	v.env = healthy
	v.ClearFaults()
	return errors.Join(k.judgeRun(o), k.judgeFault(o, front), k.judgeMac(v, o, before, wanted), survivors(mark))
}

// judgeRun looks at what the program said, and when.
func (k toolCase) judgeRun(o outcome) error {
	if err := documented(o); err != nil {
		return err
	}
	if o.took > k.limit() {
		return fmt.Errorf("it took %s: %s", o.took, o.stderr)
	}
	if o.code == exitOK || o.code == exitNotWanted {
		return nil
	}
	said := errorLine.FindStringSubmatch(o.stderr)
	if said == nil {
		return fmt.Errorf("exit %d without a sentence on stderr:\n%s", o.code, o.stderr)
	}
	for _, fact := range facts {
		if strings.Contains(said[1], fact) {
			return nil
		}
	}
	return fmt.Errorf("the error names neither %s nor a fact: %s", k.tool, said[0])
}

// facts are what an error can name in the place of the tool.
var facts = []string{"launchctl", "lsof", "docker", "launchd", "--timeout", "the service did not come up",
	"is held by", "two services", "no Homebrew service", "answer not understood", "no image"}

var errorLine = regexp.MustCompile(`(?m)^ollama-bind: error: (.{12,})$`)

// documented wants one of the exit codes of the help texts, and no words of a
// crash.
func documented(o outcome) error {
	if !slices.Contains([]int{exitOK, exitFailed, exitUsage, exitNotWanted, exitUndone, exitNothingHere, exitInterrupted}, o.code) {
		return fmt.Errorf("exit %d after %s:\n%.2000s", o.code, o.took, o.stderr)
	}
	for _, word := range []string{"panic", "goroutine ", "fatal error:", "DATA RACE", "%!"} {
		if strings.Contains(o.stderr, word) || strings.Contains(o.stdout, word) {
			return fmt.Errorf("exit %d, and %q in its output:\n%.2000s", o.code, word, o.stderr)
		}
	}
	isControl := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }
	if strings.ContainsFunc(o.stderr+o.stdout, isControl) {
		return fmt.Errorf("control characters in its output: %.2000q", o.stderr+o.stdout)
	}
	return nil
}

// judgeFault makes sure that the fault was there at all.
func (k toolCase) judgeFault(o outcome, front string) error {
	if k.unspoiled != "" {
		if _, err := os.Stat(filepath.Join(front, k.unspoiled)); err == nil {
			return fmt.Errorf("%s was heard to the end", k.fault)
		}
	}
	if k.script == "" || k.sandbox[0] != "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(front, "met")); err != nil {
		if strings.Contains(o.stderr, "--timeout") {
			return errTooSlow
		}
		return fmt.Errorf("the fault was never met; exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	return nil
}

// judgeMac looks at what is left: all as before, or, only after exit 0, all as
// wanted. Where a fault that stays keeps the service from being started again,
// the error has to say so, and the next fix has to mend it.
func (k toolCase) judgeMac(v *victim, o outcome, before, wanted sight) error {
	expected := before
	if o.code == exitOK {
		expected = wanted
	}
	if strings.Contains(o.stderr, "taking it back failed as well") && !k.once {
		return k.judgeMended(v, o, before)
	}
	if err := v.waitFor(expected); err != nil {
		return fmt.Errorf("exit %d: %w\n%s%s", o.code, err, o.stdout, o.stderr)
	}
	return nil
}

func (k toolCase) judgeMended(v *victim, o outcome, before sight) error {
	now := v.look()
	if now.plist != before.plist || now.envFile != before.envFile {
		return fmt.Errorf("exit %d, and the files are not as before:\n%s", o.code, o.stderr)
	}
	if strings.Contains(o.stderr, "the service is not loaded now") == v.Loaded(v.label) && !strings.Contains(o.stderr, "unknown state") {
		return fmt.Errorf("loaded: %v, and it says\n%s", v.Loaded(v.label), o.stderr)
	}
	again := v.run("fix", "--host", v.host)
	if again.code != exitOK {
		return fmt.Errorf("exit %d:\n%sand with the tool as it was, fix does not mend it: exit %d:\n%s", o.code, o.stderr, again.code, again.stderr)
	}
	return v.waitFor(before.fixed(v.host))
}

// sight is what somebody sees of the service from outside the program.
type sight struct {
	plist, envFile string // bytes; "" where there is none
	folder         string // the names in LaunchAgents
	reach          string // from where it answers
}

func (v *victim) look() sight {
	plist, _ := os.ReadFile(v.plist)
	env, _ := os.ReadFile(v.EnvFile())
	names, _ := os.ReadDir(v.Agents())
	return sight{string(plist), string(env), fmt.Sprint(names), v.reach()}
}

// reach asks the service itself.
func (v *victim) reach() string {
	if v.JobPID(v.label) == 0 {
		return nowhere
	}
	return v.answers()
}

// answers says from where Ollama can be asked, no matter what runs it.
func (v *victim) answers() string {
	answers := func(ip string) bool {
		_, err := ollama.Version(context.Background(), net.JoinHostPort(ip, strconv.Itoa(v.Port)), 2*time.Second)
		return err == nil
	}
	if slices.ContainsFunc(elsewhere(), answers) {
		return outside
	}
	if answers("127.0.0.1") {
		return loopback
	}
	return nowhere
}

// fixed is what fix has to make of it.
func (s sight) fixed(host string) sight {
	plist, _ := plistfix.SetEnv([]byte(s.plist), ollama.Variable, host)
	s.plist, s.envFile, s.reach = string(plist), ollama.Variable+"="+host+"\n", outside
	return s
}

// unfixed is what rollback has to make of it.
func (s sight) unfixed() sight {
	plist, _ := plistfix.UnsetEnv([]byte(s.plist), ollama.Variable)
	s.plist, s.envFile, s.reach = string(plist), "", loopback
	return s
}

// waitFor gives a service that was started a moment to listen.
func (v *victim) waitFor(want sight) error {
	var now sight
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if now = v.look(); now == want {
			return nil
		}
		if now.plist != want.plist || time.Now().After(end) {
			break
		}
	}
	switch {
	case now.plist != want.plist:
		return fmt.Errorf("the plist is\n%s", now.plist)
	case now.envFile != want.envFile:
		return fmt.Errorf("the env file is %q, not %q", now.envFile, want.envFile)
	case now.folder != want.folder:
		return fmt.Errorf("the folder holds %s", now.folder)
	}
	return fmt.Errorf("Ollama answers from %s, not from %s", now.reach, want.reach)
}

// survivors lists processes that have the mark in their environment: what the
// program started and left behind. Only Linux tells.
func survivors(mark string) error {
	var left []string
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		left = nil
		files, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, file := range files {
			env, err := os.ReadFile(file)
			if err != nil || !slices.Contains(strings.Split(string(env), "\x00"), mark) {
				continue
			}
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			left = append(left, file+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
		if left == nil {
			return nil
		}
	}
	return fmt.Errorf("still alive: %s", strings.Join(left, "; "))
}

// breakTool makes the folder that is the program's PATH.
func (k toolCase) breakTool(v *victim) (front string, err error) {
	front = filepath.Join(v.dir, "front")
	if err := os.Mkdir(front, 0o755); err != nil {
		return "", err
	}
	for _, tool := range []string{"launchctl", "lsof", "docker"} {
		if _, err := os.Stat(filepath.Join(v.Bin(), tool)); err != nil || tool == k.tool {
			continue
		}
		if err := os.Symlink(filepath.Join(v.Bin(), tool), filepath.Join(front, tool)); err != nil {
			return "", err
		}
	}
	path := filepath.Join(front, k.tool)
	switch {
	case k.sandbox[0] != "":
		if k.sandbox[0] == "mode-refused" {
			if err := os.Chmod(v.plist, 0o600); err != nil {
				return "", err
			}
		}
		v.Fault(k.sandbox[0], strings.NewReplacer("LABEL", v.label, "PLIST", v.plist).Replace(k.sandbox[1]))
		return front, os.Symlink(filepath.Join(v.Bin(), k.tool), path)
	case k.script == "":
		return front, notATool[k.fault](path)
	}
	return front, k.writeScript(v, path)
}

// writeScript puts a script in the tool's place that is broken for one verb.
func (k toolCase) writeScript(v *victim, path string) error {
	var s strings.Builder
	fmt.Fprintf(&s, "#!/bin/sh\nreal='%s/%s'\ncd '%s'\n", v.Bin(), k.tool, filepath.Dir(path))
	condition := "[ \"$1\" = '" + k.verb + "' ]"
	if k.verb == "" {
		condition = "true"
	}
	if k.once {
		condition += " && (set -C; : >met) 2>/dev/null" // only one can create it
	} else {
		condition += " && : >met"
	}
	script := strings.NewReplacer("LABEL", v.label, "PLIST", v.plist).Replace(k.script)
	fmt.Fprintf(&s, "if %s; then\n%s\nfi\nexec \"$real\" \"$@\"\n", condition, script)
	return os.WriteFile(path, []byte(s.String()), 0o755)
}

// notATool is what can stand in a tool's place.
var notATool = map[string]func(path string) error{
	"missing":              func(path string) error { return nil },
	"mode 0644":            func(path string) error { return os.WriteFile(path, []byte("#!/bin/sh\nexit 0\n"), 0o644) },
	"a folder":             func(path string) error { return os.Mkdir(path, 0o755) },
	"a dangling link":      func(path string) error { return os.Symlink("nowhere", path) },
	"a link to itself":     func(path string) error { return os.Symlink(filepath.Base(path), path) },
	"an empty file":        func(path string) error { return os.WriteFile(path, nil, 0o755) },
	"without interpreter":  func(path string) error { return os.WriteFile(path, []byte("#!/no/such/sh\n"), 0o755) },
	"a broken executable":  func(path string) error { return os.WriteFile(path, []byte("\x7fELF\x02\x01\x01"), 0o755) },
	"text without #!":      func(path string) error { return os.WriteFile(path, []byte("exit 0\n"), 0o755) },
	"for another machine":  func(path string) error { return os.WriteFile(path, []byte("\xcf\xfa\xed\xfe\x0c\x00\x00\x01"), 0o755) },
	"an interpreter loops": func(path string) error { return os.WriteFile(path, []byte("#!"+path+"\n"), 0o755) },
}

// missingTools are tools that cannot be run, from the beginning or from the
// middle on. On a Mac a launchctl that is not on PATH is found in /bin, and
// would be the machine's own: the case is not tried there.
func missingTools() []toolCase {
	var cases []toolCase
	others := []string{"status", "rollback", "doctor"}
	for n, fault := range slices.Sorted(maps.Keys(notATool)) {
		for i, tool := range []string{"launchctl", "lsof"} {
			cases = append(cases, toolCase{row: toolMissing, command: "fix", tool: tool, fault: fault},
				toolCase{row: toolMissing, command: others[(n+i)%len(others)], tool: tool, fault: fault})
		}
		cases = append(cases, toolCase{row: toolMissing, command: []string{"probe", "doctor"}[n%2], tool: "docker", fault: fault})
	}
	for _, verb := range fixVerbs {
		cases = append(cases,
			toolCase{row: toolMissing, command: "fix", tool: "launchctl", verb: verb, fault: "goes away behind it",
				script: "\"$real\" \"$@\"; code=$?; /bin/rm -f launchctl; exit $code"},
			toolCase{row: toolMissing, command: "rollback", tool: "launchctl", verb: verb, fault: "goes away before it",
				script: "/bin/rm -f launchctl; echo 'cannot run' >&2; exit 126"})
	}
	if runtime.GOOS == "darwin" {
		cases = slices.DeleteFunc(cases, func(k toolCase) bool { return k.tool != "docker" })
	}
	return ordered(cases)
}

// ordered makes an order of cases that came out of a map.
func ordered(cases []toolCase) []toolCase {
	slices.SortFunc(cases, func(a, b toolCase) int { return strings.Compare(a.String(), b.String()) })
	return cases
}

// fixVerbs are what fix and rollback ask launchctl to do.
var fixVerbs = []string{"print", "enable", "bootout", "bootstrap", "kickstart"}

// dockerVerbs are what probe asks docker to do.
var dockerVerbs = []string{"info", "ps", "inspect", "exec"}

// each spreads the n-th fault over the commands and verbs that meet it: fix
// meets it at every third verb, once, another fault at the next, and the others take turns.
func each(n int, row, fault, script string) []toolCase {
	var cases []toolCase
	add := func(command, verb string, once bool) {
		k := toolCase{row: row, command: command, tool: "launchctl", verb: verb, fault: fault, script: script, once: once}
		switch {
		case verb == "lsof":
			k.tool, k.verb = "lsof", ""
		case command == "probe":
			k.tool = "docker"
		}
		cases = append(cases, k)
	}
	verbs := append([]string{"lsof"}, fixVerbs...)
	for i, verb := range verbs {
		if (i+n)%3 == 0 {
			add("fix", verb, true)
		}
	}
	add("fix", verbs[n%len(verbs)], false)
	add("rollback", verbs[(n+3)%len(verbs)], n%2 == 0)
	if n%2 == 0 {
		add("status", verbs[n/2%2], false)
	} else {
		add("probe", dockerVerbs[n/2%len(dockerVerbs)], false)
	}
	return cases
}

// spreadOver is each, for all faults of a row.
func spreadOver(row string, faults map[string]string) []toolCase {
	var cases []toolCase
	for n, fault := range slices.Sorted(maps.Keys(faults)) {
		cases = append(cases, each(n, row, fault, faults[fault])...)
	}
	return cases
}

// reported are faults of the sandbox that stand for what was reported of Macs, each
// with what it takes. fix and rollback get over every one of them.
var reported = [][2]string{
	{"bootstrap-noop", "2"}, {"doubled", "MallocMaxMagazines"}, {"mode-refused", ""}, {"pended", ""},
	{"quarantined", "PLIST"}, {"slow-lsof", "7s"}, {"stale-signature", ""},
}

func reportedTools() []toolCase {
	var cases []toolCase
	for _, fault := range reported {
		tool := "launchctl"
		if fault[0] == "slow-lsof" {
			tool = "lsof"
		}
		for _, command := range []string{"fix", "rollback"} {
			cases = append(cases, toolCase{row: toolOdd, command: command, tool: tool, fault: fault[0], sandbox: fault})
		}
	}
	return cases
}

// hangs are ways not to answer. sleep is long enough to be found alive.
var hangs = map[string]string{
	"hangs with a child":      "trap '' TERM HUP INT; /bin/sleep 300 & /bin/sleep 300",
	"hangs in mid-answer":     "\"$real\" \"$@\" | /usr/bin/head -c 60; exec /bin/sleep 300",
	"hangs with closed pipes": "exec >&- 2>&-; exec /bin/sleep 300",
}

// silentTools are tools that hang.
func silentTools() []toolCase {
	cases := spreadOver(toolHangs, hangs)
	for n, verb := range append([]string{"lsof"}, fixVerbs...) {
		k := toolCase{row: toolHangs, command: []string{"fix", "rollback"}[n%2], tool: "launchctl", verb: verb, fault: "the sandbox's hang", sandbox: [2]string{"hang", verb}}
		if verb == "lsof" {
			k.tool = "lsof"
		}
		cases = append(cases, k)
	}
	return ordered(cases)
}

// brokenTools are tools that answer wrongly.
func brokenTools(t *testing.T) []toolCase {
	cases := append(spreadOver(toolBabbles, babble), spreadOver(toolDies, deaths)...)
	for i, k := range cases {
		if strings.Contains(k.script, "spoiled") {
			cases[i].unspoiled = "spoiled"
		}
	}
	for n, verb := range append([]string{"lsof"}, fixVerbs...) {
		cases = append(cases, toolCase{row: toolBabbles, command: []string{"rollback", "fix"}[n%2], tool: "launchctl", verb: verb,
			fault: "the sandbox's garbage", sandbox: [2]string{"garbage", verb}})
	}
	return slices.Concat(ordered(cases), failingTools(t))
}

// babble is what a tool can print. What is stopped at the first 4 MiB does not
// get to make the file.
var babble = map[string]string{
	"100 MB of NUL":            "/usr/bin/head -c 100000000 /dev/zero && : >spoiled; exit 0",
	"100 MB on stderr":         "/usr/bin/head -c 100000000 /dev/zero >&2; exit 1",
	"100 MB behind the answer": "\"$real\" \"$@\"; /usr/bin/head -c 100000000 /dev/zero && : >spoiled; exit 0",
	"escape sequences":         `printf '\033[2J\033]0;gotcha\007p1\nf1\nn*:\033[31m\n\tpid = \033[1m\n'; exit 0`,
	"another tool's answer":    "printf 'p1\\ncinit\\nLroot\\nf3\\ntIPv4\\nPTCP\\nn*:99999999999\\nTST=LISTEN\\n'; exit 0",
	"half of the answer":       "\"$real\" \"$@\" | /usr/bin/head -c 200; exit 0",
	"no UTF-8":                 `printf '\377\376\000x\000{\200'; exit 0`,
	"deep nesting":             "i=0; while [ $i -lt 3000 ]; do printf '[{\\n\\tpid = {\\n'; i=$((i+1)); done; exit 0",
}

// deaths are ways to end early.
var deaths = map[string]string{
	"signal 9":                  "kill -9 $$",
	"signal 15":                 "kill -15 $$",
	"signal 1":                  "kill -1 $$",
	"signal 2":                  "trap - INT; kill -2 $$; exit 130",
	"signal 13":                 "kill -13 $$",
	"signal 11":                 "ulimit -c 0; kill -11 $$",
	"does it, then signal 9":    "\"$real\" \"$@\"; kill -9 $$",
	"does it, and fails":        "\"$real\" \"$@\"; exit 1",
	"does it without a word":    "\"$real\" \"$@\" >/dev/null 2>&1; exit 0",
	"closes stdout, does it":    "exec >&-; \"$real\" \"$@\"; exit 0",
	"closes both, exits 0":      "exec >&- 2>&-; exit 0",
	"leaves a child behind":     "/bin/sleep 1 & exec \"$real\" \"$@\"",
	"half an answer, signal 15": "\"$real\" \"$@\" | /usr/bin/head -c 100; kill -15 $$",
}

// failingTools gives every answer of fixtures/captures/stderr-messages.tsv to
// every verb that it can come from.
func failingTools(t *testing.T) []toolCase {
	var cases []toolCase
	for line := range bytes.Lines(readFixture(t, "captures/stderr-messages.tsv")) {
		f := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
		if len(f) < 5 || f[0] == "situation" || f[2] == "<dump>" {
			continue
		}
		for _, verb := range comesFrom(f[1]) {
			cases = append(cases, failing(len(cases), f[0], verb, f[2], f[3], f[4])...)
		}
	}
	if len(cases) < 100 {
		t.Fatalf("only %d answers found", len(cases))
	}
	return cases
}

// comesFrom is the verb of a command line, or all verbs for an answer that does
// not depend on it.
func comesFrom(argv string) []string {
	words := strings.Fields(strings.TrimPrefix(argv, "sudo "))
	switch words[0] {
	case "load", "unload", "list":
		return nil // the program runs none of them
	case "bootstrap", "bootout", "enable":
		return words[:1]
	case "print", "kickstart":
		if len(words) > 1 && words[1] != "foo" {
			return words[:1]
		}
	}
	return fixVerbs
}

// failing gives the n-th answer to a verb of fix, and some to one of another command.
func failing(n int, situation, verb, stdout, stderr, code string) []toolCase {
	plain := strings.NewReplacer("gui/501/L", "gui/501/LABEL", `"L"`, `"LABEL"`, "P:", "PLIST:", `\n`, "\n", `\t`, "\t")
	script := say("", plain.Replace(stdout)) + say(" >&2", plain.Replace(stderr)) + "exit " + cmp.Or(leadingNumber.FindString(code), "1")
	k := toolCase{row: toolFails, command: "fix", tool: "launchctl", verb: verb, script: script, once: true}
	k.fault = strings.NewReplacer("/", " ", ",", " ").Replace(situation)
	other := k
	switch {
	case n%8 < 2 && verb == "print":
		other.command, other.once = "status", false
	case n%8 < 2:
		other.once = false
	case n%8 == 3:
		other.command = "rollback"
	case n%8 == 5:
		other.command, other.once = "rollback", false
	default:
		return []toolCase{k}
	}
	return []toolCase{k, other}
}

// say is the command that prints a text.
func say(where, text string) string {
	if text == "" {
		return ""
	}
	return "/bin/cat" + where + " <<'END'\n" + strings.TrimSuffix(text, "\n") + "\nEND\n"
}

var leadingNumber = regexp.MustCompile(`^\d+`)
