package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// The products that an [Engine] can be.
const (
	ProductDesktop = "desktop" // Docker Desktop
	ProductLinux   = "linux"   // Docker Engine on this machine's own kernel
	ProductRancher = "rancher" // Rancher Desktop
)

// Engine is a container engine on the Mac, and what decides how its containers reach the host.
//
// In "desktop" a forwarder on the host makes the connections to host.docker.internal, which so arrive on the host's loopback. In "linux"
// that name is there only where --add-host or extra_hosts gives it host-gateway, which leads, as 172.17.0.1 does, to an address of the host
// that is not loopback. "rancher" is a machine of its own like "desktop", but there host-gateway and 172.17.0.1 are that machine, where
// nobody listens.
type Engine struct {
	Product string // ProductDesktop, ProductLinux or ProductRancher
	Down    bool   // the command line is there, and no engine answers
}

// Container is a container that lives until it is removed.
type Container struct {
	Name       string
	Image      string
	Env        []string // KEY=VALUE
	ExtraHosts []string // NAME:ADDRESS, as in --add-host
	Network    string   // "bridge", which "" means, "host", "none", or another network's name, which is made where it is missing
	Stopped    bool
	Tools      []string // the programs that it has: "curl", "wget" (busybox's, which brings "sh"); none in a distroless one
}

// product is what sets the engines apart. The texts of the newer engine are unverified where they differ from the older one's.
type product struct {
	hostname string
	system   string // as docker info calls it
	version  string // the engine's
	arch     string
	context  string
	socket   string // below the home folder, or absolute
	ownLinux bool   // the engine runs on the host's own kernel
	// The address that the forwarder on the host stands behind, and the names that lead to it.
	forwarder string
	names     []string
	gateway   string // what host-gateway stands for
	older     bool   // 20.10, else 28
}

var products = map[string]product{
	ProductDesktop: {
		hostname: "docker-desktop", system: "Docker Desktop", version: "28.3.2", arch: "aarch64",
		context: "desktop-linux", socket: ".docker/run/docker.sock",
		forwarder: "192.168.65.254", names: []string{"host.docker.internal", "gateway.docker.internal"}, gateway: "192.168.65.254",
	},
	ProductRancher: {
		hostname: "lima-rancher-desktop", system: "Alpine Linux v3.20", version: "27.3.1", arch: "aarch64",
		context: "rancher-desktop", socket: ".rd/docker.sock",
		forwarder: "192.168.5.2", names: []string{"host.docker.internal", "host.rancher-desktop.internal", "host.lima.internal"},
		gateway: bridgeGateway,
	},
	ProductLinux: {
		hostname: machineName(), system: "Debian GNU/Linux 12 (bookworm)", version: "20.10.24+dfsg1", arch: "x86_64",
		context: "default", socket: "/var/run/docker.sock",
		ownLinux: true, gateway: bridgeGateway, older: true,
	},
}

// bridgeGateway is the address of the engine's machine on the default bridge.
const bridgeGateway = "172.17.0.1"

func machineName() string {
	name, _ := os.Hostname() // without one a container does not get one either
	return name
}

// engine is the state behind the docker executable. Programs in containers run in goroutines of this process, and their sockets are real.
type engine struct {
	home  string
	bin   string   // the PATH of the shells in containers
	env   []string // what the stand-ins there need, once it is known
	fault func(name string) (arg string, on bool)
	ctx   context.Context // done when the Mac is closed

	mu       sync.Mutex
	set      bool
	down     bool
	id       string
	product  product
	images   []*image
	boxes    []*box     // containers, oldest first
	networks []*network // besides none and host
	pids     int
}

// image is an image that the engine has.
type image struct {
	id      string
	name    string // with its tag
	tools   []string
	created time.Time
}

// network is a bridge of the engine.
type network struct {
	id      string
	name    string
	number  int // the second byte of its addresses is 17 and this
	created time.Time
	next    int // last byte of the next container's address
}

func (n *network) address(last int) string { return fmt.Sprintf("172.%d.0.%d", 17+n.number, last) }
func (n *network) gateway() string         { return n.address(1) }

func newEngine(l *launchd) *engine {
	return &engine{home: l.home, bin: filepath.Join(l.dir, "container", "bin"), fault: l.fault, ctx: l.ctx}
}

// fault tells whether a fault is on, and its argument.
func (l *launchd) fault(name string) (arg string, on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults.args[name], l.faults.on(name)
}

// StartEngine puts docker on the PATH, with that engine behind it. A second call changes the engine, and forgets containers and images.
func (m *Mac) StartEngine(e Engine) error {
	p, ok := products[e.Product]
	if !ok {
		return fmt.Errorf("sandbox: no such container engine: %q", e.Product)
	}
	m.engine.start(p, e.Down, m.toolEnv())
	for _, path := range append([]string{filepath.Join(m.Bin(), "docker")}, m.engine.shellTools()...) {
		if err := installTool(path); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
	}
	return nil
}

func (e *engine) start(p product, down bool, env []string) {
	e.mu.Lock()
	boxes := slices.Clone(e.boxes)
	e.set, e.down, e.product, e.env = true, down, p, env
	e.id, e.images, e.boxes, e.networks = newID(), nil, nil, nil
	e.addNetwork("bridge")
	e.mu.Unlock()
	for _, b := range boxes {
		b.kill()
	}
}

// RunContainer makes a container, and its image where there is none of that name, with the same programs.
func (m *Mac) RunContainer(c Container) error {
	if err := m.engine.add(c); err != nil {
		return fmt.Errorf("sandbox: container %s: %w", c.Name, err)
	}
	return nil
}

func (e *engine) add(c Container) error {
	if err := checkTools(c.Tools); err != nil {
		return err
	}
	hosts, err := parseExtraHosts(c.ExtraHosts)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.set {
		return fmt.Errorf("there is no engine yet")
	}
	img := e.image(c.Image)
	if img == nil {
		img = e.addImage(c.Image, c.Tools)
	}
	if isBridge(c.Network) && e.network(c.Network) == nil {
		e.addNetwork(c.Network)
	}
	b, err := e.create(creation{name: c.Name, image: img, env: c.Env, extraHosts: hosts, network: c.Network, entrypoint: "/bin/serve"})
	if err != nil {
		return err
	}
	b.tools = slices.Clone(c.Tools)
	if err := e.launch(b); err != nil {
		e.forget(b)
		return err
	}
	if c.Stopped {
		e.end(b, 0)
	}
	return nil
}

// AddImage makes an image with those programs, or gives an image other ones.
func (m *Mac) AddImage(name string, tools ...string) error {
	if err := checkTools(tools); err != nil {
		return fmt.Errorf("sandbox: image %s: %w", name, err)
	}
	e := m.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.set {
		return fmt.Errorf("sandbox: image %s: there is no engine yet", name)
	}
	if img := e.image(name); img != nil {
		img.tools = slices.Clone(tools)
		return nil
	}
	e.addImage(name, tools)
	return nil
}

// Containers returns the names of the containers that are there now, stopped ones too, in alphabetical order.
func (m *Mac) Containers() []string {
	e := m.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, b := range e.boxes {
		names = append(names, b.name)
	}
	slices.Sort(names)
	return names
}

func checkTools(tools []string) error {
	for _, tool := range tools {
		if programs[tool] == nil {
			return fmt.Errorf("the sandbox has no program %q", tool)
		}
	}
	return nil
}

// newID is what the engine calls its things.
func newID() string {
	var id [32]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// withTag is how the engine knows an image that is called so.
func withTag(name string) string {
	if strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, '/') {
		return name
	}
	return name + ":latest"
}

// image finds an image by its name or the beginning of its id. Locked, as are the next ones.
func (e *engine) image(name string) *image {
	for _, img := range e.images {
		if img.name == withTag(name) || matchesID(strings.TrimPrefix(name, "sha256:"), img.id) {
			return img
		}
	}
	return nil
}

func (e *engine) addImage(name string, tools []string) *image {
	img := &image{id: newID(), name: withTag(name), tools: slices.Clone(tools), created: time.Now()}
	e.images = append(e.images, img)
	return img
}

func matchesID(prefix, id string) bool { return len(prefix) >= 4 && strings.HasPrefix(id, prefix) }

func (e *engine) network(name string) *network {
	name = networkName(name)
	for _, n := range e.networks {
		if n.name == name || matchesID(name, n.id) {
			return n
		}
	}
	return nil
}

func (e *engine) addNetwork(name string) {
	e.networks = append(e.networks, &network{id: newID(), name: name, number: len(e.networks), created: time.Now(), next: 2})
}

// networkName is the name of the network that a mode stands for.
func networkName(mode string) string {
	if mode == "" || mode == "default" {
		return "bridge"
	}
	return mode
}

// isBridge tells whether a network mode is one of the engine's bridges.
func isBridge(mode string) bool { return mode != "none" && mode != "host" && !isShared(mode) }

// isShared tells whether a network mode is that of another container.
func isShared(mode string) bool { return strings.HasPrefix(mode, "container:") }

// find finds a container by its name, its id, or the beginning of that.
func (e *engine) find(name string) *box {
	for _, b := range e.boxes {
		if b.name == strings.TrimPrefix(name, "/") || matchesID(name, b.id) {
			return b
		}
	}
	return nil
}

// extraHost is a line of /etc/hosts that a container's owner asked for.
type extraHost struct{ name, address string }

func (h extraHost) String() string { return h.name + ":" + h.address }

// parseExtraHost reads NAME:ADDRESS or NAME=ADDRESS. The errors are docker's.
func parseExtraHost(line string) (extraHost, error) {
	name, address, ok := cutExtraHost(line)
	if !ok {
		return extraHost{}, saysf("bad format for add-host: %q", line)
	}
	if address != hostGateway && net.ParseIP(address) == nil {
		return extraHost{}, saysf("invalid IP address in add-host: %q", address)
	}
	return extraHost{name, address}, nil
}

func parseExtraHosts(lines []string) ([]extraHost, error) {
	var hosts []extraHost
	for _, line := range lines {
		h, err := parseExtraHost(line)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// hostGateway is the word for the engine's idea of where the host is.
const hostGateway = "host-gateway"

func cutExtraHost(line string) (name, address string, ok bool) {
	separator := ":"
	if i := strings.IndexAny(line, ":="); i >= 0 {
		separator = line[i : i+1]
	}
	name, address, ok = strings.Cut(line, separator)
	return name, strings.Trim(address, "[]"), ok && name != "" && address != ""
}

// containerNames are the names that the engine takes.
var containerNames = lazyregexp.New(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// socketPath is where the command line looks for the engine.
func (e *engine) socketPath() string {
	if filepath.IsAbs(e.product.socket) {
		return e.product.socket
	}
	return filepath.Join(e.home, e.product.socket)
}
