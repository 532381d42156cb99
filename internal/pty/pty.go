// Package pty is pseudo-terminals, for tests and pictures of what a terminal shows.
package pty

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Pair is a terminal, and the other side of it: what its user sees and types.
type Pair struct {
	User     *os.File
	Terminal *os.File
}

// Open makes a terminal of so many columns.
func Open(columns int) (Pair, error) {
	p, err := open()
	if err != nil {
		return Pair{}, err
	}
	err = unix.IoctlSetWinsize(int(p.Terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)})
	if err != nil {
		p.Close()
		return Pair{}, err
	}
	return p, nil
}

// Close closes both.
func (p Pair) Close() {
	p.Terminal.Close()
	p.User.Close()
}

// Session is a program that runs on a terminal of its own.
type Session struct {
	pair Pair
	cmd  *exec.Cmd
	read chan []byte
}

// Start starts cmd. Where its input, output and errors lead nowhere yet, they are
// the terminal.
func Start(cmd *exec.Cmd, columns int) (*Session, error) {
	p, err := Open(columns)
	if err != nil {
		return nil, err
	}
	if cmd.Stdin == nil {
		cmd.Stdin = p.Terminal
	}
	if cmd.Stdout == nil {
		cmd.Stdout = p.Terminal
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.Terminal
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		p.Close()
		return nil, err
	}
	p.Terminal.Close() // the program has it now, and it ends when the program does
	s := &Session{p, cmd, make(chan []byte, 1)}
	go s.watch()
	return s, nil
}

// watch reads until nobody has the terminal any more.
func (s *Session) watch() {
	var seen bytes.Buffer
	io.Copy(&seen, s.pair.User) // ends with EIO on Linux
	s.read <- seen.Bytes()
}

// Type types keys: "\x03" is Ctrl-C.
func (s *Session) Type(keys string) error {
	_, err := io.WriteString(s.pair.User, keys)
	return err
}

// Wait waits for the program's end. It returns every byte that the terminal got, and
// the exit code.
func (s *Session) Wait() (output []byte, code int, err error) {
	output = <-s.read
	defer s.pair.User.Close()
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return output, -1, err
	}
	return output, s.cmd.ProcessState.ExitCode(), nil
}
