package docker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// object is a JSON object. What internal/container does not read is left out.
type object = map[string]any

func (c *call) printJSON(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // these are strings
	}
	fmt.Fprintf(&c.out, "%s\n", data)
}

func (c *call) info([]string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.product
	c.printJSON(object{
		"Name": p.name, "OperatingSystem": p.system, "ServerVersion": p.version,
		"KernelVersion": p.kernel(), "ClientInfo": object{"Context": p.context},
	})
	return 0
}

// kernel is the release of the kernel that the engine runs on.
func (p product) kernel() string {
	if !p.native {
		return "6.10.14-linuxkit"
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease") // a Mac has none
	return strings.TrimSpace(string(release))
}

// endpoint prints where docker finds its engine.
func (c *call) endpoint([]string) int {
	fmt.Fprintln(&c.out, cmp.Or(c.remote, "unix:///var/run/docker.sock"))
	return 0
}

// list prints the IDs of the containers, the youngest first; of those with a label, if
// one is asked for.
func (c *call) list(args []string) int {
	flags := newFlags()
	filter := flags.String("filter", "", "")
	if flags.Parse(args) != nil {
		return c.unknown(args)
	}
	name, value, _ := strings.Cut(strings.TrimPrefix(*filter, "label="), "=")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range slices.Backward(c.containers) {
		if *filter == "" || b.Labels[name] == value {
			fmt.Fprintln(&c.out, b.id)
		}
	}
	return 0
}

// filtered prints the names of the containers with a label that are in one of the
// states.
func (c *call) filtered(args []string) int {
	flags := newFlags()
	var filters list
	flags.Var(&filters, "filter", "")
	format := flags.String("format", "", "")
	if flags.Parse(args) != nil || *format != "{{.Names}}" {
		return c.unknown(args)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range slices.Backward(c.containers) {
		wanted := slices.Contains(filters, "status="+b.state)
		if wanted && slices.Contains(filters, "label="+b.label) {
			fmt.Fprintln(&c.out, b.Name)
		}
	}
	return 0
}

func (c *call) listImages([]string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range slices.Backward(c.images) {
		fmt.Fprintln(&c.out, i.name)
	}
	return 0
}

// inspect prints the containers that are there, and says which are not.
func (c *call) inspect(names []string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, code := []object{}, 0
	for _, name := range names {
		if b := c.find(name); b != nil {
			found = append(found, b.inspect())
		} else {
			code = c.refuse(sayingf("No such container: %s", name))
		}
	}
	c.printJSON(found)
	return code
}

func (b *box) inspect() object {
	return object{
		"Id": b.id, "Name": "/" + b.Name,
		"State":           object{"Status": b.state, "Running": b.state == "running", "Paused": false},
		"Config":          object{"Image": b.Image, "Hostname": b.id[:12], "Env": b.Env, "Labels": b.Labels},
		"HostConfig":      object{"NetworkMode": b.mode(), "ExtraHosts": b.ExtraHosts},
		"NetworkSettings": object{"Networks": b.networks()},
	}
}

// mode is the network as inspect has it. The old engine has a word of its own for none.
func (b *box) mode() string {
	if b.Network == "" && b.product.native {
		return "default"
	}
	if b.Network == "" {
		return "bridge"
	}
	return b.Network
}

func (b *box) networks() object {
	name := b.bridge()
	switch {
	case name == "" && b.shared != nil:
		return object{}
	case name == "":
		return object{b.Network: object{}}
	case b.address == "":
		return object{name: object{}}
	}
	return object{name: object{"Gateway": b.engine.gateway(name), "IPAddress": b.address}}
}

// inspectNetwork prints a bridge's subnet. The old engine does not name the gateway of
// the default one.
func (c *call) inspectNetwork(args []string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := strings.TrimPrefix(strings.Join(args, " "), "-- ")
	gateway := c.gateway(name)
	if gateway == "" {
		return c.refuse(sayingf("network %s not found", name))
	}
	subnet := object{"Subnet": strings.TrimSuffix(gateway, "1") + "0/16"}
	if name != "bridge" || !c.product.native {
		subnet["Gateway"] = gateway
	}
	c.printJSON([]object{{"Name": name, "IPAM": object{"Config": []object{subnet}}}})
	return 0
}
