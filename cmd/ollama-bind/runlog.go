//go:build !windows

package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// verboseVariable sets --verbose for programs that cannot pass a flag.
const verboseVariable = "OLLAMA_BIND_VERBOSE"

func verboseFlag() cli.Flag {
	return &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show on stderr each program that is run, and how it ended"}
}

// runLog remembers each program that was run, for --verbose and for the log that fix
// and rollback keep. The only variable it shows is OLLAMA_HOST: the values of all
// others become ***, wherever they turn up.
type runLog struct {
	loud bool   // --verbose
	kept string // where the log is, once there is one

	mu      sync.Mutex
	began   time.Time
	ran     []ranAt
	secrets map[string]bool
}

type ranAt struct {
	at time.Time
	launchctl.Ran
}

// runner runs programs and remembers them.
func (p program) runner(deadline time.Duration) launchctl.Exec {
	return launchctl.Exec{Deadline: deadline, Ran: p.tell.ran}
}

// ran remembers one program, and with --verbose shows it.
func (t teller) ran(r launchctl.Ran) {
	if line := t.log.add(r); t.log.loud {
		t.note("ran", t.tilde(line))
	}
}

func (t teller) verbose() bool { return t.log != nil && t.log.loud }

// add returns what there is to show.
func (t *runLog) add(r launchctl.Ran) string {
	if slices.Contains(r.Args, "inspect") { // of a container
		t.hide(variables(r.Stdout))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Stdout = nil
	t.ran = append(t.ran, ranAt{time.Now(), r})
	return t.masked(r).String()
}

// listed is how JSON lists environments: "NAME=value".
var listed = regexp.MustCompile(`"[A-Za-z_]\w*=(?:[^"\\]|\\.)*"`)

func variables(json []byte) map[string]string {
	found := map[string]string{}
	for _, quoted := range listed.FindAllString(string(json), -1) {
		text, err := strconv.Unquote(quoted)
		if err != nil {
			text = strings.Trim(quoted, `"`)
		}
		variable, value, _ := strings.Cut(text, "=")
		found[variable] = value
	}
	return found
}

// public are variables whose values are no secret, and turn up everywhere.
var public = regexp.MustCompile(`^(` + ollama.Variable + `|HOME|LANG|LC_\w+|LOGNAME|PATH|PWD|SHELL|TMPDIR|USER|XPC_\w+|OSLogRateLimit)$`)

// shortest is the length of the shortest value to look for. Shorter ones, such as 1,
// turn up everywhere.
const shortest = 4

// hide remembers the values of an environment as secrets.
func (t *runLog) hide(environment map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.secrets == nil {
		t.secrets = map[string]bool{}
	}
	for variable, value := range environment {
		for line := range strings.Lines(value) { // an error may show only the first line
			if line = strings.TrimSpace(line); len(line) >= shortest && !public.MatchString(variable) {
				t.secrets[line] = true
			}
		}
	}
}

// masked is r without secrets, or what looks like one.
func (t *runLog) masked(r launchctl.Ran) launchctl.Ran {
	r.Args = slices.Clone(r.Args)
	for i, arg := range r.Args[1:] { // the program itself is no secret: Podman sets container=podman
		r.Args[1+i] = t.mask(arg)
	}
	r.Stderr = t.mask(r.Stderr)
	return r
}

var (
	assignment = regexp.MustCompile(`\b([A-Z_][A-Z0-9_]*)=("[^"]*"|'[^']*'|\S+)`)
	userinfo   = regexp.MustCompile(`://[^/@\s]+@`)
)

// mask replaces secrets, and what looks like one.
func (t *runLog) mask(text string) string {
	text = userinfo.ReplaceAllString(t.maskValues(text), "://***@")
	return assignment.ReplaceAllStringFunc(text, func(found string) string {
		if variable, _, _ := strings.Cut(found, "="); !public.MatchString(variable) {
			return variable + "=***"
		}
		return found
	})
}

// maskValues replaces the longest first: a shorter one may be part of it.
func (t *runLog) maskValues(text string) string {
	longestFirst := slices.SortedFunc(maps.Keys(t.secrets), func(a, b string) int {
		return cmp.Compare(len(b), len(a))
	})
	for _, secret := range longestFirst {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// log is one line per program, masked by all secrets known by now.
func (t *runLog) log(args []string, ending string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	line := func(at time.Time, text string) {
		fmt.Fprintf(&b, "%s %s\n", at.UTC().Format("2006-01-02T15:04:05.000Z"), text)
	}
	line(t.began, name+" "+builtFrom().String())
	words := []string{name}
	for _, arg := range args {
		words = append(words, shell.Quote(t.mask(arg)))
	}
	line(t.began, strings.Join(words, " "))
	for _, s := range t.ran {
		line(s.at, t.masked(s.Ran).String())
	}
	line(time.Now(), t.mask(ending))
	return b.String()
}

// keepLog writes the log of a run that changed something, or tried to. If that fails,
// the run's result stands.
func (p program) keepLog(m service.Machine, out rebind.Outcome, err error) {
	if !out.Tried {
		return
	}
	ending := "done"
	if err != nil {
		ending = "error: " + plainWords(err.Error())
	}
	path, err := m.Store.KeepLog(out.Backup, p.tell.log.log(p.args, screen.Printable(p.tell.tilde(ending))))
	if err == nil {
		p.tell.log.kept = path
	}
}

// wantsLog reports whether the variable is set.
func wantsLog() bool {
	on, _ := strconv.ParseBool(os.Getenv(verboseVariable))
	return on
}
