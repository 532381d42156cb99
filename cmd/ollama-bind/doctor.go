package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
)

func (p program) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check everything between OLLAMA_HOST and a container, and name the cure",
		Description: "Looks, and changes nothing. Containers are asked from inside, as by probe: those that\n" +
			"--container names, or every running one whose environment names Ollama, or else a\n" +
			"throw-away one. The report has ~ for your home folder, and of all settings only\n" +
			"OLLAMA_HOST and what a container has for Ollama and its proxy.",
		Flags: []cli.Flag{
			containerFlag(),
			runtimeFlag(),
			&cli.StringSliceFlag{Name: "check", Usage: "run only the check `ID`; again for another one"},
			&cli.BoolFlag{Name: "list-checks", Usage: "list the checks and stop"},
			hostFlag(),
			plistFlag(),
			jsonFlag(),
		},
		Action: p.doctor,
	}
}

// doctorReport is what doctor has to say, as data.
type doctorReport struct {
	SchemaVersion int          `json:"schema_version"`
	Command       string       `json:"command"`
	OK            bool         `json:"ok"`
	Verdict       *string      `json:"verdict"`
	Checks        []checkRow   `json:"checks"`
	Warnings      []warning    `json:"warnings"`
	Error         *errorObject `json:"error"`
}

type checkRow struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Summary  string `json:"summary"`
	Evidence string `json:"evidence"`
	Fix      string `json:"fix"`
	Question string `json:"question,omitempty"` // with --list-checks

	interrupted bool
}

func (p program) doctor(c *cli.Context) error {
	host, err := readHost(c)
	if err != nil {
		return err
	}
	question, err := readProbe(c)
	if err != nil {
		return err
	}
	checks, err := chosenChecks(c)
	if err != nil {
		return err
	}
	if c.Bool("list-checks") {
		p.listChecks(c, checks)
		return nil
	}
	m, err := p.machine(false)
	if err != nil {
		return err
	}
	patient := &doctor.Case{
		Machine: m,
		Subject: bind.Subject{Plist: c.String("plist")},
		Goal:    bind.GoalFor(host, true),
		Asked:   c.IsSet("host"),
		Getenv:  os.Getenv,
		System:  runtime.GOOS,
		Probe:   question,
		App:     p.ownApp,
	}
	done := p.tell.busy(c.Context, "looking at everything")
	findings := doctor.Run(c.Context, patient, checks)
	done()
	r := p.newDoctorReport(findings, patient)
	if c.Context.Err() != nil {
		err = cutShort(c.Context, "")
		r.OK, r.Error = false, newErrorObject(p.tell, err)
	} else if !r.OK {
		err = errNotWanted
	}
	if c.Bool("json") {
		p.tell.json(r)
		return asReported(err)
	}
	p.printDoctor(r)
	return err
}

// chosenChecks are those that --check names, or all.
func chosenChecks(c *cli.Context) ([]doctor.Check, error) {
	all, ids := doctor.Checks(), c.StringSlice("check")
	if len(ids) == 0 {
		return all, nil
	}
	var chosen []doctor.Check
	for _, check := range all {
		if slices.Contains(ids, check.ID) {
			chosen = append(chosen, check)
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(check doctor.Check) bool { return check.ID == id }) {
			return nil, &usageError{fmt.Sprintf("there is no check %q", id), name + " doctor --list-checks"}
		}
	}
	return chosen, nil
}

func (p program) listChecks(c *cli.Context, checks []doctor.Check) {
	if c.Bool("json") {
		r := doctorReport{SchemaVersion: schemaVersion, Command: "doctor", OK: true, Checks: []checkRow{}, Warnings: []warning{}}
		for _, check := range checks {
			r.Checks = append(r.Checks, checkRow{ID: check.ID, Status: string(doctor.Skip), Question: check.Question})
		}
		p.tell.json(r)
		return
	}
	var rows []row
	for _, check := range checks {
		rows = append(rows, rowOf(check.ID, check.Question))
	}
	p.tell.rows(rows)
}

func (p program) newDoctorReport(findings []doctor.Finding, patient *doctor.Case) doctorReport {
	r := doctorReport{
		SchemaVersion: schemaVersion,
		Command:       "doctor",
		OK:            true,
		Checks:        []checkRow{},
		Warnings:      []warning{},
	}
	for _, f := range findings {
		// It gets pasted in public, in either form.
		r.Checks = append(r.Checks, checkRow{
			ID:          f.ID,
			Status:      string(f.Status),
			Summary:     p.tell.tilde(f.Summary),
			Evidence:    p.tell.tilde(f.Evidence),
			Fix:         p.tell.tilde(f.Fix),
			interrupted: f.Interrupted,
		})
		r.OK = r.OK && f.Status != doctor.Fail
	}
	if report, ok := patient.Probed(); ok {
		r.Verdict = text(report.Worst())
	}
	return r
}

var statusMarks = map[string]mark{
	string(doctor.OK):   markGood,
	string(doctor.Warn): markCareful,
	string(doctor.Fail): markBad,
	string(doctor.Skip): markNone,
}

func (p program) printDoctor(r doctorReport) {
	count := map[string]int{}
	var rows []row
	for _, check := range r.Checks {
		count[check.Status]++
		if check.interrupted { // the error says so, once
			continue
		}
		summary := piece{plain, check.Summary}
		if check.Status == string(doctor.Skip) {
			summary.meaning = detail
		}
		rows = append(rows, row{statusMarks[check.Status], []piece{{plain, check.ID}, summary}})
	}
	p.tell.rows(rows)
	for _, status := range []doctor.Status{doctor.Fail, doctor.Warn} {
		for _, check := range r.Checks {
			if check.Status == string(status) {
				p.printCheck(check)
			}
		}
	}
	p.tell.printf("")
	p.tell.printf("%d ok, %d to know, %d wrong, %d skipped", count["ok"], count["warn"], count["fail"], count["skip"])
	switch fix, well := firstFix(r.Checks), r.OK && count["ok"] > count["skip"]; {
	case fix != "":
		p.tell.paste("start with:  ", fix)
	case well && asked(r):
		p.tell.say(good, "nothing found that keeps containers from Ollama")
	case well:
		p.tell.say(good, "nothing wrong found; no container was asked")
	}
}

// asked reports whether anything is known from inside of a container.
func asked(r doctorReport) bool {
	return r.Verdict != nil && *r.Verdict != string(container.NoRuntime)
}

// firstFix is the cure of what containers run into, if that was measured, and
// else of the first thing that is wrong: the checks go from the ground up.
func firstFix(checks []checkRow) string {
	first := ""
	for _, check := range checks {
		switch {
		case check.Status != string(doctor.Fail):
		case check.ID == "container-reaches-ollama":
			return cmp.Or(check.Fix, first)
		case first == "":
			first = check.Fix
		}
	}
	return first
}

// printCheck writes what is behind a finding that matters.
func (p program) printCheck(check checkRow) {
	p.tell.printf("")
	p.tell.line(0, p.tell.screen.mark(statusMarks[check.Status]), piece{plain, " " + check.ID + ": " + check.Summary})
	for line := range strings.Lines(check.Evidence) {
		p.tell.line(4, piece{detail, strings.TrimSuffix(line, "\n")})
	}
	if check.Fix != "" {
		p.tell.whole(piece{detail, "  > "}, piece{plain, check.Fix})
	}
}
