package launchctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	label = "homebrew.mxcl.ollama"
	plist = "/Users/tester/Library/LaunchAgents/homebrew.mxcl.ollama.plist"
)

var target = Target{GUI(501), label}

// launchd is a launchd in memory behind a Runner. Its answers are those of
// fixtures/captures/stderr-messages.tsv.
type launchd struct {
	domains []Domain
	job     *memoryJob

	teardown   time.Duration    // from a bootout until the job is gone
	deaf       bool             // forgets no job
	refuse     map[string][]int // by verb: exit statuses to give before it works
	refuseEver map[string]int   // by verb: exit status to give always
	hang       string           // verb without an answer
	hangs      int              // how often there is none; 0: always
	obeys      bool             // what has no answer is done all the same
	patience   time.Duration    // after which the Runner gives up; 0: never
	shows      time.Duration    // exit timeout that print shows; 0: none
	lost       bool             // a job that was bootstrapped does not start by itself
	old        bool             // knows only load, unload and list
	afterEIO   string           // a refused bootstrap leaves a job of this plist behind

	start time.Time
	calls []call
}

type memoryJob struct {
	target Target
	path   string
	pid    int
	gone   time.Time // zero: stays
}

type call struct {
	at   time.Duration
	line string
}

// loaded is a launchd with a running job.
func loaded() *launchd {
	return &launchd{
		domains: DomainsFor(501, false),
		job:     &memoryJob{target: target, path: plist, pid: 100},
		start:   time.Now(),
	}
}

// empty is a launchd without a job.
func empty() *launchd {
	l := loaded()
	l.job = nil
	return l
}

func (l *launchd) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	argv := append([]string{name}, args...)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	l.calls = append(l.calls, call{time.Since(l.start), strings.Join(argv, " ")})
	verb, args := args[0], args[1:]
	if verb == l.hang {
		return l.silence(ctx, verb, args)
	}
	if l.job != nil && !l.job.gone.IsZero() && !time.Now().Before(l.job.gone) {
		l.job = nil
	}
	out, code, text := l.answer(verb, args)
	if code != 0 {
		return nil, &ExitError{Args: argv, Code: code, Stderr: text}
	}
	return []byte(out), nil
}

// silence is what a Runner makes of a program without an answer.
func (l *launchd) silence(ctx context.Context, verb string, args []string) ([]byte, error) {
	if l.obeys {
		l.answer(verb, args)
	}
	if l.hangs--; l.hangs == 0 {
		l.hang = ""
	}
	var patience <-chan time.Time
	if l.patience > 0 {
		patience = time.After(l.patience)
	}
	select {
	case <-patience:
		return nil, fmt.Errorf("launchctl %s: stopped after %s: %w", verb, l.patience, ErrNoAnswer)
	case <-ctx.Done():
		return nil, fmt.Errorf("launchctl %s: stopped: %w", verb, ctx.Err())
	}
}

func (l *launchd) answer(verb string, args []string) (out string, code int, stderr string) {
	if l.old && verb != "load" && verb != "unload" && verb != "list" {
		return "", 1, "Unrecognized subcommand: " + verb
	}
	if code := l.refusal(verb); code != 0 {
		if verb == "bootstrap" && l.afterEIO != "" {
			l.job = &memoryJob{target: target, path: l.afterEIO, pid: 300}
		}
		return "", code, fmt.Sprintf("%s failed: %d: some text", verb, code)
	}
	switch verb {
	case "print":
		return l.print(args[0])
	case "list":
		return l.list(args[0])
	case "enable":
		return "", 0, ""
	case "bootout":
		return l.bootout(args[0])
	case "bootstrap":
		return l.bootstrap(Domain(args[0]), args[1])
	case "kickstart":
		return l.kickstart(args[0])
	case "load": // exits 0 whatever happens
		if _, code, _ := l.bootstrap(target.Domain, args[0]); code != 0 {
			return "", 0, "Load failed: 5: Input/output error"
		}
		return "", 0, ""
	case "unload":
		if _, code, _ := l.bootout(target.String()); code != 0 {
			return "", 0, "Unload failed: 5: Input/output error"
		}
		return "", 0, ""
	}
	return "", 1, "Unrecognized subcommand: " + verb
}

// refusal is the exit status that the test wants the verb to fail with.
func (l *launchd) refusal(verb string) int {
	if codes := l.refuse[verb]; len(codes) > 0 {
		l.refuse[verb] = codes[1:]
		return codes[0]
	}
	return l.refuseEver[verb]
}

func (l *launchd) exists(domain Domain) bool {
	for _, d := range l.domains {
		if d == domain {
			return true
		}
	}
	return false
}

func (l *launchd) print(name string) (string, int, string) {
	domain, _, _ := strings.Cut(name, "/"+label)
	if !l.exists(Domain(domain)) {
		return "", 112, "Bad request.\nCould not find domain for user gui: 501"
	}
	if l.job == nil || l.job.target.String() != name {
		return "", 113, "Bad request.\nCould not find service"
	}
	state := "not running"
	if l.job.pid != 0 {
		state = fmt.Sprintf("running\n\tpid = %d", l.job.pid)
	}
	if l.shows > 0 {
		state += fmt.Sprintf("\n\texit timeout = %d", int(l.shows.Seconds()))
	}
	return fmt.Sprintf("%s = {\n\tpath = %s\n\tstate = %s\n}\n", name, l.job.path, state), 0, ""
}

func (l *launchd) list(label string) (string, int, string) {
	if l.job == nil {
		return "", 113, "Could not find service \"" + label + "\" in domain for port"
	}
	return fmt.Sprintf("{\n\t\"Label\" = %q;\n\t\"PID\" = %d;\n};\n", label, l.job.pid), 0, ""
}

func (l *launchd) bootout(name string) (string, int, string) {
	if l.job == nil {
		return "", 3, "Boot-out failed: 3: No such process"
	}
	if l.job.gone.IsZero() && !l.deaf {
		l.job.gone = time.Now().Add(l.teardown)
	}
	if l.teardown == 0 && !l.deaf {
		l.job = nil
	}
	return "", 0, ""
}

func (l *launchd) bootstrap(domain Domain, path string) (string, int, string) {
	if !l.exists(domain) {
		return "", 125, "Bootstrap failed: 125: Domain does not support specified action"
	}
	if l.job != nil {
		return "", 5, "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors."
	}
	l.job = &memoryJob{target: Target{domain, label}, path: path}
	if !l.lost {
		l.job.pid = 200
	}
	return "", 0, ""
}

func (l *launchd) kickstart(name string) (string, int, string) {
	if l.job == nil {
		return "", 113, "Could not find service"
	}
	if l.job.pid != 0 {
		return "", 37, ""
	}
	l.job.pid = 201
	return "", 0, ""
}

// shorter shortens the common words.
var shorter = strings.NewReplacer(label+".plist", "L.plist", label, "L", filepath.Dir(plist), "~")

// story is what was run, with repetitions in one line and the common words short.
func (l *launchd) story() []string {
	var lines []string
	last, times := "", 0
	end := func() {
		switch {
		case times == 1:
			lines = append(lines, last)
		case times > 1:
			lines = append(lines, fmt.Sprintf("%s ×%d", last, times))
		}
	}
	for _, c := range l.calls {
		line := strings.TrimPrefix(c.line, "launchctl ")
		line = shorter.Replace(line)
		if line == last {
			times++
			continue
		}
		end()
		last, times = line, 1
	}
	end()
	return lines
}

// checkPace fails the test if a look at the job came too soon after another,
// or too late.
func (l *launchd) checkPace(t *testing.T) {
	t.Helper()
	last := time.Duration(-1)
	for _, c := range l.calls {
		if !strings.HasPrefix(c.line, "launchctl print") {
			continue
		}
		if gap := c.at - last; last >= 0 && (gap < firstPause || gap > maxPause) {
			t.Errorf("%s between two looks at %s", gap, c.at)
		}
		last = c.at
	}
}

func checkStory(t *testing.T, l *launchd, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, l.story()); diff != "" {
		t.Errorf("what was run (-want +got):\n%s", diff)
	}
}

func TestReload(t *testing.T) {
	const job5 = 5 * time.Second
	tests := []struct {
		name   string
		set    func(l *launchd)
		exit   time.Duration
		is     error // nil: Reload works
		code   int   // exit status in the error, if any
		took   time.Duration
		pid    int // of the job in the end; 0: none
		issued []string
	}{
		{
			name: "at once",
			pid:  200,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "kickstart gui/501/L",
			},
		},
		{
			name: "not loaded before",
			set:  func(l *launchd) { l.job = nil },
			pid:  200,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "kickstart gui/501/L",
			},
		},
		{
			// 26.5.1: bootout returned 0, the job and its process were still there.
			name: "slow to go",
			set:  func(l *launchd) { l.teardown = 1200 * time.Millisecond },
			pid:  200,
			took: 1310 * time.Millisecond,
			issued: []string{
				"enable gui/501/L",
				"bootout gui/501/L", "print gui/501/L ×8",
				"bootout gui/501/L", "print gui/501/L ×2",
				"bootstrap gui/501 ~/L.plist", "kickstart gui/501/L",
			},
		},
		{
			// osquery/osquery#5698
			name: "36, then gone",
			set: func(l *launchd) {
				l.refuse = map[string][]int{"bootout": {36}}
			},
			pid:  200,
			took: 1060 * time.Millisecond,
			issued: []string{
				"enable gui/501/L",
				"bootout gui/501/L", "print gui/501/L ×8",
				"bootout gui/501/L", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "kickstart gui/501/L",
			},
		},
		{
			// Once accepted, launchd is at it.
			name: "slow to go, the second bootout refused",
			set: func(l *launchd) {
				l.teardown, l.refuse = 1200*time.Millisecond, map[string][]int{"bootout": {0, 150}}
			},
			pid:  200,
			took: 1310 * time.Millisecond,
		},
		{
			name: "never goes",
			set:  func(l *launchd) { l.deaf = true },
			is:   ErrStillLoaded,
			took: 15 * time.Second,
			pid:  100,
		},
		{
			name: "never goes, long exit timeout",
			set:  func(l *launchd) { l.deaf = true },
			exit: 30 * time.Second,
			is:   ErrStillLoaded,
			took: 40 * time.Second,
			pid:  100,
		},
		{
			name: "bootout refused",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"bootout": 150} },
			code: 150,
			pid:  100,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L",
			},
		},
		{
			// headroomlabs-ai/headroom#1289
			name: "input/output error three times",
			set:  func(l *launchd) { l.refuse = map[string][]int{"bootstrap": {5, 5, 5}} },
			pid:  200,
			took: 70 * time.Millisecond,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "kickstart gui/501/L",
			},
		},
		{
			name: "already in progress, once",
			set:  func(l *launchd) { l.refuse = map[string][]int{"bootstrap": {37}} },
			pid:  200,
			took: 10 * time.Millisecond,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "kickstart gui/501/L",
			},
		},
		{
			name: "input/output error for ever",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 5} },
			is:   ErrNotLoaded,
			code: 5,
			took: 15 * time.Second,
		},
		{
			name: "refused, and loaded all the same",
			set: func(l *launchd) {
				l.refuse, l.afterEIO = map[string][]int{"bootstrap": {5}}, plist
			},
			pid: 300,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "print gui/501/L", "kickstart gui/501/L",
			},
		},
		{
			name: "loaded from another plist",
			set: func(l *launchd) {
				l.refuse, l.afterEIO = map[string][]int{"bootstrap": {5}}, "/opt/homebrew/opt/ollama/homebrew.mxcl.ollama.plist"
			},
			is:  ErrOtherPath,
			pid: 300,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "print gui/501/L",
			},
		},
		{
			name: "bad owner or mode",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 122} },
			code: 122,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L", "bootstrap gui/501 ~/L.plist",
			},
		},
		{
			name: "disabled",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 119} },
			is:   ErrDisabled,
			code: 119,
		},
		{
			name: "the user logs out meanwhile",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 125} },
			is:   ErrNoDomain,
			code: 125,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L", "bootstrap gui/501 ~/L.plist",
			},
		},
		{
			// Bootstrapped, but not started: kickstart has to.
			name: "registered only",
			set:  func(l *launchd) { l.lost = true },
			pid:  201,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L",
				"bootstrap gui/501 ~/L.plist", "kickstart gui/501/L",
			},
		},
		{
			name: "kickstart refused",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"kickstart": 150} },
			code: 150,
			pid:  200,
		},
		{
			// Nothing has happened to the job yet.
			name:   "enable refused",
			set:    func(l *launchd) { l.refuseEver = map[string]int{"enable": 1} },
			code:   1,
			pid:    100,
			issued: []string{"enable gui/501/L"},
		},
		{
			name: "old launchctl",
			set:  func(l *launchd) { l.old, l.teardown = true, 25*time.Millisecond },
			pid:  200,
			took: 30 * time.Millisecond,
			issued: []string{
				"enable gui/501/L",
				"bootout gui/501/L", "unload ~/L.plist",
				"print gui/501/L", "list L", "print gui/501/L", "list L", "print gui/501/L", "list L",
				"bootstrap gui/501 ~/L.plist", "load ~/L.plist",
				"print gui/501/L", "list L",
				"kickstart gui/501/L",
			},
		},
		{
			name: "old launchctl that loads nothing",
			set: func(l *launchd) {
				l.old, l.domains = true, nil
			},
			is:   ErrNotLoaded,
			took: 15 * time.Second,
		},
		{
			name: "print without sense",
			set:  func(l *launchd) { l.refuse = map[string][]int{"print": {118, 118}} },
			pid:  200,
			took: 30 * time.Millisecond,
			issued: []string{
				"enable gui/501/L", "bootout gui/501/L", "print gui/501/L ×3",
				"bootstrap gui/501 ~/L.plist", "kickstart gui/501/L",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := loaded()
				if tt.set != nil {
					tt.set(l)
				}
				exit := tt.exit
				if exit == 0 {
					exit = job5
				}
				err := Client{l}.Reload(t.Context(), target, Job{ExitTimeout: exit}, plist)
				checkError(t, err, tt.is, tt.code)
				if took := time.Since(l.start); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				pid := 0
				if l.job != nil {
					pid = l.job.pid
				}
				if pid != tt.pid {
					t.Errorf("in the end pid %d, want %d", pid, tt.pid)
				}
				if tt.issued != nil {
					checkStory(t, l, tt.issued...)
				}
			})
		})
	}
}

// checkError wants no error when neither a kind nor an exit status is given.
func checkError(t *testing.T, err, is error, code int) {
	t.Helper()
	if (err != nil) != (is != nil || code != 0) || is != nil && !errors.Is(err, is) {
		t.Fatalf("error %v, want %v", err, is)
	}
	if err == nil {
		return
	}
	if got := max(exitCode(err), 0); got != code {
		t.Errorf("exit status %d in %v, want %d", got, err, code)
	}
	if text := err.Error(); strings.Count(text, "gui/501/"+label+": ") > 1+strings.Count(text, "launchctl ") {
		t.Errorf("wrapped more than once: %s", text)
	}
}

// Never a busy loop, and never late by more than a quarter of a second.
func TestPace(t *testing.T) {
	for _, set := range []func(l *launchd){
		func(l *launchd) { l.deaf = true },
		func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 5} },
	} {
		synctest.Test(t, func(t *testing.T) {
			l := loaded()
			set(l)
			_ = Client{l}.Unload(t.Context(), target, 0, plist)
			l.calls = nil
			_ = Client{l}.bootstrap(t.Context(), target, plist)
			l.checkPace(t)
		})
		synctest.Test(t, func(t *testing.T) {
			l := loaded()
			set(l)
			_ = Client{l}.Unload(t.Context(), target, 0, plist)
			l.checkPace(t)
		})
	}
}

func TestErrorText(t *testing.T) {
	tests := map[string]struct {
		set  func(l *launchd)
		want string
	}{
		"never goes": {
			func(l *launchd) { l.deaf = true },
			"unloading gui/501/homebrew.mxcl.ollama: job is still loaded after 30s",
		},
		"never loads": {
			func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 5} },
			"bootstrapping gui/501/homebrew.mxcl.ollama: job is not loaded after 15s; last answer: launchctl bootstrap gui/501 " +
				plist + ": exit status 5: bootstrap failed: 5: some text",
		},
		"other plist": {
			func(l *launchd) { l.refuse, l.afterEIO = map[string][]int{"bootstrap": {5}}, "/x y.plist" },
			`bootstrapping gui/501/homebrew.mxcl.ollama: another plist is loaded under this label: "/x y.plist"`,
		},
		"no domain": {
			func(l *launchd) { l.domains = nil },
			"bootstrapping gui/501/homebrew.mxcl.ollama: launchctl bootstrap gui/501 " + plist +
				": exit status 125: Bootstrap failed: 125: Domain does not support specified action",
		},
	}
	for name, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			l := loaded()
			tt.set(l)
			err := Client{l}.Reload(t.Context(), target, Job{}, plist)
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s:\ngot  %v\nwant %s", name, err, tt.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	gui, user := target, Target{User(501), label}
	tests := []struct {
		name    string
		set     func(l *launchd)
		domains []Domain
		want    Target
		is      error
		not     error // what the error must not be
		code    int
		text    string // of the error, if it matters; with short names
		issued  []string
	}{
		{
			name: "logged in at the screen", domains: DomainsFor(501, false), want: gui,
			issued: []string{"enable gui/501/L", "bootstrap gui/501 ~/L.plist", "kickstart gui/501/L"},
		},
		{
			// duh17/oppi#31: over ssh, without a login at the screen.
			name: "over ssh", domains: DomainsFor(501, false), want: user,
			set: func(l *launchd) { l.domains = []Domain{User(501)} },
			issued: []string{
				"enable gui/501/L", "bootstrap gui/501 ~/L.plist",
				"enable user/501/L", "bootstrap user/501 ~/L.plist", "kickstart user/501/L",
			},
		},
		{
			name: "no domain at all", domains: DomainsFor(501, false), want: user, is: ErrNoDomain, code: 125,
			set: func(l *launchd) { l.domains = nil },
		},
		{
			// openclaw/openclaw#8642
			name: "112 is no domain too", domains: DomainsFor(501, false), want: user,
			set: func(l *launchd) { l.refuse = map[string][]int{"bootstrap": {112}} },
		},
		{
			// A refusal of another kind must not put the job in a second domain.
			name: "refused", domains: DomainsFor(501, false), want: gui, is: ErrDisabled, code: 119,
			set:    func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 119} },
			issued: []string{"enable gui/501/L", "bootstrap gui/501 ~/L.plist"},
		},
		{
			name: "loaded already", domains: DomainsFor(501, false), want: gui,
			set: func(l *launchd) { l.job = &memoryJob{target: gui, path: plist, pid: 7} },
			issued: []string{
				"enable gui/501/L", "bootstrap gui/501 ~/L.plist", "print gui/501/L", "kickstart gui/501/L",
			},
		},
		{
			// Not disabled, it loads without.
			name: "enable refused", domains: DomainsFor(501, false), want: gui,
			set:    func(l *launchd) { l.refuseEver = map[string]int{"enable": 125} },
			issued: []string{"enable gui/501/L", "bootstrap gui/501 ~/L.plist", "kickstart gui/501/L"},
		},
		{
			name: "enable refused, over ssh", domains: DomainsFor(501, false), want: user,
			set: func(l *launchd) { l.domains, l.refuse = []Domain{User(501)}, map[string][]int{"enable": {1}} },
			issued: []string{
				"enable gui/501/L", "bootstrap gui/501 ~/L.plist",
				"enable user/501/L", "bootstrap user/501 ~/L.plist", "kickstart user/501/L",
			},
		},
		{
			// What enable says must not put the job in a second domain.
			name: "enable and bootstrap refused", domains: DomainsFor(501, false), want: gui, is: ErrDisabled, code: 119, not: ErrNoDomain,
			set:    func(l *launchd) { l.refuseEver = map[string]int{"enable": 125, "bootstrap": 119} },
			issued: []string{"enable gui/501/L", "bootstrap gui/501 ~/L.plist"},
			text: "bootstrapping gui/501/L: launchctl bootstrap gui/501 ~/L.plist: exit status 119: bootstrap failed: 119: some text; " +
				"and before, enabling gui/501/L: launchctl enable gui/501/L: exit status 125: enable failed: 125: some text",
		},
		{
			// Loaded is loaded: a second domain is for a plist that is not.
			name: "the domain goes before the start", domains: DomainsFor(501, false), want: gui, is: ErrNoDomain, code: 125,
			set:    func(l *launchd) { l.refuseEver = map[string]int{"kickstart": 125} },
			issued: []string{"enable gui/501/L", "bootstrap gui/501 ~/L.plist", "kickstart gui/501/L"},
		},
		{
			name: "no domains given", want: Target{Label: label}, is: ErrNoDomain,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := empty()
				if tt.set != nil {
					tt.set(l)
				}
				got, err := Client{l}.Load(t.Context(), tt.domains, label, plist)
				checkError(t, err, tt.is, tt.code)
				if tt.not != nil && errors.Is(err, tt.not) || tt.text != "" && shorter.Replace(err.Error()) != tt.text {
					t.Errorf("got  %v\nwant %s", err, tt.text)
				}
				if got != tt.want {
					t.Errorf("in %s, want %s", got, tt.want)
				}
				if tt.issued != nil {
					checkStory(t, l, tt.issued...)
				}
			})
		})
	}
}

// print shows the path that launchd was given, which may lead through a link.
func TestLoadedThroughLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file.plist"), filepath.Join(dir, "link.plist")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l := empty()
		l.job = &memoryJob{target: target, path: file, pid: 7}
		if _, err := (Client{l}).Load(t.Context(), DomainsFor(501, false), label, link); err != nil {
			t.Error(err)
		}
	})
}

// A relative path, and a letter of another case on a disk that ignores that,
// lead to the same file. A hard link stands for the second here.
func TestSamePlist(t *testing.T) {
	dir := t.TempDir()
	file, other, twin := filepath.Join(dir, "file.plist"), filepath.Join(dir, "other.plist"), filepath.Join(dir, "File.plist")
	for _, path := range []string{file, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(file, twin); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	t.Chdir(dir)
	const nowhere = "/no/such.plist"
	tests := []struct {
		loaded, wanted string
		same           bool
	}{
		{file, file, true}, {file, "file.plist", true}, {"./file.plist", file, true}, {twin, file, true},
		{"", file, true}, // an answer of list
		{nowhere, nowhere, true}, {nowhere, "/not/there.plist", false},
		{other, file, false}, {nowhere, file, false}, {file, nowhere, false},
	}
	for _, tt := range tests {
		err := samePlist("trying", tt.loaded, tt.wanted)
		if (err == nil) != tt.same || err != nil && !errors.Is(err, ErrOtherPath) {
			t.Errorf("%q for %q: %v", tt.loaded, tt.wanted, err)
		}
	}
}

// A job that is on its way out is there, but not to stay.
func TestLeavingJobIsNotLoaded(t *testing.T) {
	for _, state := range []string{"SIGTERMed", "SIGKILLed"} {
		synctest.Test(t, func(t *testing.T) { testLeaving(t, state) })
	}
}

func testLeaving(t *testing.T, state string) {
	looks := 0
	client := Client{runnerFunc(func(_ context.Context, _ string, args ...string) ([]byte, error) {
		switch args[0] {
		case "bootstrap":
			if looks < 3 {
				return nil, &ExitError{Args: args, Code: 5}
			}
		case "print":
			looks++
			return fmt.Appendf(nil, "l = {\n\tpath = %s\n\tstate = %s\n}\n", plist, state), nil
		}
		return nil, nil
	})}
	if _, err := client.Load(t.Context(), []Domain{target.Domain}, label, plist); err != nil || looks != 3 {
		t.Errorf("%s: %v after %d looks", state, err, looks)
	}
}

func TestCancelled(t *testing.T) {
	tests := map[string]func(l *launchd){
		"while it goes":     func(l *launchd) { l.deaf = true },
		"while it comes":    func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 5} },
		"hanging enable":    func(l *launchd) { l.hang = "enable" },
		"hanging bootout":   func(l *launchd) { l.hang = "bootout" },
		"hanging print":     func(l *launchd) { l.hang = "print" },
		"hanging bootstrap": func(l *launchd) { l.hang = "bootstrap" },
		"hanging kickstart": func(l *launchd) { l.hang = "kickstart" },
	}
	for name, set := range tests {
		for _, wait := range []time.Duration{time.Nanosecond, 555 * time.Millisecond} {
			t.Run(name+" "+wait.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := loaded()
					set(l)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					time.AfterFunc(wait, cancel)
					err := Client{l}.Reload(ctx, target, Job{}, plist)
					if !errors.Is(err, context.Canceled) || errors.Is(err, ErrStillLoaded) {
						t.Errorf("%v", err)
					}
					if strings.Count(err.Error(), context.Canceled.Error()) != 1 {
						t.Errorf("said twice: %v", err)
					}
					if took := time.Since(l.start); took != wait {
						t.Errorf("took %s, want %s", took, wait)
					}
				})
			})
		}
	}
}

// The caller's own deadline is not mistaken for the end of a step.
func TestCallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loaded()
		l.deaf = true
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := Client{l}.Reload(ctx, target, Job{}, plist)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStillLoaded) {
			t.Errorf("%v", err)
		}
		if took := time.Since(l.start); took != 3*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// A step ends at its ceiling even if the programs in it never answer, with a
// Runner that bounds them and with one that does not. What that means for the
// job is not known then.
func TestHangingStep(t *testing.T) {
	const op = " gui/501/homebrew.mxcl.ollama: "
	tests := []struct {
		verb     string
		patience time.Duration
		is       error // beside ErrNoAnswer
		took     time.Duration
		text     string
	}{
		{"bootout", 0, nil, 15 * time.Second, "unloading" + op + "cannot tell after 15s whether the job is loaded; last answer: no answer"},
		{"bootout", 4 * time.Second, ErrStillLoaded, 15 * time.Second, "unloading" + op + "job is still loaded after 15s; last answer: launchctl bootout: stopped after 4s: no answer"},
		{"print", 0, nil, 15 * time.Second, "unloading" + op + "cannot tell after 15s whether the job is loaded; last answer: no answer"},
		{"print", 4 * time.Second, nil, 15 * time.Second, "unloading" + op + "cannot tell after 15s whether the job is loaded; last answer: launchctl print: stopped after 4s: no answer"},
		{"bootstrap", 0, nil, 15 * time.Second, "bootstrapping" + op + "cannot tell after 15s whether the job is loaded; last answer: no answer"},
		{"bootstrap", 4 * time.Second, ErrNotLoaded, 15 * time.Second, "bootstrapping" + op + "job is not loaded after 15s; last answer: no answer"},
		{"kickstart", 0, nil, 15 * time.Second, "starting" + op + "no answer"},
		{"kickstart", 4 * time.Second, nil, 15 * time.Second, "starting" + op + "no answer"},
		// Nothing has happened to the job yet.
		{"enable", 4 * time.Second, nil, 4 * time.Second, "enabling" + op + "launchctl enable: stopped after 4s: no answer"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			l := loaded()
			l.hang, l.patience = tt.verb, tt.patience
			err := Client{l}.Reload(t.Context(), target, Job{ExitTimeout: 5 * time.Second}, plist)
			name := fmt.Sprintf("%s, patience %s", tt.verb, tt.patience)
			if took := time.Since(l.start); took != tt.took {
				t.Errorf("%s: took %s", name, took)
			}
			if !errors.Is(err, ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			for _, sentinel := range []error{ErrStillLoaded, ErrNotLoaded} {
				if errors.Is(err, sentinel) != (tt.is == sentinel) {
					t.Errorf("%s: %v: is %q: %t", name, err, sentinel, errors.Is(err, sentinel))
				}
			}
			if text := err.Error(); text != tt.text {
				t.Errorf("%s:\ngot  %s\nwant %s", name, text, tt.text)
			}
		})
	}
}

// One command without an answer, whether it did its work or not, does not stop
// a Reload between the old job and the new one.
func TestOneLostAnswer(t *testing.T) {
	for _, verb := range []string{"bootout", "print", "bootstrap", "kickstart"} {
		for _, obeys := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				l := loaded()
				l.hang, l.hangs, l.obeys, l.patience = verb, 1, obeys, 5*time.Second
				l.teardown = 5 * time.Second
				err := Client{l}.Reload(t.Context(), target, Job{ExitTimeout: 5 * time.Second}, plist)
				if err != nil || l.job == nil || l.job.pid != 200 {
					t.Errorf("%s, done %t: %v, job %+v", verb, obeys, err, l.job)
				}
				if took := time.Since(l.start); took > 12*time.Second {
					t.Errorf("%s, done %t: took %s", verb, obeys, took)
				}
			})
		}
	}
}

// With a Runner that bounds its programs too, the end of the caller's context
// is the end of the caller's context.
func TestCallersDeadlineBeforeAnswer(t *testing.T) {
	for _, verb := range []string{"enable", "bootout", "print", "bootstrap", "kickstart"} {
		synctest.Test(t, func(t *testing.T) {
			l := loaded()
			l.hang, l.patience = verb, 5*time.Second
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			err := Client{l}.Reload(ctx, target, Job{}, plist)
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrStillLoaded) {
				t.Errorf("%s: %v", verb, err)
			}
			if took := time.Since(l.start); took != 4*time.Second {
				t.Errorf("%s: took %s", verb, took)
			}
		})
	}
}

// Unload waits for as long as launchd may take, and knows how long that is
// from the caller or from launchd.
func TestUnloadExitTimeout(t *testing.T) {
	const s = time.Second
	tests := []struct{ given, shown, ceiling time.Duration }{
		{0, 0, 30 * s},
		{0, 5 * s, 15 * s},
		{5 * s, 0, 15 * s},
		{5 * s, 30 * s, 40 * s},
		{30 * s, 5 * s, 40 * s},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			l := loaded()
			l.shows, l.teardown = tt.shown, tt.ceiling-s
			if err := (Client{l}).Unload(t.Context(), target, tt.given, plist); err != nil {
				t.Errorf("given %s, shown %s: %v", tt.given, tt.shown, err)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			l := loaded()
			l.shows, l.deaf = tt.shown, true
			err := Client{l}.Unload(t.Context(), target, tt.given, plist)
			if took := time.Since(l.start); !errors.Is(err, ErrStillLoaded) || took != tt.ceiling {
				t.Errorf("given %s, shown %s: %v after %s", tt.given, tt.shown, err, took)
			}
		})
	}
}

func TestStopTime(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 20 * time.Second, 5 * time.Second: 5 * time.Second, time.Minute: time.Minute} {
		if got := (Job{ExitTimeout: timeout}).StopTime(); got != want {
			t.Errorf("exit timeout %s: %s, want %s", timeout, got, want)
		}
	}
}

// What Unload says of a job that print does not show is what it knows.
func TestUnloadWithoutALook(t *testing.T) {
	tests := []struct {
		name   string
		set    func(l *launchd)
		print  string // answer of print, if not launchd's
		is     error
		not    error
		text   string
		issued []string
	}{
		{
			name: "print fails", set: func(l *launchd) { l.refuseEver = map[string]int{"print": 118} }, not: ErrStillLoaded,
			text: "unloading gui/501/homebrew.mxcl.ollama: cannot tell after 15s whether the job is loaded; " +
				"last answer: launchctl print gui/501/homebrew.mxcl.ollama: exit status 118: print failed: 118: some text",
		},
		{
			name: "print makes no sense", set: func(l *launchd) { l.deaf, l.job.path = true, "x\n}" }, is: ErrFormat, not: ErrStillLoaded,
			text: "unloading gui/501/homebrew.mxcl.ollama: cannot tell after 15s whether the job is loaded; " +
				"last answer: answer not understood: no state",
		},
		{
			name: "print makes no sense, then the job is gone",
			set:  func(l *launchd) { l.teardown, l.job.path = 25*time.Millisecond, "x\n}" },
		},
		{
			name: "print fails, and bootout too",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"print": 118, "bootout": 150} }, not: ErrStillLoaded,
			text: "unloading gui/501/homebrew.mxcl.ollama: cannot tell after 15s whether the job is loaded; " +
				"last answer: launchctl print gui/501/homebrew.mxcl.ollama: exit status 118: print failed: 118: some text; " +
				"last answer: launchctl bootout gui/501/homebrew.mxcl.ollama: exit status 150: bootout failed: 150: some text",
		},
		{
			name: "print fails once, and bootout",
			set: func(l *launchd) {
				l.refuse, l.refuseEver = map[string][]int{"print": {118}}, map[string]int{"bootout": 150}
			},
			text:   "booting out gui/501/homebrew.mxcl.ollama: launchctl bootout gui/501/homebrew.mxcl.ollama: exit status 150: bootout failed: 150: some text",
			issued: []string{"bootout gui/501/L", "print gui/501/L ×2"},
		},
		{
			name: "bootout and print fail once, and the job is gone",
			set: func(l *launchd) {
				l.job, l.refuse = nil, map[string][]int{"print": {118}, "bootout": {150}}
			},
			issued: []string{"bootout gui/501/L", "print gui/501/L ×2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := loaded()
				tt.set(l)
				err := Client{l}.Unload(t.Context(), target, 5*time.Second, plist)
				switch {
				case tt.text == "" && err != nil, tt.text != "" && (err == nil || err.Error() != tt.text):
					t.Errorf("got  %v\nwant %s", err, tt.text)
				case tt.is != nil && !errors.Is(err, tt.is), tt.not != nil && errors.Is(err, tt.not):
					t.Errorf("kind of %v", err)
				}
				if tt.issued != nil {
					checkStory(t, l, tt.issued...)
				}
			})
		})
	}
}

// An answer that comes with the end of the step is an answer.
func TestAnswerAtTheEndOfTheStep(t *testing.T) {
	s := newStep(t.Context(), time.Hour)
	s.cancel(errStepOver)
	client := Client{runnerFunc(func(context.Context, string, ...string) ([]byte, error) {
		return nil, &ExitError{Args: []string{"launchctl"}, Code: 5}
	})}
	if err := client.Bootout(s, target); exitCode(err) != 5 || errors.Is(err, ErrNoAnswer) {
		t.Errorf("%v", err)
	}
}

// A print that the end of the step cuts short takes back nothing that the ones
// before it have shown.
func TestLooks(t *testing.T) {
	going, over := newStep(t.Context(), time.Hour), newStep(t.Context(), time.Hour)
	defer going.close()
	over.cancel(errStepOver)
	broken := errors.New("broken")
	var l looks
	l.note(over, ErrNoAnswer)
	if l.told || l.unclear != ErrNoAnswer {
		t.Errorf("nothing else known: %+v", l)
	}
	l.note(going, broken)
	l.note(over, ErrNoAnswer)
	if l.told || l.unclear != broken {
		t.Errorf("after an error: %+v", l)
	}
	for _, err := range []error{nil, ErrNotLoaded, ErrNoDomain} {
		l = looks{unclear: broken}
		l.note(going, err)
		l.note(over, ErrNoAnswer)
		if !l.told || l.unclear != nil {
			t.Errorf("after %v: %+v", err, l)
		}
	}
	l.note(going, broken)
	if !l.told || l.unclear != broken {
		t.Errorf("told, then unclear: %+v", l)
	}
}

// No program, no waiting.
func TestNoLaunchctl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		client := Client{runnerFunc(func(context.Context, string, ...string) ([]byte, error) { return nil, ErrNoTool })}
		_, err := client.Load(t.Context(), DomainsFor(501, false), label, plist)
		for _, err := range []error{
			err,
			client.Unload(t.Context(), target, 0, plist),
			client.Reload(t.Context(), target, Job{}, plist),
			client.bootstrap(t.Context(), target, plist),
		} {
			if !errors.Is(err, ErrNoTool) || time.Since(start) != 0 {
				t.Errorf("%v after %s", err, time.Since(start))
			}
		}
	})
}

func TestPrint(t *testing.T) {
	tests := []struct {
		name string
		set  func(l *launchd)
		want Job
		is   error
	}{
		{"loaded", func(*launchd) {}, Job{Path: plist, State: "running", PID: 100}, nil},
		{"not loaded", func(l *launchd) { l.job = nil }, Job{}, ErrNotLoaded},
		{"no domain", func(l *launchd) { l.domains = nil }, Job{}, ErrNoDomain},
		{"old launchctl", func(l *launchd) { l.old = true }, Job{PID: 100}, nil},
		{"old launchctl, not loaded", func(l *launchd) { l.old, l.job = true, nil }, Job{}, ErrNotLoaded},
		{"unreadable", func(l *launchd) { l.job.path = "x\n}" }, Job{}, ErrFormat},
	}
	for _, tt := range tests {
		l := loaded()
		tt.set(l)
		got, err := Client{l}.Print(t.Context(), target)
		if !errors.Is(err, tt.is) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestDisabled(t *testing.T) {
	answer := capture(t, "print-disabled-with-associations.txt")
	var failure error
	client := Client{runnerFunc(func(_ context.Context, name string, args ...string) ([]byte, error) {
		if got := strings.Join(append([]string{name}, args...), " "); got != "launchctl print-disabled gui/501" {
			t.Errorf("ran %s", got)
		}
		return answer, failure
	})}
	got, err := client.Disabled(t.Context(), GUI(501))
	if diff := cmp.Diff(map[string]bool{"com.docker.helper": false}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	answer = nil
	if _, err := client.Disabled(t.Context(), GUI(501)); !errors.Is(err, ErrFormat) {
		t.Errorf("no answer: %v", err)
	}
	failure = &ExitError{Args: []string{"launchctl"}, Code: 112}
	if _, err := client.Disabled(t.Context(), GUI(501)); !errors.Is(err, ErrNoDomain) {
		t.Errorf("no domain: %v", err)
	}
}
