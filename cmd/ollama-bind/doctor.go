//go:build !windows

package main

import (
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

func (p program) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check everything between OLLAMA_HOST and a container, and name the cure",
		Description: "Looks, and changes nothing. It asks from inside the containers that " +
			"--container names; without that, from every running one whose environment " +
			"names Ollama, or from a temporary one. The report begins with versions and is " +
			"meant to be pasted: ~ stands for your home folder, and of all settings it shows " +
			"only OLLAMA_HOST and what a container has for Ollama and its proxy.",
		Flags: []cli.Flag{
			containerFlag(),
			runtimeFlag(),
			&cli.StringSliceFlag{Name: "check", Usage: "run only the check `ID`; can be given again"},
			&cli.BoolFlag{Name: "list-checks", Usage: "list the checks and stop"},
			hostFlag(),
			serviceFlag(),
			plistFlag(),
			jsonFlag(),
		},
		Action: p.doctor,
	}
}

// doctorReport is what doctor has to say, as data.
type doctorReport struct {
	answer.Head
	Versions versions         `json:"versions"`
	Verdict  *string          `json:"verdict"`
	Checks   []checkRow       `json:"checks"`
	Advice   *answer.Advice   `json:"advice"`
	Warnings []answer.Warning `json:"warnings"`
	Error    *answer.Error    `json:"error"`
}

// versions open every report about this program; null for what is not there or does not
// say.
type versions struct {
	OllamaBind string  `json:"ollama_bind"`
	MacOS      *string `json:"macos"`
	Homebrew   *string `json:"homebrew"`
	Ollama     *string `json:"ollama"`
	Docker     *string `json:"docker"` // the container engine, whichever it is
}

func newVersions(v doctor.Versions) versions {
	return versions{builtFrom().short(), answer.OrNull(v.MacOS), answer.OrNull(v.Homebrew), answer.OrNull(v.Ollama), answer.OrNull(v.Engine)}
}

func (v versions) String() string {
	line := name + " " + v.OllamaBind
	for _, part := range []struct {
		name    string
		version *string
	}{{"macOS", v.MacOS}, {"Homebrew", v.Homebrew}, {"Ollama", v.Ollama}, {"", v.Docker}} {
		if part.version != nil {
			line += ", " + strings.TrimSpace(part.name+" "+*part.version)
		}
	}
	return line
}

func emptyDoctorReport() doctorReport {
	r := doctorReport{Head: answer.NewHead("doctor"), Versions: newVersions(doctor.Versions{}), Checks: []checkRow{}, Warnings: []answer.Warning{}}
	r.OK = true
	return r
}

type checkRow struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Summary  string `json:"summary"`
	Evidence string `json:"evidence"`
	Fix      string `json:"fix"`
	Question string `json:"question,omitempty"` // with --list-checks
}

func (p program) doctor(c *cli.Context) error {
	checks, err := chosenChecks(c)
	if err != nil {
		return err
	}
	if c.Bool("list-checks") {
		p.listChecks(c, checks)
		return nil
	}
	host, err := readHost(c)
	if err != nil {
		return err
	}
	which, err := subject(c)
	if err != nil {
		return err
	}
	question, err := readProbe(c)
	if err != nil {
		return err
	}
	question.Runner, question.Port = p.runner(runtimeDeadline), host.Port
	m, err := p.machine()
	if err != nil {
		return err
	}
	q := doctor.Question{
		Machine: m,
		Subject: which,
		Goal:    service.GoalFor(host, true),
		Asked:   c.IsSet("host"),
		Getenv:  os.Getenv,
		System:  runtime.GOOS,
		Probe:   question,
	}
	_, done := p.tell.spin("looking at everything")
	seen := q.Gather(c.Context, checks)
	done()
	if c.Context.Err() != nil { // a look that was cut short says nothing
		return cutShort(c.Context, "")
	}
	r := p.newDoctorReport(doctor.Run(seen, checks), seen)
	if !r.OK {
		err = errNotWanted
	}
	if c.Bool("json") {
		p.tell.out.JSON(r)
		return err
	}
	p.printDoctor(r)
	return err
}

// chosenChecks are those that --check names, or all.
func chosenChecks(c *cli.Context) ([]doctor.Check, error) {
	all, chosen := doctor.Checks(), []doctor.Check{}
	ids := c.StringSlice("check")
	for _, check := range all {
		if slices.Contains(ids, check.ID) {
			chosen = append(chosen, check)
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == check.ID })
	}
	switch {
	case len(ids) > 0:
		if meant := commandline.Nearest(ids[0], checks()); meant != "" {
			return nil, commandline.Wrong(commandline.Replaced(c, ids[0], meant), "there is no check %q; did you mean %s?", ids[0], meant)
		}
		return nil, commandline.Wrong(name+" doctor --list-checks", "there is no check %q", ids[0])
	case len(chosen) == 0:
		return all, nil
	}
	return chosen, nil
}

func (p program) listChecks(c *cli.Context, checks []doctor.Check) {
	if c.Bool("json") {
		r := emptyDoctorReport()
		for _, check := range checks {
			r.Checks = append(r.Checks, checkRow{ID: check.ID, Status: string(doctor.Skip), Question: check.Question})
		}
		p.tell.out.JSON(r)
		return
	}
	var rows []screen.Row
	for _, check := range checks {
		rows = append(rows, screen.Row{Cells: []screen.Piece{screen.Plain.Text(check.ID), screen.Plain.Text(check.Question)}})
	}
	p.tell.out.Rows(rows)
}

func (p program) newDoctorReport(findings []doctor.Finding, seen doctor.Seen) doctorReport {
	r := emptyDoctorReport()
	for _, f := range findings {
		// Both forms get pasted in public.
		r.Checks = append(r.Checks, checkRow{
			ID:       f.ID,
			Status:   string(f.Status),
			Summary:  p.tell.tilde(f.Summary),
			Evidence: p.tell.tilde(f.Evidence),
			Fix:      p.tell.tilde(f.Fix),
		})
		r.OK = r.OK && f.Status != doctor.Fail
	}
	r.Versions = newVersions(seen.Versions())
	if seen.Report != nil {
		r.Verdict = answer.OrNull(seen.Report.Worst())
	}
	if r.Advice = newAdvice(p.tell, doctor.First(seen)); r.Advice != nil {
		r.Advice.Hint = p.tell.tilde(r.Advice.Hint)
	}
	return r
}

var statusMarks = map[string]screen.Piece{
	string(doctor.OK):   screen.MarkGood,
	string(doctor.Warn): screen.MarkCareful,
	string(doctor.Fail): screen.MarkBad,
	string(doctor.Skip): screen.MarkNone,
}

func (p program) printDoctor(r doctorReport) {
	p.tell.printf("%s", r.Versions)
	p.tell.printf("")
	count, said := map[string]int{}, map[string]string{} // what each summary was said of
	var rows []screen.Row
	for _, check := range r.Checks {
		count[check.Status]++
		summary, m := check.Summary, screen.Plain
		if check.Status == string(doctor.Skip) {
			m = screen.Detail
		}
		if first := said[summary]; first != "" && check.Status != string(doctor.OK) {
			summary = "as for " + first
		} else {
			said[summary] = check.ID
		}
		rows = append(rows, screen.Row{Mark: statusMarks[check.Status], Cells: []screen.Piece{screen.Plain.Text(check.ID), m.Text(summary)}})
	}
	p.tell.out.Rows(rows)
	told := map[string]bool{}
	if r.Advice != nil {
		told[r.Advice.Hint] = true // it is what the answer ends with
	}
	for _, status := range []doctor.Status{doctor.Fail, doctor.Warn} {
		for _, check := range r.Checks {
			if check.Status == string(status) {
				p.printCheck(check, told)
			}
		}
	}
	p.tell.printf("")
	p.tell.printf("%d ok, %d to know, %d wrong, %d skipped", count["ok"], count["warn"], count["fail"], count["skip"])
	switch well := r.OK && count["ok"] > count["skip"]; {
	case r.Advice != nil:
		p.tell.hint(r.Advice.Hint)
	case well && r.Verdict != nil && *r.Verdict != string(container.NoRuntime):
		p.tell.out.Say(screen.Good, "nothing found that keeps containers from Ollama")
	case well:
		p.tell.out.Say(screen.Good, "nothing wrong found; no container was asked")
	}
}

// printCheck writes the evidence behind a finding that matters. The table has its
// summary; what several checks share is said once.
func (p program) printCheck(check checkRow, told map[string]bool) {
	if check.Evidence == "" && (check.Fix == "" || told[check.Fix]) {
		return
	}
	p.tell.printf("")
	p.tell.out.Line(statusMarks[check.Status], screen.Plain.Text(" "+check.ID))
	for line := range strings.Lines(check.Evidence) {
		if line = strings.TrimSuffix(line, "\n"); !told[line] {
			p.tell.out.Line(screen.Detail.Text("    " + line))
			told[line] = true
		}
	}
	if check.Fix != "" && !told[check.Fix] {
		p.tell.out.Line(screen.Detail.Text("    hint: "), screen.Plain.Text(check.Fix))
		told[check.Fix] = true
	}
}
