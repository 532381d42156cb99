package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

const (
	pause  = time.Millisecond      // between two questions
	lead   = 50 * time.Millisecond // of answers before the restart
	giveUp = 30 * time.Second      // without an answer
)

// watch is the longest time between two answers of Ollama's, from before a restart
// until it answers after it.
func watch(
	ctx context.Context, address string, restart func() error,
) (longest time.Duration, err error) {
	ended := make(chan error, 1)
	var restarting sync.WaitGroup
	defer restarting.Wait()
	restarting.Go(func() {
		time.Sleep(lead)
		ended <- restart()
	})
	last, after := time.Now(), false
	for ctx.Err() == nil && time.Since(last) < giveUp {
		select {
		case err := <-ended:
			if err != nil {
				return 0, err
			}
			after = true
		default:
		}
		if _, err := ollama.Version(ctx, address, time.Second); err == nil {
			longest, last = max(longest, time.Since(last)), time.Now()
			if after {
				return longest, nil
			}
		}
		time.Sleep(pause)
	}
	return 0, cmp.Or(ctx.Err(), fmt.Errorf("nobody answers at %s", address))
}

func byFix(t trial) (time.Duration, error) {
	fix, err := filepath.Abs(program)
	if err != nil {
		return 0, err
	}
	return t.watchCommand(fix, "fix", "--host", t.everywhere())
}

// handScript is the known recipe, for a plist that is edited already. It
// loads again when nobody listens after a second: unload does not wait until the job
// is gone, load fails as long as it is there, and both exit with 0.
const handScript = `launchctl unload %[1]s
launchctl load %[1]s
until lsof -nP -iTCP:%[2]d -sTCP:LISTEN -F n | grep -q 'n\*:%[2]d'; do
	sleep 1
	launchctl load %[1]s
done
`

func byHand(t trial) (time.Duration, error) {
	if err := t.install(t.everywhere()); err != nil {
		return 0, err
	}
	return t.watchCommand("/bin/sh", "-c", fmt.Sprintf(handScript, t.plist(), t.mac.Port))
}

// watchCommand watches a restart that is one command, with the machine's own tools
// behind those of the Mac.
func (t trial) watchCommand(name string, args ...string) (time.Duration, error) {
	return watch(t.ctx, t.loopback(), func() error {
		cmd := exec.CommandContext(t.ctx, name, args...)
		path := t.mac.Bin() + string(filepath.ListSeparator) + os.Getenv("PATH")
		cmd.Env, cmd.Dir = append(t.mac.Env(), "PATH="+path), t.mac.Dir()
		cmd.WaitDelay = time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	})
}

// alone is the limit: there is no launchd, a process is ended and another one started.
func alone(t trial) (time.Duration, error) {
	if _, stderr, code := t.mac.Launchctl("bootout", t.mac.Domain()+"/"+label); code != 0 {
		return 0, fmt.Errorf("bootout: exit status %d: %s", code, stderr)
	}
	if err := t.mac.WaitGone(label, giveUp); err != nil {
		return 0, err
	}
	serving := t.serve(t.loopback(), 0)
	if err := serving.Start(); err != nil {
		return 0, err
	}
	defer func() { end(serving, syscall.SIGKILL) }()
	if err := t.mac.WaitVersion(t.loopback(), giveUp); err != nil {
		return 0, err
	}
	return watch(t.ctx, t.loopback(), func() error {
		end(serving, syscall.SIGTERM)
		serving = t.serve(t.everywhere(), t.start)
		return serving.Start()
	})
}

// serve is the sandbox's Ollama.
func (t trial) serve(host string, start time.Duration) *exec.Cmd {
	cmd := exec.Command(filepath.Join(t.mac.Prefix(), "opt", "ollama", "bin", "ollama"), "serve")
	cmd.Env = append(t.mac.Env(), "OLLAMA_HOST="+host, "SANDBOX_FAULTS=slow-start="+start.String())
	return cmd
}

func end(cmd *exec.Cmd, signal syscall.Signal) {
	if cmd.Process != nil {
		cmd.Process.Signal(signal)
		cmd.Wait()
	}
}
