package container

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// curlArgs is a command line for curl 7.40 and later. -q, which keeps curlrc
// out, has to come first.
func curlArgs(r request, marker string, patience time.Duration) []string {
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
		argv = append(argv, "-H", header[0]+": "+header[1])
	}
	return append(argv, r.url)
}

// readCurl reads the body, and the line after the marker.
func readCurl(out []byte, err error, marker string) (Answer, error) {
	body, line, ended := afterMarker(out, marker)
	if !ended {
		return Answer{}, cmp.Or(err, errNoEnd)
	}
	code, address, _ := strings.Cut(strings.TrimSpace(line), " ")
	status, _ := strconv.Atoi(code) // "000" for none
	var failure Result
	var detail string
	if err != nil || status == 0 {
		failure, detail = curlFailure(err)
	}
	if failure == "" && status == 0 {
		return Answer{}, err
	}
	return settle(status, failure, body, address, detail), nil
}

// curlFailure is what an exit status of curl means, "" for one that says
// nothing about the server.
func curlFailure(err error) (failure Result, detail string) {
	if err == nil {
		return Empty, "no HTTP answer" // an older curl takes anything for HTTP/0.9
	}
	var exit *launchctl.ExitError
	if !errors.As(err, &exit) {
		return "", err.Error()
	}
	detail = cmp.Or(exit.Stderr, err.Error())
	switch exit.Code {
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
