// Package container finds out what a container gets when it asks the host for
// Ollama: which runtimes are here, how a container is set up, what it reaches
// from inside, and what that says about the cure.
//
// Nothing is assumed about a runtime's network: two listeners of our own, one on
// loopback and one on every interface, are fetched from inside beside Ollama
// itself. [Probe] measures; [Judge] is pure and gives the verdict.
package container

import (
	"github.com/ollama-bind/ollama-bind/internal/container/fetch"
	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Runner runs the runtimes' command-line programs.
type Runner = launchctl.Runner

// Product is the product behind a runtime's command line. It decides how a container's
// packets reach the host.
type Product string

// The products that we tell apart.
const (
	DockerDesktop  Product = "docker-desktop"
	OrbStack       Product = "orbstack"
	Colima         Product = "colima"
	Lima           Product = "lima"
	RancherDesktop Product = "rancher-desktop"
	PodmanMachine  Product = "podman-machine"
	Remote         Product = "remote"  // the engine is on another machine
	Native         Product = "linux"   // the engine runs on this very machine's kernel
	UnknownProduct Product = "unknown" // an engine that we do not recognise
)

// Runtime is one command-line program with an engine that answers.
type Runtime struct {
	Tool     string // "docker", "podman" or "nerdctl"
	Product  Product
	Context  string // the docker context in use, "" where there is none
	Version  string // the engine's
	Rootless bool
	// Podman: the engine is Podman's, whichever program asks it.
	Podman bool
	// Endpoint is where a Remote engine is, and Address is this machine's address from
	// there.
	Endpoint, Address string
}

// Unusable is a command-line program that does not work, and why.
type Unusable struct {
	Tool string
	Err  error
}

// Container is how a container is set up, as far as it matters for reaching
// the host.
type Container struct {
	Runtime Runtime
	Name    string // as the runtime has it, without a leading slash
	ID      string
	Image   string
	Running bool
	Paused  bool // it exists, and nothing in it runs
	// Restarting: it ends at once, and is between two attempts.
	Restarting bool
	Restarts   int  // how often the runtime has restarted it
	Created    bool // and never started
	// Env holds only variables that may name an address or a proxy.
	Env map[string]string
	// Origin is what made it.
	Origin Origin
	// ServesOllama: its port 11434 is published or exposed.
	ServesOllama bool
	DNS          []string // servers of its own to look up names with
	// ExtraHosts are the lines that --add-host or extra_hosts put into /etc/hosts.
	ExtraHosts []ExtraHost
	// NetworkMode is "host", "none", "container:ID", or something that does not matter
	// here.
	NetworkMode string
	Networks    []Network
	// NetworkOf names the container whose network this one uses, if nothing was
	// reached.
	NetworkOf string
	// Hostname is the container's own; it leads to the container itself.
	Hostname string
	// Err says why nothing but the name is known.
	Err error
}

// Origin is what made a container: a Compose project, a swarm, or something unknown.
type Origin struct {
	Project, Service string
	Dir              string // the folder that compose ran in
	Files            []string
	Swarm            string // the name of the swarm's service
}

// ExtraHost is a line of a container's /etc/hosts that its owner asked for.
type ExtraHost struct {
	Name    string
	Address string // an IP address, or "host-gateway"
}

// Network is a network that the container is attached to.
type Network struct {
	Name     string
	Gateway  string // "" where it has none
	Address  string
	Aliases  []string
	Internal bool // it leads to no other network; known only where nothing was reached
}

// Result is how a fetch ended.
type Result = fetch.Result

// The results.
const (
	OK      = fetch.OK
	DNS     = fetch.DNS
	Refused = fetch.Refused
	Timeout = fetch.Timeout
	Empty   = fetch.Empty
	Other   = fetch.Other
)

// Answer is the response to a request.
type Answer = fetch.Answer

// CheckURL reports why a URL cannot be fetched from inside a container with this Origin
// header.
func CheckURL(url, origin string) error { return fetch.CheckURL(url, origin) }

// Convert is text.Convert.
func Convert(from, host string) (string, error) { return text.Convert(from, host) }
