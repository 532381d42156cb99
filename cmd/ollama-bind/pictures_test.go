package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/pictures"
	"github.com/ollama-bind/ollama-bind/internal/pty"
	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

var draw = flag.Bool("draw", false, "write the pictures in docs/pictures anew")

// pictureWidth is that of the terminal in the pictures.
const pictureWidth = 104

// The two pictures: what somebody types, one after the other, on one Mac.
var views = []struct {
	file, title string
	commands    []string
}{
	{"before.svg", "before: a container is refused, and ollama-bind status says why", []string{
		"docker exec web curl http://host.docker.internal:11434",
		"ollama-bind status",
	}},
	{"after.svg", "after: ollama-bind fix, and the container gets its answer", []string{
		"ollama-bind fix",
		"docker exec web curl http://host.docker.internal:11434",
	}},
}

// TestPictures holds the pictures of the README against what the program shows on a
// terminal; with -draw it draws them.
func TestPictures(t *testing.T) {
	if !conditions["terminals"]() {
		t.Skip("nobody knows how to open a terminal here")
	}
	m := pictureMac(t)
	for _, view := range views {
		var seen []byte
		for _, command := range view.commands {
			seen = append(seen, "\x1b[2m$\x1b[0m \x1b[1m"+command+"\x1b[0m\r\n"...)
			seen = append(append(seen, onTerminal(t, m, command)...), "\r\n"...)
		}
		screen, err := pty.Screen(seen)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pictures.SVG(view.title, pictureWidth, screen)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("..", "..", "docs", "pictures", view.file)
		if *draw {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/pictures/%s is not what a terminal shows, which is below; make pictures draws it anew\n%s", view.file, pty.Text(screen))
		}
	}
}

// TestReadme holds the README's transcript against the picture of the same.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile(filepath.Join("..", "..", "docs", "pictures", "after.svg"))
	if err != nil {
		t.Fatal(err)
	}
	_, transcript, _ := strings.Cut(string(readme), "```\n$ ollama-bind fix\n")
	transcript, _, _ = strings.Cut(transcript, "```")
	if transcript == "" {
		t.Fatal("the README has no transcript of fix")
	}
	shown := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(picture), "")
	if !strings.Contains(squeeze(shown), squeeze(transcript)) {
		t.Errorf("the picture does not show this:\n%s", transcript)
	}
}

// pictureMac is a Mac with Ollama as Homebrew starts it, and a container.
func pictureMac(t *testing.T) *sandbox.Mac {
	t.Helper()
	m, err := sandbox.Start(t.TempDir(), sandbox.Options{Brew: "7.0.7", Caller: sandbox.CallerUser})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	plist, err := os.ReadFile(fixture("brew-arm64-env"))
	if err != nil {
		t.Fatal(err)
	}
	const label = "sh.brew.ollama"
	if _, err := m.Install(label, plist); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		m.StartService(label),
		m.StartEngine(sandbox.Engine{Product: "linux"}),
		m.RunContainer(sandbox.Container{Name: "web", Image: "app:1", Network: "bridge", Tools: []string{"curl"},
			ExtraHosts: []string{"host.docker.internal:host-gateway"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// onTerminal runs a command on a terminal, and makes what it shows the same each time.
func onTerminal(t *testing.T, m *sandbox.Mac, command string) []byte {
	t.Helper()
	port := strconv.Itoa(m.Port)
	argv := strings.Fields(strings.ReplaceAll(command, "11434", port))
	path := filepath.Join(m.Bin(), argv[0])
	switch argv[0] {
	case "ollama-bind":
		path, argv = ownProgram(t), append(argv, "--host", "0.0.0.0:"+port)
	case "docker":
		argv = append(argv[:4:4], append([]string{"-sS"}, argv[4:]...)...) // no progress meter
	}
	cmd := exec.Command(path, argv[1:]...)
	cmd.Env = append(m.Env(), "TERM=xterm-256color", "LANG=en_US.UTF-8", "DAEMONS="+m.Daemons(),
		"OLLAMA_BIND_STATE_DIR="+filepath.Join(m.Dir(), "state"))
	session, err := pty.Start(cmd, pictureWidth)
	if err != nil {
		t.Fatal(err)
	}
	seen, _, err := session.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return settled(seen, port)
}

var (
	processID = regexp.MustCompile(`\bpid \d+`)
	userID    = regexp.MustCompile(`gui/\d+`)
	duration  = regexp.MustCompile(`after \d+ ms`)
	otherPort = regexp.MustCompile(` --host 0\.0\.0\.0:11434`)
	firewall  = regexp.MustCompile(`;\s+the\s+macOS\s+firewall\s+is\s+\w+`)
)

// settled replaces what differs from run to run by what it was once.
func settled(seen []byte, port string) []byte {
	seen = bytes.ReplaceAll(seen, []byte(port), []byte("11434"))
	seen = processID.ReplaceAll(seen, []byte("pid 6574"))
	seen = userID.ReplaceAll(seen, []byte("gui/501"))
	seen = duration.ReplaceAll(seen, []byte("after 0 ms"))
	seen = firewall.ReplaceAll(seen, nil) // which only a real Mac has
	return otherPort.ReplaceAll(seen, nil)
}

// ownProgram is this test binary, as ollama-bind.
func ownProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ollama-bind")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
