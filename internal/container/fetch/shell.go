package fetch

import (
	"bufio"
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
)

// shellProgram picks a tool, and makes one command of GNU's and BusyBox's wget, which
// have next to no option in common and say what matters on standard error only.
//
//go:embed fetch.sh
var shellProgram string

// lines is the request as shellProgram reads it.
func (r Request) lines(marker string) string {
	all := []string{marker, r.url, with(r.login, r.url), r.proxy, with(r.proxyLogin, r.proxy),
		r.Host, strconv.Itoa(r.Port), r.Target}
	for _, header := range r.Headers {
		all = append(all, header[0]+": "+header[1])
	}
	return strings.Join(all, "\n") + "\n\n"
}

// readShell reads what shellProgram printed. The error is an errNoProgram if the
// container has no tool that it knows.
func readShell(out []byte, marker string, marks []string) (answers []Answer, tool string, err error) {
	before, tool, found := cutLast(string(out), "\nused-"+marker+" ")
	tool = strings.TrimSpace(tool)
	switch {
	case !found:
		return nil, "", errNoEnd
	case tool == "none":
		return nil, "", errNoProgram
	case tool != "curl" && tool != "wget":
		answers, err = readOutputs([]byte(before), marker, len(marks))
		return answers, tool, err
	}
	answers = make([]Answer, len(marks))
	for i, mark := range marks {
		_, rest, _ := strings.Cut(before, "begin-"+mark+"\n")
		one, _, found := strings.Cut(rest, "\nend-"+mark+"\n")
		if !found {
			return nil, tool, errNoEnd
		}
		if answers[i], err = readOne([]byte(one), mark); err != nil {
			return nil, tool, err
		}
	}
	return answers, tool, nil
}

// readOne reads one answer: the body, and the tool's own words after the marker.
func readOne(out []byte, marker string) (Answer, error) {
	body, words, found := afterMarker(out, marker)
	shown, words, _ := strings.Cut(words, "\n")
	exit := -1
	if m := exitLine.FindStringSubmatchIndex(words); m != nil {
		exit, _ = strconv.Atoi(words[m[2]:m[3]])
		words = words[:m[0]]
	}
	switch shown {
	case " curl":
		return readCurl([]byte(body), exit, strings.TrimSpace(words), marker)
	case " shown", " hidden":
		return readWget(body, shown, exit, words)
	case " raw":
		return readRaw(body, exit, words)
	case " absent":
		return Answer{}, errNoProgram
	}
	if !found {
		return Answer{}, errNoEnd
	}
	return Answer{}, ErrNotUnderstood
}

// stopped is the exit status of a tool that ran out of time: SIGTERM ended it.
const stopped = 143

// What wget says, line by line. An interim status (1xx) is none. BusyBox's own TLS
// is so old that some servers refuse it.
var (
	wgetStatus  = regexp.MustCompile(`(?m)^(?:  |wget: server returned error: )HTTP/[0-9](?:\.[0-9])? ([2-9][0-9][0-9])\b`)
	wgetAddress = regexp.MustCompile(`(?m)^Connecting to (?:.*\|(.*)\|:|.* \((.*):[0-9]+\)\r?$|(.*):[0-9]+\.\.\.)`)
	wgetWhy     = regexp.MustCompile(`(?m)^.*TLS error.*$|^.*\S\s*\z`)
	exitLine    = regexp.MustCompile(`(?:^|\n)exit ([0-9]{1,3})\n?$`)
)

// readWget reads the body, and wget's own words.
func readWget(body, shown string, exit int, words string) (Answer, error) {
	status, address := wgetAnswer(words)
	if status == 0 && exit == 0 && shown == " hidden" {
		status = 200 // a wget that cannot show the status succeeds only with this one
	}
	if 300 <= status && status <= 399 {
		body = "" // BusyBox always follows redirects: this is another page's
	}
	if status != 0 && exit == 0 {
		return settle(status, "", body, address, ""), nil
	}
	failure := wgetFailure(words, exit)
	if exit == stopped && !strings.Contains(words, "Connecting to ") {
		failure = DNS // its name servers do not answer
	}
	if failure == "" && status == 0 {
		return Answer{}, fmt.Errorf("%w: %s", ErrNotUnderstood, text.Printable(words, text.MaxDetail))
	}
	why := wgetWhy.FindString(words)
	if exit == stopped {
		why = "no answer in time"
	}
	if failure == DNS && exit == stopped {
		why = "no address in time"
	}
	return settle(status, failure, body, address, why), nil
}

// wgetAnswer is the status of the first answer, or 0, and the address that it came
// from, or should have come from.
func wgetAnswer(words string) (status int, address string) {
	if m := wgetStatus.FindStringSubmatchIndex(words); m != nil {
		status, _ = strconv.Atoi(words[m[2]:m[3]])
		words = words[:m[0]]
	}
	for _, m := range wgetAddress.FindAllStringSubmatch(words, -1) {
		address = strings.Trim(m[1]+m[2]+m[3], "[]")
	}
	return status, address
}

// wgetFailure is what kept wget, or nc, from an answer; "" if that says nothing about
// the server.
func wgetFailure(words string, exit int) Result {
	says := func(some ...string) bool {
		return slices.ContainsFunc(some, func(w string) bool { return strings.Contains(words, w) })
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

// readRaw reads what a server sent, to the last byte.
func readRaw(sent string, exit int, words string) (Answer, error) {
	failure := wgetFailure(words, exit)
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(sent)), nil)
	if err != nil {
		return settle(0, cmp.Or(failure, Empty), "", "", text.Reason(words)), nil
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody)) // as much as arrived
	why := ""
	if failure != "" {
		why = text.Reason(words)
	}
	return settle(r.StatusCode, failure, string(bytes.TrimSpace(body)), "", why), nil
}
