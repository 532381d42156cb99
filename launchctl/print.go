package launchctl

import (
	"cmp"
	"fmt"
	"slices"
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
// breaks. A line break in an argument or a variable can then forge what comes
// after it: another variable, or the end of the block and any key of the job, a
// pid among them. Refused with ErrFormat is only what does not add up: a brace
// too many, or a key that is there twice. A variable may be: launchd prints those
// that it adds beside the plist's own, so it is for the caller to say whether one in
// [Job.Doubled] matters. An innocent line break stays part of its value. So the answer is as good as the word of those who can
// write the plist or set the domain's variables; what it says about a process is
// to be checked against the process.
func ParsePrint(out []byte) (Job, error) {
	d, err := readDump(string(out))
	if err != nil {
		return Job{}, err
	}
	job := Job{
		Path:                 d.value("path"),
		State:                d.value("state"),
		Program:              d.value("program"),
		JobState:             d.value("job state"),
		Pended:               d.value("pended nondemand spawn"),
		StderrPath:           d.value("stderr path"),
		Environment:          d.environment("environment"),
		InheritedEnvironment: d.environment("inherited environment"),
		PID:                  d.number("pid"),
		ExitTimeout:          time.Duration(d.number("exit timeout")) * time.Second,
		Runs:                 d.number("runs"),
		// Which key there is depends on how the run ended.
		LastExit: cmp.Or(d.value("last exit code"), d.value("last terminating signal"),
			d.value("last exit reason")),
	}
	if properties := d.value("properties"); properties != "" {
		job.Properties = strings.Split(properties, " | ")
	}
	job.Doubled = d.doubled
	switch {
	case job.State == "": // an answer about a domain looks the same but for this key
		d.fail("no state")
	case job.PID == 0 && d.value("pid") != "": // which is not to be read as "no process"
		d.fail("\"pid\" is no process id")
	case job.Environment == nil && (job.PID != 0 || job.State == "running"):
		d.fail("no environment") // launchd gives every process XPC_SERVICE_NAME
	}
	if d.err != nil {
		return Job{}, d.err
	}
	return job, nil
}

// dump is an answer of print cut into its parts.
type dump struct {
	// values holds the rest of a key's line, or the lines of its block. A key has
	// as many as the answer has of it: more than one is refused when it is asked for.
	values  map[string][]string
	doubled []string // variables
	err     error    // the first reason not to trust the answer
}

// readDump cuts an answer of print at its lines with one TAB.
func readDump(text string) (*dump, error) {
	d := &dump{values: map[string][]string{}}
	head, rest, _ := strings.Cut(text, "\n")
	if !strings.HasSuffix(head, " = {") || strings.HasPrefix(head, "\t") {
		return nil, fmt.Errorf("%w: no header", ErrFormat)
	}
	block, inBlock := "", false
	var inside []string
	for line := range strings.SplitSeq(rest, "\n") {
		switch {
		case inBlock && line == "\t}":
			d.values[block] = append(d.values[block], strings.Join(inside, "\n"))
			inBlock, inside = false, nil
		case inBlock:
			inside = append(inside, line)
		case line == "}":
			return d, nil
		case line == "\t}":
			return nil, fmt.Errorf("%w: a closing brace too many", ErrFormat)
		default:
			line, ok := indented(line, 1)
			key, value, isPair := strings.Cut(line, " = ")
			if ok = ok && isPair; ok && value == "{" {
				block, inBlock = key, true
			} else if ok {
				d.values[key] = append(d.values[key], value)
			}
		}
	}
	return nil, fmt.Errorf("%w: no end", ErrFormat)
}

// indented cuts the TABs in front of a line, and reports whether they are so many.
func indented(line string, tabs int) (string, bool) {
	rest := strings.TrimLeft(line, "\t")
	return rest, len(line)-len(rest) == tabs
}

// fail keeps the first reason not to trust the answer.
func (d *dump) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
}

// value is what the answer has for a key, or "".
func (d *dump) value(key string) string {
	switch values := d.values[key]; len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	d.fail("%q is there twice", key)
	return ""
}

// number is the value of a key that is a count; 0 when it is not there or not
// a count.
func (d *dump) number(key string) int {
	n, err := strconv.ParseInt(d.value(key), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
}

// environment reads a block of "NAME => value" lines, nil if there is none.
// Any other line is the rest of a value with a line break in it.
func (d *dump) environment(key string) map[string]string {
	if len(d.values[key]) == 0 {
		return nil
	}
	env, last := map[string]string{}, ""
	for line := range strings.SplitSeq(d.value(key), "\n") {
		name, value, ok := variable(line)
		if !ok {
			if last != "" {
				env[last] += "\n" + line
			}
			continue
		}
		if _, twice := env[name]; twice {
			d.doubled = append(d.doubled, name)
		}
		env[name], last = value, name
	}
	return env
}

// variable cuts a "NAME => value" line that has exactly two TABs in front.
func variable(line string) (name, value string, ok bool) {
	line, isVariable := indented(line, 2)
	// With an empty value the blank at the end is easily lost on the way.
	name, value, ok = strings.Cut(line+" ", " => ")
	return name, strings.TrimSuffix(value, " "), ok && isVariable && name != ""
}

// ParsePrintDisabled reads the answer of `launchctl print-disabled DOMAIN`:
// which labels have an override, and whether it disables them. Since macOS 13
// the words are "enabled" and "disabled", before that "false" and "true". An
// account without any override has no block.
func ParsePrintDisabled(out []byte) (map[string]bool, error) {
	if strings.Contains(string(out), "disabled services = (no disabled services)") {
		return map[string]bool{}, nil
	}
	_, block, ok := strings.Cut(string(out), "disabled services = {\n")
	if !ok {
		return nil, fmt.Errorf("%w: no disabled services", ErrFormat)
	}
	disabled := map[string]bool{}
	for line := range strings.SplitSeq(block, "\n") {
		line = strings.TrimSpace(line)
		if line == "}" {
			return disabled, nil
		}
		label, word, _ := strings.Cut(line, " => ")
		if !slices.Contains([]string{"disabled", "true", "enabled", "false"}, word) {
			return nil, fmt.Errorf("%w: neither enabled nor disabled: %q", ErrFormat, line)
		}
		disabled[strings.Trim(label, `"`)] = word == "disabled" || word == "true"
	}
	return nil, fmt.Errorf("%w: no end", ErrFormat)
}
