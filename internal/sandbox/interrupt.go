package sandbox

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Interruptible is the context of a program that has a Mac to clean up. It ends on a
// signal, and when `go run` is gone, which a SIGTERM ends silently.
func Interruptible() (ctx context.Context, stop context.CancelFunc) {
	ctx, forget := signal.NotifyContext(
		context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for parent := os.Getppid(); os.Getppid() == parent; {
			time.Sleep(100 * time.Millisecond)
		}
		cancel()
	}()
	return ctx, func() { cancel(); forget() }
}
