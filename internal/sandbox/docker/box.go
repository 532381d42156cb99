package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// box is a container. Its address, state and context are guarded by the engine's mutex;
// the rest does not change.
type box struct {
	Container
	engine  *Engine
	product *product
	id      string
	label   string
	argv    []string // what it runs; nothing for one that serves until it is removed

	shared  *box   // whose network it has, where that is "container:ID"
	address string // "" where it has none of its own, or does not run
	state   string // created, running or exited
	ctx     context.Context
	cancel  context.CancelFunc // ends what runs in it
}

// saying is an error in docker's own words, which may begin with a capital.
type saying string

func (s saying) Error() string { return string(s) }

func sayingf(format string, args ...any) error {
	return saying(fmt.Sprintf(format, args...))
}

// create makes a container that does not run.
func (e *Engine) create(c Container) *box {
	b := &box{Container: c, engine: e, product: e.product, id: newID(), state: "created"}
	b.ctx, b.cancel = context.WithCancel(e.ctx)
	e.containers = append(e.containers, b)
	return b
}

// launch makes a container a running one.
func (e *Engine) launch(b *box) error {
	if owner, shares := strings.CutPrefix(b.Network, "container:"); shares {
		b.shared = e.find(owner)
		switch {
		case b.shared == nil:
			return sayingf("No such container: %s", owner)
		case b.shared.state != "running":
			return sayingf("cannot join network of a non running container: %s", b.shared.id)
		}
	}
	if name := b.bridge(); name != "" {
		b.address = e.nextAddress(name)
	}
	b.state = "running"
	return nil
}

// end ends what runs in the container.
func (b *box) end() {
	b.cancel()
	b.state, b.address = "exited", ""
}

func (e *Engine) remove(b *box) {
	b.end()
	e.containers = slices.DeleteFunc(e.containers, func(o *box) bool { return o == b })
}

// bridge is the network that the container has an address on, "" for none.
func (b *box) bridge() string {
	switch {
	case b.Network == "":
		return "bridge"
	case b.Network == "none", b.Network == "host",
		strings.HasPrefix(b.Network, "container:"):
		return ""
	}
	return b.Network
}

// missing is what an engine says where a container has no such program, or nil.
func (b *box) missing(program string) error {
	if slices.Contains(b.Tools, program) {
		return nil
	}
	return sayingf("unable to start container process: exec: %q: "+
		"executable file not found in $PATH: unknown", program)
}
