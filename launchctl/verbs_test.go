package launchctl

import (
	"context"
	"errors"
	"testing"
)

// mute fails the test when it is asked to run anything.
type mute struct{ t *testing.T }

func (m mute) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	m.t.Errorf("ran %s %v", name, args)
	return nil, nil
}

// TestNoTarget keeps a missing label from becoming the name of a whole domain.
func TestNoTarget(t *testing.T) {
	c := Client{mute{t}}
	for _, target := range []Target{{}, {Domain: GUI(501)}, {Label: "a"}} {
		for verb, do := range map[string]func(context.Context, Target) error{
			"enable": c.Enable, "bootout": c.Bootout, "kickstart": c.Kickstart,
		} {
			if err := do(t.Context(), target); !errors.Is(err, ErrNoTarget) {
				t.Errorf("%s of %q: %v", verb, target, err)
			}
		}
	}
}

// says is a Runner that has one answer.
type says string

func (s says) Run(context.Context, string, ...string) ([]byte, error) { return []byte(s), nil }

func TestGetenv(t *testing.T) {
	for answer, want := range map[says]string{"\n": "", "": "", "0.0.0.0:11434\n": "0.0.0.0:11434", " x \n": " x "} {
		if got, err := (Client{answer}).Getenv(t.Context(), "OLLAMA_HOST"); got != want || err != nil {
			t.Errorf("%q: %q, %v", answer, got, err)
		}
	}
}
