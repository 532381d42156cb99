package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/container/listen"
)

// Probe is a question to ask from inside containers.
type Probe struct {
	Runner Runner
	Tools  []string // the runtimes' programs to try; nil for all
	// Names are containers to ask from, or services of Compose or a swarm. Without any,
	// it is every running container whose environment names Ollama, or a temporary one.
	Names []string
	Port  int // Ollama's port; variables with it in a value are taken for Ollama's
	// URL, if not empty, is asked instead of what a container's environment names.
	URL string
	// Image is for temporary containers on the network of the container in question. ""
	// is for containers without a tool of their own, and means an image that is already
	// here.
	Image    string
	Origin   string        // sent as a browser would; "" for none
	Patience time.Duration // for one fetch

	until time.Time // when everything has to be done, zero for never
}

// Found lists the runtimes that answered, and those that did not.
type Found struct {
	Runtimes []Runtime
	Unusable []Unusable
}

// Report is the result of a Probe.
type Report struct {
	Found
	Server Server
	// URLs has an entry for each URL that a container uses, at least one per container.
	URLs []ClientURL
	// Others are the running containers, if none names Ollama and none was asked for.
	Others []Container
	// Err says why there are no targets although there is a runtime.
	Err error
}

// Run asks from inside containers, several at a time. find is Find, or remembers its
// result, and server looks at Ollama from the host. Run ends with ctx, except for
// removing what it has made.
//
// Run ends with ctx, but for removing what it has made.
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
			containers, r.Others, r.Err = p.choose(ctx, r.Runtimes)
		}
	})
	wg.Wait()
	if ctx.Err() != nil {
		r.Err = ctx.Err()
	}
	if r.Err == nil && len(containers) > 0 {
		r.URLs, r.Err = p.ask(ctx, containers, r.Server)
	}
	return r
}

// choose finds the containers to ask from: the named ones, the clients of the first
// runtime that has any (two runtimes may be one engine), or a temporary one. Others are
// those that run, if there is no client.
func (p Probe) choose(ctx context.Context, runtimes []Runtime) (chosen, others []Container, err error) {
	if len(p.Names) > 0 {
		return p.named(ctx, runtimes), nil, nil
	}
	var errs error
	for _, rt := range runtimes {
		if p.Image != "" {
			break
		}
		all, err := list(ctx, p.Runner, rt)
		if clients := p.clients(all); len(clients) > 0 {
			return clients, nil, nil
		}
		for _, c := range all {
			if c.Running {
				others = append(others, c)
			}
		}
		errs = errors.Join(errs, err)
	}
	if errs != nil {
		return nil, others, errs
	}
	temporary := Container{Runtime: runtimes[0]}
	if gateway, err := DefaultGateway(ctx, p.Runner, runtimes[0]); err == nil { // otherwise there are still names
		temporary.Networks = []Network{{Name: "bridge", Gateway: gateway}}
	}
	return []Container{temporary}, others, nil
}

// clients are the containers that look for Ollama: those that should be running,
// otherwise those that should not.
func (p Probe) clients(all []Container) (clients []Container) {
	for _, running := range []bool{true, false} {
		for _, c := range all {
			if c.IsClient(p.Port) && (c.Running || c.Restarting || c.Paused) == running {
				clients = append(clients, c)
			}
		}
		if len(clients) > 0 {
			return clients
		}
	}
	return nil
}

// named looks for each name in every runtime, and takes the first match. A container
// that is not found has its Err.
func (p Probe) named(ctx context.Context, runtimes []Runtime) []Container {
	var all []Container
	for _, name := range p.Names {
		found, err := p.find(ctx, runtimes, name)
		if err != nil {
			found = []Container{{Runtime: runtimes[0], Name: name, Err: err}}
		}
		all = append(all, found...)
	}
	return all
}

// find is the container of that name, or those of a service with that name.
func (p Probe) find(ctx context.Context, runtimes []Runtime, name string) ([]Container, error) {
	var missing error
	for _, rt := range runtimes {
		c, err := inspectOne(ctx, p.Runner, rt, name)
		if err == nil {
			return []Container{c}, nil
		}
		missing = cmp.Or(missing, err)
		for _, label := range []string{"com.docker.compose.service", "com.docker.swarm.service.name"} {
			if !isContainerName(name) || !errors.Is(err, ErrNoContainer) {
				break
			}
			all, err := list(ctx, p.Runner, rt, "label="+label+"="+name)
			running := slices.DeleteFunc(slices.Clone(all), func(c Container) bool { return !c.Running })
			if len(running) > 0 {
				all = running // a swarm leaves replaced ones behind
			}
			if err == nil && len(all) > 0 {
				return all, nil
			}
		}
	}
	return nil, missing
}

// ask measures, with two listeners open for as long as that takes.
func (p Probe) ask(ctx context.Context, containers []Container, s Server) ([]ClientURL, error) {
	listeners, err := listen.Open()
	if err != nil {
		return nil, fmt.Errorf("opening listeners to be fetched from inside: %w", err)
	}
	defer listeners.Close()
	each := make([][]ClientURL, len(containers))
	slots := make(chan struct{}, containersAtOnce)
	siblings := p.siblings()
	var wg sync.WaitGroup
	for i, c := range containers {
		m := measurement{Probe: p, container: c, server: s, listeners: listeners, siblings: siblings, tag: fmt.Sprint("c", i)}
		wg.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done(): // the rest reports that there was no time
			}
			each[i] = m.run(ctx)
		})
	}
	wg.Wait()
	return slices.Concat(each...), ctx.Err()
}

// containersAtOnce limits what an engine, which may have two slow cores, is asked at
// the same time.
const containersAtOnce = 6

// siblings lists the containers of a runtime, once.
func (p Probe) siblings() func(context.Context, Runtime) []Container {
	var mu sync.Mutex
	known := map[string][]Container{}
	return func(ctx context.Context, rt Runtime) []Container {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := known[rt.Tool]; !ok {
			known[rt.Tool], _ = list(ctx, p.Runner, rt) // without these, none is recognised
		}
		return known[rt.Tool]
	}
}
