package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Docker runs the docker executable, as a program on this Mac would. The exit code is -1 if it could not be run.
func (m *Mac) Docker(args ...string) (stdout, stderr string, code int) {
	return m.Run("docker", args...)
}

// frame is a piece of what the docker executable is to print. The last one has the exit code.
type frame struct {
	Out, Err []byte
	Last     bool
	Code     int
}

// dockerMain is a client of the engine: what runs in a container does not end with it.
func dockerMain(args []string) int {
	conn, err := send("docker", args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "docker: no sandbox: %v\n", err)
		return 1
	}
	defer conn.Close()
	if len(args) > 0 && slices.Contains([]string{"run", "start", "exec"}, args[0]) {
		// The real one passes them on, and a container's first program does not mind them.
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	}
	frames := json.NewDecoder(conn)
	var a answer
	if err := frames.Decode(&a); err != nil {
		fmt.Fprintf(os.Stderr, "docker: no sandbox: %v\n", err)
		return 1
	}
	if !a.Pass {
		return a.print()
	}
	return printFrames(frames)
}

func printFrames(frames *json.Decoder) int {
	for {
		var f frame
		if err := frames.Decode(&f); err != nil {
			fmt.Fprintln(os.Stderr, "error during connect: unexpected EOF")
			return 1
		}
		_, _ = os.Stdout.Write(f.Out)
		_, _ = os.Stderr.Write(f.Err)
		if f.Last {
			return f.Code
		}
	}
}

// dockerCall is one command of docker. Its answer may have been sent in part already.
type dockerCall struct {
	*engine
	name string // "docker run"
	conn net.Conn
	out  io.Writer
	err  io.Writer
	*frames
	flags
}

// frames sends frames, one at a time.
type frames struct {
	mu sync.Mutex
	to *json.Encoder
}

func (f *frames) send(one frame) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.to.Encode(one)
}

// stream sends what is written as frames; to a client that has gone it fails.
type stream struct {
	frames *frames
	frame  func(p []byte) frame
}

func (s stream) Write(p []byte) (int, error) {
	if err := s.frames.send(s.frame(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// dockerCommand is a command of docker: what its usage says, and the options that it has, each with how it is abbreviated.
type dockerCommand struct {
	usage  string
	least  int    // arguments that it needs
	values string // options with a value: "--name -e,--env"
	bools  string
	inner  bool // what follows the first argument are not options
	run    func(c *dockerCall) int
}

var dockerCommands map[string]dockerCommand

func init() {
	inspectValues := "-f,--format --type"
	creationValues := "--pull --name --network,--net --add-host -l,--label -e,--env --entrypoint -u,--user -w,--workdir --log-driver " +
		"--cap-drop --security-opt -m,--memory --pids-limit --cpus --stop-timeout"
	creationBools := "--rm -i,--interactive -q,--quiet --init --read-only --no-healthcheck"
	dockerCommands = map[string]dockerCommand{
		"info":            {"[OPTIONS]", 0, "-f,--format", "", false, (*dockerCall).info},
		"version":         {"[OPTIONS]", 0, "-f,--format", "", false, (*dockerCall).version},
		"context show":    {"", 0, "", "", false, (*dockerCall).contextShow},
		"ps":              {"[OPTIONS]", 0, "-f,--filter --format", "-q,--quiet --no-trunc -a,--all", false, (*dockerCall).ps},
		"inspect":         {"[OPTIONS] NAME|ID [NAME|ID...]", 1, inspectValues, "", false, (*dockerCall).inspect},
		"network inspect": {"[OPTIONS] NETWORK [NETWORK...]", 1, inspectValues, "", false, (*dockerCall).inspect},
		"image inspect":   {"[OPTIONS] IMAGE [IMAGE...]", 1, inspectValues, "", false, (*dockerCall).inspect},
		"images":          {"[OPTIONS] [REPOSITORY[:TAG]]", 0, "--format", "-q,--quiet --no-trunc -a,--all", false, (*dockerCall).listImages},
		"exec": {"[OPTIONS] CONTAINER COMMAND [ARG...]", 2, "-e,--env -u,--user -w,--workdir", "-i,--interactive --privileged", true,
			(*dockerCall).exec},
		"run":    {"[OPTIONS] IMAGE [COMMAND] [ARG...]", 1, creationValues, creationBools, true, (*dockerCall).run},
		"create": {"[OPTIONS] IMAGE [COMMAND] [ARG...]", 1, creationValues, creationBools, true, (*dockerCall).makeContainer},
		"start":  {"[OPTIONS] CONTAINER [CONTAINER...]", 1, "", "-a,--attach -i,--interactive", false, (*dockerCall).startContainer},
		"rm":     {"[OPTIONS] CONTAINER [CONTAINER...]", 1, "", "-f,--force -v,--volumes", false, (*dockerCall).rm},
		"kill":   {"[OPTIONS] CONTAINER [CONTAINER...]", 1, "-s,--signal", "", false, (*dockerCall).kill},
	}
}

// dockerAliases are other names of the commands.
var dockerAliases = map[string]string{
	"container ls": "ps", "container list": "ps", "container ps": "ps", "container inspect": "inspect", "container run": "run",
	"container exec": "exec", "container rm": "rm", "container kill": "kill", "image ls": "images", "image list": "images",
	"system info": "info",
}

// answer does one command of the docker executable, and sends what that is to print.
func (e *engine) answer(conn net.Conn, args []string) {
	c := newDockerCall(e, conn)
	c.finish(c.do(args))
}

func newDockerCall(e *engine, conn net.Conn) *dockerCall {
	c := &dockerCall{engine: e, conn: conn}
	send := &frames{to: json.NewEncoder(conn)}
	c.frames = send
	c.out = stream{send, func(p []byte) frame { return frame{Out: p} }}
	c.err = stream{send, func(p []byte) frame { return frame{Err: p} }}
	return c
}

// finish tells the exit code. A client that was killed meanwhile needs none.
func (c *dockerCall) finish(code int) { _ = c.send(frame{Last: true, Code: code}) }

func (c *dockerCall) do(args []string) int {
	name, command, rest, ok := findCommand(args)
	c.name = "docker " + name
	if !ok {
		fmt.Fprintf(c.err, "docker: unknown command: docker %s\n\nRun 'docker --help' for more information\n", name)
		return 1
	}
	var err error
	if c.flags, err = parseFlags(command, rest); err != nil {
		fmt.Fprintf(c.err, "%v\n\nUsage:  %s %s\n\nRun '%s --help' for more information\n", err, c.name, command.usage, c.name)
		return 125
	}
	if len(c.args) < command.least {
		fmt.Fprintf(c.err, "docker: '%s' requires at least %d argument%s\n\nUsage:  %s %s\n\nSee '%s --help' for more information\n",
			c.name, command.least, plural(command.least), c.name, command.usage, c.name)
		return 1
	}
	return command.run(c)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func findCommand(args []string) (name string, command dockerCommand, rest []string, ok bool) {
	for _, words := range []int{2, 1} {
		if len(args) < words {
			continue
		}
		name = strings.Join(args[:words], " ")
		key := name
		if alias, ok := dockerAliases[name]; ok {
			key = alias
		}
		if command, ok = dockerCommands[key]; ok {
			return name, command, args[words:], true
		}
	}
	return name, command, nil, false
}

// flags are a command's options, by their long names, and arguments.
type flags struct {
	values map[string][]string
	args   []string
}

func (f flags) on(name string) bool { return f.value(name) == "true" }

// value is the option's last value, or "".
func (f flags) value(name string) string {
	all := f.values[name]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

func (f flags) has(name string) bool { return len(f.values[name]) > 0 }

// parseFlags reads a command's options and arguments. The errors are docker's.
func parseFlags(command dockerCommand, args []string) (flags, error) {
	f := flags{values: map[string][]string{}}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			f.args = append(f.args, args...)
			return f, nil
		case len(arg) < 2 || arg[0] != '-':
			f.args = append(f.args, arg)
			if command.inner {
				f.args = append(f.args, args...)
				return f, nil
			}
		default:
			var err error
			if args, err = f.option(command, arg, args); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// option reads one option, and returns the arguments that are left.
func (f flags) option(command dockerCommand, arg string, rest []string) ([]string, error) {
	name, value, given := strings.Cut(arg, "=")
	if !strings.HasPrefix(arg, "--") && len(arg) > 2 {
		name = arg[:2]
		value, given = strings.TrimPrefix(arg[2:], "="), true
	}
	if long, ok := longName(command.bools, name); ok {
		if !strings.HasPrefix(arg, "--") && given { // -aq
			return f.option(command, "-"+value, append([]string{}, f.turnOn(long, rest)...))
		}
		if !given {
			value = "true"
		}
		f.values[long] = append(f.values[long], value)
		return rest, nil
	}
	long, ok := longName(command.values, name)
	switch {
	case !ok && strings.HasPrefix(arg, "--"):
		return nil, saysf("unknown flag: %s", name)
	case !ok:
		return nil, saysf("unknown shorthand flag: '%s' in %s", name[1:], arg)
	case !given && len(rest) == 0:
		return nil, saysf("flag needs an argument: %s", name)
	case !given:
		value, rest = rest[0], rest[1:]
	}
	f.values[long] = append(f.values[long], value)
	return rest, nil
}

func (f flags) turnOn(long string, rest []string) []string {
	f.values[long] = append(f.values[long], "true")
	return rest
}

// longName finds an option in a list such as "-q,--quiet --no-trunc". The last of its names counts, but --network's other one is --net.
func longName(list, name string) (string, bool) {
	for entry := range strings.FieldsSeq(list) {
		names := strings.Split(entry, ",")
		if slices.Contains(names, name) {
			if strings.HasPrefix(names[0], "--") {
				return names[0], true
			}
			return names[len(names)-1], true
		}
	}
	return "", false
}

// fail prints an error as docker does, and returns the exit code 1.
func (c *dockerCall) fail(err error) int {
	fmt.Fprintln(c.err, err)
	return 1
}

// daemonError is an error that the engine answers with.
func daemonError(err error) error { return saysf("Error response from daemon: %v", err) }

// reach tells why the command line cannot reach the engine: request is what it would ask.
func (c *dockerCall) reach(request string) error {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	socket := c.socketPath()
	if _, on := c.fault("docker-no-permission"); on {
		method, path, _ := strings.Cut(request, " ")
		return saysf("permission denied while trying to connect to the Docker daemon socket at unix://%s: %s \"http://%s%s\": "+
			"dial unix %s: connect: permission denied", socket, method, strings.ReplaceAll(socket, "/", "%2F"), path, socket)
	}
	if c.down {
		return saysf("Cannot connect to the Docker daemon at unix://%s. Is the docker daemon running?", socket)
	}
	return nil
}

const api = "/v1.50/"

func (c *dockerCall) contextShow() int {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	fmt.Fprintln(c.out, c.product.context)
	return 0
}

func (c *dockerCall) rm() int {
	return c.each(func(name string) error {
		method := "Delete " + api + "containers/" + name
		if c.on("--force") {
			method += "?force=1"
		}
		if err := c.reach(method); err != nil {
			return err
		}
		return c.remove(name)
	})
}

// each does the same to every container that is named, and prints the names of those with which it went well.
func (c *dockerCall) each(do func(name string) error) int {
	code := 0
	for _, name := range c.args {
		err := do(name)
		switch {
		case err == nil:
			fmt.Fprintln(c.out, name)
		case errors.Is(err, errMissingIsFine):
			c.fail(saysf("Error response from daemon: No such container: %s", name))
		default:
			code = c.fail(err)
		}
	}
	return code
}

// errMissingIsFine: docker rm -f tells that there is no such container, and succeeds.
var errMissingIsFine = errors.New("missing")

func (c *dockerCall) remove(name string) error {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	b := c.find(name)
	switch {
	case b == nil && c.on("--force"):
		return errMissingIsFine
	case b == nil:
		return daemonError(saysf("No such container: %s", name))
	case b.state == "running" && !c.on("--force"):
		return daemonError(saysf("You cannot remove a running container %s. Stop the container before attempting removal or force remove", b.id))
	}
	c.end(b, killed)
	c.forget(b)
	return nil
}

func (c *dockerCall) kill() int {
	return c.each(func(name string) error {
		if err := c.reach("Post " + api + "containers/" + name + "/kill"); err != nil {
			return err
		}
		c.engine.mu.Lock()
		defer c.engine.mu.Unlock()
		b := c.find(name)
		switch {
		case b == nil:
			return daemonError(saysf("Cannot kill container: %s: No such container: %s", name, name))
		case b.state != "running":
			return daemonError(saysf("Cannot kill container: %s: Container %s is not running", name, b.id))
		}
		c.end(b, killed)
		return nil
	})
}

func (c *dockerCall) exec() int {
	name := c.args[0]
	if err := c.reach("Get " + api + "containers/" + name + "/json"); err != nil {
		return c.fail(err)
	}
	b, ctx, err := c.running(name)
	if err != nil {
		return c.fail(daemonError(err))
	}
	run, err := b.lookPath(c.args[1])
	if err != nil { // on stdout, and with this line ending
		fmt.Fprintf(c.out, "OCI runtime exec failed: exec failed: unable to start container process: %v: unknown\r\n", err)
		if b.product.older {
			return 126
		}
		return 127
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go c.watch(cancel)
	return c.play(ctx, run, &containerProcess{box: b, argv: c.args[2:], env: environment(b.env, c.values["--env"])})
}

// running finds a container that runs, and what ends with it.
func (c *dockerCall) running(name string) (*box, context.Context, error) {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	b := c.find(name)
	switch {
	case b == nil:
		return nil, nil, saysf("No such container: %s", name)
	case b.state != "running":
		return nil, nil, saysf("Container %s is not running", b.id)
	}
	return b, b.ctx, nil
}

// watch calls gone when the client has.
func (c *dockerCall) watch(gone func()) {
	_, _ = io.Copy(io.Discard, c.conn)
	gone()
}

// run is docker run. As with the real one, its container lives on when the client is killed.
func (c *dockerCall) run() int {
	b, code, err := c.newContainer()
	if err == nil {
		code, err = c.startBox(b)
	}
	if err != nil {
		fmt.Fprintf(c.err, "docker: %v\n\nRun 'docker run --help' for more information\n", err)
		if b != nil {
			c.discard(b)
		}
	}
	return code
}

// makeContainer is docker create.
func (c *dockerCall) makeContainer() int {
	b, _, err := c.newContainer()
	if err != nil {
		return c.fail(err)
	}
	fmt.Fprintln(c.out, b.id)
	return 0
}

// startContainer is docker start.
func (c *dockerCall) startContainer() int {
	if !c.on("--attach") || len(c.args) > 1 {
		return c.fail(saysf("the sandbox has no docker start but with --attach and one container"))
	}
	name := c.args[0]
	if err := c.reach("Get " + api + "containers/" + name + "/json"); err != nil {
		return c.fail(err)
	}
	c.engine.mu.Lock()
	b := c.find(name)
	c.engine.mu.Unlock()
	if b == nil {
		return c.fail(daemonError(saysf("No such container: %s", name)))
	}
	code, err := c.startBox(b)
	if err != nil {
		return c.fail(err)
	}
	return code
}

// extraHosts reads --add-host. The real one prints its usage as well for what is none.
func (c *dockerCall) extraHosts() ([]extraHost, error) {
	var hosts []extraHost
	for _, line := range c.values["--add-host"] {
		h, err := parseExtraHost(line)
		if err != nil {
			return nil, saysf("invalid argument %q for \"--add-host\" flag: %v", line, err)
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// newContainer makes the container that docker run and docker create have in their arguments; code is that of docker run.
func (c *dockerCall) newContainer() (b *box, code int, err error) {
	if pull := c.value("--pull"); c.has("--pull") && !slices.Contains([]string{"always", "missing", "never"}, pull) {
		return nil, 125, saysf("invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", pull)
	}
	if err := c.reach("Head /_ping"); err != nil {
		if _, on := c.fault("docker-no-permission"); on {
			return nil, 126, err
		}
		return nil, 125, err
	}
	hosts, err := c.extraHosts()
	if err != nil {
		return nil, 125, err
	}
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	img := c.image(c.args[0])
	if img == nil {
		return nil, 125, daemonError(c.noImage())
	}
	b, err = c.create(creation{
		name: c.value("--name"), image: img, env: c.values["--env"], extraHosts: hosts, network: c.value("--network"),
		labels: c.values["--label"], entrypoint: c.value("--entrypoint"), args: c.args[1:], autoRemove: c.on("--rm"),
	})
	if err != nil {
		return nil, 125, daemonError(err)
	}
	return b, 0, nil
}

// noImage: nothing is pulled, the sandbox has no network.
func (c *dockerCall) noImage() error {
	if c.value("--pull") == "never" {
		return saysf("No such image: %s", withTag(c.args[0]))
	}
	fmt.Fprintf(c.err, "Unable to find image '%s' locally\n", withTag(c.args[0]))
	return saysf("Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host")
}

// startBox runs a container's program to its end. With an error, it did not start, and code is that of docker run; docker start has 1.
func (c *dockerCall) startBox(b *box) (code int, err error) {
	argv := b.command()
	if len(argv) == 0 {
		return 125, daemonError(saysf("No command specified"))
	}
	run, missing := b.lookPath(argv[0])
	c.engine.mu.Lock()
	if missing == nil {
		err = c.launch(b)
	}
	ctx := b.ctx
	c.engine.mu.Unlock()
	switch {
	case missing != nil:
		what := "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process"
		if !b.product.older {
			what = "failed to create task for container: " + what
		}
		return c.startFailed(127), daemonError(saysf("%s: %v: unknown", what, missing))
	case err != nil:
		return c.startFailed(125), daemonError(err)
	}
	code = c.play(ctx, run, &containerProcess{box: b, argv: argv[1:], env: environment(b.env)})
	c.engine.mu.Lock()
	c.end(b, code)
	c.engine.mu.Unlock()
	return code, nil
}

// startFailed is the exit code of a container that did not start: docker start does not tell why.
func (c *dockerCall) startFailed(code int) int {
	if c.name == "docker start" {
		return 1
	}
	return code
}

// discard removes a container that could not start, if it was to be removed at its end.
func (c *dockerCall) discard(b *box) {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	if b.autoRemove {
		c.forget(b)
	}
}

// play runs a program, unless a fault is played instead. What it prints after the client has gone is lost.
func (c *dockerCall) play(ctx context.Context, run program, p *containerProcess) int {
	p.out, p.err = unheard{c.out}, unheard{c.err}
	if _, on := c.fault("hang-exec"); on {
		<-ctx.Done()
		return killed
	}
	if size, on := c.fault("exec-floods"); on {
		return flood(ctx, c.out, size)
	}
	code := run(ctx, p)
	if ctx.Err() != nil {
		return killed
	}
	return code
}

// unheard is a writer whose failures nobody hears of.
type unheard struct{ io.Writer }

func (u unheard) Write(p []byte) (int, error) {
	_, _ = u.Writer.Write(p)
	return len(p), nil
}

// flood prints that many bytes.
func flood(ctx context.Context, w io.Writer, size string) int {
	var left int
	_, _ = fmt.Sscan(size, &left) // checked when it was set
	chunk := bytes.Repeat([]byte("0123456789abcde\n"), 4<<10)
	for left > 0 && ctx.Err() == nil {
		n, err := w.Write(chunk[:min(left, len(chunk))])
		if err != nil {
			return killed
		}
		left -= n
	}
	return 0
}

// environment puts KEY=VALUE lists together; later ones win.
func environment(lists ...[]string) map[string]string {
	env := map[string]string{}
	for _, list := range lists {
		for _, kv := range list {
			if key, value, ok := strings.Cut(kv, "="); ok {
				env[key] = value
			}
		}
	}
	return env
}
