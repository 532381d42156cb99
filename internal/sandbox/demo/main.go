// Demo shows fix and rollback at work on a Mac in a folder: real processes, real
// sockets, the real program. With -shell it gives that Mac to a shell instead,
// to play with by hand. It touches nothing outside of a temporary folder and
// leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

const port = 11434

func main() {
	sandbox.Main()
	shell := flag.Bool("shell", false, "start a shell on the Mac in a folder")
	flag.Parse()
	ctx, stop := sandbox.Interruptible()
	defer stop()
	if err := run(ctx, *shell); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, shell bool) error {
	dir, err := os.MkdirTemp("", "ollama-bind-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	say("Building ollama-bind, and two Macs in %s: launchd, Ollama, nothing of yours.", dir)
	program := filepath.Join(dir, "program", "ollama-bind")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/ollama-bind")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building ollama-bind: %w\n%s", err, out)
	}
	if shell {
		return perform(ctx, filepath.Join(dir, "mac"), program, acts[0], true)
	}
	for i, a := range acts {
		folder := filepath.Join(dir, "mac"+strconv.Itoa(i+1))
		if err := perform(ctx, folder, program, a, false); err != nil {
			return err
		}
	}
	say("That was all of it. The Macs in the folder are gone again; " +
		"on a real one, type: ollama-bind fix")
	return nil
}

// act is what is shown on one Mac.
type act struct {
	text    string
	prepare func(show) error
	scenes  []scene
}

var acts = []act{
	{"Homebrew's service runs, as it does by default, for this machine alone:",
		show.startService, onHomebrew},
	{"Another Mac. Nothing of Homebrew runs here: somebody has written an agent, " +
		"whose script starts Ollama.", show.startAgent, onAgent},
	withContainer,
}

// perform gives a Mac to the act, or to a shell.
func perform(ctx context.Context, folder, program string, a act, shell bool) error {
	options := sandbox.Options{Brew: "7.0.7", OwnLsof: shell}
	if sandbox.IsFree(port) {
		options.Port = port
	}
	mac, err := sandbox.Start(folder, options)
	if err != nil {
		return err
	}
	defer mac.Close()
	s := show{ctx, mac, program}
	if err := a.prepare(s); err != nil {
		return err
	}
	if shell {
		return s.shell()
	}
	return s.play(a)
}

type show struct {
	ctx     context.Context
	mac     *sandbox.Mac
	program string
}

// startService has brew start Ollama, and waits for it.
func (s show) startService() error {
	if _, stderr, code := s.mac.Run("brew", "services", "start", "ollama"); code != 0 {
		return fmt.Errorf("brew services start: exit status %d: %s", code, stderr)
	}
	return s.waitForOllama()
}

// agent is one as people write them.
const agent = `<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0">
<dict>
	<!-- mine -->
	<key>Label</key>
	<string>com.example.ollama</string>
	<key>ProgramArguments</key>
	<array>
		<string>%s</string>
	</array>
	<key>KeepAlive</key>
	<true/>
</dict>
</plist>
`

// startAgent writes the agent and its script, and has launchd start it.
func (s show) startAgent() error {
	script := filepath.Join(s.mac.Home(), "serve-ollama.sh")
	text := "#!/bin/sh\n# mine\n" + s.mac.Prefix() + "/opt/ollama/bin/ollama serve\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return err
	}
	const label = "com.example.ollama"
	if _, err := s.mac.Install(label, fmt.Appendf(nil, agent, script)); err != nil {
		return err
	}
	return s.mac.StartService(label)
}

func (s show) waitForOllama() error {
	return s.mac.WaitVersion(s.address("127.0.0.1"), 20*time.Second)
}

func (s show) address(ip string) string {
	return net.JoinHostPort(ip, strconv.Itoa(s.mac.Port))
}

// shell gives the Mac to a shell to try things: ollama-bind and the stand-ins first on
// PATH, behind them the machine's own tools.
func (s show) shell() error {
	say("A shell on that Mac: %s. Leave with exit.", s.typed("ollama-bind fix"))
	if s.mac.Port != port {
		say("Port %d is taken on this machine: add --host to status, doctor and probe too.",
			port)
	}
	cmd := exec.CommandContext(s.ctx, "/bin/sh")
	path := []string{filepath.Dir(s.program), s.mac.Bin(), os.Getenv("PATH")}
	cmd.Env = append(s.mac.Env(), "PS1=mac$ ", "PATH="+strings.Join(path, ":"))
	cmd.Env = append(cmd.Env, terminal()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		return err // what a shell exits with is its user's affair
	}
	return nil
}

// terminal is what the environment says of the terminal that all of it is shown on.
func terminal() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return !slices.Contains([]string{"TERM", "LANG", "LC_CTYPE", "LC_ALL", "NO_COLOR",
			"CLICOLOR", "CLICOLOR_FORCE"}, name)
	})
}

// scene is one command of the demo.
type scene struct {
	text    string
	command string
	exit    int
	listen  bool // whether to try afterwards who can connect
}

var onHomebrew = []scene{
	{"What is set where, and who listens?", "ollama-bind status", 3, false},
	{"What would fix do?", "ollama-bind fix --dry-run", 3, false},
	{"Do it.", "ollama-bind fix", 0, true},
	{"And now?", "ollama-bind status", 0, false},
	{"Run it twice, and nothing happens the second time.", "ollama-bind fix", 0, false},
	{"Homebrew's restart writes the service's file again. The setting survives.",
		"brew services restart ollama", 0, true},
	{"Nothing needs mending.", "ollama-bind status", 0, false},
	{"Take it back.", "ollama-bind rollback", 0, true},
}

var onAgent = []scene{
	{"The same word does it.", "ollama-bind fix", 0, true},
	{"And now?", "ollama-bind status", 0, false},
	{"Take it back.", "ollama-bind rollback", 0, true},
}

func (s show) play(a act) error {
	say("%s", a.text)
	s.listening()
	for _, scene := range a.scenes {
		say("%s", scene.text)
		if err := s.run(strings.Fields(s.typed(scene.command)), scene.exit); err != nil {
			return err
		}
		if !scene.listen {
			continue
		}
		if err := s.waitForOllama(); err != nil { // brew does not
			return err
		}
		s.listening()
	}
	return nil
}

// typed adds what has to be typed where Ollama's own port was taken.
func (s show) typed(command string) string {
	takesHost := strings.Contains(command, "status") || strings.Contains(command, "fix") || strings.Contains(command, "probe")
	if s.mac.Port == port || !takesHost {
		return command
	}
	return fmt.Sprintf("%s --host 0.0.0.0:%d", command, s.mac.Port)
}

// run echoes a command as if it were typed, and runs it.
func (s show) run(argv []string, want int) error {
	fmt.Printf("$ %s\n", strings.Join(argv, " "))
	path := filepath.Join(s.mac.Bin(), argv[0])
	if argv[0] == "ollama-bind" {
		path = s.program
	}
	cmd := exec.Command(path, argv[1:]...)
	cmd.Env = append(s.mac.Env(), terminal()...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	// A Ctrl-C is for the demo to clean up after, not for one command.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(s.ctx, func() { cmd.Process.Signal(os.Interrupt) })
	err := cmd.Wait()
	stop()
	if s.ctx.Err() != nil {
		return errors.New("interrupted; everything is cleaned up")
	}
	got := cmd.ProcessState.ExitCode()
	if got != 0 {
		fmt.Printf("(exit status %d)\n", got)
	}
	if got != want {
		return fmt.Errorf("%s: exit status %d, not %d: %w", argv[0], got, want, err)
	}
	return nil
}

// listening tries the port the way others would: on loopback, and on the
// machine's other addresses.
func (s show) listening() {
	for _, ip := range append([]string{"127.0.0.1"}, others()...) {
		address := s.address(ip)
		answer := "refused"
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			answer = "connected"
		}
		fmt.Printf("  connect to %-26s %s\n", address, answer)
	}
}

func others() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var ips []string
	for _, a := range all {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.IsGlobalUnicast() {
			ips = append(ips, ip.String())
		}
	}
	return ips
}

func say(format string, args ...any) {
	fmt.Printf("\n"+format+"\n", args...)
}
