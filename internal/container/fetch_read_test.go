package container

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

const mark = "0123456789abcdef"

func exited(code int, stderr string) error {
	return &launchctl.ExitError{Args: []string{"tool"}, Code: code, Stderr: stderr}
}

func TestReadCurl(t *testing.T) {
	tests := []struct {
		name, body, line string
		err              error
		want             Answer
	}{
		{"ok", "{}", "200 127.0.0.1", nil, Answer{Result: OK, Status: 200, Body: "{}", Address: "127.0.0.1"}},
		{"IPv6", "{}", "200 ::1", nil, Answer{Result: OK, Status: 200, Body: "{}", Address: "::1"}},
		{"forbidden", "", "403 127.0.0.1", nil, Answer{Result: "http-403", Status: 403, Address: "127.0.0.1"}},
		{"a body with another mark", "\n0123 9.9.9.9\n", "200 ::1", nil, Answer{Result: OK, Status: 200, Body: "\n0123 9.9.9.9\n", Address: "::1"}},
		{"garbage to 7.40", "garbage\n", "000 ::1", nil, Answer{Result: Empty, Address: "::1", Detail: "no HTTP answer"}},
		{"garbage to 7.88", "", "000 ::1", exited(1, "curl: (1) Received HTTP/0.9 when not allowed"), Answer{Result: Empty, Address: "::1", Detail: "curl: (1) Received HTTP/0.9 when not allowed"}},
		{"no such name", "", "000 ", exited(6, "curl: (6) x"), Answer{Result: DNS, Detail: "curl: (6) x"}},
		{"no such proxy", "", "000 ", exited(5, "curl: (5) p"), Answer{Result: DNS, Detail: "curl: (5) p"}},
		{"refused", "", "000 ::1", exited(7, "curl: (7) Failed to connect"), Answer{Result: Refused, Address: "::1", Detail: "curl: (7) Failed to connect"}},
		{"given up by the kernel", "", "000 ::1", exited(7, "curl: (7) Connection timed out"), Answer{Result: Timeout, Address: "::1", Detail: "curl: (7) Connection timed out"}},
		{"late", "", "000 ::1", exited(28, "late"), Answer{Result: Timeout, Address: "::1", Detail: "late"}},
		{"late in the headers", "", "200 ::1", exited(28, "late"), Answer{Result: Timeout, Address: "::1", Detail: "late"}},
		{"late in the body", "{}", "200 ::1", exited(28, "late"), Answer{Result: OK, Status: 200, Body: "{}", Address: "::1", Detail: "late"}},
		{"cut off", "{}", "200 ::1", exited(18, "cut"), Answer{Result: OK, Status: 200, Body: "{}", Address: "::1", Detail: "cut"}},
		{"too much", "", "200 ::1", exited(63, "much"), Answer{Result: OK, Status: 200, Address: "::1", Detail: "much"}},
		{"empty", "", "000 ::1", exited(52, "empty"), Answer{Result: Empty, Address: "::1", Detail: "empty"}},
		{"no TLS", "", "000 ::1", exited(35, "wrong version"), Answer{Result: Empty, Address: "::1", Detail: "no TLS there: wrong version"}},
	}
	for _, tt := range tests {
		got, err := readCurl([]byte(tt.body+"\n"+mark+" "+tt.line+"\n"), tt.err, mark)
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v (%v), want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestReadCurlErrors(t *testing.T) {
	end := "\n" + mark + " 000 \n"
	for name, tt := range map[string]struct {
		out string
		err error
	}{
		"an option it has not":    {"", exited(2, "curl: option --http1.1: is unknown")},
		"a protocol it has not":   {end, exited(1, "curl: (1) Protocol https not supported or disabled in libcurl")},
		"a malformed URL":         {end, exited(3, "curl: (3) malformed")},
		"ended by a signal":       {"{}", exited(-1, "")},
		"no end and no complaint": {"{}", nil},
	} {
		if got, err := readCurl([]byte(tt.out), tt.err, mark); err == nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestCurlArgs(t *testing.T) {
	r := requestFor(t, "http://h:1/x", "o", "http://p:2")
	argv := curlArgs(r, mark, 1500*time.Millisecond)
	if argv[1] != "-q" {
		t.Error("-q is not the first: curlrc is read") // else curl takes it for quiet
	}
	line := strings.Join(argv, " ")
	for _, part := range []string{"--max-time 1.500 ", " -x http://p:2 ", " -H Host: h:1 -H Origin: o "} {
		if !strings.Contains(line, part) {
			t.Errorf("%q is not in %q", part, line)
		}
	}
	r.proxy = ""
	if argv := curlArgs(r, mark, time.Second); !slices.Contains(argv, "*") || slices.Contains(argv, "-x") {
		t.Errorf("a proxy may be used: %q", argv)
	}
}

func TestReadWget(t *testing.T) {
	const (
		gnu     = "--2026-11-21 04:55:21--  http://h:18099/x\nResolving h (h)... 10.0.0.1, 10.0.0.2\nConnecting to h (h)|10.0.0.1|:18099... "
		sent    = "connected.\nHTTP request sent, awaiting response... "
		busybox = "Connecting to h:18099 (10.0.0.1:18099)\n"
	)
	tests := []struct {
		name, body, shown, log string
		want                   Answer
	}{
		{"GNU ok", "{}", "shown", gnu + sent + "\n  HTTP/1.1 200 OK\n  A: b\nLength: 2\nSaving to: 'STDOUT'\n\nexit 0\n", Answer{Result: OK, Status: 200, Body: "{}", Address: "10.0.0.1"}},
		{"GNU 403", "", "shown", gnu + sent + "\n  HTTP/1.1 403 Forbidden\n2026-11-21 ERROR 403: Forbidden.\n\nexit 8\n", Answer{Result: "http-403", Status: 403, Address: "10.0.0.1", Detail: "2026-11-21 ERROR 403: Forbidden."}},
		{"GNU refused", "", "shown", gnu + "failed: Connection refused.\n\nexit 4\n", Answer{Result: Refused, Address: "10.0.0.1", Detail: "Connecting to h (h)|10.0.0.1|:18099... failed: Connection refused."}},
		{"GNU timed out", "", "shown", gnu + "failed: Connection timed out.\n\nexit 4\n", Answer{Result: Timeout, Address: "10.0.0.1", Detail: "Connecting to h (h)|10.0.0.1|:18099... failed: Connection timed out."}},
		{"GNU IPv6", "", "shown", "Connecting to [::1]:80... failed: Connection refused.\n\nexit 4\n", Answer{Result: Refused, Address: "::1", Detail: "Connecting to [::1]:80... failed: Connection refused."}},
		{"GNU no such name", "", "shown", "Resolving h (h)... failed: Name or service not known.\nwget: unable to resolve host address 'h'\n\nexit 4\n", Answer{Result: DNS, Detail: "wget: unable to resolve host address 'h'"}},
		{"GNU garbage", "garbage", "shown", gnu + sent + "\nLength: unspecified\nSaving to: 'STDOUT'\n\nexit 0\n", Answer{Result: Empty, Address: "10.0.0.1", Detail: "Saving to: 'STDOUT'"}},
		{"GNU stopped", "", "shown", gnu + sent + "\nexit 143\n", Answer{Result: Timeout, Address: "10.0.0.1", Detail: "no answer in time"}},
		{"BusyBox ok", "{}", "shown", busybox + "  HTTP/1.1 200 OK\n  A: b\n  \nwriting to stdout\n\nexit 0\n", Answer{Result: OK, Status: 200, Body: "{}", Address: "10.0.0.1"}},
		{"BusyBox of old", "{}", "hidden", busybox + "\nexit 0\n", Answer{Result: OK, Status: 200, Body: "{}", Address: "10.0.0.1"}},
		{"BusyBox of old, 403", "", "hidden", busybox + "wget: server returned error: HTTP/1.1 403 Forbidden\n\nexit 1\n", Answer{Result: "http-403", Status: 403, Address: "10.0.0.1", Detail: "wget: server returned error: HTTP/1.1 403 Forbidden"}},
		{"BusyBox followed a redirect", "other", "shown", busybox + "  HTTP/1.1 302 Found\nConnecting to i (10.0.0.9:80)\n  HTTP/1.1 200 OK\n\nexit 0\n", Answer{Result: "http-302", Status: 302, Address: "10.0.0.1"}},
		{"BusyBox refused", "", "shown", busybox + "wget: can't connect to remote host (10.0.0.1): Connection refused\n\nexit 1\n", Answer{Result: Refused, Address: "10.0.0.1", Detail: "wget: can't connect to remote host (10.0.0.1): Connection refused"}},
		{"BusyBox of musl unreachable", "", "shown", busybox + "wget: can't connect to remote host (10.0.0.1): Host is unreachable\n\nexit 1\n", Answer{Result: Refused, Address: "10.0.0.1", Detail: "wget: can't connect to remote host (10.0.0.1): Host is unreachable"}},
		{"BusyBox timed out", "", "shown", busybox + "wget: download timed out\n\nexit 1\n", Answer{Result: Timeout, Address: "10.0.0.1", Detail: "wget: download timed out"}},
		{"BusyBox no such name", "", "shown", "wget: bad address 'h:1'\n\nexit 1\n", Answer{Result: DNS, Detail: "wget: bad address 'h:1'"}},
		{"BusyBox empty", "", "shown", busybox + "wget: error getting response\n\nexit 1\n", Answer{Result: Empty, Address: "10.0.0.1", Detail: "wget: error getting response"}},
		{"a server that fakes the end", "{}", "shown", gnu + sent + "\n  HTTP/1.1 200 OK\n  exit 9\n\nexit 0\n", Answer{Result: OK, Status: 200, Body: "{}", Address: "10.0.0.1"}},
	}
	for _, tt := range tests {
		got, err := readWget([]byte(tt.body+"\n"+mark+" "+tt.shown+"\n"+tt.log), nil, mark)
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v (%v), want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestReadWgetErrors(t *testing.T) {
	for name, out := range map[string]string{
		"nothing":              "",
		"no mark":              "{}",
		"an unknown option":    "\n" + mark + " hidden\nwget: unrecognized option '--header'\n\nexit 1\n",
		"TLS it cannot do":     "\n" + mark + " shown\nConnecting to h (1.2.3.4:443)\nwget: can't execute 'ssl_client': No such file or directory\n\nexit 1\n",
		"something unheard of": "\n" + mark + " shown\nwget: the moon is full\n\nexit 1\n",
	} {
		if got, err := readWget([]byte(out), nil, mark); !errors.Is(err, errNotUnderstood) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := readWget([]byte("\n"+mark+" absent\n"), nil, mark); !errors.Is(err, errNoProgram) {
		t.Errorf("error %v, want %v", err, errNoProgram)
	}
}

func TestReadOutputs(t *testing.T) {
	out := "preloaded module says hello\n\n" + mark + `[{"failure":"","status":200,"body":"e30=","address":"127.0.0.1","detail":""},` +
		`{"failure":"refused","status":0,"body":"","address":"::1","detail":"[Errno 111] Connection refused"}]` + "\n"
	got, err := readOutputs([]byte(out), mark, 2)
	want := []Answer{
		{Result: OK, Status: 200, Body: "{}", Address: "127.0.0.1"},
		{Result: Refused, Address: "::1", Detail: "[Errno 111] Connection refused"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v (%v), want %+v", got, err, want)
	}
}

func TestReadOutputsErrors(t *testing.T) {
	for _, out := range []string{
		"", "[]", `[{"status":200}]`,
		"\n" + mark, "\n" + mark + "null", "\n" + mark + "{}", "\n" + mark + "[]", "\n" + mark + "[{}]", "\n" + mark + `[{"status":7}]`,
		"\n" + mark + `[{"failure":"ok"}]`, "\n" + mark + `[{"failure":"http-200"}]`, "\n" + mark + `[{"status":200,"body":"*"}]`,
		"\n" + mark + `[{"failure":"empty","status":-1}]`, "\n" + mark + `[{"status":200},{"status":200}]`,
	} {
		if got, err := readOutputs([]byte(out), mark, 1); !errors.Is(err, errNotUnderstood) {
			t.Errorf("%q: %+v, %v", out, got, err)
		}
	}
}

// FuzzRead checks that no output of a tool breaks its parser, or gets something
// through that does not belong into an Answer.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "{}\n" + mark + " 200 127.0.0.1\n", "\n" + mark + " 000 \n",
		"{}\n" + mark + " shown\nConnecting to h (10.0.0.1:1)\n  HTTP/1.1 200 OK\n\nexit 0\n",
		"\n" + mark + " absent\n", "\n" + mark + ` [{"status":200,"body":"e30="}]`, "\n" + mark + " hidden\nexit 0",
	} {
		f.Add([]byte(seed), 0)
		f.Add([]byte(seed), 28)
	}
	f.Fuzz(func(t *testing.T, out []byte, code int) {
		var err error
		if code != 0 {
			err = exited(code, string(out))
		}
		programMissing(out, err)
		curl, curlErr := readCurl(out, err, mark)
		wget, wgetErr := readWget(out, nil, mark)
		outputs, outputsErr := readOutputs(out, mark, 1)
		check(t, curl, curlErr)
		check(t, wget, wgetErr)
		for _, a := range outputs {
			check(t, a, outputsErr)
		}
	})
}

func check(t *testing.T, a Answer, err error) {
	t.Helper()
	text, _ := json.Marshal(a)
	switch {
	case err != nil:
	case a.Result == "" || len(a.Body) > maxBody || len(a.Detail) > maxDetail || strings.ContainsAny(a.Detail, "\x00\x1b\r\n"):
		t.Errorf("%s", text)
	case (a.Status == 200) != (a.Result == OK):
		t.Errorf("status and result disagree: %s", text)
	}
}
