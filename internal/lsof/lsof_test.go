package lsof

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

func capture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "fixtures", "captures", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type runnerFunc func(ctx context.Context, name string, args ...string) ([]byte, error)

func (f runnerFunc) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return f(ctx, name, args...)
}

func TestParse(t *testing.T) {
	tests := map[string][]Listener{
		"lsof-F-pcLnPtT-loopback4-CONSTRUCTED.txt": {
			{PID: 24901, Command: "ollama", User: "tester", Family: "IPv4", Address: "127.0.0.1:11434"},
		},
		"lsof-F-pcLnPtT-wildcard-CONSTRUCTED.txt": {
			{PID: 24901, Command: "ollama", User: "tester", Family: "IPv6", Address: "*:11434"},
		},
		"lsof-F-pcLnPtT-two-procs-CONSTRUCTED.txt": {
			{PID: 665, Command: "ollama", User: "tester", Family: "IPv4", Address: "127.0.0.1:11434"},
			{PID: 665, Command: "ollama", User: "tester", Family: "IPv6", Address: "[::1]:11434"},
			{PID: 59391, Command: "ollama", User: "tester", Family: "IPv6", Address: "*:11434"},
		},
		"lsof-F-PcnT-mixed-fixture.txt": {{PID: 123, Command: "python", Address: "127.0.0.1:8443"}},
		"lsof-F-mac-inventory-RECONSTRUCTED.txt": {
			{PID: 1031, Command: "rapportd", User: "user", Family: "IPv4", Address: "*:57500"},
			{PID: 1031, Command: "rapportd", User: "user", Family: "IPv6", Address: "*:57500"},
			{PID: 2038, Command: "redis-server", User: "user", Family: "IPv4", Address: "127.0.0.1:6379"},
			{PID: 2038, Command: "redis-server", User: "user", Family: "IPv6", Address: "[::1]:6379"},
			{PID: 1163, Command: "ControlCenter", User: "user", Family: "IPv4", Address: "*:5000"},
		},
		// No file begins, so there is no socket that ends.
		"lsof-F-no-f-field-fixture.txt": nil,
		// The second process has a connection, which is no listener.
		"lsof-F-pcnT-metalguard.txt": {
			{PID: 4711, Command: "xctest", Address: "*:5252"},
		},
	}
	for name, want := range tests {
		got, err := Parse(capture(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseEdges(t *testing.T) {
	socket := Listener{PID: 1, Address: "*:80"}
	tests := []struct {
		name, text string
		want       []Listener
	}{
		{"nothing", "", nil},
		{"no file", "p1\nccmd\n", nil},
		{"no final line break", "p1\nf3\nn*:80", []Listener{socket}},
		{"unknown fields", "p1\ng1\nR0\nu501\nf3\nau\nl \nd0x1\no0t0\nn*:80\nTST=LISTEN\nTWR=0\n", []Listener{socket}},
		{"UDP", "p1\nf3\nPUDP\nn*:80\n", nil},
		{"connection without a state", "p1\nf3\nn127.0.0.1:1->127.0.0.1:80\n", nil},
		{"the next process has no name of the one before", "p2\ncx\nLy\nf1\nn*:81\np1\nf3\nn*:80\n",
			[]Listener{{PID: 2, Command: "x", User: "y", Address: "*:81"}, socket}},
	}
	for _, tt := range tests {
		got, err := Parse([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	for _, text := range []string{"px\nf3\nn*:80\n", "p-1\nf3\nn*:80\n", "p-1\nf3\nn*:80\np1\nf3\nn*:80\n", "p\n", "f3\nn*:80\n"} {
		if got, err := Parse([]byte(text)); !errors.Is(err, launchctl.ErrFormat) {
			t.Errorf("%q: %v, %v; want launchctl.ErrFormat", text, got, err)
		}
	}
}

func TestListenerAddress(t *testing.T) {
	tests := []struct {
		address, host string
		port          int
		wildcard      bool
	}{
		{"*:11434", "*", 11434, true},
		{"127.0.0.1:11434", "127.0.0.1", 11434, false},
		{"[::1]:11434", "::1", 11434, false},
		{"[fe80::1%lo0]:80", "fe80::1%lo0", 80, false},
		{"*:http", "*", 0, true},
		{"*:99999", "*", 0, true},
		{"", "", 0, false},
	}
	for _, tt := range tests {
		l := Listener{Address: tt.address}
		if l.Host() != tt.host || l.Port() != tt.port || l.Wildcard() != tt.wildcard {
			t.Errorf("%q: %q, %d, %t", tt.address, l.Host(), l.Port(), l.Wildcard())
		}
	}
}

func TestListeners(t *testing.T) {
	found := string(capture(t, "lsof-F-pcLnPtT-wildcard-CONSTRUCTED.txt"))
	one := []Listener{{PID: 24901, Command: "ollama", User: "tester", Family: "IPv6", Address: "*:11434"}}
	exit := func(code int, stderr string) error {
		return &launchctl.ExitError{Args: []string{"lsof"}, Code: code, Stderr: stderr}
	}
	tests := []struct {
		name, out string
		err       error
		want      []Listener
		failed    bool
	}{
		{"found", found, nil, one, false},
		{"none", "", exit(1, ""), nil, false},
		{"one port of two", found, exit(1, ""), one, false},
		{"found, and a warning", found, exit(1, "lsof: WARNING: can't stat() …"), one, false},
		{"usage error", "", exit(1, "lsof: unknown protocol name (TCQ) in: -iTCQ"), nil, true},
		{"killed", "", exit(-1, ""), nil, true},
		{"warnings only", "", exit(1, string(capture(t, "lsof-warning-smbfs.stderr.txt"))), nil, true},
		{"another status", found, exit(2, ""), nil, true},
		{"no lsof", "", launchctl.ErrNoTool, nil, true},
		{"no process id", "px\n", nil, nil, true},
	}
	for _, tt := range tests {
		var got []string
		runner := runnerFunc(func(_ context.Context, name string, args ...string) ([]byte, error) {
			if name == "netstat" {
				return nil, launchctl.ErrNoTool
			}
			got = append([]string{name}, args...)
			return []byte(tt.out), tt.err
		})
		listeners, err := Listeners(t.Context(), runner, 11434, 80)
		if (err != nil) != tt.failed || tt.err != nil && tt.failed && !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, listeners); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		argv := []string{"lsof", "-b", "-nP", "-w", "-iTCP:11434,80", "-sTCP:LISTEN", "-F", "pcfLnPtT"}
		if runtime.GOOS == "linux" && tt.want == nil && !tt.failed {
			argv = slices.Delete(argv, 1, 2) // asked again
		}
		if diff := cmp.Diff(argv, got); diff != "" {
			t.Errorf("%s: argv (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := tcpPorts(nil); got != "-iTCP" {
		t.Errorf("every port: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{
		"lsof-F-pcLnPtT-loopback4-CONSTRUCTED.txt", "lsof-F-pcLnPtT-two-procs-CONSTRUCTED.txt", "lsof-F-pcnT-metalguard.txt",
	} {
		f.Add(capture(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		listeners, err := Parse(data)
		if err != nil && (len(listeners) > 0 || !errors.Is(err, launchctl.ErrFormat)) {
			t.Errorf("%v beside %v", err, listeners)
		}
		for _, l := range listeners {
			if l.PID < 0 || l.Address == "" || l.Port() < 0 || l.Port() > 65535 {
				t.Errorf("%+v", l)
			}
		}
	})
}
