package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/internal/container/fetch"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// engine is a Runner that answers by the runtime's subcommand.
type engine struct {
	answers map[string]func(ctx context.Context) ([]byte, error)
	asked   [][]string
}

func (e *engine) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	e.asked = append(e.asked, append([]string{name}, args...))
	if answer, ok := e.answers[args[0]]; ok {
		return answer(ctx)
	}
	return nil, nil
}

func (e *engine) verbs() []string {
	var all []string
	for _, args := range e.asked {
		all = append(all, args[1])
	}
	return all
}

func says(out string, err error) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(out), err }
}

var docker = Runtime{Tool: "docker", Product: Native}

func TestInside(t *testing.T) {
	e := &engine{answers: map[string]func(context.Context) ([]byte, error){"exec": says("hello", nil)}}
	out, err := inside(e, Container{Runtime: docker, Name: "web", ID: "abc", Running: true})(t.Context(), "", "curl", "-s")
	if string(out) != "hello" || err != nil {
		t.Fatalf("got %q, %v", out, err)
	}
	got := e.asked[0]
	if want := []string{"abc", "curl", "-s"}; !slices.Equal(got[len(got)-3:], want) {
		t.Errorf("asked %q, want it to end in %q", got, want)
	}
}

// TestBrokenInside: a container whose shell breaks off, as where it may start no more
// programs, is asked through a temporary one.
func TestBrokenInside(t *testing.T) {
	e := &engine{answers: map[string]func(context.Context) ([]byte, error){
		"exec": says("half an answ", nil), "images": says("busybox:1\n", nil),
	}}
	m := measurement{Probe: Probe{Runner: e}, container: Container{Runtime: docker, Name: "web", ID: "abc", Running: true}}
	request, _ := fetch.NewRequest("http://h", "")
	_, via, _ := m.fetch(t.Context(), []fetch.Request{request})
	if via.image != "busybox:1" || !slices.Contains(e.verbs(), "create") {
		t.Errorf("asked through %q: %q", via.image, e.verbs())
	}
}

// A temporary container is removed whatever happens in it.
func TestBesideIsRemoved(t *testing.T) {
	failed := &launchctl.ExitError{Args: []string{"docker"}, Code: 7}
	missing := &launchctl.ExitError{Args: []string{"docker"}, Code: 1, Stderr: "Error response from daemon: No such image: none:1"}
	for _, test := range []struct {
		name          string
		create, start error
		want          error
		verbs         []string
	}{
		{"it answers", nil, nil, nil, []string{"create", "start", "rm"}},
		{"the tool fails", nil, failed, failed, []string{"create", "start", "rm"}},
		{"no answer", nil, launchctl.ErrNoAnswer, launchctl.ErrNoAnswer, []string{"create", "start", "rm"}},
		{"no image", missing, nil, ErrNoImage, []string{"create", "rm"}},
		{"no answer while it is made", launchctl.ErrNoAnswer, nil, launchctl.ErrNoAnswer, []string{"create", "rm", "rm"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &engine{answers: map[string]func(context.Context) ([]byte, error){"create": says("id", test.create), "start": says("out", test.start)}}
			_, err := Probe{Runner: e}.beside(Container{Runtime: docker, Name: "web", ID: "abc", Running: true}, "curlimages/curl")(t.Context(), "", "curl", "-s")
			if !errors.Is(err, test.want) {
				t.Errorf("error = %v, want %v", err, test.want)
			}
			if diff := cmp.Diff(test.verbs, e.verbs()); diff != "" {
				t.Fatal(diff)
			}
			name := nameOf(e.asked[0])
			for _, args := range e.asked[1:] {
				if args[len(args)-1] != name {
					t.Errorf("%q is not about %s", args, name)
				}
			}
		})
	}
}

// nameOf is the name that a container is created with.
func nameOf(args []string) string { return args[slices.Index(args, "--name")+1] }

// Making and removing go on when the command is interrupted: an engine that was
// asked makes the container all the same.
func TestBesideInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	alive := func(ctx context.Context) ([]byte, error) { return nil, ctx.Err() }
	e := &engine{answers: map[string]func(context.Context) ([]byte, error){
		"create": func(ctx context.Context) ([]byte, error) { interrupt(); return alive(ctx) },
		"start":  alive,
		"rm": func(ctx context.Context) ([]byte, error) {
			if ctx.Err() != nil {
				t.Error("the container is not removed")
			}
			return nil, nil
		},
	}}
	run := Probe{Runner: e}.beside(Container{Runtime: docker}, "busybox")
	if _, err := run(ctx, "", "wget"); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	if diff := cmp.Diff([]string{"create", "start", "rm"}, e.verbs()); diff != "" {
		t.Error(diff)
	}
	e.asked = nil
	if _, err := run(ctx, "", "wget"); !errors.Is(err, context.Canceled) || slices.Contains(e.verbs(), "create") {
		t.Errorf("after the interrupt: %v, %q", err, e.verbs())
	}
}

func TestBesideNetwork(t *testing.T) {
	for _, test := range []struct {
		container Container
		want      string
	}{
		{Container{Runtime: docker, Name: "web", ID: "abc"}, "--network container:abc"},
		{Container{Runtime: docker}, ""},
	} {
		e := &engine{}
		run := Probe{Runner: e}.beside(test.container, "busybox")
		if _, err := run(t.Context(), "", "wget", "-q"); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(e.asked[0], " ")
		if !strings.Contains(got, test.want) || test.want == "" && strings.Contains(got, "--network") {
			t.Errorf("asked %q, want %q in it", got, test.want)
		}
		if !strings.Contains(got, "--pull never") || !strings.HasSuffix(got, "--entrypoint wget busybox -q") {
			t.Errorf("asked %q", got)
		}
	}
}

func TestLocalImage(t *testing.T) {
	for _, test := range []struct {
		name, images, want string
		err                error
	}{
		{"the one that tells most", "alpine:3\nnode:22\ncurlimages/curl:8\n", "node:22", nil},
		{"with a registry", "docker.io/library/busybox:latest\nlocalhost/mine:1\n", "docker.io/library/busybox:latest", nil},
		{"a registry with a port", "localhost:5000/python:3\n", "localhost:5000/python:3", nil},
		{"names that only begin alike", "python-app:1\nmy-curl:2\n", "", ErrNoImage},
		{"without a tag", "python:<none>\n", "", ErrNoImage},
		{"none", "", "", ErrNoImage},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &engine{answers: map[string]func(context.Context) ([]byte, error){"images": says(test.images, nil)}}
			got, err := localImage(t.Context(), e, docker)
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("localImage = %q, %v; want %q, %v", got, err, test.want, test.err)
			}
		})
	}
}

// What a run that was killed has left is removed, and nothing of anybody else's.
func TestSweep(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Skip(err)
	}
	left := fmt.Sprintf("ollama-bind-%d-0123", gone.Process.Pid)
	others := fmt.Sprintf("ollama-bind-%d-4567\nollama-bind-web\nweb\n", os.Getpid())
	e := &engine{answers: map[string]func(context.Context) ([]byte, error){"ps": says(others+left+"\n", nil)}}
	Probe{Runner: e}.sweep(t.Context(), docker)
	if diff := cmp.Diff([]string{"ps", "rm"}, e.verbs()); diff != "" {
		t.Fatal(diff)
	}
	if got := e.asked[1][len(e.asked[1])-1]; got != left || slices.Contains(e.asked[1], "web") {
		t.Errorf("removed %q, want %s", e.asked[1], left)
	}
	e = &engine{answers: map[string]func(context.Context) ([]byte, error){"ps": says(others, nil)}}
	Probe{Runner: e}.sweep(t.Context(), docker)
	if slices.Contains(e.verbs(), "rm") {
		t.Errorf("removed %q", e.asked[1])
	}
}
