package container

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"
)

var (
	errNoProgram = errors.New("the program is not in the container")
	errNoFetcher = errors.New("the container has none of python3, node, curl and wget")
	// errNotUnderstood: a tool did not say what it was to say.
	errNotUnderstood = errors.New("answer not understood")
	errNoEnd         = fmt.Errorf("%w: it has no end", errNotUnderstood)
)

const (
	maxBody = 512 << 10
	// fetchesAtOnce bounds the programs that run side by side.
	fetchesAtOnce = 8
	// startup is what a program is given beside the patience of its request:
	// the runtime has to bring it into the container, or to start one for it.
	startup = 10 * time.Second
)

// fetcher makes requests with one tool.
type fetcher func(ctx context.Context, in executor, requests []request, patience time.Duration) ([]Answer, error)

// fetchers are the tools, those first that tell most.
var fetchers = []struct {
	tool  string
	fetch fetcher
}{
	// -I: nothing from the environment, nor from the folder it runs in.
	{"python3", interpreter("python3", "-I", "-c", pythonProgram)},
	{"node", interpreter("node", "-e", nodeProgram)},
	{"curl", oneByOne(curlArgs, readCurl)},
	{"wget", oneByOne(wgetArgs, readWget)},
}

// fetch makes all requests with the first tool that the container has, and
// answers in their order. patience bounds each one, from the look-up of the
// name to the last byte. An answer that has begun counts, though the rest of it
// be late or lost: its status decides, and Body is what came until then.
//
// A tool that is there and broken is passed over, too. What went wrong with it
// is the error when no other is there.
func fetch(ctx context.Context, in executor, requests []request, patience time.Duration) (answers []Answer, tool string, err error) {
	broken := errNoFetcher
	for _, f := range fetchers {
		answers, err := f.fetch(ctx, in, requests, patience)
		if err == nil {
			return answers, f.tool, nil
		}
		if errors.Is(err, errNoProgram) {
			continue
		}
		failed := fmt.Errorf("fetching with %s: %w", f.tool, err)
		if ctx.Err() != nil || errors.Is(err, ErrNoImage) { // no other tool does better
			return nil, "", failed
		}
		if broken == errNoFetcher {
			broken = failed
		}
	}
	return nil, "", broken
}

// oneByOne makes each request with a run of its own, some of them side by side.
func oneByOne(
	args func(request, string, time.Duration) []string,
	read func(out []byte, err error, marker string) (Answer, error),
) fetcher {
	return func(ctx context.Context, in executor, requests []request, patience time.Duration) ([]Answer, error) {
		answers, errs := make([]Answer, len(requests)), make([]error, len(requests))
		slots := make(chan struct{}, fetchesAtOnce)
		var all sync.WaitGroup
		for i, r := range requests {
			all.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				marker := rand.Text() // no server can know it, and fake what comes after it
				out, err := in.run(ctx, patience, args(r, marker, patience)...)
				answers[i], errs[i] = read(out, err, marker)
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
}

// run runs a tool that needs no longer than patience. The error is an errNoProgram
// where there is no such program in the container.
func (in executor) run(ctx context.Context, patience time.Duration, argv ...string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, patience+startup)
	defer stop()
	out, err := in(ctx, argv...)
	if programMissing(out, err) {
		err = fmt.Errorf("%w: %w", errNoProgram, err)
	}
	if err != nil {
		err = discreet{err}
	}
	return out, err
}

// discreet is an error that names a command line, without the credentials in it.
type discreet struct{ error }

var credentials = regexp.MustCompile(`Authorization: [^"]*`)

func (d discreet) Error() string {
	return credentials.ReplaceAllString(d.error.Error(), "Authorization: ...")
}
func (d discreet) Unwrap() error { return d.error }

// settle completes an Answer with what a tool said, which nothing vouches for.
// Where there is a status, failure only happened on the way to the end of the body.
func settle(status int, failure Result, body, address, detail string) Answer {
	a := Answer{Result: failure, Detail: printable(detail, maxDetail)}
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

// afterMarker cuts a tool's output where its own words begin.
func afterMarker(out []byte, marker string) (before, after string, found bool) {
	text := string(out)
	i := strings.LastIndex(text, "\n"+marker)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1+len(marker):], true
}
