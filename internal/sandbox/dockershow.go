package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"
)

// never is the time of what has not happened.
const never = "0001-01-01T00:00:00Z"

func stamp(t time.Time) string {
	if t.IsZero() {
		return never
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// infoJSON is what docker info tells, in its order; what nothing here depends on is left out.
type infoJSON struct {
	ID                string
	Containers        int
	ContainersRunning int
	ContainersPaused  int
	ContainersStopped int
	Images            int
	Driver            string
	KernelVersion     string
	OperatingSystem   string
	OSVersion         string
	OSType            string
	Architecture      string
	NCPU              int
	MemTotal          int64
	DockerRootDir     string
	HTTPProxy         string `json:"HttpProxy"`
	HTTPSProxy        string `json:"HttpsProxy"`
	NoProxy           string
	Name              string
	Labels            []string
	ServerVersion     string
	SecurityOptions   []string
	Warnings          []string
	ClientInfo        clientJSON
}

// clientJSON is the command line's own part of it.
type clientJSON struct {
	Debug             bool
	Version           string
	DefaultAPIVersion string
	Os, Arch          string
	Context           string
	Plugins           []string
	Warnings          []string
}

// cliVersion is that of the command line.
const cliVersion = "28.2.2"

func (c *dockerCall) info() int {
	failed := c.reach("Get " + api + "info")
	info := infoJSON{ClientInfo: c.client()}
	if failed == nil {
		info = c.engineInfo()
	}
	if c.has("--format") {
		if err := c.format(info); err != nil {
			return c.fail(err)
		}
	} else {
		fmt.Fprintf(c.out, "Client:\n Version:    %s\n Context:    %s\n Debug Mode: false\n\nServer:\n", cliVersion, info.ClientInfo.Context)
		if failed == nil {
			fmt.Fprintf(c.out, " Containers: %d\n Server Version: %s\n Kernel Version: %s\n Operating System: %s\n Name: %s\n",
				info.Containers, info.ServerVersion, info.KernelVersion, info.OperatingSystem, info.Name)
		}
	}
	if failed != nil {
		return c.fail(failed)
	}
	return 0
}

func (c *dockerCall) client() clientJSON {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	return clientJSON{Version: cliVersion, DefaultAPIVersion: "1.50", Os: runtime.GOOS, Arch: runtime.GOARCH,
		Context: c.product.context, Plugins: []string{}}
}

func (c *dockerCall) engineInfo() infoJSON {
	client := c.client()
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	p := c.product
	info := infoJSON{
		ID: c.id, Containers: len(c.boxes), Images: len(c.images), Driver: "overlay2", KernelVersion: p.kernel(), OperatingSystem: p.system,
		OSType: "linux", Architecture: p.arch, NCPU: 2, MemTotal: 8 << 30, DockerRootDir: "/var/lib/docker", Name: p.hostname,
		Labels: []string{}, ServerVersion: p.version, SecurityOptions: []string{"name=seccomp,profile=default"}, ClientInfo: client,
	}
	for _, b := range c.boxes {
		if b.state == "running" {
			info.ContainersRunning++
		}
	}
	info.ContainersStopped = info.Containers - info.ContainersRunning
	if p.context == "desktop-linux" {
		info.HTTPProxy, info.HTTPSProxy = "http.docker.internal:3128", "http.docker.internal:3128"
		info.NoProxy = "hubproxy.docker.internal"
		info.Labels = []string{"com.docker.desktop.address=unix://" + c.home + "/Library/Containers/com.docker.docker/Data/docker-cli.sock"}
	}
	return info
}

// kernel is the release of the kernel that the engine runs on.
func (p product) kernel() string {
	if !p.ownLinux {
		return "6.10.14-linuxkit"
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil { // a Mac, where no engine has the kernel of its own
		return "6.1.0"
	}
	return strings.TrimSpace(string(release))
}

// versionJSON is what docker version tells.
type versionJSON struct {
	Client clientVersionJSON
	Server *serverVersionJSON
}

type clientVersionJSON struct {
	Version           string
	APIVersion        string `json:"ApiVersion"`
	DefaultAPIVersion string
	Os, Arch          string
	Context           string
}

type serverVersionJSON struct {
	Version       string
	APIVersion    string `json:"ApiVersion"`
	MinAPIVersion string
	Os, Arch      string
	KernelVersion string
}

func (c *dockerCall) version() int {
	failed := c.reach("Get " + api + "version")
	client := c.client()
	v := versionJSON{Client: clientVersionJSON{cliVersion, "1.50", "1.50", client.Os, client.Arch, client.Context}}
	if failed == nil {
		info := c.engineInfo()
		v.Server = &serverVersionJSON{info.ServerVersion, "1.50", "1.24", "linux", goArch(info.Architecture), info.KernelVersion}
	}
	if c.has("--format") {
		if err := c.format(v); err != nil {
			return c.fail(err)
		}
	} else {
		v.print(c.out)
	}
	if failed != nil {
		return c.fail(failed)
	}
	return 0
}

func (v versionJSON) print(w io.Writer) {
	fmt.Fprintf(w, "Client:\n Version:           %s\n API version:       %s\n OS/Arch:           %s/%s\n Context:           %s\n",
		v.Client.Version, v.Client.APIVersion, v.Client.Os, v.Client.Arch, v.Client.Context)
	if v.Server != nil {
		fmt.Fprintf(w, "\nServer:\n Engine:\n  Version:          %s\n  API version:      %s (minimum version %s)\n  OS/Arch:          %s/%s\n",
			v.Server.Version, v.Server.APIVersion, v.Server.MinAPIVersion, v.Server.Os, v.Server.Arch)
	}
}

func goArch(machine string) string {
	return map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[machine]
}

// format prints a value as --format says: {{json .}} and the like, with docker's names.
func (c *dockerCall) format(v any) error {
	text, err := execute(c.value("--format"), v)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, text)
	return nil
}

func execute(format string, v any) (string, error) {
	if format == "json" {
		format = "{{json .}}"
	}
	if format == "{{json .}}" { // in the order of the fields
		return compact(v), nil
	}
	functions := template.FuncMap{"json": compact, "join": strings.Join, "lower": strings.ToLower, "upper": strings.ToUpper}
	t, err := template.New("").Option("missingkey=error").Funcs(functions).Parse(format)
	if err != nil {
		return "", saysf("template parsing error: %v", err)
	}
	var fields any
	if err := json.Unmarshal([]byte(compact(v)), &fields); err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, fields); err != nil {
		return "", saysf("template parsing error: %v", err)
	}
	return b.String(), nil
}

func compact(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // these are strings and numbers
	}
	return string(data)
}

// psJSON is a container as docker ps tells it.
type psJSON struct {
	Command, CreatedAt, ID, Image, Labels, LocalVolumes, Mounts, Names, Networks, Ports, RunningFor, Size, State, Status string
}

func (c *dockerCall) ps() int {
	if err := c.reach("Get " + api + "containers/json"); err != nil {
		return c.fail(err)
	}
	c.engine.mu.Lock()
	var rows []psJSON
	for _, b := range slices.Backward(c.boxes) {
		if (b.state == "running" || c.on("--all")) && b.matches(c.values["--filter"]) {
			rows = append(rows, b.row(c.on("--no-trunc")))
		}
	}
	c.engine.mu.Unlock()
	return listing(c, rows, func(r psJSON) string { return r.ID }, "CONTAINER ID\tIMAGE\tCOMMAND\tCREATED\tSTATUS\tPORTS\tNAMES",
		func(r psJSON) []string {
			return []string{r.ID, r.Image, r.Command, r.RunningFor, r.Status, r.Ports, r.Names}
		})
}

// listing prints the rows as ids, by a format, or as a table.
func listing[T any](c *dockerCall, rows []T, id func(T) string, head string, cells func(T) []string) int {
	table := tabwriter.NewWriter(c.out, 10, 1, 3, ' ', 0)
	if !c.on("--quiet") && !c.has("--format") {
		fmt.Fprintln(table, head)
		defer table.Flush()
	}
	for _, r := range rows {
		switch {
		case c.on("--quiet"):
			fmt.Fprintln(c.out, id(r))
		case c.has("--format"):
			if err := c.format(r); err != nil {
				return c.fail(err)
			}
		default:
			fmt.Fprintln(table, strings.Join(cells(r), "\t"))
		}
	}
	return 0
}

// matches tells whether all the filters hold: name, id, label and status. Locked.
func (b *box) matches(filters []string) bool {
	for _, f := range filters {
		key, value, _ := strings.Cut(f, "=")
		ok := false
		switch key {
		case "name":
			ok = strings.Contains(b.name, value)
		case "id":
			ok = strings.HasPrefix(b.id, value)
		case "status":
			ok = b.state == value
		case "label":
			ok = slices.ContainsFunc(b.labels, func(l string) bool { return l == value || strings.HasPrefix(l, value+"=") })
		}
		if !ok {
			return false
		}
	}
	return true
}

func (b *box) row(whole bool) psJSON {
	id := b.id
	if !whole {
		id = id[:12]
	}
	since := time.Since(b.created).Truncate(time.Second)
	r := psJSON{ID: id, Image: b.image.name, Command: `"` + strings.Join(b.command(), " ") + `"`, Names: b.name, State: b.state,
		CreatedAt: b.created.UTC().Format("2006-01-02 15:04:05 -0700 MST"), RunningFor: fmt.Sprintf("%d seconds ago", int(since.Seconds())),
		Labels: strings.Join(b.labels, ","), Networks: networkName(b.network), LocalVolumes: "0", Size: "0B"}
	switch b.state {
	case "running":
		r.Status = fmt.Sprintf("Up %d seconds", int(time.Since(b.started).Seconds()))
	case "exited":
		r.Status = fmt.Sprintf("Exited (%d) %d seconds ago", b.exitCode, int(time.Since(b.finished).Seconds()))
	default:
		r.Status = "Created"
	}
	return r
}

func (b *box) command() []string {
	if b.entrypoint == "" {
		return b.args
	}
	return append([]string{b.entrypoint}, b.args...)
}

// imageRow is an image as docker images tells it.
type imageRow struct {
	Containers, CreatedAt, CreatedSince, Digest, ID, Repository, SharedSize, Size, Tag, UniqueSize, VirtualSize string
}

func (c *dockerCall) listImages() int {
	if err := c.reach("Head /_ping"); err != nil {
		return c.fail(err)
	}
	c.engine.mu.Lock()
	var rows []imageRow
	for _, img := range slices.Backward(c.images) {
		if len(c.args) == 0 || img.isCalled(c.args[0]) {
			rows = append(rows, img.row(c.on("--no-trunc")))
		}
	}
	c.engine.mu.Unlock()
	return listing(c, rows, func(r imageRow) string { return r.ID }, "REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE",
		func(r imageRow) []string { return []string{r.Repository, r.Tag, r.ID, r.CreatedSince, r.Size} })
}

func (i *image) repository() (repository, tag string) {
	at := strings.LastIndexByte(i.name, ':')
	return i.name[:at], i.name[at+1:]
}

// isCalled takes a repository for all of its tags.
func (i *image) isCalled(name string) bool {
	repository, _ := i.repository()
	return name == i.name || name == repository
}

func (i *image) row(whole bool) imageRow {
	id := i.id[:12]
	if whole {
		id = "sha256:" + i.id
	}
	repository, tag := i.repository()
	return imageRow{Containers: "N/A", CreatedAt: i.created.UTC().Format("2006-01-02 15:04:05 -0700 MST"), CreatedSince: "3 weeks ago",
		Digest: "<none>", ID: id, Repository: repository, SharedSize: "N/A", Size: "1.98MB", Tag: tag, UniqueSize: "N/A", VirtualSize: "1.982MB"}
}

// inspect is docker inspect, and that of images and networks.
func (c *dockerCall) inspect() int {
	kind := c.value("--type")
	if words := strings.Fields(c.name); len(words) == 3 {
		kind = words[1]
	}
	found := []any{}
	var failed []error
	for _, name := range c.args {
		v, err := c.object(kind, name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		found = append(found, v)
	}
	if err := c.printObjects(found); err != nil {
		return c.fail(err)
	}
	for _, err := range failed {
		c.fail(err)
	}
	return min(len(failed), 1)
}

func (c *dockerCall) printObjects(found []any) error {
	if c.has("--format") {
		for _, v := range found {
			if err := c.format(v); err != nil {
				return err
			}
		}
		return nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(compact(found)), "", "    "); err != nil {
		return err
	}
	fmt.Fprintln(c.out, b.String())
	return nil
}

// object finds a thing of the kind, or of any.
func (c *dockerCall) object(kind, name string) (any, error) {
	if err := c.reach("Get " + api + inspectPath(kind) + name); err != nil {
		return nil, err
	}
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	if b := c.find(name); b != nil && (kind == "" || kind == "container") {
		return b.json(), nil
	}
	if img := c.image(name); img != nil && (kind == "" || kind == "image") {
		return img.json(), nil
	}
	if kind == "" || kind == "network" {
		if n := c.networkJSON(name); n != nil {
			return n, nil
		}
	}
	switch kind {
	case "container":
		return nil, daemonError(saysf("No such container: %s", name))
	case "image":
		return nil, daemonError(saysf("no such image: %s: No such image: %s", name, withTag(name)))
	case "network":
		return nil, daemonError(saysf("network %s not found", name))
	default:
		return nil, saysf("Error: No such object: %s", name)
	}
}

func inspectPath(kind string) string {
	switch kind {
	case "image":
		return "images/"
	case "network":
		return "networks/"
	default:
		return "containers/"
	}
}

// containerJSON is a container as docker inspect tells it, in its order; what nothing here depends on is left out.
type containerJSON struct {
	ID              string `json:"Id"`
	Created         string
	Path            string
	Args            []string
	State           stateJSON
	Image           string
	Name            string
	RestartCount    int
	Driver          string
	Platform        string
	HostConfig      hostConfigJSON
	Mounts          []string
	Config          configJSON
	NetworkSettings networkSettingsJSON
}

type stateJSON struct {
	Status                                       string
	Running, Paused, Restarting, OOMKilled, Dead bool
	Pid, ExitCode                                int
	Error, StartedAt, FinishedAt                 string
}

type hostConfigJSON struct {
	NetworkMode  string
	PortBindings map[string]string
	AutoRemove   bool
	DNS          []string `json:"Dns"`
	ExtraHosts   []string
	Privileged   bool
}

type configJSON struct {
	Hostname, Domainname, User string
	Env, Cmd                   []string
	Image                      string
	WorkingDir                 string
	Entrypoint                 []string
	Labels                     map[string]string
}

type networkSettingsJSON struct {
	Ports       map[string]string
	Gateway     string
	IPAddress   string
	IPPrefixLen int
	MacAddress  string
	Networks    map[string]endpointJSON
}

type endpointJSON struct {
	Links, Aliases                 []string
	NetworkID, EndpointID          string
	Gateway, IPAddress             string
	IPPrefixLen                    int
	IPv6Gateway, GlobalIPv6Address string
	GlobalIPv6PrefixLen            int
	MacAddress                     string
	DNSNames                       []string
}

func (b *box) json() containerJSON {
	v := containerJSON{
		ID: b.id, Created: stamp(b.created), Args: []string{}, Image: "sha256:" + b.image.id, Name: "/" + b.name, Driver: "overlay2",
		Platform: "linux", Mounts: []string{},
		State: stateJSON{Status: b.state, Running: b.state == "running", Pid: b.pid, ExitCode: b.exitCode, StartedAt: stamp(b.started),
			FinishedAt: stamp(b.finished)},
		HostConfig:      hostConfigJSON{NetworkMode: b.network, PortBindings: map[string]string{}, AutoRemove: b.autoRemove, DNS: []string{}},
		Config:          configJSON{Hostname: b.hostname, Env: b.env, Cmd: b.args, Image: b.image.name, Labels: map[string]string{}},
		NetworkSettings: networkSettingsJSON{Ports: map[string]string{}, Networks: map[string]endpointJSON{}},
	}
	if command := b.command(); len(command) > 0 {
		v.Path, v.Args = command[0], append(v.Args, command[1:]...)
	}
	if b.entrypoint != "" {
		v.Config.Entrypoint = []string{b.entrypoint}
	}
	for _, h := range b.extraHosts {
		v.HostConfig.ExtraHosts = append(v.HostConfig.ExtraHosts, h.String())
	}
	for _, l := range b.labels {
		key, value, _ := strings.Cut(l, "=")
		v.Config.Labels[key] = value
	}
	b.connections(&v.NetworkSettings)
	return v
}

// connections: the default bridge's address stands in two places, and a container that has ended has none.
func (b *box) connections(s *networkSettingsJSON) {
	if b.joined != nil {
		return
	}
	e := endpointJSON{}
	if b.net != nil && b.net.name != "bridge" {
		e.Aliases = []string{b.id[:12]}
	}
	if b.net != nil && b.address != "" {
		e.NetworkID, e.EndpointID = b.net.id, b.id
		e.Gateway, e.IPAddress, e.IPPrefixLen, e.MacAddress = b.net.gateway(), b.address, 16, b.mac()
		if b.net.name == "bridge" {
			s.Gateway, s.IPAddress, s.IPPrefixLen, s.MacAddress = e.Gateway, e.IPAddress, e.IPPrefixLen, e.MacAddress
		}
	}
	s.Networks[networkName(b.network)] = e
}

// mac is made from the address.
func (b *box) mac() string {
	var bytes [4]int
	_, _ = fmt.Sscanf(b.address, "%d.%d.%d.%d", &bytes[0], &bytes[1], &bytes[2], &bytes[3]) // the engine wrote it
	return fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3])
}

// imageJSON is an image as docker inspect tells it.
type imageJSON struct {
	ID           string `json:"Id"`
	RepoTags     []string
	RepoDigests  []string
	Created      string
	Config       configJSON
	Architecture string
	Os           string
	Size         int
}

func (i *image) json() imageJSON {
	return imageJSON{ID: "sha256:" + i.id, RepoTags: []string{i.name}, RepoDigests: []string{}, Created: stamp(i.created),
		Architecture: runtime.GOARCH, Os: "linux", Size: 1982277}
}

// networkJSON is a network as docker inspect tells it.
type networkJSON struct {
	Name       string
	ID         string `json:"Id"`
	Created    string
	Scope      string
	Driver     string
	EnableIPv6 bool
	IPAM       ipamJSON
	Internal   bool
	Containers map[string]memberJSON
	Options    map[string]string
	Labels     map[string]string
}

type ipamJSON struct {
	Driver  string
	Options map[string]string
	Config  []subnetJSON
}

type subnetJSON struct {
	Subnet  string
	Gateway string `json:",omitempty"`
}

type memberJSON struct {
	Name, EndpointID, MacAddress, IPv4Address, IPv6Address string
}

// networkJSON finds a network. The older engine does not tell the default bridge's gateway there.
func (e *engine) networkJSON(name string) *networkJSON {
	v := &networkJSON{Name: name, ID: e.id, Created: stamp(time.Now()), Scope: "local", Driver: map[string]string{"none": "null", "host": "host"}[name],
		IPAM: ipamJSON{Driver: "default", Config: []subnetJSON{}}, Containers: map[string]memberJSON{},
		Options: map[string]string{}, Labels: map[string]string{}}
	if v.Driver != "" {
		return v
	}
	n := e.network(name)
	if n == nil {
		return nil
	}
	v.Name, v.ID, v.Created, v.Driver = n.name, n.id, stamp(n.created), "bridge"
	v.IPAM.Config = []subnetJSON{{n.address(0) + "/16", n.gateway()}}
	if n.name == "bridge" {
		v.Options["com.docker.network.bridge.default_bridge"], v.Options["com.docker.network.bridge.name"] = "true", "docker0"
		if e.product.older {
			v.IPAM.Config[0].Gateway = ""
		}
	}
	for _, b := range e.boxes {
		if b.net == n && b.state == "running" {
			v.Containers[b.id] = memberJSON{Name: b.name, EndpointID: b.id, MacAddress: b.mac(), IPv4Address: b.address + "/16"}
		}
	}
	return v
}
