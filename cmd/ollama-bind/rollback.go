//go:build !windows

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

func (p program) rollbackCommand() *cli.Command {
	return &cli.Command{
		Name:  "rollback",
		Usage: "put back what fix changed, byte for byte, and prove that too",
		Description: "Puts back what fix changed, as it was before the first fix of the service that " +
			"was fixed last, or of the one that --service names. It restarts the service, and " +
			"waits until it listens where it did before. From a file that was changed since the fix, only the setting is taken " +
			"out; if the setting itself was changed, the file is left alone. A second " +
			"rollback finds nothing to take back. Backups of fixes in effect are kept, and " +
			"the newest 20 of the others.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the change as a diff and stop"},
			showValuesFlag(),
			serviceFlag(),
			&cli.BoolFlag{Name: "all", Usage: "take back the fixes of all services"},
			&cli.BoolFlag{Name: "list", Usage: "list the backups and stop"},
			&cli.StringFlag{Name: "to", Usage: "go back to this backup; the beginning of the `ID` is enough"},
			&cli.BoolFlag{Name: "force", Usage: "restore the file even if it was changed since the fix"},
			timeoutFlag(),
			jsonFlag(),
			quietFlag(),
		},
		Action: p.rollback,
	}
}

func (p program) rollback(c *cli.Context) error {
	ctx, cancel, err := p.bounded(c)
	if err != nil {
		return err
	}
	defer cancel()
	m, err := p.machine()
	if err != nil {
		return err
	}
	if c.Bool("list") {
		return p.listBackups(c, m)
	}
	w := rebind.Back{To: c.String("to"), Service: c.String("service"), Force: c.Bool("force"), DryRun: c.Bool("dry-run"), Refuse: refuse(m), Past: map[string]bool{}}
	var before []answer.Report // of services that were dealt with already
	for {
		watched, done := p.tell.watch(ctx, m, c.Bool("quiet"))
		plan, out, err := rebind.Rollback(ctx, watched, w)
		done()
		p.keepLog(m, out, err)
		for _, id := range plan.TakesBack {
			w.Past[id] = true // skip it next time, even in a dry run or if it could not be marked
		}
		more := err == nil && m.LeftToTakeBack(w.Past)
		r, err := p.rollbackReport(c, m, plan, out, err, more)
		if r == nil || !more || !c.Bool("all") {
			return p.endRollback(c, r, before, err)
		}
		before = append(before, *r)
	}
}

// rollbackReport is the answer about one service, printed where it is text.
func (p program) rollbackReport(c *cli.Context, m service.Machine, plan rebind.Plan, out rebind.Outcome, err error, more bool) (*answer.Report, error) {
	err = advice.Hinted(err, plan, out.State)
	if err != nil && plan.State.Service.KindName() == "" { // there is nothing to report on
		goal := plan.Goal
		if goal.Host.Port == 0 { // there was nothing to plan for
			goal = service.GoalFor(ollama.Host{Name: "0.0.0.0", Port: ollama.DefaultPort}, true)
		}
		return nil, advice.Unfound(factsOf(m, plan.State, err, goal, true))
	}
	r := answer.New("rollback", plan.Goal, out.State, &plan.State)
	r.Changed, r.Backup, r.RolledBack, r.DryRun = out.Changed, out.Backup, out.RolledBack, c.Bool("dry-run")
	r.ContainerURL, r.Unset = nil, plan.Unset
	r.Warnings = append(r.Warnings, answer.Occasional(plan, out, c.Bool("json"))...)
	if r.DryRun {
		r.Diff, r.Steps = plan.Diff(c.Bool("show-values")), plan.Steps()
		if err == nil && plan.Changes() {
			err = errNotWanted
		}
	}
	if r.OK = err == nil; err != nil && !errors.Is(err, errNotWanted) {
		r.Error = newErrorObject(p.tell, err)
	} else if more && !c.Bool("all") {
		r.Warnings = append(r.Warnings, answer.Warn("earlier-fix", "a fix of another service is still in effect; `ollama-bind rollback --all` takes that back as well"))
	}
	if r.Error == nil && !c.Bool("quiet") && !c.Bool("json") {
		p.printRollback(r, plan, out.State)
	}
	if more && c.Bool("all") && errors.Is(err, errNotWanted) {
		err = nil // the next one has the last word
	}
	return &r, err
}

// endRollback ends with the last report: an error, if there was one, is in it.
func (p program) endRollback(c *cli.Context, r *answer.Report, before []answer.Report, err error) error {
	if r == nil {
		return err
	}
	for _, b := range before {
		r.Changed = r.Changed || b.Changed
		if err == nil && b.DryRun && !b.OK {
			r.OK, err = false, errNotWanted
		}
	}
	if c.Bool("json") {
		r.Others = before
		p.tell.out.JSON(r)
	}
	return err
}

func (p program) printRollback(r answer.Report, plan rebind.Plan, now service.State) {
	p.tell.about(r)
	if r.DryRun && plan.Changes() {
		p.printPlan(r, plan)
		return
	}
	defer p.tell.warnings(r.Warnings, nil)
	p.tell.printRows(r)
	if len(r.Layers) > 0 {
		p.tell.printf("")
	}
	switch {
	case len(plan.TakesBack) == 0 && !r.Changed:
		p.tell.out.Say(screen.Good, "nothing to take back")
		return
	case !r.Changed:
		p.tell.out.Say(screen.Good, "nothing to do: already as it was before")
		return
	case plan.Unset && plan.Goal.Value != nil:
		p.tell.out.Say(screen.Good, "the files were changed since the fix: the setting from before it was put back, and nothing else was touched")
	case plan.Unset:
		p.tell.out.Say(screen.Good, "the files were changed since the fix: the setting was taken out, and nothing else was touched")
	case plan.Unload:
		p.tell.out.Say(screen.Good, "restored; the service is not loaded, as before the fix")
	case plan.Stop && now.Job.PID != 0:
		p.tell.out.Say(screen.Careful, "restored, but launchd has started the service again, which was stopped before the fix")
	case plan.Stop:
		p.tell.out.Say(screen.Good, "restored; the service is loaded and stopped, as before the fix")
	case plan.Held:
		p.tell.out.Say(screen.Careful, "restored, and not restarted: the running service is unchanged")
		p.tell.hint(advice.RestartCommand(plan.State))
		return
	case !now.Service.Loaded:
		p.tell.out.Say(screen.Careful, "restored; the service is not loaded, and was left so")
		return
	case plan.Unproved && plan.Reload:
		p.tell.out.Say(screen.Careful, "restored, and the service was loaded again; it may not answer, as it did not before the fix")
	case !plan.Reload:
		p.tell.out.Say(screen.Good, "restored; the service did not have to be restarted")
	default:
		p.tell.out.Say(screen.Good, "restored: Ollama listens on %s, as before", plan.Goal.Host.Socket())
	}
	p.tell.paste("to bind it again: ", advice.Again(plan.State))
}

// listing is the answer to rollback --list.
type listing struct {
	answer.Head
	Backups []entry       `json:"backups"`
	Error   *answer.Error `json:"error"`
}

type entry struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Command  string    `json:"command"`
	Host     string    `json:"host"`
	Label    string    `json:"label"`
	Files    []string  `json:"files"`
	InEffect bool      `json:"in_effect"` // a fix that was not taken back
	Next     bool      `json:"next"`      // rollback goes back to it
	Problem  string    `json:"problem"`   // why it cannot be used, or empty
}

func (p program) listBackups(c *cli.Context, m service.Machine) error {
	all, inEffect, err := m.History()
	if err != nil {
		return err
	}
	l := listing{Head: answer.NewHead("rollback"), Backups: []entry{}}
	l.OK = true
	for _, r := range all {
		e := newEntry(r, p.tell)
		e.InEffect = inEffect.All[r.ID]
		e.Next = r.ID == inEffect.Next
		l.Backups = append(l.Backups, e)
	}
	if c.Bool("json") {
		p.tell.out.JSON(l)
		return nil
	}
	p.printBackups(l)
	return nil
}

func newEntry(r backup.Receipt, t teller) entry {
	e := entry{ID: r.ID, Created: r.Created, Command: r.Command, Host: r.Host, Label: r.Label, Files: []string{}}
	for _, f := range r.Files {
		e.Files = append(e.Files, f.Path)
	}
	if r.Err != nil {
		e.Problem = t.tilde(r.Err.Error())
		if errors.Is(r.Err, backup.ErrDamaged) {
			e.Problem = "damaged"
		}
	}
	return e
}

// printBackups writes one line per backup, with a mark at the one that rollback goes
// back to.
func (p program) printBackups(l listing) {
	if len(l.Backups) == 0 {
		p.tell.printf("no backups")
		return
	}
	var rows []screen.Row
	next := false
	for _, e := range l.Backups {
		mark := screen.Plain.Text(" ")
		if e.Next {
			mark, next = screen.Good.Text(">"), true
		}
		rows = append(rows, screen.Row{Mark: mark, Cells: []screen.Piece{screen.Plain.Text(e.ID), screen.Detail.Text(age(time.Since(e.Created))), screen.Plain.Text(describe(e)), screen.Plain.Text(e.Label)}})
	}
	p.tell.out.Rows(rows)
	if next {
		p.tell.printf("")
		p.tell.paste("> is what this goes back to: ", name+" rollback")
	}
}

// age is a duration in words.
func age(d time.Duration) string {
	units := []struct {
		name string
		long time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}}
	for _, u := range units {
		if n := int(d / u.long); n > 1 {
			return fmt.Sprintf("%d %ss ago", n, u.name)
		} else if n == 1 {
			return "1 " + u.name + " ago"
		}
	}
	return "just now"
}

func describe(e entry) string {
	text := "before " + e.Command
	switch {
	case e.Problem != "":
		return e.Problem
	case e.Host != "":
		text += " to " + e.Host
	}
	if e.Command == "fix" && !e.InEffect {
		text += ", taken back"
	}
	return text
}
