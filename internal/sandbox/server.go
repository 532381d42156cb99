package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"sync"
)

// server is launchd's door: one connection a command, one request and one answer in JSON. After an answer that passes a command on to the
// engine, the engine's frames follow.
type server struct {
	launchd  *launchd
	engine   *engine
	listener net.Listener
	password string // keeps other users of the machine from starting programs here
	wg       sync.WaitGroup
}

func serve(l *launchd, e *engine) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{launchd: l, engine: e, listener: listener, password: rand.Text()}
	s.wg.Go(s.accept)
	return s, nil
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
	defer context.AfterFunc(s.launchd.ctx, func() { _ = conn.Close() })()
	var r request
	if json.NewDecoder(conn).Decode(&r) != nil || r.Password != s.password {
		return
	}
	if s.launchd.ctx.Err() != nil { // brew, which asks one thing after the other, is not to get further
		return
	}
	a, hang := s.launchd.answer(r)
	if hang {
		// The client says nothing more; this ends when it was killed or the Mac is closed.
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	_ = json.NewEncoder(conn).Encode(a) // a client that was killed meanwhile needs no answer
	switch {
	case r.Tool == "docker" && a.Pass:
		s.engine.answer(conn, r.Args)
	case r.Container != "" && a.Pass:
		s.engine.answerInside(conn, r)
	}
}

// close expects that launchd is closed already, which ends the conversations.
func (s *server) close() {
	_ = s.listener.Close()
	s.wg.Wait()
}
