package launchctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	label = "homebrew.mxcl.ollama"
	plist = "/Users/tester/Library/LaunchAgents/homebrew.mxcl.ollama.plist"
)

var target = Target{GUI(501), label}

// someEnvironment is a block that every answer of print about a job has.
const someEnvironment = "\tenvironment = {\n\t\tXPC_SERVICE_NAME => l\n\t}\n"

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
	// loadsNothing is how many bootstraps say that they have, and have not.
	loadsNothing int
	lost         bool   // a job that was bootstrapped does not start by itself
	afterEIO     string // a refused bootstrap leaves a job of this plist behind

	start time.Time
	calls []call
}

type memoryJob struct {
	target Target
	path   string
	pid    int
	state  string    // of a job without a process; empty: "not running"
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
	if code := l.refusal(verb); code != 0 {
		if verb == "bootstrap" && l.afterEIO != "" {
			l.job = &memoryJob{target: target, path: l.afterEIO, pid: 300}
		}
		return "", code, fmt.Sprintf("%s failed: %d: some text", verb, code)
	}
	switch verb {
	case "print":
		return l.print(args[0])
	case "enable":
		return "", 0, ""
	case "bootout":
		return l.bootout(args[0])
	case "bootstrap":
		return l.bootstrap(Domain(args[0]), args[1])
	case "kickstart":
		return l.kickstart(args[0])
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

func (l *launchd) print(name string) (string, int, string) {
	domain, _, _ := strings.Cut(name, "/"+label)
	if !slices.Contains(l.domains, Domain(domain)) {
		return "", 112, "Bad request.\nCould not find domain for user gui: 501"
	}
	if l.job == nil || l.job.target.String() != name {
		return "", 113, "Bad request.\nCould not find service"
	}
	state := "not running"
	switch {
	case l.job.pid != 0:
		state = fmt.Sprintf("running\n\tpid = %d", l.job.pid)
	case l.job.state != "":
		state = l.job.state
	}
	return fmt.Sprintf("%s = {\n\tpath = %s\n\tstate = %s\n%s}\n", name, l.job.path, state, someEnvironment), 0, ""
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
	if !slices.Contains(l.domains, domain) {
		return "", 125, "Bootstrap failed: 125: Domain does not support specified action"
	}
	if l.job != nil {
		return "", 5, "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors."
	}
	if l.loadsNothing--; l.loadsNothing >= 0 {
		return "", 0, ""
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

// story is what was run, in one line: without the words that are the same
// everywhere, and with repetitions counted.
func (l *launchd) story() string {
	short := strings.NewReplacer("launchctl ", "", " "+target.String(), "", " "+string(target.Domain)+" "+plist, "",
		" "+string(User(501))+"/"+label, "@user", " "+string(User(501))+" "+plist, "@user")
	var verbs []string
	times := 1
	for i, c := range l.calls {
		if i+1 < len(l.calls) && l.calls[i+1].line == c.line {
			times++
			continue
		}
		verb := short.Replace(c.line)
		if times > 1 {
			verb += fmt.Sprintf("×%d", times)
		}
		verbs, times = append(verbs, verb), 1
	}
	return strings.Join(verbs, " ")
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

func checkStory(t *testing.T, l *launchd, want string) {
	t.Helper()
	if got := l.story(); want != "" && got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReload(t *testing.T) {
	const unknown = -1
	tests := []struct {
		name   string
		set    func(l *launchd)
		exit   time.Duration // 0: five seconds
		is     error         // nil: Reload works
		code   int           // exit status in the error, if any
		text   string        // of the error, if it matters; with short names
		took   time.Duration
		pid    int // of the job in the end; 0: none
		issued string
	}{
		{
			name:   "at once",
			pid:    200,
			issued: "enable bootout print bootstrap kickstart",
		},
		{
			name:   "not loaded before",
			set:    func(l *launchd) { l.job = nil },
			pid:    200,
			issued: "enable bootout print bootstrap kickstart",
		},
		{
			// 26.5.1: bootout returned 0, the job and its process were still there.
			name:   "slow to go",
			set:    func(l *launchd) { l.teardown = 1200 * time.Millisecond },
			pid:    200,
			took:   1310 * time.Millisecond,
			issued: "enable bootout print×8 bootout print×2 bootstrap kickstart",
		},
		{
			// osquery/osquery#5698
			name: "36, then gone",
			set: func(l *launchd) {
				l.refuse = map[string][]int{"bootout": {36}}
			},
			pid:    200,
			took:   1060 * time.Millisecond,
			issued: "enable bootout print×8 bootout print bootstrap kickstart",
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
			text: "unloading gui/501/L: given up after 15s: job is still loaded",
		},
		{
			name: "never goes, unknown exit timeout",
			set:  func(l *launchd) { l.deaf = true },
			exit: unknown,
			is:   ErrStillLoaded,
			took: 30 * time.Second,
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
			name:   "bootout refused",
			set:    func(l *launchd) { l.refuseEver = map[string]int{"bootout": 150} },
			code:   150,
			pid:    100,
			issued: "enable bootout print",
		},
		{
			// headroomlabs-ai/headroom#1289
			name:   "input/output error three times",
			set:    func(l *launchd) { l.refuse = map[string][]int{"bootstrap": {5, 5, 5}} },
			pid:    200,
			took:   70 * time.Millisecond,
			issued: "enable bootout print bootstrap print bootstrap print bootstrap print bootstrap kickstart",
		},
		{
			name: "input/output error for ever",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 5} },
			code: 5,
			took: 15 * time.Second,
			text: "bootstrapping gui/501/L: given up after 15s: " +
				"launchctl bootstrap gui/501 ~/L.plist: exit status 5: bootstrap failed: 5: some text",
		},
		{
			name: "refused, and loaded all the same",
			set: func(l *launchd) {
				l.refuse, l.afterEIO = map[string][]int{"bootstrap": {5}}, plist
			},
			pid:    300,
			issued: "enable bootout print bootstrap print kickstart",
		},
		{
			name: "loaded from another plist",
			set: func(l *launchd) {
				l.refuse, l.afterEIO = map[string][]int{"bootstrap": {5}}, "/opt/homebrew/opt/ollama/homebrew.mxcl.ollama.plist"
			},
			is:  ErrOtherPath,
			pid: 300,
			text: "bootstrapping gui/501/L: another plist is loaded under this label: " +
				`"/opt/homebrew/opt/ollama/L.plist"`,
			issued: "enable bootout print bootstrap print",
		},
		{
			name: "the user logs out meanwhile",
			set:  func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 125} },
			is:   ErrNoDomain,
			code: 125,
			text: "bootstrapping gui/501/L: launchctl bootstrap gui/501 ~/L.plist: " +
				"exit status 125: bootstrap failed: 125: some text",
			issued: "enable bootout print bootstrap",
		},
		{
			// Bootstrapped, but not started: kickstart has to.
			name:   "registered only",
			set:    func(l *launchd) { l.lost = true },
			pid:    201,
			issued: "enable bootout print bootstrap kickstart",
		},
		{
			// agentcage#308: exit 0 of bootstrap, and no job.
			name:   "the first bootstrap loads nothing",
			set:    func(l *launchd) { l.loadsNothing = 1 },
			pid:    200,
			took:   250 * time.Millisecond,
			issued: "enable bootout print bootstrap kickstart bootstrap kickstart",
		},
		{
			name: "no bootstrap loads anything",
			set:  func(l *launchd) { l.loadsNothing = 1000 },
			is:   ErrNotLoaded,
			code: 113,
			took: 15 * time.Second,
		},
		{
			name: "kickstart while it starts",
			set:  func(l *launchd) { l.refuse = map[string][]int{"kickstart": {36}} },
			pid:  200,
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
			issued: "enable",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := loaded()
				if tt.set != nil {
					tt.set(l)
				}
				exit := 5 * time.Second
				if tt.exit != 0 {
					exit = max(tt.exit, 0)
				}
				err := Client{l}.Reload(t.Context(), target, Job{ExitTimeout: exit}, plist, nil)
				checkError(t, err, tt.is, tt.code, tt.text)
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
				checkStory(t, l, tt.issued)
			})
		})
	}
}

// checkError wants no error when neither a kind nor an exit status is given.
func checkError(t *testing.T, err, is error, code int, text string) {
	t.Helper()
	if (err != nil) != (is != nil || code != 0) || is != nil && !errors.Is(err, is) {
		t.Fatalf("error %v, want %v", err, is)
	}
	if err == nil {
		return
	}
	var exit *ExitError
	if errors.As(err, &exit) != (code != 0) || exit != nil && exit.Code != code {
		t.Errorf("not exit status %d: %v", code, err)
	}
	got := shorter.Replace(err.Error())
	if strings.Count(got, "gui/501/L: ") > 1+strings.Count(got, "launchctl ") {
		t.Errorf("wrapped more than once: %s", got)
	}
	if text != "" && got != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
}

// Never a busy loop, and never late by more than a quarter of a second.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loaded()
		l.deaf = true
		_ = Client{l}.Unload(t.Context(), target, 0, nil)
		l.checkPace(t)
	})
	synctest.Test(t, func(t *testing.T) {
		l := empty()
		l.refuseEver = map[string]int{"bootstrap": 5}
		_, _ = Client{l}.Load(t.Context(), DomainsFor(501, false), label, plist, nil)
		l.checkPace(t)
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loaded()
		l.teardown, l.refuse = 15*time.Millisecond, map[string][]int{"bootstrap": {5}}
		var steps []string
		note := func(s Step) { steps = append(steps, string(s)) }
		if err := (Client{l}).Reload(t.Context(), target, Job{}, plist, note); err != nil {
			t.Error(err)
		}
		if _, err := (Client{l}).Load(t.Context(), DomainsFor(501, false), label, plist, note); err != nil {
			t.Error(err)
		}
		if err := (Client{l}).Unload(t.Context(), target, 0, note); err != nil {
			t.Error(err)
		}
		const want = "enable bootout wait wait bootstrap wait bootstrap kickstart " +
			"enable bootstrap kickstart bootout wait wait"
		if got := strings.Join(steps, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// A caller who hears that launchd goes on refusing a plist can mend it in time.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := empty()
		l.refuseEver = map[string]int{"bootstrap": 5}
		times := 0
		err := Client{l}.Reload(t.Context(), target, Job{}, plist, func(s Step) {
			if s == StepRefused {
				times, l.refuseEver = times+1, nil
			}
		})
		if took := time.Since(l.start); err != nil || times != 1 || took > 4*time.Second {
			t.Errorf("%v after %s, told %d times", err, took, times)
		}
	})
}

func TestLoad(t *testing.T) {
	gui, user := target, Target{User(501), label}
	tests := []struct {
		name   string
		set    func(l *launchd)
		want   Target
		is     error
		not    error // what the error must not be
		code   int
		text   string // of the error, if it matters; with short names
		issued string
	}{
		{
			name: "logged in at the screen", want: gui,
			issued: "enable bootstrap kickstart",
		},
		{
			// duh17/oppi#31: over ssh, without a login at the screen.
			name: "over ssh", want: user,
			set:    func(l *launchd) { l.domains = []Domain{User(501)} },
			issued: "enable bootstrap enable@user bootstrap@user kickstart@user",
		},
		{
			name: "no domain at all", want: user, is: ErrNoDomain, code: 125,
			set: func(l *launchd) { l.domains = nil },
		},
		{
			// A refusal of another kind must not put the job in a second domain.
			name: "refused", want: gui, is: ErrDisabled, code: 119,
			set:    func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 119} },
			issued: "enable bootstrap",
		},
		{
			name: "loaded already", want: gui,
			set:    func(l *launchd) { l.job = &memoryJob{target: gui, path: plist, pid: 7} },
			issued: "enable bootstrap print kickstart",
		},
		{
			// Not disabled, it loads without.
			name: "enable refused", want: gui,
			set:    func(l *launchd) { l.refuseEver = map[string]int{"enable": 125} },
			issued: "enable bootstrap kickstart",
		},
		{
			// What enable says must not put the job in a second domain.
			name: "enable and bootstrap refused", want: gui, is: ErrDisabled, code: 119, not: ErrNoDomain,
			set:    func(l *launchd) { l.refuseEver = map[string]int{"enable": 125, "bootstrap": 119} },
			issued: "enable bootstrap",
			text: "bootstrapping gui/501/L: launchctl bootstrap gui/501 ~/L.plist: exit status 119: bootstrap failed: 119: some text; " +
				"and before, enabling gui/501/L: launchctl enable gui/501/L: exit status 125: enable failed: 125: some text",
		},
		{
			// Loaded is loaded: a second domain is for a plist that is not.
			name: "the domain goes before the start", want: gui, is: ErrNoDomain, code: 125,
			set:    func(l *launchd) { l.refuseEver = map[string]int{"kickstart": 125} },
			issued: "enable bootstrap kickstart",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := empty()
				if tt.set != nil {
					tt.set(l)
				}
				got, err := Client{l}.Load(t.Context(), DomainsFor(501, false), label, plist, nil)
				checkError(t, err, tt.is, tt.code, tt.text)
				if tt.not != nil && errors.Is(err, tt.not) {
					t.Errorf("it is %q: %v", tt.not, err)
				}
				if got != tt.want {
					t.Errorf("in %s, want %s", got, tt.want)
				}
				checkStory(t, l, tt.issued)
			})
		})
	}
}

// A relative path, a link, and a letter of another case on a disk that ignores
// that, lead to the same file. A hard link stands for the last here.
func TestSamePlist(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "file.plist"), filepath.Join(dir, "other.plist")
	twin, link := filepath.Join(dir, "File.plist"), filepath.Join(dir, "link.plist")
	for _, path := range []string{file, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(file, twin); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	const nowhere = "/no/such.plist"
	tests := []struct {
		loaded, wanted string
		same           bool
	}{
		{file, file, true}, {file, "file.plist", true}, {"./file.plist", file, true},
		{twin, file, true}, {link, file, true}, {file, link, true}, {"", file, false},
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
		synctest.Test(t, func(t *testing.T) {
			l := empty()
			l.refuse, l.job = map[string][]int{"bootstrap": {5, 5, 5}}, &memoryJob{target: target, path: plist, state: state}
			l.job.gone = time.Now().Add(25 * time.Millisecond)
			_, err := Client{l}.Load(t.Context(), []Domain{target.Domain}, label, plist, nil)
			checkError(t, err, nil, 0, "")
			checkStory(t, l, "enable bootstrap print bootstrap print bootstrap print bootstrap kickstart")
		})
	}
}

// The end of the caller's own time is not mistaken for the end of a step, with a
// Runner that bounds its programs too.
func TestCallerGivesUp(t *testing.T) {
	tests := map[string]func(l *launchd){
		"while it goes":     func(l *launchd) { l.deaf = true },
		"while it comes":    func(l *launchd) { l.refuseEver = map[string]int{"bootstrap": 5} },
		"hanging enable":    func(l *launchd) { l.hang = "enable" },
		"hanging bootout":   func(l *launchd) { l.hang = "bootout" },
		"hanging print":     func(l *launchd) { l.hang = "print" },
		"hanging bootstrap": func(l *launchd) { l.hang = "bootstrap" },
		"hanging kickstart": func(l *launchd) { l.hang = "kickstart" },
	}
	ends := []struct {
		after time.Duration
		is    error
	}{
		{time.Nanosecond, context.Canceled},
		{555 * time.Millisecond, context.Canceled},
		{4 * time.Second, context.DeadlineExceeded},
	}
	giveUp := func(t *testing.T, set func(*launchd), after time.Duration, is error) {
		l := loaded()
		l.patience = 5 * time.Second
		set(l)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if is == context.Canceled {
			time.AfterFunc(after, cancel)
		}
		err := Client{l}.Reload(ctx, target, Job{}, plist, nil)
		if !errors.Is(err, is) || errors.Is(err, ErrStillLoaded) || errors.Is(err, ErrNoAnswer) {
			t.Errorf("%v", err)
		}
		if strings.Count(err.Error(), is.Error()) != 1 {
			t.Errorf("said twice: %v", err)
		}
		if took := time.Since(l.start); took != after {
			t.Errorf("took %s, want %s", took, after)
		}
	}
	for name, set := range tests {
		for _, end := range ends {
			t.Run(fmt.Sprintf("%s %s", name, end.after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { giveUp(t, set, end.after, end.is) })
			})
		}
	}
}

// A step ends at its ceiling even if the programs in it never answer, with a
// Runner that bounds them and with one that does not. What that means for the
// job is not known then.
func TestHangingStep(t *testing.T) {
	const s = time.Second
	const patience, late = " gui/501/L: given up after 15s: launchctl ", " gui/501/L: given up after 15s: no answer"
	tests := []struct {
		verb     string
		patience time.Duration
		took     time.Duration
		text     string
	}{
		{"bootout", 0, 15 * s, "unloading" + late},
		{"bootout", 4 * s, 15 * s, "unloading" + patience + "bootout: stopped after 4s: no answer"},
		{"print", 0, 15 * s, "unloading" + late},
		{"print", 4 * s, 15 * s, "unloading" + patience + "print: stopped after 4s: no answer"},
		{"bootstrap", 0, 15 * s, "bootstrapping" + late},
		{"bootstrap", 4 * s, 15 * s, "bootstrapping" + patience + "bootstrap: stopped after 4s: no answer"},
		{"kickstart", 0, 15 * s, "starting" + late},
		{"kickstart", 4 * s, 15 * s, "starting" + patience + "kickstart: stopped after 4s: no answer"},
		// Nothing has happened to the job yet.
		{"enable", 4 * s, 4 * s, "enabling gui/501/L: launchctl enable: stopped after 4s: no answer"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s, patience %s", tt.verb, tt.patience), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := loaded()
				l.hang, l.patience = tt.verb, tt.patience
				err := Client{l}.Reload(t.Context(), target, Job{ExitTimeout: 5 * s}, plist, nil)
				checkError(t, err, ErrNoAnswer, 0, tt.text)
				if took := time.Since(l.start); took != tt.took {
					t.Errorf("took %s", took)
				}
				if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
					t.Errorf("it is the caller's: %v", err)
				}
			})
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
				err := Client{l}.Reload(t.Context(), target, Job{ExitTimeout: 5 * time.Second}, plist, nil)
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

// What Unload says of a job that print does not show is what it knows.
func TestUnloadWithoutALook(t *testing.T) {
	const givenUp = "unloading gui/501/L: given up after 15s: "
	tests := map[string]struct {
		set    func(l *launchd)
		is     error
		code   int
		text   string
		issued string
	}{
		"print fails": {
			set:  func(l *launchd) { l.refuseEver = map[string]int{"print": 118} },
			code: 118, text: givenUp + "launchctl print gui/501/L: exit status 118: print failed: 118: some text",
		},
		"print makes no sense": {
			set: func(l *launchd) { l.deaf, l.job.path = true, "x\n}" },
			is:  ErrFormat, text: givenUp + "answer not understood: no state",
		},
		"print makes no sense, then the job is gone": {
			set: func(l *launchd) { l.teardown, l.job.path = 25*time.Millisecond, "x\n}" },
		},
		"print fails once, and bootout": {
			set: func(l *launchd) {
				l.refuse, l.refuseEver = map[string][]int{"print": {118}}, map[string]int{"bootout": 150}
			},
			code: 150, issued: "bootout print×2",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := loaded()
				tt.set(l)
				err := Client{l}.Unload(t.Context(), target, 5*time.Second, nil)
				checkError(t, err, tt.is, tt.code, tt.text)
				checkStory(t, l, tt.issued)
			})
		})
	}
}

// An answer that comes with the end of the step is an answer.
func TestAnswerAtTheEndOfTheStep(t *testing.T) {
	over, stop := context.WithTimeoutCause(t.Context(), 0, ErrNoAnswer)
	defer stop()
	client := Client{runnerFunc(func(context.Context, string, ...string) ([]byte, error) {
		return nil, &ExitError{Args: []string{"launchctl"}, Code: 5}
	})}
	var exit *ExitError
	if err := client.tell(over, "booting out", "bootout", target); !errors.As(err, &exit) || errors.Is(err, ErrNoAnswer) {
		t.Errorf("%v", err)
	}
}

// No program, no waiting.
func TestNoLaunchctl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		client := Client{runnerFunc(func(context.Context, string, ...string) ([]byte, error) { return nil, ErrNoTool })}
		_, err := client.Load(t.Context(), DomainsFor(501, false), label, plist, nil)
		for _, err := range []error{
			err,
			client.Unload(t.Context(), target, 0, nil),
			client.Reload(t.Context(), target, Job{}, plist, nil),
			reload{client, target, plist, nil}.bootstrap(t.Context()),
		} {
			if !errors.Is(err, ErrNoTool) || time.Since(start) != 0 {
				t.Errorf("%v after %s", err, time.Since(start))
			}
		}
	})
}
