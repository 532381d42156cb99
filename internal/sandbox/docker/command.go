package docker

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// call is one command of the docker executable.
type call struct {
	*Engine
	ctx      context.Context // ends when the executable has gone
	stdin    string
	out, err strings.Builder
}

// Answer does one command and returns what the executable is to print, when the command
// has ended. When ctx does, since the executable has gone, a started container goes on,
// as with a real engine; a program begun with exec ends.
func (e *Engine) Answer(ctx context.Context, args []string, stdin string) standin.Answer {
	c := &call{Engine: e, ctx: ctx, stdin: stdin}
	code := c.do(args)
	return standin.Answer{Stdout: c.out.String(), Stderr: c.err.String(), Code: code}
}

// commands are the beginnings of command lines, and what is done with the rest. They
// are those of internal/container, word by word.
var commands = []struct {
	words []string
	do    func(c *call, args []string) int
}{
	{[]string{"info", "--format", "{{json .}}"}, (*call).info},
	{[]string{"context", "inspect", "--format", "{{.Endpoints.docker.Host}}"}, (*call).endpoint},
	{[]string{"ps", "--all", "-q", "--no-trunc"}, (*call).list},
	{[]string{"ps", "--all"}, (*call).filtered},
	{[]string{"inspect", "--type", "container", "--"}, (*call).inspect},
	{[]string{"network", "inspect"}, (*call).inspectNetwork},
	{[]string{"images", "--format", "{{.Repository}}:{{.Tag}}"}, (*call).listImages},
	{[]string{"exec", "-i"}, (*call).exec},
	{[]string{"create", "--interactive", "--pull", "never"}, (*call).create},
	{[]string{"start", "--attach", "--interactive"}, (*call).start},
	{[]string{"rm", "--force", "--volumes"}, (*call).rm},
}

func (c *call) do(args []string) int {
	if err := c.reach(); err != nil {
		return c.fail(err)
	}
	for _, command := range commands {
		n := len(command.words)
		if len(args) >= n && slices.Equal(args[:n], command.words) {
			return command.do(c, args[n:])
		}
	}
	return c.unknown(args)
}

func (c *call) unknown(args []string) int {
	fmt.Fprintf(&c.err, "docker: the sandbox does not know this command: %q\n", args)
	return 125
}

// fail prints an error, and returns the exit code 1.
func (c *call) fail(err error) int {
	fmt.Fprintln(&c.err, err)
	return 1
}

// refuse is fail for what the engine answers.
func (c *call) refuse(err error) int {
	return c.fail(sayingf("Error response from daemon: %v", err))
}

// reach says why the executable cannot reach the engine, or nil.
func (c *call) reach() error {
	const socket = "unix:///var/run/docker.sock"
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, on := c.fault("docker-no-permission"); on {
		return sayingf("permission denied while trying to connect to the Docker daemon "+
			"socket at %s: connect: permission denied", socket)
	}
	if c.down {
		return sayingf("Cannot connect to the Docker daemon at %s. "+
			"Is the docker daemon running?", socket)
	}
	return nil
}

// list is a flag that can be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

func newFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// exec runs a program in a running container.
func (c *call) exec(args []string) int {
	flags := newFlags()
	if flags.Parse(args) != nil || flags.NArg() < 2 {
		return c.unknown(args)
	}
	b, err := c.findRunning(flags.Arg(0))
	if err != nil {
		return c.refuse(err)
	}
	argv := flags.Args()[1:]
	if err := b.missing(argv[0]); err != nil { // on stdout, and with this line ending
		fmt.Fprintf(&c.out, "OCI runtime exec failed: exec failed: %v\r\n", err)
		if b.product.native {
			return 126
		}
		return 127
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	return c.play(ctx, b, argv)
}

func (c *call) findRunning(name string) (*box, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.find(name)
	switch {
	case b == nil:
		return nil, sayingf("No such container: %s", name)
	case b.state != "running":
		return nil, sayingf("Container %s is not running", b.id)
	}
	return b, nil
}

// create makes a container of an image. Nothing is pulled.
func (c *call) create(args []string) int {
	flags := newFlags()
	name, label := flags.String("name", "", ""), flags.String("label", "", "")
	network := flags.String("network", "", "")
	entrypoint := flags.String("entrypoint", "", "")
	if flags.Parse(args) != nil || flags.NArg() < 1 {
		return c.unknown(args)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	image := c.image(flags.Arg(0))
	if image == nil {
		return c.refuse(sayingf("No such image: %s", withTag(flags.Arg(0))))
	}
	b := c.Engine.create(Container{
		Name: *name, Image: image.name, Network: *network, Tools: image.tools,
	})
	b.label, b.argv = *label, append([]string{*entrypoint}, flags.Args()[1:]...)
	fmt.Fprintln(&c.out, b.id)
	return 0
}

// start runs a container's program to its end.
func (c *call) start(args []string) int {
	b, err := c.launch(args)
	if err != nil {
		return c.refuse(err)
	}
	code := c.play(b.ctx, b, b.argv)
	c.mu.Lock()
	defer c.mu.Unlock()
	b.end()
	return code
}

func (c *call) launch(args []string) (*box, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := strings.Join(args, " ")
	b := c.find(name)
	if b == nil || len(b.argv) == 0 {
		return nil, sayingf("No such container: %s", name)
	}
	if err := b.missing(b.argv[0]); err != nil {
		return nil, sayingf("failed to create task for container: failed to create shim task: "+
			"OCI runtime create failed: runc create failed: %v", err)
	}
	return b, c.Engine.launch(b)
}

// rm removes containers. One that is not there is reported, and is no failure.
func (c *call) rm(args []string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range args {
		if b := c.find(name); b != nil {
			c.remove(b)
			fmt.Fprintln(&c.out, name)
		} else {
			c.refuse(sayingf("No such container: %s", name))
		}
	}
	return 0
}

// killed is the exit code of a program that got SIGKILL.
const killed = 137

// play runs curl, unless a fault is played instead.
func (c *call) play(ctx context.Context, b *box, argv []string) int {
	code := 0
	if size, floods := c.fault("exec-floods"); floods {
		n, _ := strconv.Atoi(size)
		c.out.WriteString(strings.Repeat("0", n))
	} else if _, hangs := c.fault("hang-exec"); hangs {
		<-ctx.Done()
	} else {
		code = curl(ctx, b, argv[1:], c.stdin, &c.out, &c.err)
	}
	if ctx.Err() != nil {
		return killed
	}
	return code
}
