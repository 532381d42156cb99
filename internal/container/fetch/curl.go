package fetch

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// curlArgs is a command line for curl 7.40 and later, which reads the secret part
// of the request from standard input. -q, which keeps curlrc out, has to come first.
func curlArgs(r Request, marker string, patience time.Duration) []string {
	argv := []string{
		"curl", "-q", "-sS", "-g", "-k", "--http1.1",
		"--max-time", strconv.FormatFloat(patience.Seconds(), 'f', 3, 64),
		"--max-filesize", strconv.Itoa(maxBody),
		"-w", `\n` + marker + ` %{http_code} %{remote_ip}\n`,
	}
	if r.proxy == "" {
		argv = append(argv, "--noproxy", "*")
	} else {
		argv = append(argv, "--noproxy", "", "-x", r.proxy)
	}
	for _, header := range r.Headers {
		if !slices.Contains(secret, header[0]) {
			argv = append(argv, "-H", header[0]+": "+header[1])
		}
	}
	return append(argv, "-K", "-", r.url)
}

// curlConfig is the secret part.
func curlConfig(r Request) string {
	config := ""
	for _, header := range r.Headers {
		if slices.Contains(secret, header[0]) {
			config += fmt.Sprintf("header = \"%s: %s\"\n", header[0], header[1])
		}
	}
	return config
}

// readCurl reads the body, the line after the marker, and curl's ending.
func readCurl(out []byte, exit int, stderr, marker string) (Answer, error) {
	body, line, ended := afterMarker(out, marker)
	if !ended {
		return Answer{}, fmt.Errorf("%w: %s", errNoEnd, ending(exit, stderr))
	}
	code, address, _ := strings.Cut(strings.TrimSpace(line), " ")
	status, _ := strconv.Atoi(code) // "000" for none
	var failure Result
	var detail string
	if exit != 0 || status == 0 {
		failure, detail = curlFailure(exit, stderr)
	}
	if failure == "" && status == 0 {
		return Answer{}, fmt.Errorf("%w: %s", ErrNotUnderstood, ending(exit, stderr))
	}
	return settle(status, failure, body, address, detail), nil
}

// curlFailure is what curl's exit status means, "" if it says nothing about the server.
func curlFailure(exit int, stderr string) (failure Result, detail string) {
	detail = cmp.Or(stderr, fmt.Sprintf("curl: exit status %d", exit))
	switch exit {
	case 0:
		return Empty, "no HTTP answer" // an older curl takes anything as HTTP/0.9
	case 5, 6:
		return DNS, detail
	case 7:
		if strings.Contains(detail, "timed out") {
			return Timeout, detail
		}
		return Refused, detail
	case 28:
		if strings.Contains(detail, "Resolving timed out") {
			return DNS, detail
		}
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
