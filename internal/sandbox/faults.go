package sandbox

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// faultArguments has every fault's name, and the check of its argument.
var faultArguments = map[string]func(arg string) error{
	"slow-bootout":     wantDuration,
	"bootstrap-eio":    wantCount,
	"bootstrap-37":     wantCount,
	"never-spawn":      wantNothing,
	"hang":             wantVerb,
	"garbage":          wantVerb,
	"exit-code":        wantCanned,
	"no-gui-domain":    wantNothing,
	"drop-environment": wantNothing,
	"exit-at-once":     wantAnything,
	"deaf":             wantNothing,
	"slow-start":       wantDuration,
	"wrong-bind":       wantNothing,
	"ignore-term":      wantNothing,
	"hang-exec":        wantNothing,
	"exec-floods":      wantCount,

	"docker-no-permission": wantNothing,
}

// ollamaFaults are passed on to the ollama stand-in.
var ollamaFaults = []string{"exit-at-once", "deaf", "slow-start", "wrong-bind", "ignore-term"}

func wantAnything(string) error { return nil }

func wantNothing(arg string) error {
	if arg != "" {
		return fmt.Errorf("takes no argument")
	}
	return nil
}

func wantDuration(arg string) error {
	_, err := time.ParseDuration(arg)
	return err
}

func wantCount(arg string) error {
	_, err := strconv.ParseUint(arg, 10, 31)
	return err
}

func wantVerb(arg string) error {
	if arg == "" {
		return fmt.Errorf("needs a verb")
	}
	return nil
}

func wantCanned(arg string) error {
	parts := strings.SplitN(arg, ":", 3)
	if len(parts) != 3 {
		return fmt.Errorf("needs VERB:CODE:STDERR")
	}
	_, err := strconv.ParseUint(parts[1], 10, 8)
	return err
}

// faults are those that are on. The ones that name a verb can be on for several verbs.
type faults struct {
	args  map[string]string            // by name
	verbs map[string]map[string]string // by name and verb
}

func newFaults() faults {
	return faults{args: map[string]string{}, verbs: map[string]map[string]string{}}
}

func (f faults) set(name, arg string) {
	check, ok := faultArguments[name]
	if !ok {
		panic("sandbox: no such fault: " + name)
	}
	if err := check(arg); err != nil {
		panic(fmt.Sprintf("sandbox: fault %s %q: %v", name, arg, err))
	}
	switch name {
	case "hang", "garbage":
		f.setVerb(name, arg, "")
	case "exit-code":
		verb, canned, _ := strings.Cut(arg, ":")
		f.setVerb(name, verb, canned)
	default:
		f.args[name] = arg
	}
}

func (f faults) setVerb(name, verb, arg string) {
	if f.verbs[name] == nil {
		f.verbs[name] = map[string]string{}
	}
	f.verbs[name][verb] = arg
}

func (f faults) on(name string) bool {
	_, ok := f.args[name]
	return ok
}

func (f faults) onVerb(name, verb string) bool {
	_, ok := f.verbs[name][verb]
	return ok
}

func (f faults) duration(name string) time.Duration {
	d, _ := time.ParseDuration(f.args[name]) // checked when it was set; 0 when it is off
	return d
}

// take uses up one of a fault's count, and tells whether there was one.
func (f faults) take(name string) bool {
	n, _ := strconv.Atoi(f.args[name]) // checked when it was set; 0 when it is off
	if n == 0 {
		return false
	}
	f.args[name] = strconv.Itoa(n - 1)
	return true
}

// canned is the answer that a verb gives instead of doing anything.
func (f faults) canned(verb string) (answer, bool) {
	if f.onVerb("garbage", verb) {
		return answer{Stdout: "\x00{{ => = \t}\n\tstate\npid = = 1\np\nf\nn\n\x1b[31m"}, true
	}
	canned, ok := f.verbs["exit-code"][verb]
	if !ok {
		return answer{}, false
	}
	number, text, _ := strings.Cut(canned, ":")
	code, _ := strconv.Atoi(number) // checked when it was set
	if text != "" {
		text += "\n"
	}
	return answer{Stderr: text, Code: code}, true
}

// forOllama is what the environment tells the ollama stand-in.
func (f faults) forOllama() string {
	q := url.Values{}
	for _, name := range ollamaFaults {
		if f.on(name) {
			q.Set(name, f.args[name])
		}
	}
	return q.Encode()
}
