package container

import (
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// wgetProgram makes one command of GNU's and BusyBox's wget, which have next to
// no option in common and say what matters on standard error only.
//
//go:embed fetch.sh
var wgetProgram string

func wgetArgs(r request, marker string, patience time.Duration) []string {
	seconds := max(int(math.Ceil(patience.Seconds())), 1) // not every sleep knows fractions
	argv := []string{"sh", "-c", wgetProgram, "sh", marker, strconv.Itoa(seconds), strconv.Itoa(maxBody), r.proxy}
	for _, header := range r.Headers {
		argv = append(argv, "--header", header[0]+": "+header[1])
	}
	return append(argv, r.url)
}

// stopped is the exit status of a wget whose time was over: SIGTERM ended it.
const stopped = "143"

// What wget says, line by line. An interim status (1xx) is none. BusyBox's own TLS
// is so old that some servers refuse it.
var (
	wgetStatus  = regexp.MustCompile(`(?m)^(?:  |wget: server returned error: )HTTP/[0-9](?:\.[0-9])? ([2-9][0-9][0-9])\b`)
	wgetAddress = regexp.MustCompile(`(?m)^Connecting to (?:.*\|(.*)\|:|.* \((.*):[0-9]+\)\r?$|(.*):[0-9]+\.\.\.)`)
	wgetWhy     = regexp.MustCompile(`(?m)^.*TLS error.*$|^.*\S\s*\z`)
	wgetExit    = regexp.MustCompile(`(?:^|\n)exit ([0-9]{1,3})\n?$`)
)

// readWget reads the body, and wget's own words after the marker.
func readWget(out []byte, err error, marker string) (Answer, error) {
	if err != nil {
		return Answer{}, err
	}
	body, text, found := afterMarker(out, marker)
	shown, text, _ := strings.Cut(text, "\n")
	switch {
	case !found:
		return Answer{}, errNoEnd
	case shown == " absent":
		return Answer{}, errNoProgram
	}
	exit := ""
	if m := wgetExit.FindStringSubmatchIndex(text); m != nil {
		text, exit = text[:m[0]], text[m[2]:m[3]]
	}
	status, address := wgetAnswer(text)
	if status == 0 && exit == "0" && shown == " hidden" {
		status = 200 // a wget that cannot show the status succeeds on no other
	}
	if 300 <= status && status <= 399 {
		body = "" // BusyBox cannot be kept from following: it is another page's
	}
	if status != 0 && exit == "0" {
		return settle(status, "", body, address, ""), nil
	}
	failure := wgetFailure(text, exit)
	if failure == "" && status == 0 {
		return Answer{}, fmt.Errorf("%w: %s", errNotUnderstood, printable(text, maxDetail))
	}
	why := wgetWhy.FindString(text)
	if exit == stopped {
		why = "no answer in time"
	}
	return settle(status, failure, body, address, why), nil
}

// wgetAnswer is the status of the first answer, 0 for none, and the address that
// it came from, or was to come from.
func wgetAnswer(text string) (status int, address string) {
	if m := wgetStatus.FindStringSubmatchIndex(text); m != nil {
		status, _ = strconv.Atoi(text[m[2]:m[3]])
		text = text[:m[0]]
	}
	for _, m := range wgetAddress.FindAllStringSubmatch(text, -1) {
		address = strings.Trim(m[1]+m[2]+m[3], "[]")
	}
	return status, address
}

// wgetFailure is what kept wget from getting an answer, "" if that says nothing
// about the server.
func wgetFailure(text, exit string) Result {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case exit == stopped || says("timed out"):
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
