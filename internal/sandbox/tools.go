package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// What the stand-ins are told through their environment.
const (
	envLaunchd = "SANDBOX_LAUNCHD" // address of launchd's server, a slash, and the password
	envPort    = "SANDBOX_PORT"    // the port that stands for 11434
	envLsof    = "SANDBOX_LSOF"    // the machine's own lsof, when that is to be used
	envParent  = "SANDBOX_PARENT"  // pid of the process that ollama must not outlive
	envFaults  = "SANDBOX_FAULTS"  // ollama's faults, as a URL query

	envStandins = "SANDBOX_STANDINS" // for the sandbox itself: the program that they are

	envContainer = "SANDBOX_CONTAINER" // the container that a shell runs in
)

// request is what a stand-in sends to launchd's server.
type request struct {
	Password string
	Tool     string
	Args     []string
	Dir      string // working folder, for relative paths
	EUID     int
	PPID     int
	Terminal bool // stdout is a terminal

	Container string   // whose shell the tool was started by
	Env       []string // such a tool's variables about proxies
}

// answer is what the stand-in is to print, and its exit code.
type answer struct {
	Stdout string
	Stderr string
	Code   int
	Pass   bool // nothing special: the tool is to do its work itself

	Homebrew *homebrew // for brew that does its work itself
}

// Main plays the part that the executable's name asks for, launchctl, ollama, lsof, brew or docker, and exits. Under any other name it returns.
func Main() {
	parts := map[string]func(args []string) int{
		"launchctl": launchctlMain, "lsof": lsofMain, "ollama": ollamaMain, "brew": brewMain,
		"docker": dockerMain, "wget": insideMain("wget"), "curl": insideMain("curl"), "head": headMain, "sleep": sleepMain,
	}
	part, ok := parts[filepath.Base(os.Args[0])]
	if !ok {
		return
	}
	// Not os.Exit: in a test executable it prints a warning about coverage, and waits a second for the race detector.
	syscall.Exit(part(os.Args[1:]))
}

func launchctlMain(args []string) int {
	a, err := ask("launchctl", args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "launchctl: no sandbox: %v\n", err)
		return 1
	}
	return a.print()
}

// lsofMain asks launchd's server for faults first, then does the work itself or lets the machine's own lsof do it.
func lsofMain(args []string) int {
	a, err := ask("lsof", args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "lsof: no sandbox: %v\n", err)
		return 1
	}
	if !a.Pass {
		return a.print()
	}
	own := os.Getenv(envLsof)
	if own == "" {
		return lsofStandIn(args, os.Stdout, os.Stderr)
	}
	err = syscall.Exec(own, append([]string{"lsof"}, args...), os.Environ())
	fmt.Fprintf(os.Stderr, "lsof: %s: %v\n", own, err)
	return 1
}

func (a answer) print() int {
	_, _ = io.WriteString(os.Stdout, a.Stdout)
	_, _ = io.WriteString(os.Stderr, a.Stderr)
	return a.Code
}

// ask sends a tool's arguments to launchd's server and waits for its answer.
func ask(tool string, args []string) (answer, error) {
	conn, err := send(tool, args)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	var a answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return answer{}, err
	}
	return a, nil
}

// send sends a tool's arguments to launchd's server. The answer is what the connection has to read.
func send(tool string, args []string) (net.Conn, error) {
	address, password, ok := strings.Cut(os.Getenv(envLaunchd), "/")
	if !ok {
		return nil, fmt.Errorf("%s is not set", envLaunchd)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	dir, _ := os.Getwd() // "" serves as well for absolute paths
	err = json.NewEncoder(conn).Encode(request{
		Password: password,
		Tool:     tool,
		Args:     args,
		Dir:      dir,
		EUID:     os.Geteuid(),
		PPID:     os.Getppid(),
		Terminal: isTerminal(os.Stdout),

		Container: os.Getenv(envContainer),
		Env:       proxyVariables(os.Environ()),
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// isTerminal takes every character device for a terminal; the other ones, such as /dev/null, show nobody what was printed.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
