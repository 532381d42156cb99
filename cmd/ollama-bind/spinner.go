package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

const (
	// spinAfter is how long nothing is shown: often all is done by then.
	spinAfter = 200 * time.Millisecond
	spinEvery = 100 * time.Millisecond
)

// The pictures of the spinner, one after the other.
var (
	frames      = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	asciiFrames = []rune(`|/-\`)
)

// spinner says on one line of stderr what is being done, and for how long it has
// been. Who does it never waits for the spinner: a terminal can be stopped, and the
// service must not be down for as long. The cursor stays as it is, so that there
// is nothing to restore however the program ends.
type spinner struct {
	tell    teller
	since   time.Time
	doing   atomic.Value // string
	undoing string       // what is done in the end, if that is not what was wanted

	loaded atomic.Bool // launchd was told to load the job
	undone atomic.Bool // and whatever was done is being undone

	writing sync.Mutex
	shown   bool // guarded by writing

	quit, ended chan struct{}
}

// watch shows on a terminal what m does until done is called. When ctx ends, m takes
// things back.
func (t teller) watch(ctx context.Context, m bind.Machine, quiet bool) (watched bind.Machine, done func()) {
	if quiet || !t.aside.lively {
		return m, func() {}
	}
	s := t.newSpinner("looking at the service", "putting things back")
	m.Launchd.Runner = overheard{m.Launchd.Runner, s}
	m.Waiting = s.waiting
	return m, s.start(ctx)
}

// busy shows on a terminal what is being done until done is called. When ctx ends,
// what was made for it is removed.
func (t teller) busy(ctx context.Context, doing string) (done func()) {
	if !t.aside.lively {
		return func() {}
	}
	return t.newSpinner(doing, "clearing up").start(ctx)
}

func (t teller) newSpinner(doing, undoing string) *spinner {
	s := &spinner{tell: t, since: time.Now(), undoing: undoing, quit: make(chan struct{}), ended: make(chan struct{})}
	s.doing.Store(doing)
	return s
}

// start spins until done is called, after which nothing more is written.
func (s *spinner) start(ctx context.Context) (done func()) {
	forget := context.AfterFunc(ctx, s.undo)
	go s.spin()
	return func() {
		forget()
		close(s.quit)
		<-s.ended
	}
}

// overheard lets the spinner know what launchd is told.
type overheard struct {
	launchctl.Runner
	spinner *spinner
}

func (o overheard) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	if name == "launchctl" && len(args) > 0 {
		o.spinner.hear(args[0])
	}
	return o.Runner.Run(ctx, name, args...)
}

// hear takes a verb of launchctl for what it means. A job that is stopped after it
// was loaded is one that did not do.
func (s *spinner) hear(verb string) {
	switch verb {
	case "bootout", "unload":
		s.doing.Store("stopping Ollama")
		if s.loaded.Load() {
			s.undo()
		}
	case "bootstrap", "load":
		s.loaded.Store(true)
		s.doing.Store("starting Ollama")
	case "kickstart":
		s.doing.Store("waiting for Ollama to answer")
	}
}

func (s *spinner) undo() { s.undone.Store(true) }

// waiting tells of another run, on a line that stays.
func (s *spinner) waiting(pid int) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.erase()
	s.tell.waiting(pid)
	s.doing.Store("waiting for another run")
}

func (s *spinner) spin() {
	defer close(s.ended)
	tick := time.NewTicker(spinEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.quit:
			s.writing.Lock()
			s.erase()
			s.writing.Unlock()
			return
		case <-tick.C:
			s.draw(n)
		}
	}
}

func (s *spinner) draw(n int) {
	took := time.Since(s.since)
	if took < spinAfter {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.shown = true
	io.WriteString(s.tell.err, "\r"+s.tell.aside.paint(piece{detail, s.text(n, took)})+toLineEnd)
}

// toLineEnd erases what is behind the cursor.
const toLineEnd = "\x1b[K"

// erase leaves the line as it was before. The caller holds writing.
func (s *spinner) erase() {
	if s.shown {
		io.WriteString(s.tell.err, "\r"+toLineEnd)
		s.shown = false
	}
}

// text leaves room on its line for a ^C: what goes on to another line cannot be
// erased.
func (s *spinner) text(n int, took time.Duration) string {
	pictures, doing := frames, s.doing.Load().(string)
	if s.tell.aside.ascii {
		pictures = asciiFrames
	}
	if s.undone.Load() {
		doing = s.undoing
	}
	begin, end := string(pictures[n%len(pictures)])+" ", fmt.Sprintf(", %d s", int(took.Seconds()))
	if width := s.tell.aside.width; width > 0 {
		room := max(width-len("^C ")-columns(begin+end), 0)
		doing = doing[:min(len(doing), room)] // ASCII, all of it
	}
	return begin + doing + end
}
