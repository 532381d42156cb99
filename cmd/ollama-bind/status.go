//go:build !windows

package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// statusTime bounds status, which only asks.
const statusTime = 15 * time.Second

func (p program) statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show where the address is set, what runs, and who listens",
		Description: "Shows each layer that the setting passes through on its way to the socket, " +
			"whether the last fix still holds, and, if Ollama does not listen as wanted, why. " +
			"It changes nothing.",
		Flags:  []cli.Flag{hostFlag(), serviceFlag(), plistFlag(), jsonFlag()},
		Action: p.status,
	}
}

func (p program) status(c *cli.Context) error {
	host, err := readHost(c)
	if err != nil {
		return err
	}
	which, err := subject(c)
	if err != nil {
		return err
	}
	m, err := p.machine()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, statusTime)
	defer cancel()
	goal := service.GoalFor(host, true)
	state, err := m.Observe(ctx, which, goal)
	f := factsOf(m, state, err, goal, c.IsSet("host"))
	if err != nil {
		err = advice.Unfound(f)
		was, remains := m.Remains(goal)
		if !remains || !service.Is(err, service.NoService) {
			return err
		}
		f.State, f.Err = was, nil
	}
	if missing := advice.Refusal(f, rebind.Plan{Command: "fix", State: f.State, Goal: goal}); advice.Missing(f.State) {
		return missing
	}
	r := answer.New("status", goal, f.State, nil)
	r.OK = f.State.Reached(goal)
	if err != nil {
		r.Error = newErrorObject(p.tell, err)
	}
	r.Warnings = append(r.Warnings, answer.Standing(f)...)
	var historyErr error
	if f.Fix, f.Back, historyErr = m.LastFix(f.State.Service); historyErr != nil {
		r.Warnings = append(r.Warnings, answer.Warn("backups-unreadable", historyErr.Error()))
	} else {
		d := advice.Since(f)
		r.Drift = &d
	}
	r.Advice = newAdvice(p.tell, advice.First(f))
	if t := advice.Trouble(f); t != nil && err == nil {
		r.Trouble = &answer.Advice{ID: t.ID, Message: t.Message, Hint: r.Advice.Hint}
	}
	if err == nil && !r.OK {
		err = errNotWanted
	}
	if c.Bool("json") {
		p.tell.out.JSON(r)
		return err
	}
	p.printStatus(r, f.State)
	return err
}

func (p program) printStatus(r answer.Report, s service.State) {
	p.tell.about(r)
	p.tell.printRows(r)
	p.tell.printf("")
	switch {
	case r.OK:
		p.tell.out.Say(screen.Good, "bound to %s", *r.Want)
	case s.Hidden():
		p.tell.out.Say(screen.Careful, "not known to be bound to %s", *r.Want)
	default:
		p.tell.out.Say(screen.Bad, "not bound to %s", *r.Want)
	}
	if r.Advice != nil && r.Error == nil {
		p.tell.printf("%s", r.Advice.Message)
		p.tell.hint(r.Advice.Hint)
	}
	if r.Drift != nil {
		p.tell.printf("%s", r.Drift.Message)
	}
	if r.ContainerURL != nil {
		p.tell.paste("from a container: ", *r.ContainerURL)
	}
	p.tell.warnings(r.Warnings, r.Advice)
}
