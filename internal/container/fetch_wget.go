package container

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// wgetProgram makes one command of GNU's and BusyBox's wget, which have next to
// no option in common and say what matters on standard error only.
//
//go:embed fetch.sh
var wgetProgram string

func fetchWget(ctx context.Context, in place, orders []order, patience time.Duration) ([]Answer, error) {
	return oneByOne(orders, func(o order) (Answer, error) {
		marker := newMarker()
		out, err := in.run(ctx, patience, wgetArgs(o, marker, patience)...)
		if err != nil {
			return Answer{}, err
		}
		return readWget(out, marker)
	})
}

func wgetArgs(o order, marker string, patience time.Duration) []string {
	seconds := max(int(math.Ceil(patience.Seconds())), 1) // not every sleep knows fractions
	argv := []string{"sh", "-c", wgetProgram, "sh", marker, strconv.Itoa(seconds), strconv.Itoa(maxBody), o.proxy}
	for _, header := range o.Headers {
		argv = append(argv, "--header", header[0]+": "+header[1])
	}
	return append(argv, o.url)
}

// readWget reads the body, and wget's own words after the marker.
func readWget(out []byte, marker string) (Answer, error) {
	body, text, found := afterMarker(out, marker)
	if !found {
		return Answer{}, fmt.Errorf("%w: it has no end", errNotUnderstood)
	}
	shown, text, _ := strings.Cut(text, "\n")
	if shown == " absent" {
		return Answer{}, errNoProgram
	}
	log := readWgetLog(text)
	if log.status == 0 && log.exit == 0 && shown == " hidden" {
		log.status = 200 // a wget that cannot show the status succeeds on no other
	}
	if 300 <= log.status && log.status <= 399 {
		body = "" // BusyBox cannot be kept from following: it is another page's
	}
	if log.status != 0 && log.exit == 0 {
		return settle(log.status, "", body, log.address, ""), nil
	}
	failure := log.failure()
	if failure == "" && log.status == 0 {
		return Answer{}, fmt.Errorf("%w: %s", errNotUnderstood, oneLine(text))
	}
	return settle(log.status, failure, body, log.address, log.why), nil
}

// stopped is the exit status of a wget whose time was over: SIGTERM ended it.
const stopped = 128 + 15

// wgetLog is what a wget said.
type wgetLog struct {
	status  int    // of the first answer
	address string // that was connected to, or was to be
	why     string // its last words, or those about the connection
	exit    int    // -1 if unknown
	text    string
}

var (
	wgetStatus  = lazyregexp.New(`^(?:  |wget: server returned error: )HTTP/[0-9](?:\.[0-9])? ([1-9][0-9][0-9])\b`)
	wgetAddress = lazyregexp.New(`^Connecting to (?:.*\|(.*)\|:|.* \((.*):[0-9]+\)$|(.*):[0-9]+\.\.\.)`)
	wgetExit    = lazyregexp.New(`(?:^|\n)exit ([0-9]{1,3})\n?$`)
)

// readWgetLog reads what wget said. BusyBox's own TLS is so old that some servers
// refuse it: that is an Empty, and its Detail says why.
func readWgetLog(text string) wgetLog {
	log := wgetLog{exit: -1, text: text}
	if m := wgetExit.FindStringSubmatchIndex(text); m != nil {
		log.exit, _ = strconv.Atoi(text[m[2]:m[3]])
		log.text = text[:m[0]]
	}
	for line := range strings.Lines(log.text) {
		line = strings.TrimRight(line, "\r\n")
		if m := wgetAddress.FindStringSubmatch(line); m != nil && log.status == 0 {
			log.address = strings.Trim(m[1]+m[2]+m[3], "[]")
		}
		if m := wgetStatus.FindStringSubmatch(line); m != nil && log.status < 200 {
			log.status, _ = strconv.Atoi(m[1])
		}
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(log.why, "TLS error") {
			log.why = line
		}
	}
	if log.exit == stopped {
		log.why = "no answer in time"
	}
	return log
}

// failure is what kept wget from getting an answer, "" if that says nothing
// about the server.
func (l wgetLog) failure() Result {
	says := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(l.text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case l.exit == stopped || says("timed out"):
		return Timeout
	case says("unable to resolve host address", "bad address"):
		return DNS
	case says("can't connect to remote host", "... failed: "):
		return Refused
	case says("invalid option", "unrecognized option", "can't execute", "not an http or ftp url", "HTTPS support not compiled in"):
		return ""
	case says("Connecting to "):
		return Empty
	}
	return ""
}
