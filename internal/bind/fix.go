package bind

import (
	"context"
	"errors"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Want is what fix is asked for.
type Want struct {
	Subject Subject
	Goal    Goal
	Restart bool // whether a running service may be restarted
	DryRun  bool
}

// Fix makes the layers agree on the goal, unless they do already or it is a dry
// run. ctx must have a deadline.
func (m Machine) Fix(ctx context.Context, w Want) (Plan, Outcome, error) {
	p, err := m.planFix(ctx, w)
	if w.DryRun || err != nil && !fleeting(err) || err == nil && !p.Changes() && !m.litter(p.State) {
		return p, Outcome{State: p.State}, err
	}
	unlock, err := m.lock(ctx)
	if err != nil {
		return p, Outcome{State: p.State}, err
	}
	defer unlock()
	m.sweep(p.State)
	// Another run may have been at work until a moment ago.
	if p, err = m.planFix(ctx, w); err != nil {
		return p, Outcome{State: p.State}, err
	}
	out, err := m.Apply(ctx, p)
	return p, out, err
}

// litter reports whether a run that was killed has left something.
func (m Machine) litter(s State) bool {
	return m.Store.Litter() || s.Agent.Plist != "" && backup.Litter(s.Agent.Plist) || m.EnvFile != "" && backup.Litter(m.EnvFile)
}

// sweep removes that, also where nothing is about to be written. The caller holds
// the lock.
func (m Machine) sweep(s State) {
	m.Store.Sweep()
	if s.Agent.Plist != "" {
		backup.Sweep(s.Agent.Plist)
	}
	if m.EnvFile != "" {
		backup.Sweep(m.EnvFile)
	}
}

// fleeting reports whether a plan failed for what another run, which is restarting
// the service at this moment, may be the cause of.
func fleeting(err error) bool {
	var p *Problem
	return errors.As(err, &p) && (p.ID == "port-held" || p.ID == "launchctl-failed" || p.ID == "lsof-failed")
}

func (m Machine) planFix(ctx context.Context, w Want) (Plan, error) {
	s, err := m.Observe(ctx, w.Subject, w.Goal)
	if err != nil {
		return Plan{Command: "fix", Goal: w.Goal, State: s}, err
	}
	return m.PlanFix(s, w.Goal, w.Restart)
}

// lock waits until no other run is changing anything.
func (m Machine) lock(ctx context.Context) (unlock func(), err error) {
	unlock, err = m.Store.Lock(ctx, m.Waiting)
	switch {
	case err == nil:
		return unlock, nil
	case errors.Is(err, context.DeadlineExceeded):
		return nil, problem(Failed, "locked", "ps -axo pid,command | grep ollama-bind", "%w; nothing was changed", err)
	case errors.Is(err, context.Canceled):
		return nil, cutShort(ctx)
	}
	return nil, problem(Failed, "state-folder", "ls -ld "+shell.Quote(m.Store.Dir), "%w; nothing was changed", err)
}
