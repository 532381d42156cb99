package advice

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/container/clients"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Cure says how a container gets another setting. That depends on what made it: a
// compose file, a swarm, or a docker run.
type Cure struct {
	Place   string   // where Lines go: a file, or "docker run"
	Lines   []string // as they are written there
	Command string   // one line to paste, afterwards
	Applies bool     // the command makes the change; otherwise it tries it
}

// pair is a variable and its value.
type pair struct{ name, value string }

// Change is what to change in how a container is started; the zero value if nothing.
func Change(u container.ClientURL) Cure {
	named := u.Source != "" && !strings.HasPrefix(u.Source, "-")
	switch {
	case u.Cause == container.ByProxy:
		return setEnv(u, noProxy(u.Container, cmp.Or(u.RightURL, u.URL)))
	case u.Cause == container.ByDNS:
		return addHost(u)
	case u.RightURL == "" || u.Verdict == container.Reachable:
		return Cure{}
	case !named:
		return Cure{Command: probe(u, u.RightURL)}
	}
	value, known := newValue(u)
	if !known {
		place := start(u, nil, "").Place
		if u.Container.Origin.Swarm != "" {
			place = u.Container.Runtime.Tool + " service update"
		}
		return Cure{Place: place + ", in the value of " + u.Source, Lines: []string{u.RightURL}, Command: probe(u, u.RightURL)}
	}
	pairs := []pair{{u.Source, value}}
	// A proxy that caught the wrong one may catch the right one, too.
	if right, err := url.Parse(u.RightURL); err == nil {
		if _, proxy := u.Container.Proxy(right); proxy != "" {
			pairs = append(pairs, noProxy(u.Container, u.RightURL)...)
		}
	}
	return setEnv(u, pairs)
}

// newValue is the variable's value with the right URL in it: of a list, the rest stays.
// A longer text, or a login, may hold what is to be shown nowhere, so it is not known.
func newValue(u container.ClientURL) (value string, known bool) {
	old := strings.TrimSpace(u.Container.Env[u.Source])
	if u.Value == "" || old == "" || old == u.Value {
		return u.RightURL, true
	}
	parts := strings.FieldsFunc(old, func(r rune) bool { return strings.ContainsRune(";, ", r) })
	other := func(part string) bool { return !clients.IsAddress(part) }
	known = strings.Count(old, u.Value) == 1 && !strings.Contains(old, "@") && !slices.ContainsFunc(parts, other)
	return strings.Replace(old, u.Value, u.RightURL, 1), known
}

// noProxy keeps the proxy away from the host to ask, and from what NO_PROXY has
// already.
func noProxy(c container.Container, address string) []pair {
	if parsed, err := url.Parse(address); err == nil {
		address = parsed.Hostname()
	}
	if list := cmp.Or(c.Env["no_proxy"], c.Env["NO_PROXY"]); list != "" {
		address = list + "," + address
	}
	return []pair{{"NO_PROXY", address}, {"no_proxy", address}}
}

func setEnv(u container.ClientURL, pairs []pair) Cure {
	var yaml []string
	var options, add string
	for _, p := range pairs {
		yaml = append(yaml, fmt.Sprintf("      %s: %s", p.name, yamlQuote(p.value)))
		options += fmt.Sprintf(" --env %s=%s", shell.Quote(p.name), shell.Quote(p.value))
		add += fmt.Sprintf(" --env-add %s=%s", shell.Quote(p.name), shell.Quote(p.value))
	}
	if swarm := u.Container.Origin.Swarm; swarm != "" {
		return Cure{Command: u.Container.Runtime.Tool + " service update" + add + " " + shell.Quote(swarm), Applies: true}
	}
	return start(u, append([]string{"    environment:"}, yaml...), options)
}

// addHost gives the container a name for the host.
func addHost(u container.ClientURL) Cure {
	name, address := "host.docker.internal", "host-gateway"
	switch u.Container.Runtime.Product {
	case container.Lima, container.RancherDesktop: // where host-gateway is the virtual machine
		address = "192.168.5.2"
	}
	line := name + ":" + address
	return start(u, []string{"    extra_hosts:", "      - " + yamlQuote(line)}, " --add-host "+line)
}

// start is for a setting that a container gets when it is created.
func start(u container.ClientURL, yaml []string, options string) Cure {
	o := u.Container.Origin
	if o.Service == "" || len(o.Files) == 0 {
		return Cure{
			Place:   u.Container.Runtime.Tool + " run",
			Lines:   []string{strings.TrimSpace(options)},
			Command: probe(u, cmp.Or(u.RightURL, u.URL)),
		}
	}
	last := o.Files[len(o.Files)-1] // which overrides all others
	return Cure{
		Place:   inDir(o.Dir, last),
		Lines:   append([]string{"services:", "  " + yamlQuote(o.Service) + ":"}, yaml...),
		Command: compose(u.Container) + " up -d " + shell.Quote(o.Service),
		Applies: true,
	}
}

// compose begins a command for the container's project that works from any folder.
func compose(c container.Container) string {
	command := c.Runtime.Tool + " compose"
	if c.Origin.Project != "" {
		command += " -p " + shell.Quote(c.Origin.Project)
	}
	for _, file := range c.Origin.Files {
		command += " -f " + shell.Quote(inDir(c.Origin.Dir, file))
	}
	if dir := c.Origin.Dir; dir != "" && dir != filepath.Dir(inDir(dir, c.Origin.Files[0])) {
		command += " --project-directory " + shell.Quote(dir)
	}
	return command
}

func inDir(dir, file string) string {
	if filepath.IsAbs(file) || strings.Contains(file, ":") { // Windows has drives
		return file
	}
	return filepath.Join(dir, file)
}

// yamlQuote quotes a text for YAML.
func yamlQuote(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:"
	if text != "" && strings.Trim(text, plain) == "" && !strings.HasPrefix(text, "-") && !strings.HasSuffix(text, ":") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// probe is the command that tries a URL from inside the same container.
func probe(u container.ClientURL, url string) string {
	command := "ollama-bind probe"
	if u.Container.Name != "" {
		command += " --container " + shell.Quote(u.Container.Name)
	}
	return command + " --url " + shell.Quote(url)
}
