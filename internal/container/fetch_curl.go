package container

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

func fetchCurl(ctx context.Context, in place, orders []order, patience time.Duration) ([]Answer, error) {
	return oneByOne(orders, func(o order) (Answer, error) {
		marker := newMarker()
		out, err := in.run(ctx, patience, curlArgs(o, marker, patience)...)
		return readCurl(out, err, marker)
	})
}

// curlArgs is a command line for curl 7.40 and later. -q, which keeps curlrc
// out, has to come first.
func curlArgs(o order, marker string, patience time.Duration) []string {
	argv := []string{
		"curl", "-q", "-sS", "-g", "-k", "-i", "--http1.1",
		"--max-time", strconv.FormatFloat(patience.Seconds(), 'f', 3, 64),
		"-w", `\n` + marker + ` %{remote_ip}\n`,
	}
	if o.proxy == "" {
		argv = append(argv, "--noproxy", "*")
	} else {
		argv = append(argv, "--noproxy", "", "-x", o.proxy)
	}
	for _, header := range o.Headers {
		argv = append(argv, "-H", header[0]+": "+header[1])
	}
	return append(argv, o.url)
}

// readCurl reads headers, body and the line after the marker.
//
// The line is missing when curl was killed because of too much output. A server
// that says that much has answered, and its status stands in the headers.
func readCurl(out []byte, err error, marker string) (Answer, error) {
	text, address, ended := afterMarker(out, marker)
	if !ended && (err == nil || len(text) <= maxBody) {
		return Answer{}, curlError(err)
	}
	status, body := splitHead(text)
	if !ended {
		if status == 0 {
			return Answer{}, curlError(err)
		}
		return settle(status, "", body, "", ""), nil
	}
	address = strings.TrimSpace(address)
	if err == nil && status != 0 {
		return settle(status, "", body, address, ""), nil
	}
	failure, detail := curlFailure(err)
	if failure == "" && status == 0 {
		return Answer{}, curlError(err)
	}
	return settle(status, failure, body, address, detail), nil
}

// curlError is for an end of curl that says nothing about the server.
func curlError(err error) error {
	if err == nil {
		return fmt.Errorf("%w: it has no end", errNotUnderstood)
	}
	return err
}

// curlFailure is what an exit status of curl means, "" for one that says
// nothing about the server.
func curlFailure(err error) (failure Result, detail string) {
	if err == nil {
		return Empty, "no HTTP answer" // an older curl takes anything for HTTP/0.9
	}
	detail = stderrOf(err)
	switch exitOf(err) {
	case 5, 6:
		return DNS, detail
	case 7:
		if strings.Contains(detail, "timed out") {
			return Timeout, detail
		}
		return Refused, detail
	case 28:
		return Timeout, detail
	case 35:
		return Empty, "no TLS there: " + detail
	case 8, 16, 18, 52, 55, 56, 61, 92:
		return Empty, detail
	case 1:
		if strings.Contains(detail, "HTTP/0.9") {
			return Empty, detail
		}
	}
	return "", detail
}

var statusLine = lazyregexp.New(`^HTTP/[0-9](?:\.[0-9])? ([1-9][0-9][0-9])(?: [^\n]*)?\r?\n`)

// splitHead cuts the headers off an answer, and those of the interim answers
// (status 1xx) before it. The status is 0 if it does not begin with headers.
func splitHead(text string) (status int, body string) {
	for {
		line := statusLine.FindStringSubmatch(text)
		if line == nil {
			return status, text
		}
		status, _ = strconv.Atoi(line[1])
		_, rest, found := cutHead(text)
		if !found {
			return 0, ""
		}
		if status >= 200 {
			return status, rest
		}
		text = rest
	}
}

// cutHead cuts after the first empty line.
func cutHead(text string) (head, rest string, found bool) {
	for i := 0; ; {
		n := strings.IndexByte(text[i:], '\n')
		if n < 0 {
			return text, "", false
		}
		line := text[i : i+n]
		i += n + 1
		if line == "" || line == "\r" {
			return text[:i], text[i:], true
		}
	}
}
