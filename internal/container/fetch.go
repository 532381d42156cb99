package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

var (
	errNoProgram = errors.New("the program is not in the container")
	errNoFetcher = errors.New("the container has none of python3, node, curl and wget")
)

const (
	maxBody   = 512 << 10
	maxDetail = 200
	// fetchesAtOnce bounds the programs that run side by side.
	fetchesAtOnce = 8
	// startup is what a program is given beside the patience of its request:
	// the runtime has to bring it into the container, or to start one for it.
	startup = 10 * time.Second
)

// place runs a program inside a container: argument list in, standard output
// out, also beside an error. The error is an errNoProgram when there is no such
// program in there, and holds the *launchctl.ExitError of one that failed.
type place func(ctx context.Context, argv ...string) ([]byte, error)

// fetcher makes orders with one tool.
type fetcher struct {
	tool  string
	fetch func(ctx context.Context, in place, orders []order, patience time.Duration) ([]Answer, error)
}

// byPreference are the tools, those first that tell most.
var byPreference = []fetcher{
	{"python3", fetchPython},
	{"node", fetchNode},
	{"curl", fetchCurl},
	{"wget", fetchWget},
}

// fetch makes all requests with the first tool that the container has, and
// answers in their order. patience bounds each one, from the look-up of the
// name to the last byte. An answer that has begun counts, though the rest of it
// be late or lost: its status decides, and Body is what came until then.
//
// A tool that is there and broken is passed over, too. What went wrong with it
// is the error when no other is there.
func fetch(ctx context.Context, in place, requests []Request, patience time.Duration) (answers []Answer, tool string, err error) {
	orders, err := makeOrders(requests)
	if err != nil {
		return nil, "", err
	}
	var broken error
	for _, f := range byPreference {
		answers, err := f.fetch(ctx, in, orders, patience)
		switch {
		case err == nil:
			return answers, f.tool, nil
		case errors.Is(err, errNoProgram):
		case !isTools(err):
			return nil, "", fmt.Errorf("fetching with %s: %w", f.tool, err)
		case broken == nil:
			broken = fmt.Errorf("fetching with %s: %w", f.tool, err)
		}
	}
	if broken != nil {
		return nil, "", broken
	}
	return nil, "", errNoFetcher
}

// errNotUnderstood: a tool did not say what it was to say.
var errNotUnderstood = errors.New("answer not understood")

// isTools reports whether it was the tool that failed: then another one may do
// better. The end of the time is not of that kind.
func isTools(err error) bool {
	var exit *launchctl.ExitError
	return errors.Is(err, errNotUnderstood) || errors.Is(err, launchctl.ErrTooMuch) || errors.Is(err, launchctl.ErrNoAnswer) || errors.As(err, &exit)
}

// run runs a tool that needs no longer than patience.
func (in place) run(ctx context.Context, patience time.Duration, argv ...string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, patience+startup)
	defer stop()
	out, err := in(ctx, argv...)
	if absent(out, err) && !errors.Is(err, errNoProgram) {
		err = fmt.Errorf("%w: %w", errNoProgram, err)
	}
	if err != nil {
		err = &abridged{err: err, argv: argv}
	}
	return out, err
}

// abridged is an error about a command line, without the arguments that nobody
// wants to read, our programs, and those that nobody may, credentials.
type abridged struct {
	err  error
	argv []string
}

const maxArgument = 100

// Error has the error's words, and dots in the place of such arguments.
func (e *abridged) Error() string {
	text := e.err.Error()
	for _, arg := range e.argv {
		if len(arg) > maxArgument || strings.Contains(arg, "Authorization: ") {
			text = strings.ReplaceAll(text, strconv.Quote(arg), "...")
		}
	}
	return text
}

// Unwrap is the whole error.
func (e *abridged) Unwrap() error { return e.err }

// oneByOne makes each order with a run of its own, some of them side by side.
func oneByOne(orders []order, fetch func(order) (Answer, error)) ([]Answer, error) {
	answers, errs := make([]Answer, len(orders)), make([]error, len(orders))
	slots := make(chan struct{}, fetchesAtOnce)
	var all sync.WaitGroup
	for i, o := range orders {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i], errs[i] = fetch(o)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// StatusResult is the Result of an HTTP answer.
func StatusResult(status int) Result {
	if status == 200 {
		return OK
	}
	return Result(fmt.Sprintf("http-%03d", status))
}

// settle completes an Answer with what a tool said, which nothing vouches for.
// Where there is a status, failure only happened on the way to the end of the body.
func settle(status int, failure Result, body, address, detail string) Answer {
	a := Answer{Result: failure, Detail: oneLine(detail)}
	began := failure != Timeout || body != "" // not every tool tells late headers from a late body
	if began && 100 <= status && status <= 999 {
		a.Status, a.Result = status, StatusResult(status)
		a.Body = body[:min(len(body), maxBody)]
	}
	if ip, err := netip.ParseAddr(address); err == nil {
		a.Address = ip.Unmap().String()
	}
	return a
}

// oneLine is text fit for a message: short, and without anything that could
// move a cursor.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r), r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, strings.TrimSpace(text))
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "")
	}
	return text
}

// newMarker is a word that no server can know, and so none can fake what a tool
// says after it.
func newMarker() string {
	random := make([]byte, 16)
	rand.Read(random) // never fails: crypto/rand ends the program first
	return hex.EncodeToString(random)
}

// afterMarker cuts a tool's output where its own words begin.
func afterMarker(out []byte, marker string) (before, after string, found bool) {
	text := string(out)
	i := strings.LastIndex(text, "\n"+marker)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1+len(marker):], true
}

// stderrOf is what a program that failed said, or the error itself.
func stderrOf(err error) string {
	var exit *launchctl.ExitError
	if errors.As(err, &exit) && exit.Stderr != "" {
		return exit.Stderr
	}
	return err.Error()
}

// exitOf is the exit status of a program that ran: 0 without an error, -1 for
// any error that does not tell.
func exitOf(err error) int {
	var exit *launchctl.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return -1
}
