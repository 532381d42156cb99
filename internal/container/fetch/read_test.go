package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

const mark = "0123456789abcdef"

func exited(code int, stderr string) error {
	return &launchctl.ExitError{Args: []string{"tool"}, Code: code, Stderr: stderr}
}

func ended(err error) (int, string) {
	if exit, ok := errors.AsType[*launchctl.ExitError](err); ok {
		return exit.Code, exit.Stderr
	}
	return 0, ""
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
		{"no answer from DNS", "", "000 ", exited(28, "curl: (28) Resolving timed out"), Answer{Result: DNS, Detail: "curl: (28) Resolving timed out"}},
		{"late in the headers", "", "200 ::1", exited(28, "late"), Answer{Result: Timeout, Address: "::1", Detail: "late"}},
		{"late in the body", "{}", "200 ::1", exited(28, "late"), Answer{Result: OK, Status: 200, Body: "{}", Address: "::1", Detail: "late"}},
		{"cut off", "{}", "200 ::1", exited(18, "cut"), Answer{Result: OK, Status: 200, Body: "{}", Address: "::1", Detail: "cut"}},
		{"too much", "", "200 ::1", exited(63, "much"), Answer{Result: OK, Status: 200, Address: "::1", Detail: "much"}},
		{"empty", "", "000 ::1", exited(52, "empty"), Answer{Result: Empty, Address: "::1", Detail: "empty"}},
		{"no TLS", "", "000 ::1", exited(35, "wrong version"), Answer{Result: Empty, Address: "::1", Detail: "no TLS there: wrong version"}},
	}
	for _, tt := range tests {
		exit, stderr := ended(tt.err)
		got, err := readCurl([]byte(tt.body+"\n"+mark+" "+tt.line+"\n"), exit, stderr, mark)
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
		exit, stderr := ended(tt.err)
		if got, err := readCurl([]byte(tt.out), exit, stderr, mark); err == nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestCurlArgs(t *testing.T) {
	r := requestFor(t, "http://me:it@h:1/x", "o", "http://me:it@p:2")
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
	if want := "header = \"Authorization: Basic bWU6aXQ=\"\nheader = \"Proxy-Authorization: Basic bWU6aXQ=\"\n"; curlConfig(r) != want || strings.Contains(line, "uthorization") {
		t.Errorf("the secret part: %q, %q", curlConfig(r), line)
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
		{"BusyBox, no answer from DNS", "", "shown", "\nexit 143\n", Answer{Result: DNS, Detail: "no address in time"}},
		{"BusyBox ok", "{}", "shown", busybox + "  HTTP/1.1 200 OK\n  A: b\n  \nwriting to stdout\n\nexit 0\n", Answer{Result: OK, Status: 200, Body: "{}", Address: "10.0.0.1"}},
		{"BusyBox of old", "{}", "hidden", busybox + "\nexit 0\n", Answer{Result: OK, Status: 200, Body: "{}", Address: "10.0.0.1"}},
		{"BusyBox of old, 403", "", "hidden", busybox + "wget: server returned error: HTTP/1.1 403 Forbidden\n\nexit 1\n", Answer{Result: "http-403", Status: 403, Address: "10.0.0.1", Detail: "wget: server returned error: HTTP/1.1 403 Forbidden"}},
		{"BusyBox followed a redirect", "other", "shown", busybox + "  HTTP/1.1 302 Found\nConnecting to i (10.0.0.9:80)\n  HTTP/1.1 200 OK\n\nexit 0\n", Answer{Result: "http-302", Status: 302, Address: "10.0.0.1"}},
		{"BusyBox refused", "", "shown", busybox + "wget: can't connect to remote host (10.0.0.1): Connection refused\n\nexit 1\n", Answer{Result: Refused, Address: "10.0.0.1", Detail: "wget: can't connect to remote host (10.0.0.1): Connection refused"}},
		{"BusyBox of musl unreachable", "", "shown", busybox + "wget: can't connect to remote host (10.0.0.1): Host is unreachable\n\nexit 1\n", Answer{Result: Refused, Address: "10.0.0.1", Detail: "wget: can't connect to remote host (10.0.0.1): Host is unreachable"}},
		{"BusyBox timed out", "", "shown", busybox + "wget: download timed out\n\nexit 1\n", Answer{Result: Timeout, Address: "10.0.0.1", Detail: "wget: download timed out"}},
		{"BusyBox no such name", "", "shown", "wget: bad address 'h:1'\n\nexit 1\n", Answer{Result: DNS, Detail: "wget: bad address 'h:1'"}},
		{"BusyBox empty", "", "shown", busybox + "wget: error getting response\n\nexit 1\n", Answer{Result: Empty, Address: "10.0.0.1", Detail: "wget: error getting response"}},
		{"nc", "HTTP/1.0 200 OK\r\n\r\n{}", "raw", "\nexit 0\n", Answer{Result: OK, Status: 200, Body: "{}"}},
		{"nc, no such name", "", "raw", "nc: bad address 'h'\n\nexit 1\n", Answer{Result: DNS, Detail: "nc: bad address 'h'"}},
		{"nc refused", "", "raw", "nc: can't connect to remote host (10.0.0.1): Connection refused\n\nexit 1\n", Answer{Result: Refused, Detail: "nc: can't connect to remote host (10.0.0.1): Connection refused"}},
		{"a server that fakes the end", "{}", "shown", gnu + sent + "\n  HTTP/1.1 200 OK\n  exit 9\n\nexit 0\n", Answer{Result: OK, Status: 200, Body: "{}", Address: "10.0.0.1"}},
	}
	for _, tt := range tests {
		got, err := readOne([]byte(tt.body+"\n"+mark+" "+tt.shown+"\n"+tt.log), mark)
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
		if got, err := readOne([]byte(out), mark); !errors.Is(err, ErrNotUnderstood) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := readOne([]byte("\n"+mark+" absent\n"), mark); !errors.Is(err, errNoProgram) {
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
		if got, err := readOutputs([]byte(out), mark, 1); !errors.Is(err, ErrNotUnderstood) {
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
		curl, curlErr := readCurl(out, code, string(out), mark)
		wget, wgetErr := readOne(out, mark)
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
	shown, _ := json.Marshal(a)
	switch {
	case err != nil:
	case a.Result == "" || len(a.Body) > maxBody || len(a.Detail) > text.MaxDetail || strings.ContainsAny(a.Detail, "\x00\x1b\r\n"):
		t.Errorf("%s", shown)
	case (a.Status == 200) != (a.Result == OK):
		t.Errorf("status and result disagree: %s", shown)
	}
}
func TestProgramMissing(t *testing.T) {
	const (
		runcName = `unable to start container process: exec: "python3": executable file not found in $PATH: `
		runcPath = `unable to start container process: exec: "/opt/python3": stat /opt/python3: no such file or directory: `
		runcDir  = `unable to start container process: exec: "/etc": permission denied: `
		created  = "Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: "
	)
	tests := []struct {
		name   string
		code   int
		stderr string
		want   bool
	}{
		{"docker exec, since 23", 127, "OCI runtime exec failed: exec failed: " + runcName + "unknown", true},
		{"docker exec, path", 127, "OCI runtime exec failed: exec failed: " + runcPath + "unknown", true},
		{"docker exec, folder", 126, "OCI runtime exec failed: exec failed: " + runcDir + "unknown", true},
		{"docker exec, 18.09", 126, `OCI runtime exec failed: exec failed: container_linux.go:344: starting container process caused "exec: \"x\": executable file not found in $PATH": unknown`, true},
		{"docker exec, 1.12", 126, `rpc error: code = 13 desc = invalid header field value "oci runtime error: exec failed: container_linux.go:247: starting container process caused \"exec: \\\"cd\\\": executable file not found in $PATH\"\n"`, true},
		{"docker run", 127, "docker: " + created + runcName + "unknown\n\nRun 'docker run --help' for more information", true},
		{"docker run, other platform", 127, "WARNING: The requested image's platform (linux/amd64) does not match\ndocker: " + created + runcName + "unknown", true},
		{"docker start", 1, created + runcPath + "unknown", true},
		{"podman exec with runc", 127, "Error: runc: exec failed: " + runcName + "OCI runtime attempted to invoke a command that was not found", true},
		{"podman exec with runc, folder", 126, "Error: runc: exec failed: " + runcDir + "OCI permission denied", true},
		{"podman exec with crun", 127, "Error: crun: executable file `python3` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found", true},
		{"podman start", 125, "Error: unable to start container c394: runc: runc create failed: " + runcName + "OCI runtime attempted to invoke a command that was not found", true},
		{"nerdctl exec", 1, `time="2026-11-20T10:00:00Z" level=fatal msg="OCI runtime exec failed: exec failed: unable to start container process: exec: \"python3\": executable file not found in $PATH"`, true},
		{"nerdctl exec at a terminal", 1, "FATA[0000] OCI runtime exec failed: exec failed: " + runcName + "unknown", true},

		{"a shell's own", 127, "sh: nosuch: not found", false},
		{"the program's own status", 127, "", false},
		{"other status", 2, "OCI runtime exec failed: exec failed: " + runcName, false},
		{"no such container", 1, "Error response from daemon: No such container: x", false},
		{"no such image", 125, "docker: Error response from daemon: No such image: x:1", false},
		{"a container that cannot start", 126, "Error: runc: runc create failed: unable to start container process: error during container init: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted: OCI permission denied", false},
	}
	for _, tt := range tests {
		err := fmt.Errorf("inside: %w", &launchctl.ExitError{Args: []string{"docker"}, Code: tt.code, Stderr: tt.stderr})
		if got := programMissing(nil, err); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if programMissing(nil, nil) || programMissing(nil, launchctl.ErrNoTool) {
		t.Error("something else is taken for a missing program")
	}
}
