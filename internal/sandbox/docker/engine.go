// Package docker is the sandbox's container engine. It answers the command lines that
// ollama-bind sends to docker, and no others, from a state in memory. Nothing is
// isolated: a program in a container is a goroutine of this process, and the only one
// is curl. It looks names up as the container would, and the kind of engine decides
// where an address leads; the connections that come of it are real. So a fetch fails
// when the server on the host does not listen where the container's packets arrive,
// and for no other reason.
package docker

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// The products that an [Engine] can be.
const (
	Desktop = "desktop" // Docker Desktop
	Linux   = "linux"   // Docker Engine on this machine's own kernel
	Rancher = "rancher" // Rancher Desktop
)

// Options say which engine there is.
//
// On Desktop a forwarder on the host connects to host.docker.internal, so these
// connections arrive on the host's loopback. On Linux the name exists only where a
// container's ExtraHosts give it host-gateway. That leads, like 172.17.0.1, to an
// address of the host that is not loopback. Rancher is a virtual machine like Desktop,
// but its host-gateway and 172.17.0.1 are that machine, where nothing listens.
type Options struct {
	Product string // Desktop, Linux or Rancher
	Down    bool   // the docker executable is there, and no engine answers
	Remote  string // where docker says that the engine is, "" for this machine
}

// Container is a container that lives until it is removed.
type Container struct {
	Name       string
	Image      string
	Env        []string // KEY=VALUE
	Labels     map[string]string
	ExtraHosts []string // NAME:ADDRESS, as in --add-host
	Network    string   // "bridge" ("" means that too), "host", "none", or any other
	Stopped    bool
	Tools      []string // the programs that it has: "curl", or none
}

// product is what sets the engines apart.
type product struct {
	name, system, version, context string // as docker info has them

	native    bool     // runs on the host's own kernel, and is as old as 20.10
	forwarder string   // the address that stands for the host's loopback
	names     []string // lead to the forwarder
	gateway   string   // what host-gateway stands for
}

// bridgeGateway is the address of the engine's machine on the default bridge.
const bridgeGateway = "172.17.0.1"

var products = map[string]product{
	Desktop: {
		name: "docker-desktop", system: "Docker Desktop", version: "28.3.2",
		context:   "desktop-linux",
		forwarder: "192.168.65.254", gateway: "192.168.65.254",
		names: []string{"host.docker.internal", "gateway.docker.internal"},
	},
	Rancher: {
		name: "lima-rancher-desktop", system: "Alpine Linux v3.20", version: "27.3.1",
		context:   "rancher-desktop",
		forwarder: "192.168.5.2", gateway: bridgeGateway,
		names: []string{
			"host.docker.internal", "host.rancher-desktop.internal", "host.lima.internal",
		},
	},
	Linux: {
		name: hostname(), system: "Debian GNU/Linux 12 (bookworm)",
		version: "20.10.24+dfsg1", context: "default",
		native: true, gateway: bridgeGateway,
	},
}

func hostname() string {
	name, _ := os.Hostname() // without it, ollama-bind does not recognise this machine
	return name
}

// Engine is the state behind the docker executable. Its methods may be called from
// several goroutines.
type Engine struct {
	ctx   context.Context
	fault func(name string) (arg string, on bool)

	mu         sync.Mutex
	product    *product // nil before Start
	down       bool
	remote     string
	images     []*image
	containers []*box   // oldest first
	bridges    []string // names of networks; each has a subnet of its own
	addresses  int      // that were given to containers
}

// image is an image that the engine has.
type image struct {
	name  string // with its tag
	tools []string
}

// New is an engine that has not been started. Everything that runs in its containers
// ends with ctx. fault reports whether a fault is on, and its argument; the engine
// knows hang-exec, exec-floods and docker-no-permission.
func New(ctx context.Context, fault func(name string) (arg string, on bool)) *Engine {
	return &Engine{ctx: ctx, fault: fault}
}

// Start makes it an engine of that kind, without containers and images.
func (e *Engine) Start(o Options) error {
	p, ok := products[o.Product]
	if !ok {
		return fmt.Errorf("no such container engine: %q", o.Product)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, b := range e.containers {
		b.end()
	}
	e.product, e.down, e.remote = &p, o.Down, o.Remote
	e.images, e.containers, e.bridges = nil, nil, []string{"bridge"}
	return nil
}

// Run makes a container, with its network and its image where there is none of that
// name. The image gets the same programs.
func (e *Engine) Run(c Container) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.Image = withTag(c.Image)
	if e.image(c.Image) == nil {
		e.images = append(e.images, &image{c.Image, c.Tools})
	}
	b := e.create(c)
	if name := b.bridge(); name != "" && !slices.Contains(e.bridges, name) {
		e.bridges = append(e.bridges, name)
	}
	if err := e.launch(b); err != nil {
		e.remove(b)
		return err
	}
	if c.Stopped {
		b.end()
	}
	return nil
}

// AddImage makes an image with those programs.
func (e *Engine) AddImage(name string, tools ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images = append(e.images, &image{withTag(name), tools})
}

// Containers lists the names of all containers, stopped ones too, in alphabetical
// order.
func (e *Engine) Containers() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, b := range e.containers {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	return names
}

// withTag is the engine's name for that image.
func withTag(name string) string {
	if strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, '/') {
		return name
	}
	return name + ":latest"
}

// image finds an image, or nil. e.mu has to be locked, here and below.
func (e *Engine) image(name string) *image {
	i := slices.IndexFunc(e.images, func(i *image) bool { return i.name == withTag(name) })
	if i < 0 {
		return nil
	}
	return e.images[i]
}

// find finds a container by its name or its ID, or nil.
func (e *Engine) find(name string) *box {
	i := slices.IndexFunc(e.containers, func(b *box) bool {
		return b.Name == name || b.id == name
	})
	if i < 0 {
		return nil
	}
	return e.containers[i]
}

// gateway is the address that the engine's machine has on a bridge, "" for a network
// that is not there.
func (e *Engine) gateway(bridge string) string {
	i := slices.Index(e.bridges, bridge)
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("172.%d.0.1", 17+i)
}

// nextAddress is one for a container on a bridge.
func (e *Engine) nextAddress(bridge string) string {
	n := e.addresses
	e.addresses++
	return fmt.Sprintf("172.%d.%d.%d", 17+slices.Index(e.bridges, bridge), n/250, 2+n%250)
}

func newID() string {
	var id [32]byte
	_, _ = rand.Read(id[:]) // never fails
	return fmt.Sprintf("%x", id)
}
