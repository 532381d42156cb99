// Package fetch makes HTTP requests from inside a container, with what the
// container has: python3, node, curl or wget.
package fetch

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// ErrNoFetcher: the container has nothing to make a request with.
var ErrNoFetcher = errors.New("the container has none of python3, node, curl and wget")

// ErrNotUnderstood: a tool printed something unexpected.
var ErrNotUnderstood = errors.New("answer not understood")

var (
	errNoProgram = errors.New("the program is not in the container")
	errNoEnd     = fmt.Errorf("%w: it has no end", ErrNotUnderstood)
)

const (
	maxBody = 512 << 10
	// atOnce bounds the programs that run at the same time.
	atOnce = 8
	// startup is added to the patience of a program's request: the runtime has to bring
	// it into the container, or to start a container for it.
	startup = 10 * time.Second
)

// Result is how a fetch ended.
type Result string

// The results. A status other than 200 is "http-" and its three digits.
const (
	OK      Result = "ok"
	DNS     Result = "dns"     // the name does not resolve
	Refused Result = "refused" // nothing listens there, or there is no route
	Timeout Result = "timeout"
	Empty   Result = "empty" // connected, and no HTTP answer
	// Other is status 200 from something other than Ollama or our listener.
	Other Result = "http-200"
)

// Answer is the response to a request.
type Answer struct {
	Result Result // OK for any answer with status 200, whatever its body
	Status int    // of the HTTP answer, 0 for none
	Body   string // its first 512 KiB
	// Address is the one that was connected to, or the first that the name resolved to;
	// "" if the tool does not say.
	Address string
	Detail  string // the tool's own words about a failure, one line
}

// String is the answer in a few words.
func (a Answer) String() string {
	switch {
	case a.Result == "":
		return a.Detail
	case a.Detail == "":
		return string(a.Result)
	}
	return fmt.Sprintf("%s: %s", a.Result, a.Detail)
}

// Executor runs a program inside a container: standard input and an argument list in,
// standard output out, also beside an error, which holds the *launchctl.ExitError of a
// program that failed. What is secret goes to standard input.
type Executor func(ctx context.Context, stdin string, argv ...string) ([]byte, error)

// task is the input of every tool.
type task struct {
	requests []Request
	patience time.Duration
	marker   string   // no server can know it, and so fake what comes after it
	marks    []string // one for each request
}

// tools are the ways to fetch. With a shell, one run makes all requests, whatever the
// tool; the others are for containers without a shell.
var tools = []struct {
	name  string
	fetch func(context.Context, Executor, task) (answers []Answer, tool string, err error)
}{
	{"sh", byShell},
	// -I: nothing from the environment, nor from the folder it runs in.
	{"python3", interpreter("python3", "-I", "-c", pythonProgram)},
	{"node", interpreter("node", "-e", nodeProgram)},
	{"curl", byCurl},
}

// Fetch makes all requests with the first tool that the container has, and
// answers in their order. patience bounds each one, from the look-up of the
// name to the last byte. An answer that has begun counts, though the rest of it
// be late or lost: its status decides, and Body is what came until then.
//
// A tool that is there and broken is passed over, too. What went wrong with it
// is the error when no other is there.
func Fetch(ctx context.Context, in Executor, requests []Request, patience time.Duration) (answers []Answer, tool string, err error) {
	t := task{requests: requests, patience: patience, marker: rand.Text()}
	for range requests {
		t.marks = append(t.marks, rand.Text())
	}
	broken := ErrNoFetcher
	for _, f := range tools {
		answers, tool, err := f.fetch(ctx, in, t)
		if err == nil {
			return answers, tool, nil
		}
		if errors.Is(err, errNoProgram) {
			continue
		}
		failed := fmt.Errorf("fetching with %s: %w", f.name, err)
		var exit *launchctl.ExitError
		if ctx.Err() != nil || !errors.As(err, &exit) && !errors.Is(err, ErrNotUnderstood) {
			return nil, "", failed // no other tool would do better
		}
		if broken == ErrNoFetcher {
			broken = failed
		}
	}
	return nil, "", broken
}

// byShell lets a shell pick the tool.
func byShell(ctx context.Context, in Executor, t task) ([]Answer, string, error) {
	var input strings.Builder
	// Not every sleep takes fractions.
	seconds := max(int((t.patience+time.Second-1)/time.Second), 1)
	fmt.Fprintf(&input, "%s\n%d\n%d\n%s", t.marker, seconds, maxBody, t.json())
	for i, r := range t.requests {
		input.WriteString(r.lines(t.marks[i]))
	}
	// On a slow machine, each takes part of its time.
	patience := t.patience + time.Duration(len(t.requests))*200*time.Millisecond
	out, err := in.run(ctx, patience, input.String(), "sh", "-c", shellProgram, "sh", pythonProgram, nodeProgram)
	if err != nil {
		return nil, "", err
	}
	return readShell(out, t.marker, t.marks)
}

// json is the task on one line, for the interpreters.
func (t task) json() string {
	data, _ := json.Marshal(map[string]any{ // of strings and numbers
		"marker":   t.marker,
		"seconds":  t.patience.Seconds(),
		"limit":    maxBody, // on the bytes of a body
		"requests": t.requests,
	})
	return string(data) + "\n"
}

// interpreter makes all requests with one run of a program of ours.
func interpreter(argv ...string) func(context.Context, Executor, task) ([]Answer, string, error) {
	return func(ctx context.Context, in Executor, t task) ([]Answer, string, error) {
		out, err := in.run(ctx, t.patience, t.json(), argv...)
		if err != nil {
			return nil, "", err
		}
		answers, err := readOutputs(out, t.marker, len(t.requests))
		return answers, argv[0], err
	}
}

// byCurl runs curl once per request, several at a time.
func byCurl(ctx context.Context, in Executor, t task) ([]Answer, string, error) {
	answers, errs := make([]Answer, len(t.requests)), make([]error, len(t.requests))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, r := range t.requests {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out, err := in.run(ctx, t.patience, curlConfig(r), curlArgs(r, t.marks[i], t.patience)...)
			var exit launchctl.ExitError
			if e, ok := errors.AsType[*launchctl.ExitError](err); ok && e.Code >= 0 {
				exit = *e
			} else if err != nil {
				errs[i] = err
				return
			}
			if answers[i], errs[i] = readCurl(out, exit.Code, exit.Stderr, t.marks[i]); errs[i] != nil {
				errs[i] = cmp.Or(err, errs[i])
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, "", err
		}
	}
	return answers, "curl", nil
}

// run runs a tool for no longer than patience. The error is an errNoProgram if the
// container has no such program.
func (in Executor) run(ctx context.Context, patience time.Duration, stdin string, argv ...string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, patience+startup)
	defer stop()
	out, err := in(ctx, stdin, argv...)
	switch {
	case err == nil:
	case programMissing(out, err):
		err = fmt.Errorf("%w: %w", errNoProgram, discreet{err})
	default:
		err = discreet{err}
	}
	return out, err
}

// discreet is an error for people: without the command line, which includes whole
// programs and long IDs.
type discreet struct{ error }

func (d discreet) Error() string {
	exit, ok := errors.AsType[*launchctl.ExitError](d.error)
	switch {
	case ok && exit.Signal != 0: // what has a status is the container's, and this is not
		return fmt.Sprintf("%s was ended by signal %d (%s)", exit.Args[0], int(exit.Signal), exit.Signal)
	case ok:
		return ending(exit.Code, exit.Stderr)
	}
	said := d.error.Error()
	for _, known := range []error{launchctl.ErrTooMuch, launchctl.ErrNoAnswer, context.DeadlineExceeded, context.Canceled} {
		if i := strings.LastIndex(said, known.Error()); i >= 0 {
			return said[i:]
		}
	}
	return text.Printable(said, text.MaxDetail)
}

func (d discreet) Unwrap() error { return d.error }

// ending is how a program ended, in words for people.
func ending(exit int, stderr string) string {
	if stderr == "" {
		return fmt.Sprintf("exit status %d", exit)
	}
	return fmt.Sprintf("exit status %d: %s", exit, text.Reason(stderr))
}

// settle completes an Answer with a tool's own words, which nothing vouches for. If
// there is a status, failure only happened later, while reading the body.
func settle(status int, failure Result, body, address, detail string) Answer {
	a := Answer{Result: failure, Detail: text.Printable(detail, text.MaxDetail)}
	began := failure != Timeout || body != "" // not every tool tells late headers from a late body
	if began && 100 <= status && status <= 999 {
		a.Status, a.Result = status, OK
		if status != 200 {
			a.Result = Result(fmt.Sprintf("http-%03d", status))
		}
		a.Body = body[:min(len(body), maxBody)]
	}
	if ip, err := netip.ParseAddr(address); err == nil {
		a.Address = ip.Unmap().String()
	}
	return a
}

// afterMarker splits a tool's output where its own words begin.
func afterMarker(out []byte, marker string) (before, after string, found bool) {
	return cutLast(string(out), "\n"+marker)
}

// cutLast is strings.Cut around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// programMissing reports whether a program was not found inside, by the words of
// runc or crun, which all engines pass on:
//
//	… exec failed: unable to start container process: exec: "node": executable file not found in $PATH: unknown
//	… runc create failed: … exec: "/bin/node": stat /bin/node: no such file or directory: unknown
//	Error: crun: executable file `node` not found in $PATH: No such file or directory: OCI runtime attempted …
//
// Some versions of docker exec say it on standard output (docker/cli#2025). A
// program that says the same of something else only has the next one tried.
func programMissing(stdout []byte, err error) bool {
	var exit *launchctl.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	switch exit.Code {
	case 126, 127, // exec and run
		1, 125: // start --attach of docker and podman; nerdctl has no other than 1
		return missingProgram.MatchString(exit.Stderr) || missingProgram.Match(stdout)
	}
	return false
}

var missingProgram = regexp.MustCompile(`(?im)^.*\b(?:oci|runc|crun)\b.*(?:executable file .*not found in \$PATH|` +
	`exec: .*no such file or directory|exec: .*permission denied|command that was not found)`)
