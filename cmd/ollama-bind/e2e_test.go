//go:build e2e

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The stories in testdata/e2e run on a real Docker Engine: that of DOCKER_HOST, which has to be on this machine's own kernel.
// .ci/e2e finds or starts one. One after the other, because they share the engine.
//
// The Mac is the sandbox's; its ollama really listens on this machine, and the containers are real. They have, beside the commands of
// the other stories, docker on their PATH and
//
//	run NAME [--tool T] [--image I] FLAG…   runs a container with these flags of docker run. I is busybox (the default: a shell, wget)
//	                                        or empty (no tool at all). T is one of the machine's own programs, mounted read-only:
//	                                        python3, curl or node. NAME begins with "e2e-"
//	network KIND                            makes a network; sets $NET, and for vm $GATEWAY
//	daemon KIND                             has docker talk to: nobody, where no socket is; mute, a daemon that never answers
//	within TIME CODE PROGRAM…               is exits, and wants the program to end in time
//	awaitown                                waits until the program has made a container of its own
//	runmany N NAME FLAG…                    runs N of them, NAME-1 and so on
//	ownaddress                              sets $ADDRESS, one of this machine that is not loopback, as those of a LAN are
//	events start|NAME                       from now on, whether docker does something in a container is looked at; nothing in NAME was
//	noneown                                 wants no container of the program's own
//	machine KIND                            starts a second engine, on a machine of its own, where .ci/e2e has made namespaces:
//	                                        remote, reached by TCP, or orbstack, which calls itself that; sets $ENGINE, its
//	                                        DOCKER_HOST, and $ADDRESS, which this machine has from there
//	project                                 makes project/ of the recipes in docs/onboarding.md, for docker compose, and takes down at
//	                                        the end what becomes of it; sets $WEB, the name of its container
//
// The kinds of network, all of them with containers of their own and this machine as their host:
//
//	plain      another bridge, as docker network create and compose make them
//	internal   one that leads to this machine at most
//	silent     packets to this machine vanish in a firewall
//	vm         as in a product with a virtual machine: $GATEWAY leads to this machine's loopback, whose services see a peer on
//	           loopback, and no other address leads to this machine; behind 192.0.2.1 there is silence
//
// After each story nothing may be left of it: no container, image, network or process.
var e2eCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"run":      e2eRun,
	"network":  e2eNetwork,
	"daemon":   e2eDaemon,
	"within":   e2eWithin,
	"awaitown": e2eAwaitOwn,
	"noneown":  e2eNoneOwn,
	"runmany":  e2eRunMany,
	"events":   e2eEvents,
	"ownaddress": func(ts *testscript.TestScript, neg bool, args []string) {
		out, err := theEngine(ts).docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", "bridge")
		ts.Check(err)
		subnet, err := netip.ParsePrefix(out)
		ts.Check(err)
		ts.Setenv("ADDRESS", subnet.Masked().Addr().Next().String())
	},
	"project": e2eProject,
}

const (
	e2eName  = "ollama-bind-e2e" // label, and first part of the names of all that is made here
	fullTime = time.Minute       // for one command of docker
)

func TestE2E(t *testing.T) {
	stories, err := filepath.Glob("testdata/e2e/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	e := connect(t)
	conditions["compose"] = func() bool { return e.compose != "" }
	e.recipes = readRecipes(t)
	e.sweep() // a run that was killed may have left something
	t.Cleanup(e.sweep)
	t.Cleanup(sweepOnSignal(e))
	e.makeImages(t)

	var told atomic.Int32
	t.Cleanup(func() {
		if told.Load() == 0 {
			t.Error("no story was run")
		}
	})
	all := maps.Clone(commands)
	maps.Copy(all, e2eCommands)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/e2e",
		Setup: func(env *testscript.Env) error {
			e.turn.Lock()
			env.Defer(e.turn.Unlock)
			told.Add(1)
			return e.setup(env)
		},
		Cmds:                all,
		Condition:           e2eCondition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// e2eCondition knows [tool:NAME] besides: the machine has the program.
func e2eCondition(cond string) (bool, error) {
	if tool, ok := strings.CutPrefix(cond, "tool:"); ok {
		_, err := os.Stat(filepath.Join("/usr/bin", tool))
		return err == nil, nil
	}
	return condition(cond)
}

// engine is a Docker Engine on this machine.
type engine struct {
	client  string // the docker program
	host    string // DOCKER_HOST
	compose string // what docker compose starts, or the docker-compose of those who have an older one; empty where there is none
	recipes map[string]string
	turn    sync.Mutex
	making  sync.Mutex             // held while a story has the engine make something
	story   atomic.Pointer[string] // the folder of the one that is being told
}

const realEngineKey = "real-engine"

func theEngine(ts *testscript.TestScript) *engine { return ts.Value(realEngineKey).(*engine) }

func connect(t *testing.T) *engine {
	client, err := exec.LookPath("docker")
	if err != nil {
		t.Fatalf("%v; make e2e gets an engine where there is none", err)
	}
	e := &engine{client: client, host: os.Getenv("DOCKER_HOST")}
	if e.host == "" {
		e.host = "unix:///var/run/docker.sock"
	}
	version, err := e.docker("version", "--format", "{{.Server.Version}}")
	if err != nil {
		t.Fatalf("no engine answers at %s: %v; make e2e gets one where there is none", e.host, err)
	}
	t.Logf("Docker Engine %s at %s", version, e.host)
	const plugin = `{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}`
	if e.compose, err = e.docker("info", "--format", plugin); err != nil {
		t.Fatal(err)
	}
	if e.compose == "" {
		e.compose, _ = exec.LookPath("docker-compose")
	}
	return e
}

// docker returns what the command prints, without white space around it.
func (e *engine) docker(args ...string) (string, error) { return e.dockerReads(nil, args...) }

func (e *engine) dockerReads(stdin []byte, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fullTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.client, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// make is docker for what has to be removed again.
func (e *engine) make(args ...string) (string, error) {
	e.making.Lock()
	defer e.making.Unlock()
	return e.docker(args...)
}

// list is a docker command whose answer is one word a line.
func (e *engine) list(args ...string) []string {
	out, err := e.docker(args...)
	if err != nil {
		return []string{err.Error()} // so that a test of an empty list shows it
	}
	return strings.Fields(out)
}

// labelled lists what the stories made, by themselves or with docker compose.
func (e *engine) labelled(args ...string) []string {
	own := e.list(append(args, "--filter", "label="+e2eName)...)
	return append(own, e.list(append(args, "--filter", "label=com.docker.compose.project="+e2eName)...)...)
}

// containers are those that the stories made, and those that were made from their images.
func (e *engine) containers() []string {
	return append(e.labelled("ps", "--all", "--format", "{{.Names}}"), e.programContainers()...)
}

// programContainers are those that the program under test made.
func (e *engine) programContainers() []string {
	var names []string
	for _, image := range images {
		for _, name := range e.list("ps", "--all", "--filter", "ancestor="+image, "--format", "{{.Names}}") {
			if !strings.HasPrefix(name, "e2e-") {
				names = append(names, name)
			}
		}
	}
	return names
}

func (e *engine) networks() []string {
	return e.labelled("network", "ls", "--format", "{{.Name}}")
}

// sweep removes all that was made here. What is not there cannot be removed, and is no error.
func (e *engine) sweep() {
	for _, name := range e.containers() {
		_, _ = e.docker("rm", "--force", "--volumes", name)
	}
	for _, name := range e.networks() {
		_, _ = e.docker("network", "rm", name)
	}
	if _, err := e.docker("image", "inspect", busyboxImage); err == nil {
		_, _ = e.docker(onHost(dropRules)...)
	}
	for _, image := range append(images, projectImage) {
		_, _ = e.docker("rmi", "--force", image)
	}
}

// sweepOnSignal sweeps before it lets the process be ended.
func sweepOnSignal(e *engine) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; ok {
			e.abandon()
			os.Exit(130)
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// abandon sweeps in the middle of a story, which may be making something just now.
func (e *engine) abandon() {
	e.making.Lock() // for good
	if story := e.story.Load(); story != nil {
		for pid := range processesIn(*story) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	// What a program had asked for that is killed now may come a little later.
	for range 3 {
		e.sweep()
		time.Sleep(200 * time.Millisecond)
	}
}

// setup is that of the other stories, with docker on the PATH.
func (e *engine) setup(env *testscript.Env) error {
	env.Values[realEngineKey] = e
	e.story.Store(&env.WorkDir)
	env.Defer(func() {
		if left := e.left(env.WorkDir); left != "" {
			env.T().Fatal("the story left behind: " + left)
		}
	})
	if err := setup(env); err != nil {
		return err
	}
	// Not a link: what runs in the background gets a short environment, without DOCKER_HOST.
	dir := filepath.Join(env.WorkDir, "docker-bin")
	script := fmt.Sprintf(`#!/bin/sh
export DOCKER_HOST=${DOCKER_HOST-%s}
[ "$1" != compose ] || { shift; exec %s "$@"; }
exec %s "$@"
`, e.host, e.compose, e.client)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		return err
	}
	env.Setenv("PATH", dir+string(filepath.ListSeparator)+env.Getenv("PATH"))
	return nil
}

// left waits a little for what a story left behind to go, and then says what it is.
func (e *engine) left(work string) string {
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		left = slices.Concat(e.containers(), e.networks(), e.foreignImages(), slices.Collect(maps.Values(processesIn(work))))
		if len(left) == 0 {
			return ""
		}
	}
	return strings.Join(left, ", ")
}

// foreignImages are images that nobody made here, but whose name says that they belong to this program.
func (e *engine) foreignImages() []string {
	var foreign []string
	for _, image := range e.list("images", "--filter", "reference=*ollama-bind*/*", "--filter", "reference=*ollama-bind*", "--format", "{{.Repository}}") {
		if !slices.Contains(images, image) {
			foreign = append(foreign, image)
		}
	}
	return foreign
}

// processesIn are the processes of the story that has this folder: their HOME is in it. A listener needs a process, so without one there
// is no listener either.
func processesIn(folder string) map[int]string {
	found := map[int]string{}
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environ, []byte("HOME="+folder+"/")) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if len(line) == 0 {
			continue // it has ended, and its parent has not looked yet
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			found[pid] = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// The images. Nothing is pulled.
const (
	busyboxImage = e2eName + "/busybox"
	emptyImage   = e2eName + "/empty"
	projectImage = e2eName + "_web" // which docker compose builds
)

var images = []string{busyboxImage, emptyImage}

func (e *engine) makeImages(t *testing.T) {
	t.Helper()
	busybox := staticBusybox(t)
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	image := newImage()
	image.file("bin/busybox", contents(t, busybox), 0o755)
	image.file("etc/nsswitch.conf", []byte("hosts: files dns\n"), 0o644)
	image.file("etc/passwd", []byte("root:x:0:0:root:/:/bin/sh\n"), 0o644)
	for _, applet := range strings.Fields(string(applets)) {
		if applet != "busybox" {
			image.link("bin/"+applet, "busybox")
		}
	}
	e.importImage(t, busyboxImage, image, `CMD ["sleep","3600"]`)

	image = newImage()
	image.file("sleeper", buildSleeper(t), 0o755)
	e.importImage(t, emptyImage, image, `CMD ["/sleeper"]`)
}

func (e *engine) importImage(t *testing.T, name string, image *image, command string) {
	t.Helper()
	if _, err := e.dockerReads(image.bytes(t), "import", "--change", command, "-", name); err != nil {
		t.Fatal(err)
	}
}

func staticBusybox(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static"} {
		program, err := elf.Open(path)
		if err != nil {
			continue
		}
		defer program.Close()
		if !slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			return path
		}
	}
	t.Fatal("no static busybox here; Debian has one in busybox-static")
	return ""
}

// buildSleeper compiles a static program that does nothing.
func buildSleeper(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "sleeper.go")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Hour) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "sleeper")
	cmd := exec.Command("go", "build", "-o", program, source)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return contents(t, program)
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// image is the one layer of an image.
type image struct {
	buffer bytes.Buffer
	tar    *tar.Writer
}

func newImage() *image {
	i := new(image)
	i.tar = tar.NewWriter(&i.buffer)
	return i
}

// Writing to a buffer fails only for a wrong header, and that bytes notices: the archive cannot be closed then.
func (i *image) file(name string, data []byte, mode int64) {
	_ = i.tar.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data)), Typeflag: tar.TypeReg})
	_, _ = i.tar.Write(data)
}

func (i *image) link(name, target string) {
	_ = i.tar.WriteHeader(&tar.Header{Name: name, Linkname: target, Mode: 0o777, Typeflag: tar.TypeSymlink})
}

func (i *image) bytes(t *testing.T) []byte {
	t.Helper()
	if err := i.tar.Close(); err != nil {
		t.Fatal(err)
	}
	return i.buffer.Bytes()
}

// libraries are what the machine's own programs need.
var libraries = []string{"/usr/lib", "/usr/share", "/lib", "/lib64"}

func mounts(paths ...string) []string {
	var args []string
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			args = append(args, "--volume", path+":"+path+":ro")
		}
	}
	return args
}

func e2eRun(ts *testscript.TestScript, neg bool, args []string) {
	e := theEngine(ts)
	name, flags, image := args[0], args[1:], busyboxImage
	run := []string{"run", "--detach", "--name", name, "--label", e2eName}
	for len(flags) > 1 && (flags[0] == "--tool" || flags[0] == "--image") {
		if flags[0] == "--image" {
			image = e2eName + "/" + flags[1]
		} else {
			run = append(run, mounts(append(libraries, "/usr/bin/"+flags[1])...)...)
		}
		flags = flags[2:]
	}
	if !strings.HasPrefix(name, "e2e-") {
		ts.Fatalf("the name of a container begins with e2e-")
	}
	ts.Defer(func() { _, _ = e.docker("rm", "--force", "--volumes", name) }) // the check at the end sees one that stays
	_, err := e.make(append(append(run, flags...), image)...)
	ts.Check(err)
}

func e2eRunMany(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := range n {
		e2eRun(ts, false, append([]string{fmt.Sprintf("%s-%d", args[1], i+1)}, args[2:]...))
	}
}

// e2eEvents asks the engine for what it has done since.
func e2eEvents(ts *testscript.TestScript, neg bool, args []string) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	if args[0] == "start" {
		ts.Setenv("SINCE", now)
		return
	}
	out, err := theEngine(ts).docker("events", "--since", ts.Getenv("SINCE"), "--until", now, "--filter", "container="+args[0])
	ts.Check(err)
	if out != "" {
		ts.Fatalf("%s was touched: %s", args[0], out)
	}
}

// vmGateway is where Docker Desktop has the host. It is on no network here, so containers send what goes there to this machine, as to
// their way out.
const vmGateway = "192.168.65.254"

func e2eNetwork(ts *testscript.TestScript, neg bool, args []string) {
	e, name := theEngine(ts), e2eName+"-"+args[0]
	create := []string{"network", "create", "--label", e2eName}
	var rules []string
	switch args[0] {
	case "plain":
	case "internal":
		create = append(create, "--internal")
	case "silent":
		rules = []string{"-t filter -I INPUT -i $BRIDGE -j DROP"}
	case "vm":
		ts.Setenv("GATEWAY", vmGateway)
		rules = []string{
			"-t nat -I PREROUTING -i $BRIDGE -d " + vmGateway + " -p tcp -j DNAT --to-destination 127.0.0.1",
			"-t nat -I INPUT -i $BRIDGE -d 127.0.0.1 -p tcp -j SNAT --to-source 127.0.0.1",
			"-t filter -I INPUT -i $BRIDGE -p tcp -j REJECT --reject-with tcp-reset",
			"-t filter -I INPUT -i $BRIDGE -d 127.0.0.1 -p tcp -j ACCEPT",
			"-t filter -I FORWARD -i $BRIDGE -d 192.0.2.1 -j DROP",
		}
	default:
		ts.Fatalf("network plain|internal|silent|vm")
	}
	id, err := e.make(append(create, name)...)
	ts.Check(err)
	ts.Defer(func() {
		if len(rules) > 0 {
			_, _ = e.docker(onHost(dropRules)...)
		}
		_, _ = e.docker("network", "rm", name)
	})
	ts.Setenv("NET", name)
	if len(rules) == 0 {
		return
	}
	bridge := "br-" + id[:12]
	script := "set -e; echo 1 >/settings/ipv4/conf/" + bridge + "/route_localnet"
	for _, rule := range rules {
		script += "; iptables " + strings.ReplaceAll(rule, "$BRIDGE", bridge) + " -m comment --comment " + e2eName
	}
	_, err = e.make(onHost(script)...)
	ts.Check(err)
}

// dropRules removes the firewall rules of all networks.
const dropRules = `for table in nat filter; do
	iptables -t $table -S | sed -n '/` + e2eName + `/s/^-A/-D/p' | while read -r rule; do iptables -t $table $rule; done
done`

// onHost is a docker command that runs a script with this machine's network and its iptables. Everyone who may use the engine may do that
// without being root.
func onHost(script string) []string {
	args := append([]string{"run", "--rm", "--label", e2eName, "--network", "host", "--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW",
		"--volume", "/proc/sys/net:/settings"}, // the engine has its own read-only
		mounts(append(libraries, "/usr/sbin", "/etc/alternatives")...)...)
	return append(args, busyboxImage, "sh", "-c", script)
}

func e2eDaemon(ts *testscript.TestScript, neg bool, args []string) {
	socket := ts.MkAbs("docker.sock")
	ts.Setenv("DOCKER_HOST", "unix://"+socket)
	switch args[0] {
	case "nobody":
	case "mute":
		listener, err := net.Listen("unix", socket) // whose queue takes connections
		ts.Check(err)
		ts.Defer(func() { listener.Close() })
	default:
		ts.Fatalf("daemon nobody|mute")
	}
}

func e2eWithin(ts *testscript.TestScript, neg bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	start := time.Now()
	cmdExits(ts, neg, args[1:])
	if took := time.Since(start); took > limit {
		ts.Fatalf("it took %s, not %s", took.Round(time.Millisecond), limit)
	}
}

func e2eAwaitOwn(ts *testscript.TestScript, neg bool, args []string) {
	eventually(ts, "the program has made a container", func() bool { return len(theEngine(ts).programContainers()) > 0 })
}

func e2eNoneOwn(ts *testscript.TestScript, neg bool, args []string) {
	if own := theEngine(ts).programContainers(); len(own) > 0 {
		ts.Fatalf("%s containers are left: %s", strconv.Itoa(len(own)), strings.Join(own, ", "))
	}
}

// e2eProject has docker compose use the names that its first version had, because some have no other.
func e2eProject(ts *testscript.TestScript, neg bool, args []string) {
	e := theEngine(ts)
	ts.Check(writeRecipes(ts.MkAbs("project"), e.recipes))
	ts.Setenv("COMPOSE_PROJECT_NAME", e2eName)
	ts.Setenv("COMPOSE_COMPATIBILITY", "1")
	ts.Setenv("WEB", projectImage+"_1")
	ts.Defer(func() {
		_, _ = e.docker("rm", "--force", "--volumes", projectImage+"_1")
		_, _ = e.docker("network", "rm", e2eName+"_default")
		_, _ = e.docker("rmi", "--force", projectImage)
	})
}
