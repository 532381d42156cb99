package masked

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Runs are the programs that one run of ours has run. The only variable whose value it
// shows is OLLAMA_HOST: those of all others become ***, wherever they turn up.
type Runs struct {
	mu      sync.Mutex
	began   time.Time
	ran     []ranAt
	secrets map[string]bool
}

type ranAt struct {
	at time.Time
	launchctl.Ran
}

// NewRuns begins now.
func NewRuns() *Runs { return &Runs{began: time.Now(), secrets: map[string]bool{}} }

// Add remembers a program, and returns a line about it.
func (r *Runs) Add(ran launchctl.Ran) string {
	if slices.Contains(ran.Args, "inspect") { // of a container
		r.Hide(variables(ran.Stdout))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ran.Stdout = nil
	r.ran = append(r.ran, ranAt{time.Now(), ran})
	return r.masked(ran).String()
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

// Hide remembers the values of an environment as secrets.
func (r *Runs) Hide(environment map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for variable, value := range environment {
		for line := range strings.Lines(value) { // an error may show only the first line
			if line = strings.TrimSpace(line); len(line) >= shortPassword && !public.MatchString(variable) {
				r.secrets[line] = true
			}
		}
	}
}

// masked is ran without secrets, or what looks like one.
func (r *Runs) masked(ran launchctl.Ran) launchctl.Ran {
	ran.Args = slices.Clone(ran.Args)
	for i, arg := range ran.Args[1:] { // the program itself is no secret: Podman sets container=podman
		ran.Args[1+i] = r.mask(arg)
	}
	ran.Stderr = r.mask(ran.Stderr)
	return ran
}

var assignment = regexp.MustCompile(`\b([A-Z_][A-Z0-9_]*)=("[^"]*"|'[^']*'|\S+)`)

// mask replaces secrets, and what looks like one.
func (r *Runs) mask(text string) string {
	text = userinfo.ReplaceAllString(r.Mask(text), "://***@")
	return assignment.ReplaceAllStringFunc(text, func(found string) string {
		if variable, _, _ := strings.Cut(found, "="); !public.MatchString(variable) {
			return variable + "=***"
		}
		return found
	})
}

// Mask replaces the values that Hide was told, the longest first: a shorter one may be
// part of it.
func (r *Runs) Mask(text string) string {
	longestFirst := slices.SortedFunc(maps.Keys(r.secrets), func(a, b string) int {
		return cmp.Compare(len(b), len(a))
	})
	for _, secret := range longestFirst {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// Log is one line per program, masked by all secrets known by now. It begins with the
// version and the command line, and ends with how it ended.
func (r *Runs) Log(version, program string, args []string, ending string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	line := func(at time.Time, text string) {
		fmt.Fprintf(&b, "%s %s\n", at.UTC().Format("2006-01-02T15:04:05.000Z"), text)
	}
	line(r.began, version)
	for _, arg := range args {
		program += " " + shell.Quote(r.mask(arg))
	}
	line(r.began, program)
	for _, ran := range r.ran {
		line(ran.at, r.masked(ran.Ran).String())
	}
	line(time.Now(), r.mask(ending))
	return b.String()
}
