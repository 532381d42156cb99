package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/bind"
)

// statusTime bounds status, which only asks.
const statusTime = 15 * time.Second

func (p program) statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show where OLLAMA_HOST is set, what launchd holds, and who listens",
		Description: "Looks at the four layers through which the setting reaches a socket, and changes\n" +
			"nothing. Exits 0 when Ollama listens as wanted, now and after the next login.",
		Flags:  []cli.Flag{hostFlag(), plistFlag(), jsonFlag()},
		Action: p.status,
	}
}

func (p program) status(c *cli.Context) error {
	host, err := readHost(c)
	if err != nil {
		return err
	}
	m, err := p.machine(false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, statusTime)
	defer cancel()
	goal := bind.GoalFor(host, true)
	state, err := m.Observe(ctx, bind.Subject{Plist: c.String("plist")}, goal)
	if err != nil {
		var was bool
		if state, was = m.Remains(err, goal); !was {
			return err
		}
	}
	if missing := state.Missing(); missing != nil {
		return missing
	}
	r := newReport("status", goal, state, nil)
	r.OK = state.Reached(goal)
	if err != nil {
		r.Error = newErrorObject(p.tell, err)
	}
	r.Warnings = append(r.Warnings, standing(m, state, goal)...)
	if d, err := m.Drift(state, goal); err != nil {
		r.Warnings = append(r.Warnings, warning{"backups-unreadable", err.Error()})
	} else {
		r.Drift = &drift{d.ID, d.Layer, d.Message, d.Repair}
	}
	if t, is := m.Explain(state, goal); is && err == nil {
		r.Trouble = &trouble{t.ID, t.Text, t.Hint}
	}
	if err == nil && !r.OK {
		err = errNotWanted
	}
	if c.Bool("json") {
		p.tell.json(r)
		return asReported(err)
	}
	p.printStatus(r, state)
	return err
}

// printDrift leaves the repair out where a trouble or an error has its own cure:
// that comes first.
func (p program) printDrift(r report) {
	if r.Drift == nil {
		return
	}
	p.tell.printf("%s", r.Drift.Message)
	if r.Drift.Repair != "" && r.Trouble == nil && r.Error == nil {
		p.tell.paste("to change that:   ", r.Drift.Repair)
	}
}

func (p program) printTrouble(t *trouble) {
	if t == nil {
		return
	}
	p.tell.printf("%s", p.tell.tilde(t.Message))
	p.tell.paste("what to do:       ", p.tell.tilde(t.Hint))
}

func (p program) printStatus(r report, s bind.State) {
	p.tell.printRows(r, s)
	p.tell.printf("")
	switch {
	case r.OK:
		p.tell.say(good, "bound to %s", *r.Want)
	case s.Hidden():
		p.tell.say(careful, "not known to be bound to %s", *r.Want)
	default:
		p.tell.say(bad, "not bound to %s", *r.Want)
	}
	p.printTrouble(r.Trouble)
	p.printDrift(r)
	if r.ContainerURL != nil {
		p.tell.paste("from a container: ", *r.ContainerURL)
	}
	p.tell.warnings(r.Warnings)
}
