package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// The limits of the whole process.
const (
	mostOverCommands = 1.3
	mostOverEmpty    = 2
	mostMemory       = 20 // MB
)

// against is one row: a side, what it is compared with, and the limit.
type against struct {
	what string
	of   string
	most float64 // 0 where none is wanted
}

const (
	emptyGo   = "an empty Go program"
	version   = "`ollama-bind version`"
	dryRun    = "`ollama-bind fix --dry-run`"
	status    = "`ollama-bind status`"
	justThese = "the external commands of "
	withStart = "an empty Go program, then the commands of "
	pythonWay = "python3 with plistlib: load, set, dump"
	plistutil = "plistutil: to binary, and back"
	byHand    = "a shell: env file, property list, launchctl print, lsof"
)

var processRows = []against{
	{what: emptyGo, of: emptyGo},
	{what: version, of: emptyGo, most: mostOverEmpty},
	{what: justThese + dryRun, of: justThese + dryRun},
	{what: withStart + dryRun, of: justThese + dryRun},
	{what: dryRun, of: justThese + dryRun, most: mostOverCommands},
	{what: justThese + status, of: justThese + status},
	{what: withStart + status, of: justThese + status},
	{what: status, of: justThese + status, most: mostOverCommands},
	{what: pythonWay, of: dryRun},
	{what: plistutil, of: dryRun},
	{what: byHand, of: status},
}

// process compares whole programs, from their start to their end.
func process(l *lab) ([]table, error) {
	m, err := l.mac()
	if err != nil {
		return nil, err
	}
	defer scrap(m)
	sides, notes, err := l.processSides(m)
	if err != nil {
		return nil, err
	}
	samples, err := compare(l.ctx, l.times(51, 9), sides)
	if err != nil {
		return nil, err
	}
	t := table{head: []string{"what", "time", "against", "ratio", "wanted"}, notes: notes}
	for _, row := range processRows {
		t.add(row.cells(samples)...)
	}
	memory, err := l.memoryTable(m)
	return []table{t, memory}, err
}

func (a against) cells(samples map[string][]sample) []string {
	if samples[a.what] == nil {
		return []string{a.what, notHere, "", "", ""}
	}
	took := middle(samples[a.what], wall)
	if a.of == a.what {
		return []string{a.what, span(took), "", "", ""}
	}
	r := ratio(took, middle(samples[a.of], wall))
	wanted := ""
	if a.most > 0 {
		wanted = atMost(r, a.most, "")
	}
	return []string{a.what, span(took), a.of, times(r), wanted}
}

// own are the commands of ollama-bind that change nothing. The service does not
// listen where it is wanted, so both exit with 3.
func (l *lab) own(m *sandbox.Mac) map[string]command {
	return map[string]command{
		dryRun: l.onMac(m, "fix", "--dry-run", "--host", host(m)).ends(3),
		status: l.onMac(m, "status", "--host", host(m)).ends(3),
	}
}

func (l *lab) processSides(m *sandbox.Mac) (sides []side, notes []string, err error) {
	nothing := command{argv: []string{l.path(empty)}}
	sides = []side{
		{emptyGo, alone(nothing)},
		{version, alone(l.onMac(m, "version"))},
		{pythonWay, l.python(m)},
		{plistutil, l.plistutil(m)},
		{byHand, alone(typed(m, lookByHand(m)))},
	}
	own := l.own(m)
	for _, name := range []string{dryRun, status} {
		c := own[name]
		commands, err := l.commandsOf(m, c)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		sides = append(sides, side{name, alone(c)}, side{justThese + name, commands}, side{withStart + name, append(alone(nothing), commands...)})
		notes = append(notes, fmt.Sprintf("%s runs %s.", name, describe(commands)))
	}
	return sides, notes, nil
}

// lookByHand is what somebody types who wants to know where the setting is.
func lookByHand(m *sandbox.Mac) string {
	return fmt.Sprintf("cat %s\ngrep -A1 OLLAMA_HOST %s\nlaunchctl print %s/%s\nlsof -nP -iTCP:%d -sTCP:LISTEN -F pcn\n",
		m.EnvFile(), plistOf(m), m.Domain(), label, m.Port)
}

const pythonScript = `import plistlib, sys
with open(sys.argv[1], "rb") as f:
    p = plistlib.load(f)
p["EnvironmentVariables"]["OLLAMA_HOST"] = sys.argv[3]
with open(sys.argv[2], "wb") as f:
    plistlib.dump(p, f, sort_keys=False)
`

// python edits a copy. It is nil where there is no python3.
func (l *lab) python(m *sandbox.Mac) work {
	python, ok := find("python3", "-c", "import plistlib, sys; print(sys.executable)")
	if !ok {
		return nil
	}
	return alone(command{argv: []string{python, "-c", pythonScript, plistOf(m), filepath.Join(l.dir, "copy.plist"), host(m)}})
}

// plistutil converts a copy. It is nil where there is no plistutil.
func (l *lab) plistutil(m *sandbox.Mac) work {
	tool, ok := find("plistutil")
	if !ok {
		return nil
	}
	binary, xml := filepath.Join(l.dir, "copy.bin"), filepath.Join(l.dir, "copy.xml")
	return work{
		{{argv: []string{tool, "-i", plistOf(m), "-o", binary}}},
		{{argv: []string{tool, "-i", binary, "-o", xml}}},
	}
}

const scaleNote = "The process that measures memory counts as a part of the measured one until that has started: nothing shows as less than an empty Go program here."

// memoryTable is the most that a program has in memory at once.
func (l *lab) memoryTable(m *sandbox.Mac) (table, error) {
	t := table{head: []string{"what", "peak memory", "wanted"}, notes: []string{scaleNote}}
	programs := l.own(m)
	programs[version] = l.onMac(m, "version")
	programs[emptyGo] = command{argv: []string{l.path(empty)}, env: os.Environ()}
	for _, name := range []string{emptyGo, version, dryRun, status} {
		bytes, err := l.peak(programs[name], l.times(11, 3))
		if err != nil {
			return t, fmt.Errorf("%s: %w", name, err)
		}
		wanted := ""
		if name != emptyGo {
			wanted = atMost(float64(bytes)/1e6, mostMemory, " MB")
		}
		t.add(name, weight(float64(bytes)), wanted)
	}
	return t, nil
}
