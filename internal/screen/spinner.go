package screen

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

const (
	// spinAfter is how long nothing is shown: often everything is done by then.
	spinAfter = 200 * time.Millisecond
	spinEvery = 100 * time.Millisecond
)

// Spin shows on one line, if the stream is Lively, what is being done and for how long,
// until done is called. say replaces the text, and never waits: a terminal can be
// stopped, and the service must not be down for that long. The cursor stays as it is, so
// there is nothing to restore however the program ends.
func (s Stream) Spin(doing string) (say func(text string), done func()) {
	if !s.Lively {
		return func(string) {}, func() {}
	}
	var text atomic.Pointer[string]
	text.Store(&doing)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.turn(&text, quit)
	}()
	return func(now string) { text.Store(&now) }, func() { close(quit); <-ended }
}

// ClearLine takes away what Spin has drawn, for what is to stay.
func (s Stream) ClearLine() {
	if s.Lively {
		io.WriteString(s, "\r"+toLineEnd)
	}
}

// toLineEnd erases what is behind the cursor.
const toLineEnd = "\x1b[K"

// turn draws until quit is closed, then clears the line.
func (s Stream) turn(text *atomic.Pointer[string], quit <-chan struct{}) {
	began, frames := time.Now(), `|/-\`
	for n, pause := 0, spinAfter; ; n, pause = n+1, spinEvery {
		select {
		case <-time.After(pause):
			line := fmt.Sprintf("%c %s, %d s", frames[n%len(frames)], *text.Load(), int(time.Since(began).Seconds()))
			io.WriteString(s, "\r"+s.tint(Detail, line)+toLineEnd)
		case <-quit:
			if n > 0 {
				io.WriteString(s, "\r"+toLineEnd)
			}
			return
		}
	}
}
