// Bench measures how long Ollama does not answer while `ollama-bind fix` restarts
// it, side by side with the same by hand, and with the least that a restart takes.
//
//	make bench
//
// Like the demo it uses a Mac in a folder, touches nothing outside of a temporary
// one, and leaves nothing behind.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// The service is as Homebrew writes it on Apple silicon.
const (
	program = "bin/ollama-bind"
	fixture = "fixtures/plists/brew-arm64-env.plist"
	label   = "sh.brew.ollama"
	brew    = "7.0.7"
)

const runs = 21

// starts are how long the stand-in for Ollama takes to listen. No public record
// says how long a real one takes: the second is an assumption.
var starts = []time.Duration{0, 300 * time.Millisecond}

// ways are the ways to restart the service, the limit first.
var ways = []struct {
	name   string
	outage func(trial) (time.Duration, error)
}{
	{"the process alone: SIGTERM, wait, start", alone},
	{"by hand: launchctl unload, load, lsof", byHand},
	{"`ollama-bind fix`", byFix},
}

func main() {
	sandbox.Main()
	ctx, stop := sandbox.Interruptible()
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Printf("Medians of %d, by turns; %s %s/%s, %d cores.\n\n", runs,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Println("| Ollama listens after | way | outage | against the limit |")
	fmt.Println("|--:|---|--:|--:|")
	for _, start := range starts {
		outages, err := measure(ctx, start)
		if err != nil {
			return err
		}
		for i, w := range ways {
			ratio := float64(outages[i]) / float64(outages[0])
			ms := outages[i].Seconds() * 1000
			fmt.Printf("| %v | %s | %.1f ms | %.2f |\n", start, w.name, ms, ratio)
		}
	}
	return nil
}

// measure is the median of each way. They take turns, so that a machine that slows
// down slows all of them.
func measure(ctx context.Context, start time.Duration) ([]time.Duration, error) {
	samples := make([][]time.Duration, len(ways))
	for range runs {
		for i, w := range ways {
			outage, err := try(ctx, start, w.outage)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
			samples[i] = append(samples[i], outage)
		}
	}
	medians := make([]time.Duration, len(ways))
	for i, all := range samples {
		slices.Sort(all)
		medians[i] = all[len(all)/2]
	}
	return medians, nil
}

// trial is one restart, on a Mac of its own.
type trial struct {
	ctx   context.Context
	mac   *sandbox.Mac
	start time.Duration // until Ollama listens
}

func try(
	ctx context.Context, start time.Duration, outage func(trial) (time.Duration, error),
) (time.Duration, error) {
	dir, err := os.MkdirTemp("", "ollama-bind-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	m, err := sandbox.Start(dir, sandbox.Options{Brew: brew})
	if err != nil {
		return 0, err
	}
	defer m.Close()
	t := trial{ctx, m, start}
	if err := t.install(t.loopback()); err != nil {
		return 0, err
	}
	if err := m.StartService(label); err != nil {
		return 0, err
	}
	m.Fault("slow-start", start.String())
	return outage(t)
}

// install writes the plist, and tells launchd nothing. It names the port,
// which is not Ollama's own: that may be taken on this machine.
func (t trial) install(host string) error {
	data, err := os.ReadFile(fixture)
	if err != nil {
		return fmt.Errorf("bench runs in the repository's root: %w", err)
	}
	data, err = plistfix.SetEnv(data, "OLLAMA_HOST", host)
	if err != nil {
		return err
	}
	_, err = t.mac.Install(label, data)
	return err
}

func (t trial) plist() string { return filepath.Join(t.mac.Agents(), label+".plist") }

func (t trial) loopback() string { return fmt.Sprintf("127.0.0.1:%d", t.mac.Port) }

func (t trial) everywhere() string { return fmt.Sprintf("0.0.0.0:%d", t.mac.Port) }
