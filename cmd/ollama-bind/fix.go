package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

func (p program) fixCommand() *cli.Command {
	return &cli.Command{
		Name:  "fix",
		Usage: "set OLLAMA_HOST in Homebrew's Ollama service, restart it, and prove that it listens",
		Description: "Adds OLLAMA_HOST to Homebrew's env file, so that it lasts, and to the\n" +
			"EnvironmentVariables of the service's LaunchAgent, leaves every other byte alone,\n" +
			"keeps a backup, makes launchd load the LaunchAgent anew, and waits until the service's\n" +
			"own process listens on the address and answers. If it does not, everything is put\n" +
			"back. Run again, it changes nothing.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the change as a diff and stop"},
			hostFlag(),
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
	ctx, cancel, err := bounded(c)
	if err != nil {
		return err
	}
	defer cancel()
	m, err := p.machine(c.Bool("quiet"))
	if err != nil {
		return err
	}
	w := bind.Want{
		Subject: bind.Subject{Plist: c.String("plist")},
		Goal:    bind.GoalFor(host, !c.Bool("no-persist")),
		Restart: !c.Bool("no-restart"),
		DryRun:  c.Bool("dry-run"),
	}
	watched, done := p.tell.watch(ctx, m, c.Bool("quiet"))
	plan, out, err := watched.Fix(ctx, w)
	done()
	return p.reportFix(ctx, c, m, w, plan, out, err)
}

// readHost reads --host, and refuses what Ollama would not take as it is meant.
func readHost(c *cli.Context) (ollama.Host, error) {
	if c.IsSet("plist") && c.String("plist") == "" {
		return ollama.Host{}, &usageError{"--plist has no value", name + " " + c.Command.Name + " --help"}
	}
	host, err := ollama.CheckHost(c.String("host"))
	if err != nil {
		return host, &usageError{fmt.Sprintf("--host %v", err), name + " " + c.Command.Name + " --host 0.0.0.0:11434"}
	}
	return host, nil
}

// wantedHost is readHost for somebody who is about to get it: the address has to
// be there.
func wantedHost(c *cli.Context) (ollama.Host, error) {
	host, err := readHost(c)
	if err != nil {
		return host, err
	}
	ip, err := netip.ParseAddr(host.Name)
	if err == nil && !ip.IsUnspecified() && !ip.IsLoopback() && !slices.Contains(bind.Addresses(), ip.Unmap()) {
		return host, &usageError{
			fmt.Sprintf("--host %q is not an address of this machine: Ollama would exit at once, again and again", c.String("host")),
			"ifconfig | grep inet",
		}
	}
	return host, nil
}

// leastTimeout is the shortest --timeout that is taken.
const leastTimeout = 3 * time.Second

// bounded gives the command the time that --timeout allows.
func bounded(c *cli.Context) (context.Context, context.CancelFunc, error) {
	timeout := c.Duration("timeout")
	if timeout < leastTimeout {
		return nil, nil, &usageError{fmt.Sprintf("--timeout %s is too short to stop a service, start it, and take that back", timeout),
			fmt.Sprintf("%s %s --timeout 30s", name, c.Command.Name)}
	}
	ctx, cancel := context.WithTimeout(c.Context, timeout)
	return ctx, cancel, nil
}

func (p program) reportFix(ctx context.Context, c *cli.Context, m bind.Machine, w bind.Want, plan bind.Plan, out bind.Outcome, err error) error {
	if plan.State.Agent.Plist == "" { // nothing was found to report on
		return err
	}
	r := newReport("fix", w.Goal, out.State, &plan.State)
	r.DryRun, r.Changed, r.Backup, r.RolledBack = w.DryRun, out.Changed, out.Backup, out.RolledBack
	if w.DryRun {
		r.Diff, r.Steps = plan.Diff(), plan.Steps()
	}
	if err == nil && w.DryRun && plan.Changes() {
		err = errNotWanted
	}
	r.OK = err == nil
	if r.OK || errors.Is(err, errNotWanted) {
		r.Warnings = append(r.Warnings, warnings(ctx, m, w, plan, out)...)
	}
	if err != nil && !errors.Is(err, errNotWanted) {
		r.Error = newErrorObject(p.tell, err)
	}
	if c.Bool("json") {
		p.tell.json(r)
		return asReported(err)
	}
	if r.Error == nil && !c.Bool("quiet") {
		p.printFix(r, plan, out)
	}
	return err
}

func asReported(err error) error {
	if err == nil {
		return nil
	}
	return reported{err}
}

// warnings are what somebody has to know who has got, or is about to get, what
// was asked for.
func warnings(ctx context.Context, m bind.Machine, w bind.Want, plan bind.Plan, out bind.Outcome) []warning {
	var all []warning
	if plan.Changes() && (w.DryRun || out.Changed) && !w.Goal.Host.Loopback() {
		all = append(all, exposed(w.Goal.Host, m.Firewall(ctx)))
	}
	return append(all, standing(m, out.State, w.Goal)...)
}

// standing are the warnings that hold for as long as the state is what it is.
func standing(m bind.Machine, s bind.State, g bind.Goal) []warning {
	var all []warning
	if message := m.Lasting(s, g); message != "" {
		all = append(all, warning{"not-lasting", message})
	}
	for _, text := range homebrew.Suspicious(s.EnvFile.File.Data, ollama.Variable) {
		all = append(all, warning{"env-file-suspicious", s.EnvFile.File.Path + ": " + text})
	}
	if message := s.Agent.TwoJobs(); message != "" {
		all = append(all, warning{"two-jobs", message + ": `" + s.Agent.Rival.EndCommand() + "`"})
	}
	return all
}

func exposed(h ollama.Host, firewall string) warning {
	what := "on " + h.Socket()
	if h.Wildcard() {
		what = fmt.Sprintf("on any of its interfaces, by IPv4 and IPv6, on port %d", h.Port)
	}
	message := "whoever can reach this Mac " + what + " can use and change Ollama: it has no password, and its Host check is off there"
	if firewall != "" {
		message += "; the macOS firewall is " + firewall
	}
	return warning{"exposed-without-auth", message}
}

func (p program) printFix(r report, plan bind.Plan, out bind.Outcome) {
	if r.DryRun {
		p.printDryRun(r, plan)
	} else {
		p.tell.printRows(r, out.State)
		p.tell.printf("")
		p.printOutcome(r, plan)
	}
	p.tell.warnings(r.Warnings)
}

func (p program) printDryRun(r report, plan bind.Plan) {
	if !plan.Changes() {
		p.tell.printRows(r, plan.State)
		p.tell.printf("")
		if plan.Held {
			p.printHeld("already written", plan)
		} else {
			p.tell.say(good, "nothing to do: already bound to %s", *r.Want)
		}
		return
	}
	if r.Diff != "" {
		p.tell.diff(r.Diff)
	}
	for _, step := range r.Steps {
		p.tell.paste("would run: ", step)
	}
	if plan.Held {
		p.tell.printf("would leave the running service alone")
	}
}

// printHeld is for files that launchd has not read: --no-restart said so.
func (p program) printHeld(written string, plan bind.Plan) {
	s := plan.State
	fix := s.FixCommand(plan.Goal)
	switch held, isHeld := s.Held(plan.Goal.Host.Port); {
	case isHeld && s.Job.Err == nil: // without launchd nobody knows whose process it is
		p.tell.say(careful, "%s, and not restarted: %s", written, p.tell.tilde(held.Text))
		p.tell.paste("what to do:       ", held.Hint)
	case s.Job.Err == nil && s.Job.PID == 0:
		p.tell.say(careful, "%s, and not started: the service does not run", written)
		p.tell.paste("to start it:      ", fix)
	default:
		p.tell.say(careful, "%s, and not restarted: the running service is unchanged", written)
		p.tell.paste("to restart it:    ", fix)
	}
}

func (p program) printOutcome(r report, plan bind.Plan) {
	host := plan.Goal.Host
	switch {
	case plan.Held && r.Changed:
		p.printHeld("written", plan)
	case plan.Held:
		p.printHeld("already written", plan)
	case !r.Changed:
		p.tell.say(good, "already bound to %s", *r.Want)
	case !plan.Reload && plan.State.Reached(plan.Goal):
		p.tell.say(good, "bound to %s as before, and now to last; the service was not restarted", *r.Want)
	case !plan.Reload:
		p.tell.say(good, "bound to %s as before, and the files agree again; the service was not restarted", *r.Want)
	case host.Wildcard():
		p.tell.say(good, "now bound to %s: all interfaces, IPv4 and IPv6 (lsof shows this as IPv6 %s)", *r.Want, host.Socket())
	default:
		p.tell.say(good, "now bound to %s", *r.Want)
	}
	if r.ContainerURL != nil {
		p.tell.paste("from a container: ", *r.ContainerURL)
	}
	if r.Changed {
		p.tell.paste("to take it back:  ", plan.State.RollbackCommand())
	}
}
