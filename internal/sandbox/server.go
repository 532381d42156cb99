package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/lsof"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/ps"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// server is the door for the stand-ins: one connection a command, one request and one
// answer.
type server struct {
	mac      *Mac
	listener net.Listener
	password string // keeps other users of the machine from starting programs here
	wg       sync.WaitGroup
}

func (m *Mac) serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	m.server = &server{mac: m, listener: listener, password: rand.Text()}
	m.server.wg.Go(m.server.accept)
	return nil
}

func (s *server) address() string { return s.listener.Addr().String() + "/" + s.password }

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() { s.converse(conn) })
	}
}

func (s *server) converse(conn net.Conn) {
	defer conn.Close()
	hangUp := context.AfterFunc(s.mac.ctx, func() { _ = conn.Close() })
	defer hangUp()
	r, err := standin.Receive(conn)
	if err != nil || r.Password != s.password {
		return
	}
	if r.Tool == standin.Alive {
		hangUp()
		s.outlive(conn, r.Args)
		return
	}
	ctx, cancel := context.WithCancel(s.mac.ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, conn) // the client says nothing more, until it has gone
		cancel()
	}()
	a := s.mac.answer(ctx, r)
	if ctx.Err() == nil {
		_ = a.Send(conn) // a client that was killed needs no answer
	}
}

// outlive kills a process when the Mac is closed, and returns when it has gone. As long
// as it holds the connection the number is its own.
func (s *server) outlive(conn net.Conn, args []string) {
	pid, err := strconv.Atoi(strings.Join(args, ""))
	if err != nil || pid <= 1 {
		return
	}
	defer context.AfterFunc(s.mac.ctx, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })()
	_, _ = io.Copy(io.Discard, conn)
}

// close expects that the Mac's context is done, which ends the conversations.
func (s *server) close() {
	_ = s.listener.Close()
	s.wg.Wait()
}

// answer answers a stand-in's request. ctx ends when the stand-in has gone, and with the
// Mac: then there is no answer, so that brew, which asks one thing after another, gets no
// further.
func (m *Mac) answer(ctx context.Context, r standin.Request) standin.Answer {
	verb := r.Tool
	if r.Tool == "launchctl" && len(r.Args) > 0 {
		m.Record(r.Args)
		verb = r.Args[0]
	}
	if m.faults.On("hang " + verb) {
		<-ctx.Done()
		return standin.Answer{}
	}
	if r.Tool == "lsof" && !slices.Contains(r.Args, "-b") {
		select {
		case <-time.After(m.faults.Duration("slow-lsof")):
		case <-ctx.Done():
		}
	}
	if a, ok := m.faults.Canned(verb); ok {
		return a
	}
	switch r.Tool {
	case "launchctl":
		return m.Answer(r.Args, r.Dir, m.options.Root)
	case "open":
		return m.open(r.Args, r.Dir)
	case "docker":
		return m.Docker.Answer(ctx, r.Args, r.Stdin)
	case "brew":
		return standin.Answer{Code: standin.Pass, Stdout: m.brewDetail()}
	case "lsof":
		return lsof.Answer(ctx, m.ownLsof(), m.server.address(), r.Args)
	case "netstat":
		return lsof.Netstat(ctx, m.server.address(), r.Args)
	case "ps", "pgrep", "pkill":
		return ps.Answer(m.server.address(), r.Tool, r.Args)
	default: // osascript has the app hide its window
		return standin.Answer{}
	}
}

// brewDetail is Homebrew as it is now.
func (m *Mac) brewDetail() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	detail, err := json.Marshal(m.homebrew)
	if err != nil {
		panic(err) // a struct of plain fields
	}
	return string(detail)
}
