package lsof

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

func TestParseNetstat(t *testing.T) {
	for name, want := range map[string][]Listener{
		"netstat-anv-tcp-macos26.txt": {
			{PID: 5660, Command: "Helium Helper", Family: "IPv6", Address: "*:443"},
			{PID: 611, Command: "other", Family: "IPv4", Address: "127.0.0.1:4430"},
		},
		"netstat-anvp-tcp-macos11.txt": {
			{PID: 33784, Family: "IPv6", Address: "*:35729"},
			{PID: 33784, Family: "IPv6", Address: "*:3000"},
			{PID: 24811, Family: "IPv4", Address: "127.0.0.1:8000"},
			{PID: 1125, Family: "IPv6", Address: "*:3306"},
			{PID: 1125, Family: "IPv6", Address: "*:6379"},
		},
	} {
		got, err := ParseNetstat(capture(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	v6 := "tcp6 0 0  ::1.11434  *.*  LISTEN  131072 131072 77 0 0x0100 0x00000106\n"
	head := "Proto Recv-Q Send-Q  Local Address  Foreign Address  (state)  rhiwat shiwat  pid  epid\n"
	got, err := ParseNetstat([]byte(head + v6))
	if err != nil || len(got) != 1 || got[0].Address != "[::1]:11434" || got[0].PID != 77 {
		t.Errorf("%v, %v", got, err)
	}
	for name, text := range map[string]string{
		"nothing":          "",
		"no column":        strings.Replace(head, "pid  epid", "", 1) + v6,
		"no head":          v6,
		"no number":        head + strings.Replace(v6, " 77 ", " x ", 1),
		"another netstat":  "tcp  0  0 0.0.0.0:11434  0.0.0.0:*  LISTEN\n",
		"no port":          head + strings.Replace(v6, "::1.11434", "here", 1),
		"the line cut off": head + "tcp6 0 0  ::1.11434  *.*  LISTEN 1\n",
	} {
		if got, err := ParseNetstat([]byte(text)); !errors.Is(err, launchctl.ErrFormat) {
			t.Errorf("%s: %v, %v; want ErrFormat", name, got, err)
		}
	}
}

// TestSlowLsof is about an lsof that waits for a share, whatever it was asked.
func TestSlowLsof(t *testing.T) {
	answer := capture(t, "netstat-anvp-tcp-macos11.txt")
	slow := runnerFunc(func(ctx context.Context, name string, _ ...string) ([]byte, error) {
		if name == "netstat" {
			return answer, nil
		}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	got, err := Listeners(t.Context(), slow, 3000)
	if err != nil || len(got) != 1 || got[0].PID != 33784 {
		t.Errorf("%v, %v", got, err)
	}
	answer = nil
	if got, err := Listeners(t.Context(), slow, 3000); !errors.Is(err, launchctl.ErrNoAnswer) {
		t.Errorf("both silent: %v, %v; want ErrNoAnswer", got, err)
	}
}

func FuzzParseNetstat(f *testing.F) {
	f.Add(capture(f, "netstat-anv-tcp-macos26.txt"))
	f.Add(capture(f, "netstat-anvp-tcp-macos11.txt"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := ParseNetstat(data)
		if err != nil && (!errors.Is(err, launchctl.ErrFormat) || all != nil) {
			t.Errorf("%v, %v", all, err)
		}
		for _, l := range all {
			if l.PID < 0 || l.Address == "" {
				t.Errorf("%+v", l)
			}
		}
	})
}
