// Package container finds out what a container gets when it asks the host for
// Ollama: which runtimes are here, how a container is set up, what it reaches
// from inside, and what that says about the cure.
//
// Nothing is assumed about a runtime's network: two listeners of our own, one on
// loopback and one on every interface, are fetched from inside beside Ollama
// itself. [Probe] measures; [Judge] is pure and gives the verdict.
package container

import (
	"fmt"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Runner runs the runtimes' command-line programs.
type Runner = launchctl.Runner

// Product is what stands behind a runtime's command line, which decides how a
// container's packets reach the host.
type Product string

// The products that are told apart.
const (
	DockerDesktop  Product = "docker-desktop"
	OrbStack       Product = "orbstack"
	Colima         Product = "colima"
	Lima           Product = "lima"
	RancherDesktop Product = "rancher-desktop"
	PodmanMachine  Product = "podman-machine"
	Native         Product = "linux"   // the engine runs on this very machine's kernel
	UnknownProduct Product = "unknown" // an engine that no field gives away
)

// Runtime is one command-line program with an engine that answers.
type Runtime struct {
	Tool     string // "docker", "podman" or "nerdctl"
	Product  Product
	Context  string // the docker context in use, "" where there is none
	Version  string // the engine's
	Rootless bool
	// Podman says that the engine is Podman's, whichever program asks it.
	Podman bool
}

// Unusable is a command-line program that is not of use, and why.
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
	Paused  bool // it is there, and nothing in it runs
	// Env holds the variables that name Ollama or a proxy, and no other.
	Env map[string]string
	// ExtraHosts are the lines that --add-host or extra_hosts put into /etc/hosts.
	ExtraHosts []ExtraHost
	// NetworkMode is "host", "none", "container:ID", or else says nothing.
	NetworkMode string
	Networks    []Network
	// Hostname is the container's own, one of the names that lead to itself.
	Hostname string
	// Err says why there is nothing known but the name.
	Err error
}

// ExtraHost is a line of a container's /etc/hosts that its owner asked for.
type ExtraHost struct {
	Name    string
	Address string // an IP address, or "host-gateway"
}

// Network is a network that the container is attached to.
type Network struct {
	Name    string
	Gateway string // "" where it has none
	Address string
	Aliases []string
}

// Result is how a fetch ended.
type Result string

// The results. Any other status than 200 is "http-" and its three digits.
const (
	OK      Result = "ok"
	DNS     Result = "dns"     // the name does not resolve
	Refused Result = "refused" // nobody listens there, or no way leads there
	Timeout Result = "timeout"
	Empty   Result = "empty" // connected, and no HTTP answer
	// Other is status 200 from somebody else than was looked for.
	Other Result = "http-200"
)

// Answer is what came back of a request.
type Answer struct {
	Result Result // OK for any answer with status 200, whatever its body
	Status int    // of the HTTP answer, 0 for none
	Body   string // its first 512 KiB
	// Address is the one that was connected to, or the first that the name
	// resolved to; "" where the tool does not tell.
	Address string
	Detail  string // the tool's own words about a failure, one line
}

// String is the answer in a few words.
func (a Answer) String() string {
	switch {
	case a.Result == "":
		return a.Detail
	case a.Detail == "":
		return string(a.Result)
	}
	return fmt.Sprintf("%s: %s", a.Result, a.Detail)
}
