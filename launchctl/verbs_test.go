package launchctl

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A missing label must not become the name of a whole domain.
func TestNoTarget(t *testing.T) {
	c := Client{runnerFunc(func(_ context.Context, name string, args ...string) ([]byte, error) {
		t.Errorf("ran %s %v", name, args)
		return nil, nil
	})}
	for _, target := range []Target{{}, {Domain: GUI(501)}, {Label: "a"}} {
		if err := c.tell(t.Context(), "trying", "bootout", target); !errors.Is(err, errNoTarget) {
			t.Errorf("%q: %v", target, err)
		}
	}
}

func TestGetenv(t *testing.T) {
	for answer, want := range map[string]string{"\n": "", "": "", "0.0.0.0:11434\n": "0.0.0.0:11434", " x \n": " x "} {
		c := Client{runnerFunc(func(context.Context, string, ...string) ([]byte, error) { return []byte(answer), nil })}
		if got, err := c.Getenv(t.Context(), "OLLAMA_HOST"); got != want || err != nil {
			t.Errorf("%q: %q, %v", answer, got, err)
		}
	}
}

func TestDisabled(t *testing.T) {
	c := Client{runnerFunc(func(_ context.Context, name string, args ...string) ([]byte, error) {
		if got := strings.Join(append([]string{name}, args...), " "); got != "launchctl print-disabled gui/501" {
			t.Errorf("ran %s", got)
		}
		return capture(t, "print-disabled-with-associations.txt"), nil
	})}
	got, err := c.Disabled(t.Context(), GUI(501))
	if diff := cmp.Diff(map[string]bool{"com.docker.helper": false}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
