// Package fault is what a test can break on the Mac in a folder: the list of
// faults, and which of them are on. The part that a fault is about asks [Set].
package fault

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// names are all faults. VERB is a verb of launchctl, or lsof, ps, open, brew or docker. A fault of
// ollama holds for the processes that launchd starts while it is on.
//
//	name              argument          what happens
//	slow-bootout      duration          a job's process gets its SIGTERM only after that
//	bootstrap-eio     count             the next bootstraps fail with 5
//	bootstrap-37      count             the next bootstraps fail with 37, and say so
//	bootstrap-noop    count             the next bootstraps exit 0, and load nothing
//	mode-refused                        bootstrap fails with 5 on what others may not read
//	quarantined       path              bootstrap fails with 5 on the file that is there now
//	never-spawn                         bootstrap starts nothing; kickstart does
//	pended                              nothing starts unasked; print says why
//	stale-signature                     jobs loaded before it cannot be started any more
//	doubled           variable          print has it twice in the job's environment
//	drop-environment                    the plist's variables are lost, and not printed
//	hang              VERB              the tool does not answer until it is killed
//	garbage           VERB              the tool prints meaningless bytes, and exits 0
//	exit-code         VERB:CODE:STDERR  the tool prints that line, exits with the code
//	exit-at-once      line, or nothing  ollama logs the line and exits 1
//	deaf                                ollama accepts connections and never answers
//	slow-start        duration          ollama listens only after the duration
//	mute-outside                        ollama answers on loopback only
//	wrong-bind                          ollama listens on 127.0.0.1 whatever it is told
//	ignore-term                         ollama does not end on SIGTERM
//	app-ignore-term                     Ollama.app does not end on SIGTERM
//	app-comes-back    duration          opened again so long after it has ended
//	open-600          count             the next opens fail with -600, as while an app ends
//	slow-lsof         duration          lsof without -b takes so long
//	hang-exec                           programs in containers do nothing until killed
//	exec-floods       bytes             programs in containers print that many bytes
//	docker-no-permission                the engine's socket is not for this user
var names = []string{
	"slow-bootout", "bootstrap-eio", "bootstrap-37", "never-spawn", "drop-environment",
	"bootstrap-noop", "mode-refused", "quarantined", "pended", "stale-signature", "doubled",
	"slow-lsof", "mute-outside",
	"hang", "garbage", "exit-code",
	"exit-at-once", "deaf", "slow-start", "wrong-bind", "ignore-term",
	"app-ignore-term", "app-comes-back", "open-600",
	"hang-exec", "exec-floods", "docker-no-permission",
}

// ofOllama are passed on to the ollama stand-in, and to Ollama.app.
var ofOllama = []string{"exit-at-once", "deaf", "slow-start", "wrong-bind", "mute-outside",
	"ignore-term", "app-ignore-term"}

// Set is the faults that are on. The zero value has none. Its methods may be called
// from several goroutines.
type Set struct {
	mu sync.Mutex
	on map[string]string // arguments, by name or by "name verb"
}

// Add switches a fault on. It panics for an unknown fault, or a wrong argument.
func (s *Set) Add(name, arg string) {
	var err error
	switch name {
	case "slow-bootout", "slow-start", "slow-lsof", "app-comes-back":
		_, err = time.ParseDuration(arg)
	case "bootstrap-eio", "bootstrap-37", "bootstrap-noop", "open-600", "exec-floods":
		_, err = strconv.Atoi(arg)
	case "quarantined":
		arg, err = Inode(arg)
	}
	if err != nil || !slices.Contains(names, name) {
		panic("sandbox: no such fault: " + name + " " + arg)
	}
	switch name {
	case "hang", "garbage":
		name, arg = name+" "+arg, ""
	case "exit-code":
		verb, answer, _ := strings.Cut(arg, ":")
		name, arg = name+" "+verb, answer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on == nil {
		s.on = map[string]string{}
	}
	s.on[name] = arg
}

// Inode is the number of a file, as text. It stands for an extended attribute, which a
// new file in its place does not have.
func Inode(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(info.Sys().(*syscall.Stat_t).Ino), nil
}

// Clear switches all faults off.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = nil
}

// Arg returns the argument of a fault, and whether it is on.
func (s *Set) Arg(name string) (arg string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arg, on = s.on[name]
	return arg, on
}

// On reports whether a fault is on.
func (s *Set) On(name string) bool {
	_, on := s.Arg(name)
	return on
}

// Duration is the argument of a fault, or 0 when it is off.
func (s *Set) Duration(name string) time.Duration {
	arg, _ := s.Arg(name)
	d, _ := time.ParseDuration(arg)
	return d
}

// Take uses up one of a fault's count, and reports whether there was one.
func (s *Set) Take(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(s.on[name]) // 0 when it is off
	if n == 0 {
		return false
	}
	s.on[name] = strconv.Itoa(n - 1)
	return true
}

// Canned is the answer that a verb or tool gives instead of doing anything.
func (s *Set) Canned(verb string) (standin.Answer, bool) {
	if s.On("garbage " + verb) {
		const garbage = "\x00{{ => = \t}\n\tstate\npid = = 1\np\nf\nn\n\x1b[31m"
		return standin.Answer{Stdout: garbage}, true
	}
	canned, on := s.Arg("exit-code " + verb)
	if !on {
		return standin.Answer{}, false
	}
	number, text, _ := strings.Cut(canned, ":")
	code, _ := strconv.Atoi(number)
	if text != "" {
		text += "\n"
	}
	return standin.Answer{Stderr: text, Code: code}, true
}

// ForOllama is what the environment tells the ollama stand-in, as a URL query.
func (s *Set) ForOllama() string {
	q := url.Values{}
	for _, name := range ofOllama {
		if arg, on := s.Arg(name); on {
			q.Set(name, arg)
		}
	}
	return q.Encode()
}
