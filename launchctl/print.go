package launchctl

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParsePrint reads the answer of `launchctl print <domain>/<label>`.
//
// The layout is one TAB per level. Only lines with exactly one TAB in front
// are about the job itself: the blocks between them repeat keys such as
// "state" and "type" about other things.
//
// Values are taken to be printed as they are, which is unverified for line
// breaks. A line break in an argument or a variable then can forge anything
// that comes after it. A line of two TABs and "NAME => value" is one more
// variable. A line of one TAB and a brace closes the block, the lines after it
// are about the job, a pid among them, and a last line such as "\tz = {" swallows
// what launchctl itself has to say. There is no telling by the layout. Refused
// with ErrFormat is only what does not add up: a brace too many, or a key or
// variable that is there twice. An innocent line break, with no such line after
// it, does no harm and stays part of its value. So the answer is as good as the
// word of those who can write the plist or set the domain's variables; what it
// says about a process is to be checked against the process.
func ParsePrint(out []byte) (Job, error) {
	d, err := readDump(string(out))
	if err != nil {
		return Job{}, err
	}
	job := Job{
		Path:                 d.scalar("path"),
		Type:                 d.scalar("type"),
		State:                d.scalar("state"),
		Program:              d.scalar("program"),
		Arguments:            d.arguments("arguments"),
		WorkingDirectory:     d.scalar("working directory"),
		StdoutPath:           d.scalar("stdout path"),
		StderrPath:           d.scalar("stderr path"),
		Environment:          d.environment("environment"),
		InheritedEnvironment: d.environment("inherited environment"),
		DefaultEnvironment:   d.environment("default environment"),
		PID:                  d.pid("pid"),
		MinimumRuntime:       d.seconds("minimum runtime"),
		ExitTimeout:          d.seconds("exit timeout"),
		Runs:                 d.number("runs"),
		LastExit:             d.lastExit(),
	}
	// A dump of a domain looks the same but for this key.
	if job.State == "" {
		d.fail("no state")
	}
	if d.err != nil {
		return Job{}, d.err
	}
	return job, nil
}

// dump is an answer of print cut into its parts. A key has as many values as
// the answer has lines for it: more than one is refused when it is asked for.
type dump struct {
	scalars map[string][]string
	blocks  map[string][][]string
	err     error // the first reason not to trust the answer
}

// readDump cuts an answer of print at its lines with one TAB.
func readDump(text string) (*dump, error) {
	d := &dump{scalars: map[string][]string{}, blocks: map[string][][]string{}}
	head, rest, _ := strings.Cut(text, "\n")
	if !strings.HasSuffix(head, " = {") || strings.HasPrefix(head, "\t") {
		return nil, fmt.Errorf("%w: no header", ErrFormat)
	}
	block, inBlock := "", false
	var inside []string
	for line := range strings.SplitSeq(rest, "\n") {
		switch {
		case inBlock && line == "\t}":
			d.blocks[block] = append(d.blocks[block], inside)
			inBlock, inside = false, nil
		case inBlock:
			inside = append(inside, line)
		case line == "}":
			return d, nil
		case line == "\t}":
			return nil, fmt.Errorf("%w: a closing brace too many", ErrFormat)
		default:
			key, value, ok := topLevel(line)
			if ok && value == "{" {
				block, inBlock = key, true
			} else if ok {
				d.scalars[key] = append(d.scalars[key], value)
			}
		}
	}
	return nil, fmt.Errorf("%w: no end", ErrFormat)
}

// topLevel cuts a "key = value" line that has exactly one TAB in front.
func topLevel(line string) (key, value string, ok bool) {
	line, ok = strings.CutPrefix(line, "\t")
	if !ok || strings.HasPrefix(line, "\t") {
		return "", "", false
	}
	return strings.Cut(line, " = ")
}

// fail keeps the first reason not to trust the answer.
func (d *dump) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
}

// scalar is the value of a key, or "".
func (d *dump) scalar(key string) string {
	return only(d, key, d.scalars[key])
}

// only is the one element of values, or the zero value.
func only[T any](d *dump, key string, values []T) (value T) {
	if len(values) > 1 {
		d.fail("%q is there twice", key)
	}
	if len(values) == 1 {
		value = values[0]
	}
	return value
}

// number is the value of a key that is a count; 0 when it is not there or not
// a count.
func (d *dump) number(key string) int {
	n, err := strconv.Atoi(d.scalar(key))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// seconds is number as a time; what is longer than a lifetime is unknown.
func (d *dump) seconds(key string) time.Duration {
	n := d.number(key)
	if n > math.MaxInt32 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// pid is number for a key that must be a process id if it is there: "no
// process" must not be the reading of a process id in an unknown form.
func (d *dump) pid(key string) int {
	text, pid := d.scalar(key), d.number(key)
	if text != "" && pid == 0 {
		d.fail("%q is no process id", key)
	}
	return pid
}

// lastExit is how the previous run ended. Which key there is depends on it.
func (d *dump) lastExit() string {
	for _, key := range []string{"last exit code", "last terminating signal", "last exit reason"} {
		if value := d.scalar(key); value != "" {
			return value
		}
	}
	return ""
}

// arguments reads a block of one argument a line. A line without two TABs is
// the rest of an argument with a line break in it.
func (d *dump) arguments(key string) []string {
	var args []string
	for _, line := range only(d, key, d.blocks[key]) {
		if arg, ok := strings.CutPrefix(line, "\t\t"); ok {
			args = append(args, arg)
		} else if len(args) > 0 {
			args[len(args)-1] += "\n" + line
		}
	}
	return args
}

// environment reads a block of "NAME => value" lines, nil if there is none.
// Any other line is the rest of a value with a line break in it.
func (d *dump) environment(key string) map[string]string {
	if len(d.blocks[key]) == 0 {
		return nil
	}
	env, last := map[string]string{}, ""
	for _, line := range only(d, key, d.blocks[key]) {
		name, value, ok := variable(line)
		if !ok {
			if last != "" {
				env[last] += "\n" + line
			}
			continue
		}
		if _, twice := env[name]; twice {
			// The name may be part of somebody's secret: it is not shown.
			d.fail("a variable is there twice in %q", key)
		}
		env[name], last = value, name
	}
	return env
}

// variable cuts a "NAME => value" line that has exactly two TABs in front.
func variable(line string) (name, value string, ok bool) {
	line, ok = strings.CutPrefix(line, "\t\t")
	if !ok || strings.HasPrefix(line, "\t") {
		return "", "", false
	}
	// With an empty value the blank at the end is easily lost on the way.
	name, value, ok = strings.Cut(line+" ", " => ")
	return name, strings.TrimSuffix(value, " "), ok && name != ""
}
