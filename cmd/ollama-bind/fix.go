//go:build !windows

package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

func (p program) fixCommand() *cli.Command {
	return &cli.Command{
		Name:  "fix",
		Usage: "make this Mac's Ollama listen on all interfaces, and prove that it does",
		Description: "Finds the Ollama that runs here, and sets the address where it lasts: in " +
			"Homebrew's env file and the service's property list (plist), in the plist of " +
			"another LaunchAgent, or with Ollama.app's own switch. It changes nothing else, " +
			"keeps a backup, and restarts the service. Then it waits until the service's own " +
			"process listens and answers; if it does not, everything is put back. A second " +
			"fix changes nothing. For ollama serve in a terminal it says what to type.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the change as a diff and stop"},
			showValuesFlag(),
			hostFlag(),
			serviceFlag(),
			plistFlag(),
			&cli.BoolFlag{Name: "no-persist", Usage: "leave Homebrew's env file out: the next brew services restart drops the setting"},
			&cli.BoolFlag{Name: "no-restart", Usage: "write the files, and leave the running service alone"},
			timeoutFlag(),
			jsonFlag(),
			quietFlag(),
		},
		Action: p.fix,
	}
}

func (p program) fix(c *cli.Context) error {
	host, err := wantedHost(c)
	if err != nil {
		return err
	}
	which, err := subject(c)
	if err != nil {
		return err
	}
	ctx, cancel, err := p.bounded(c)
	if err != nil {
		return err
	}
	defer cancel()
	m, err := p.machine()
	if err != nil {
		return err
	}
	w := rebind.Want{
		Subject: which,
		Goal:    service.GoalFor(host, !c.Bool("no-persist")),
		Restart: !c.Bool("no-restart"),
		DryRun:  c.Bool("dry-run"),
		Refuse:  refuse(m),
	}
	var lost []answer.Warning // text says it before it happens
	w.Ready = func(plan rebind.Plan) {
		lost = answer.NotKept(ctx, m, plan)
		if !w.DryRun && !c.Bool("json") && !c.Bool("quiet") && len(lost) > 0 {
			p.tell.err.ClearLine()
			p.tell.warnings(lost, nil)
			lost = nil
		}
	}
	watched, done := p.tell.watch(ctx, m, c.Bool("quiet"))
	plan, out, err := rebind.Fix(ctx, watched, w)
	done()
	p.keepLog(m, out, err)
	return p.reportFix(ctx, c, m, w, plan, out, err, lost)
}

// refuse says why a plan must not be carried out.
func refuse(m service.Machine) func(rebind.Plan) error {
	return func(p rebind.Plan) error {
		return advice.Refusal(factsOf(m, p.State, nil, p.Goal, true), p)
	}
}

// readHost reads --host, and refuses a value that Ollama would take in another way than
// it was meant.
func readHost(c *cli.Context) (ollama.Host, error) {
	host, err := ollama.CheckHost(c.String("host"))
	if err != nil {
		return host, commandline.Wrong(commandline.WithFlag(c, "host", "0.0.0.0:11434"), "%s %v", hostSource(c), err)
	}
	return host, nil
}

// wantedHost is readHost for fix: the machine must have the address.
func wantedHost(c *cli.Context) (ollama.Host, error) {
	host, err := readHost(c)
	if err != nil {
		return host, err
	}
	ip, err := netip.ParseAddr(host.Name)
	if err == nil && !ip.IsUnspecified() && !ip.IsLoopback() && !slices.Contains(doctor.Addresses(), ip.Unmap()) {
		return host, commandline.Wrong("ifconfig | grep inet", "%s %q is not an address of this machine: Ollama would exit at once, again and again", hostSource(c), c.String("host"))
	}
	return host, nil
}

// leastTimeout is the shortest --timeout allowed.
const leastTimeout = 3 * time.Second

// overtime is what a command may take beyond --timeout: to take things back, and for a
// last look.
const overtime = 20 * time.Second

// bounded gives the command the time that --timeout allows.
func (p program) bounded(c *cli.Context) (context.Context, context.CancelFunc, error) {
	timeout := c.Duration("timeout")
	if timeout < leastTimeout {
		return nil, nil, commandline.Wrong(commandline.WithFlag(c, "timeout", "30s"), "--timeout %s is too short to stop a service, start it, and take that back", timeout)
	}
	ctx, cancel := context.WithTimeout(c.Context, timeout)
	end := time.AfterFunc(timeout+overtime, func() {
		p.late <- &service.Error{ID: "timeout", Hint: name + " status", Err: errors.New("gave up: a file or a disk does not answer, and how far this got is not known")}
	})
	return ctx, func() { cancel(); end.Stop() }, nil
}

func (p program) reportFix(ctx context.Context, c *cli.Context, m service.Machine, w rebind.Want, plan rebind.Plan, out rebind.Outcome, err error, lost []answer.Warning) error {
	f := factsOf(m, out.State, nil, w.Goal, c.IsSet("host"))
	if !f.Found() { // there is nothing to report on
		f.Err = err
		return advice.Unfound(f)
	}
	err = advice.Hinted(err, plan, out.State)
	r := answer.New("fix", w.Goal, out.State, &plan.State)
	r.DryRun, r.Changed, r.Backup, r.RolledBack = w.DryRun, out.Changed, out.Backup, out.RolledBack
	if w.DryRun {
		r.Diff, r.Steps = plan.Diff(c.Bool("show-values")), plan.Steps()
	}
	if err == nil && w.DryRun && plan.Changes() {
		err = errNotWanted
	}
	r.OK = err == nil
	if r.OK || errors.Is(err, errNotWanted) {
		if plan.Changes() && (w.DryRun || out.Changed) && !w.Goal.Host.Loopback() {
			r.Warnings = append(r.Warnings, answer.Exposed(w.Goal.Host, doctor.Firewall(ctx, m.Launchd.Runner), out.Changed && !plan.Held))
		}
		r.Warnings = append(r.Warnings, answer.Occasional(plan, out, c.Bool("json"))...)
		if w := answer.PortMoves(plan, c.IsSet("host")); w != nil && !r.DryRun == out.Changed {
			r.Warnings = append(r.Warnings, *w)
		}
		r.Warnings = append(r.Warnings, answer.Standing(f)...)
		r.Warnings = append(r.Warnings, lost...)
	} else {
		r.Error = newErrorObject(p.tell, err)
		r.Advice = r.Error.Advice()
	}
	if c.Bool("json") {
		p.tell.out.JSON(r)
		return err
	}
	if r.Error == nil && !c.Bool("quiet") {
		p.printFix(r, plan)
	}
	return err
}

func (p program) printFix(r answer.Report, plan rebind.Plan) {
	p.tell.about(r)
	if r.DryRun && plan.Changes() {
		p.printPlan(r, plan)
		return
	}
	defer p.tell.warnings(r.Warnings, nil)
	p.tell.printRows(r)
	p.tell.printf("")
	host := plan.Goal.Host
	switch {
	case plan.Held:
		p.printHeld(r, plan)
	case r.DryRun:
		p.tell.out.Say(screen.Good, "nothing to do: already bound to %s", *r.Want)
	case !r.Changed:
		p.tell.out.Say(screen.Good, "already bound to %s", *r.Want)
	case !plan.Reload && plan.State.Reached(plan.Goal):
		p.tell.out.Say(screen.Good, "bound to %s as before, and now to last; the service was not restarted", *r.Want)
	case !plan.Reload:
		p.tell.out.Say(screen.Good, "bound to %s as before, and the files agree again; the service was not restarted", *r.Want)
	case host.Wildcard():
		p.tell.out.Say(screen.Good, "now bound to %s: all interfaces, IPv4 and IPv6 (lsof shows this as IPv6 %s)", *r.Want, host.Socket())
	default:
		p.tell.out.Say(screen.Good, "now bound to %s", *r.Want)
	}
	if r.ContainerURL != nil && !r.DryRun {
		p.tell.paste("from a container: ", *r.ContainerURL)
	}
	if r.Changed {
		p.tell.paste("to take it back:  ", advice.RollbackCommand(plan.State))
	}
}

// printPlan shows what a dry run would do, and ends by saying that nothing was changed.
func (p program) printPlan(r answer.Report, plan rebind.Plan) {
	p.tell.out.Diff(r.Diff)
	for _, step := range r.Steps {
		p.tell.paste("would run: ", step)
	}
	if plan.Held {
		p.tell.printf("would leave the running service alone")
	}
	p.tell.warnings(r.Warnings, nil)
	if store, err := backup.DefaultStore(); err == nil {
		p.tell.printf("nothing was changed; the backup would go to %s", p.tell.tilde(store.Backups()))
	}
}

// printHeld reports files that launchd has not read yet, because of --no-restart.
func (p program) printHeld(r answer.Report, plan rebind.Plan) {
	s, written := plan.State, "already written"
	if r.Changed {
		written = "written"
	}
	why := "restarted: the running service is unchanged"
	hint := advice.FixCommand(s, plan.Goal)
	if s.Job.Err == nil && s.Job.PID == 0 {
		why = "started: the service does not run"
	}
	if s.Ran() {
		hint = advice.RestartCommand(s)
	}
	for _, a := range advice.All(advice.Facts{State: s, Goal: plan.Goal, Asked: true}) {
		if a.ID == "port-held" {
			why, hint = "restarted: "+p.tell.tilde(a.Message), a.Hint
		}
	}
	p.tell.out.Say(screen.Careful, "%s, and not %s", written, why)
	p.tell.hint(hint)
}
