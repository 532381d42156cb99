package container

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Probe is a question to be asked from inside of containers.
type Probe struct {
	Runner Runner
	Tools  []string // the runtimes' programs to try, all for none
	// Names are the containers to ask from. Without any it is every running
	// one whose environment names Ollama, or else a throw-away one.
	Names []string
	// URL is asked instead of what a container's environment names, if it is
	// not empty.
	URL string
	// Image is one to make throw-away containers of, on the network of the
	// container that is meant. "" is for containers that have no tool of their
	// own, and takes an image that is there.
	Image    string
	Origin   string        // sent along, as a browser would; "" for none
	Patience time.Duration // for one fetch

	until time.Time // when all has to be over, zero for never
}

// Found are the runtimes that answered, and those that did not.
type Found struct {
	Runtimes []Runtime
	Absent   []Absent
}

// Find asks the runtimes whether they are here.
func (p Probe) Find(ctx context.Context) Found {
	var f Found
	f.Runtimes, f.Absent = Find(ctx, p.Runner, p.Tools...)
	return f
}

// Report is what came of a Probe.
type Report struct {
	Found
	Server Server
	// Targets are one for each URL that a container uses, at least one for
	// each container.
	Targets []Target
	// Err says why there are no targets, though there is a runtime.
	Err error
}

// Run asks from inside of containers, side by side. find is Find, or remembers
// what that has found, and server looks at Ollama from the host.
//
// Run ends with ctx. Some of that time is kept for removing what it has made.
func (p Probe) Run(ctx context.Context, find func(context.Context) Found, server func(context.Context) Server) Report {
	p.until, _ = ctx.Deadline()
	ctx, cancel := withoutReserve(ctx)
	defer cancel()
	var r Report
	var containers []Container
	var wg sync.WaitGroup
	wg.Go(func() { r.Server = server(ctx) })
	wg.Go(func() {
		if r.Found = find(ctx); len(r.Runtimes) > 0 {
			containers, r.Err = p.choose(ctx, r.Runtimes)
		}
	})
	wg.Wait()
	if ctx.Err() != nil {
		r.Err = ctx.Err()
	}
	if r.Err != nil || len(containers) == 0 {
		return r
	}
	r.Targets, r.Err = p.ask(ctx, containers, r.Server)
	return r
}

// choose finds the containers to ask from.
func (p Probe) choose(ctx context.Context, runtimes []Runtime) ([]Container, error) {
	if len(p.Names) > 0 {
		return p.named(ctx, runtimes), nil
	}
	if p.Image == "" {
		clients, err := p.clients(ctx, runtimes)
		if err != nil || len(clients) > 0 {
			return clients, err
		}
	}
	return []Container{throwAway(ctx, p.Runner, runtimes[0])}, nil
}

// withoutReserve is ctx without the time that making and removing a throw-away
// container may take at the end.
func withoutReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithTimeout(ctx, left-min(left/2, making+removal))
}

// afterwards is the context of what has to be done although the time is over, or
// somebody has interrupted it. It ends when all has to be over, but for a second.
func (p Probe) afterwards(ctx context.Context, allowance time.Duration) (context.Context, context.CancelFunc) {
	if !p.until.IsZero() {
		allowance = max(time.Second, min(allowance, time.Until(p.until)))
	}
	return context.WithTimeoutCause(context.WithoutCancel(ctx), allowance, launchctl.ErrNoAnswer)
}

// named looks for each name in every runtime, and takes the first that has it. A
// container that is nowhere has its Err.
func (p Probe) named(ctx context.Context, runtimes []Runtime) []Container {
	containers := make([]Container, len(p.Names))
	var wg sync.WaitGroup
	for i, name := range p.Names {
		wg.Go(func() {
			c, err := inspectAnywhere(ctx, p.Runner, runtimes, name)
			if err != nil {
				c = Container{Runtime: runtimes[0], Name: name, Err: err}
			}
			containers[i] = c
		})
	}
	wg.Wait()
	return containers
}

func inspectAnywhere(ctx context.Context, r Runner, runtimes []Runtime, name string) (Container, error) {
	var first error
	for _, rt := range runtimes {
		c, err := Inspect(ctx, r, rt, name)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return Container{}, first
}

// clients are the containers whose environment names Ollama, of the first
// runtime that has any: two runtimes may be one engine.
func (p Probe) clients(ctx context.Context, runtimes []Runtime) ([]Container, error) {
	var errs error
	for _, rt := range runtimes {
		clients, err := Clients(ctx, p.Runner, rt)
		if len(clients) > 0 {
			return clients, nil
		}
		errs = errors.Join(errs, err)
	}
	return nil, errs
}

// throwAway is a container that is only there to be asked from.
func throwAway(ctx context.Context, r Runner, rt Runtime) Container {
	c := Container{Runtime: rt, NetworkMode: "bridge"}
	if gateway, err := DefaultGateway(ctx, r, rt); err == nil { // without it there are names still
		c.Networks = []Network{{Name: "bridge", Gateway: gateway}}
	}
	return c
}

// ask measures, with two listeners that are there for as long as it takes.
func (p Probe) ask(ctx context.Context, containers []Container, s Server) ([]Target, error) {
	listeners, err := Listen()
	if err != nil {
		return nil, fmt.Errorf("opening listeners to be fetched from inside: %w", err)
	}
	defer listeners.Close()
	each := make([][]Target, len(containers))
	var wg sync.WaitGroup
	for i, c := range containers {
		m := measurement{Probe: p, container: c, server: s, listeners: listeners, tag: fmt.Sprint("c", i)}
		wg.Go(func() { each[i] = m.run(ctx) })
	}
	wg.Wait()
	return slices.Concat(each...), ctx.Err()
}
