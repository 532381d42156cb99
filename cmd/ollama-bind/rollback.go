package main

import (
	"errors"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

func (p program) rollbackCommand() *cli.Command {
	return &cli.Command{
		Name:  "rollback",
		Usage: "put back, byte for byte, what fix changed, and prove the socket again",
		Description: "Restores the files from their backup, or removes the env file that fix has made,\n" +
			"makes launchd load the LaunchAgent again, and waits until the service listens where it\n" +
			"did before. However many fixes there were, it goes back to what was there before the\n" +
			"first. Run again, it changes nothing.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "list", Usage: "list the backups and stop"},
			&cli.StringFlag{Name: "to", Usage: "go back to what the backup `ID` holds"},
			&cli.BoolFlag{Name: "force", Usage: "restore even if the file was changed since"},
			timeoutFlag(),
			jsonFlag(),
			quietFlag(),
		},
		Action: p.rollback,
	}
}

func (p program) rollback(c *cli.Context) error {
	if c.IsSet("to") && c.String("to") == "" {
		return &usageError{"--to has no value", name + " rollback --list"}
	}
	ctx, cancel, err := bounded(c)
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
	watched, done := p.tell.watch(ctx, m, c.Bool("quiet"))
	plan, out, err := watched.Rollback(ctx, service.Back{To: c.String("to"), Force: c.Bool("force"), Refuse: refuse(m)})
	done()
	p.keepLog(m, out, err)
	return p.reportRollback(c, m, plan, out, err)
}

func (p program) reportRollback(c *cli.Context, m service.Machine, plan service.Plan, out service.Outcome, err error) error {
	err = advice.Hinted(err, plan, out.State)
	if plan.State.Service.Kind() == "" { // there is nothing to report on
		f := factsOf(m, plan.State, err, plan.Goal, true)
		return advice.Unfound(f)
	}
	r := newReport("rollback", plan.Goal, out.State, &plan.State)
	r.OK, r.Changed, r.Backup, r.RolledBack = err == nil, out.Changed, out.Backup, out.RolledBack
	r.ContainerURL, r.Unset = nil, plan.Unset
	r.Warnings = append(r.Warnings, occasional(out)...)
	if err != nil {
		r.Error = newErrorObject(p.tell, err)
	} else if m.LeftToTakeBack() {
		r.Warnings = append(r.Warnings, warning{"earlier-fix", "a fix of another service is still in effect: run `ollama-bind rollback` again to take that back"})
	}
	if c.Bool("json") {
		p.tell.json(r)
		return err
	}
	if err == nil && !c.Bool("quiet") {
		p.printRollback(r, plan, out.State.Service.Loaded)
	}
	return err
}

func (p program) printRollback(r report, plan service.Plan, loaded bool) {
	defer p.tell.warnings(r.Warnings)
	p.tell.printRows(r)
	p.tell.printf("")
	switch {
	case !r.Changed:
		p.tell.say(good, "nothing to do: already as it was before")
		return
	case plan.Unset && plan.Goal.Value != nil:
		p.tell.say(good, "the files were not as the fix left them: what they had before it was put into them, and nothing else was touched")
	case plan.Unset:
		p.tell.say(good, "the files were not as the fix left them: the setting was taken out of them, and nothing else was touched")
	case plan.Unload:
		p.tell.say(good, "restored; the service is not loaded, as before the fix")
	case !loaded:
		p.tell.say(careful, "restored; the service is not loaded, and was left so")
		return
	case plan.Unproved && plan.Reload:
		p.tell.say(careful, "restored, and the service was loaded again; it need not answer, as it did not before the fix")
	case !plan.Reload:
		p.tell.say(good, "restored; the service had no need to be restarted")
	default:
		p.tell.say(good, "restored: Ollama listens on %s, as before", plan.Goal.Host.Socket())
	}
	p.tell.paste("to bind it again: ", advice.Again(plan.State))
}

// listing is the answer to rollback --list.
type listing struct {
	head
	Backups []entry      `json:"backups"`
	Error   *errorObject `json:"error"`
}

type entry struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Command string    `json:"command"`
	Host    string    `json:"host"`
	Files   []string  `json:"files"`
	Problem string    `json:"problem"` // why it cannot be used; empty if it can
}

func (p program) listBackups(c *cli.Context, m service.Machine) error {
	all, err := m.Backups()
	if err != nil {
		return err
	}
	l := listing{head: newHead("rollback"), Backups: []entry{}}
	l.OK = true
	for _, r := range all {
		l.Backups = append(l.Backups, newEntry(r, p.tell))
	}
	if c.Bool("json") {
		p.tell.json(l)
		return nil
	}
	p.printBackups(l)
	return nil
}

func newEntry(r backup.Receipt, t teller) entry {
	e := entry{ID: r.ID, Created: r.Created, Command: r.Command, Host: r.Host, Files: []string{}}
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

func (p program) printBackups(l listing) {
	if len(l.Backups) == 0 {
		p.tell.printf("no backups")
		return
	}
	var rows []row
	for _, e := range l.Backups {
		rows = append(rows, row{cells: []piece{{plain, e.ID}, {plain, describe(e)}, {plain, p.tell.tilde(strings.Join(e.Files, ", "))}}})
	}
	p.tell.rows(rows)
}

func describe(e entry) string {
	switch {
	case e.Problem != "":
		return e.Problem
	case e.Host == "":
		return "before " + e.Command
	}
	return "before " + e.Command + " to " + e.Host
}
