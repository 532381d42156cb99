// Package standin is the wire between a stand-in, which is a process of its own, and
// the process that holds the Mac: one connection a command, one request and one
// answer. Every room with an executable uses it.
//
// A request is how many strings follow, in decimal, and these: password, tool, folder,
// standard input and the arguments, a zero byte behind each. An answer is a line with
// the exit code and two lengths, and what is for stdout and stderr.
package standin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// What the stand-ins are told through their environment.
const (
	EnvServer = "SANDBOX_SERVER" // the Mac's address, a slash, and the password
	EnvPort   = "SANDBOX_PORT"   // the port that stands for 11434
	EnvSQLite = "SANDBOX_SQLITE" // the machine's own sqlite3, where it has one
	EnvSecond = "SANDBOX_SECOND" // what stands for a second in Ollama.app, as a duration
	EnvFaults = "SANDBOX_FAULTS" // the faults of ollama and of Ollama.app, as a URL query
)

// Request is what a stand-in sends to the Mac.
type Request struct {
	Password string
	Tool     string
	Args     []string
	Dir      string // working folder, for relative paths
	Stdin    string // for docker with --interactive
}

// Receive reads a request.
func Receive(r io.Reader) (q Request, err error) {
	b := bufio.NewReader(r)
	next := func() (text string) {
		if err == nil {
			text, err = b.ReadString(0)
		}
		return strings.TrimSuffix(text, "\x00")
	}
	n, _ := strconv.Atoi(next()) // 0 is too few
	q = Request{Password: next(), Tool: next(), Dir: next(), Stdin: next()}
	for i := 4; i < n && err == nil; i++ {
		q.Args = append(q.Args, next())
	}
	return q, err
}

func (q Request) send(w io.Writer) error {
	text := append([]string{q.Password, q.Tool, q.Dir, q.Stdin}, q.Args...)
	_, err := fmt.Fprintf(w, "%d\x00%s\x00", len(text), strings.Join(text, "\x00"))
	return err
}

// Answer is what a stand-in is to print, and its exit code.
type Answer struct {
	Stdout string
	Stderr string
	Code   int
}

// Pass is the code of an answer to a tool that is to do its work itself; on stdout is
// what it must know of the Mac.
const Pass = -1

// Send writes the answer.
func (a Answer) Send(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d %d %d\n%s%s", a.Code, len(a.Stdout), len(a.Stderr), a.Stdout, a.Stderr)
	return err
}

func receive(r io.Reader) (a Answer, err error) {
	b := bufio.NewReader(r)
	var out, errOut int
	if _, err := fmt.Fscanf(b, "%d %d %d\n", &a.Code, &out, &errOut); err != nil {
		return a, err
	}
	text := make([]byte, out+errOut)
	_, err = io.ReadFull(b, text)
	a.Stdout, a.Stderr = string(text[:out]), string(text[out:])
	return a, err
}

// Print prints the answer and returns its exit code.
func (a Answer) Print() int {
	_, _ = io.WriteString(os.Stdout, a.Stdout)
	_, _ = io.WriteString(os.Stderr, a.Stderr)
	return a.Code
}

// Fail is an answer with one line on stderr.
func Fail(code int, format string, args ...any) Answer {
	return Answer{Stderr: fmt.Sprintf(format, args...) + "\n", Code: code}
}

// Ask sends a tool's arguments to the Mac and waits for its answer. Where there is no
// Mac, the answer says so as well as the error.
func Ask(tool string, args []string) (a Answer, err error) {
	defer func() {
		if err != nil {
			a = Fail(1, "%s: no sandbox: %v", tool, err)
		}
	}()
	conn, err := send(tool, args)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	return receive(conn)
}

// send sends the request.
func send(tool string, args []string) (net.Conn, error) {
	address, password, ok := strings.Cut(os.Getenv(EnvServer), "/")
	if !ok {
		return nil, fmt.Errorf("%s is not set", EnvServer)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	dir, _ := os.Getwd() // "" serves as well for absolute paths
	var stdin []byte
	if tool == "docker" && (slices.Contains(args, "-i") || slices.Contains(args, "--interactive")) {
		stdin, _ = io.ReadAll(os.Stdin)
	}
	if err := (Request{password, tool, args, dir, string(stdin)}).send(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Alive is the tool that a process asks for that must not outlive the Mac; its argument
// is the pid. There is no answer: the Mac kills it when it is closed.
const Alive = "alive"

// Outlive returns when there is no Mac, or no longer: however it ended, its end of the
// connection goes with it.
func Outlive() {
	conn, err := send(Alive, []string{strconv.Itoa(os.Getpid())})
	if err == nil {
		_, _ = io.Copy(io.Discard, conn)
	}
}

// LinkOrCopy makes an executable under a second name, and the folder for it. A hard
// link, because macOS names a process that was started through a symbolic link after the
// link's target.
func LinkOrCopy(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	// A process forked while the copy is open for writing would keep it open, and
	// nobody could run it until that one is gone.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(to, data, 0o755)
}
