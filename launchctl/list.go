package launchctl

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// ParseList reads the answer of `launchctl list LABEL`, a dictionary in the
// old NeXT style. It knows no path, no environment and no state.
func ParseList(out []byte) (Job, error) {
	d, err := readDict(string(out))
	if err != nil {
		return Job{}, err
	}
	job := Job{
		Program:    d.scalar("Program"),
		Arguments:  only(d, "ProgramArguments", d.blocks["ProgramArguments"]),
		StdoutPath: d.scalar("StandardOutPath"),
		StderrPath: d.scalar("StandardErrorPath"),
		PID:        d.pid("PID"),
		LastExit:   waitStatus(d.scalar("LastExitStatus")),
	}
	if d.scalar("Label") == "" {
		d.fail("no label")
	}
	if d.err != nil {
		return Job{}, d.err
	}
	return job, nil
}

// waitStatus puts the raw status of wait(2), which list alone shows, into
// words: 19200 is "75", as print has it. A signal is a number only, "signal 15",
// where print has a name to it, "Terminated: 15".
func waitStatus(raw string) string {
	status, err := strconv.Atoi(raw)
	if err != nil {
		return raw
	}
	if signal := status & 0x7f; signal != 0 {
		return fmt.Sprintf("signal %d", signal)
	}
	return strconv.Itoa(status >> 8 & 0xff)
}

// dictEntry is one entry of the dictionary, dictElement one of an array in it:
//
//	"key" = "value";    "key" = 12;    "key" = (    "element";    );
//
// A string ends at the first quote and semicolon that end a line, so a line
// break in a value does not begin an entry. Whether a quote in a value is
// escaped is unverified; it is kept as it is printed.
//
// Only an old launchctl answers so: they are compiled when it does.
var (
	dictEntry = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?ms)^\t"([^"\n]*)" = (?:"(.*?)"|([({].*?)^\t[)}]|([^\n]*?));$`)
	})
	dictElement = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?ms)^\t\t"(.*?)";$`) })
)

// readDict cuts a dictionary into its entries.
func readDict(text string) (*dump, error) {
	text = strings.TrimRight(text, "\n")
	if !strings.HasPrefix(text, "{\n") || !strings.HasSuffix(text, "\n};") {
		return nil, fmt.Errorf("%w: no dictionary", ErrFormat)
	}
	d := &dump{scalars: map[string][]string{}, blocks: map[string][][]string{}}
	for _, entry := range dictEntry().FindAllStringSubmatch(text, -1) {
		key, quoted, block, bare := entry[1], entry[2], entry[3], entry[4]
		if block == "" {
			d.scalars[key] = append(d.scalars[key], quoted+bare)
			continue
		}
		var elements []string
		for _, element := range dictElement().FindAllStringSubmatch(block, -1) {
			elements = append(elements, element[1])
		}
		d.blocks[key] = append(d.blocks[key], elements)
	}
	return d, nil
}

// ParsePrintDisabled reads the answer of `launchctl print-disabled DOMAIN`:
// which labels have an override, and whether it disables them. Since macOS 13
// the words are "enabled" and "disabled", before that "false" and "true".
func ParsePrintDisabled(out []byte) (map[string]bool, error) {
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
		switch word {
		case "disabled", "true":
			disabled[strings.Trim(label, `"`)] = true
		case "enabled", "false":
			disabled[strings.Trim(label, `"`)] = false
		default:
			return nil, fmt.Errorf("%w: neither enabled nor disabled: %q", ErrFormat, line)
		}
	}
	return nil, fmt.Errorf("%w: no end", ErrFormat)
}
