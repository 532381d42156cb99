package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// box is a container. What is set when it is created or started does not change while it runs; the rest is guarded by the engine's mutex.
type box struct {
	creation
	engine   *engine
	product  product
	id       string
	tools    []string
	shellEnv []string // what the stand-ins that its shells start need
	created  time.Time
	hostname string
	joined   *box // whose network it uses, "container:NAME"
	net      *network
	ctx      context.Context // done when it has ended
	cancel   context.CancelFunc

	address  string
	state    string // "created", "running" or "exited"
	pid      int
	started  time.Time
	finished time.Time
	exitCode int
}

// creation is what a container is made from.
type creation struct {
	name       string
	image      *image
	env        []string
	extraHosts []extraHost
	network    string
	labels     []string
	entrypoint string
	args       []string
	autoRemove bool
}

// saying is an error in docker's own words, which may be whole sentences.
type saying string

func (s saying) Error() string { return string(s) }

func saysf(format string, args ...any) error { return saying(fmt.Sprintf(format, args...)) }

// killed is the exit code of a process that got SIGKILL.
const killed = 137

// create makes a container that does not run yet. The errors are the engine's. Locked.
func (e *engine) create(c creation) (*box, error) {
	b := &box{creation: c, engine: e, product: e.product, id: newID(), tools: c.image.tools, shellEnv: e.env, created: time.Now(), state: "created"}
	b.hostname = b.id[:12]
	if b.name == "" {
		b.name = "eager_hopper_" + b.id[:6]
	}
	if !containerNames.MatchString(b.name) {
		return nil, saysf("Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", b.name)
	}
	if other := e.find(b.name); other != nil && other.name == b.name {
		return nil, saysf("Conflict. The container name \"/%s\" is already in use by container %q. "+
			"You have to remove (or rename) that container to be able to reuse that name.", b.name, other.id)
	}
	if b.network == "" && b.product.older {
		b.network = "default"
	} else if b.network == "" {
		b.network = "bridge"
	}
	if isShared(b.network) && len(b.extraHosts) > 0 {
		return nil, saysf("conflicting options: custom host-to-IP mapping and the network mode")
	}
	if b.network == "container:" {
		return nil, saysf("Invalid network mode: invalid container format container:<name|id>")
	}
	b.ctx, b.cancel = context.WithCancel(e.ctx)
	e.boxes = append(e.boxes, b)
	return b, nil
}

// connect finds the container's network, which is done when it starts.
func (b *box) connect() error {
	switch {
	case b.network == "none":
	case b.network == "host":
		b.hostname = b.product.hostname
	case isShared(b.network):
		return b.join(strings.TrimPrefix(b.network, "container:"))
	default:
		b.net = b.engine.network(b.network)
		if b.net == nil {
			return saysf("network %s not found", b.network)
		}
		b.address = b.net.address(b.net.next)
		b.net.next++
	}
	return nil
}

func (b *box) join(name string) error {
	other := b.engine.find(name)
	switch {
	case other == nil:
		return saysf("No such container: %s", name)
	case other.state != "running":
		return saysf("cannot join network of a non running container: %s", other.id)
	}
	b.joined, b.hostname, b.network = other, other.hostname, "container:"+other.id
	return nil
}

// launch makes the container a running one. Locked.
func (e *engine) launch(b *box) error {
	if err := b.connect(); err != nil {
		return err
	}
	e.pids++
	b.ctx, b.cancel = context.WithCancel(e.ctx)
	b.state, b.pid, b.started = "running", 4200+e.pids, time.Now()
	return nil
}

// end notes that the container's program has ended. Locked.
func (e *engine) end(b *box, code int) {
	b.cancel()
	if b.state != "running" {
		return
	}
	b.state, b.pid, b.exitCode, b.finished = "exited", 0, code, time.Now()
	b.address = ""
	if b.autoRemove {
		e.forget(b)
	}
}

// forget removes the container. Locked.
func (e *engine) forget(b *box) {
	b.cancel()
	e.boxes = slices.DeleteFunc(e.boxes, func(other *box) bool { return other == b })
}

// kill ends the container's programs.
func (b *box) kill() {
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	b.engine.end(b, killed)
}

// owner is the container whose network, /etc/hosts and name this one has.
func (b *box) owner() *box {
	for b.joined != nil {
		b = b.joined
	}
	return b
}

// has tells whether the container has a program. busybox's wget comes with a shell.
func (b *box) has(tool string) bool {
	return slices.Contains(b.tools, tool) || tool == "sh" && slices.Contains(b.tools, "wget")
}

// lookPath finds a program in the container. What is wrong is said as the engine does.
func (b *box) lookPath(name string) (program, error) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	path, absolute := strings.CutSuffix(name, "/"+base)
	switch {
	case b.has(base) && (!absolute || path == "/usr/bin" || path == "/bin"):
		return programs[base], nil
	case absolute:
		return nil, saysf("exec: %q: stat %s: no such file or directory", name, name)
	default:
		return nil, saysf("exec: %q: executable file not found in $PATH", name)
	}
}
