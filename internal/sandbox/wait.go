package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"
)

// startTimeout bounds the wait for a process of this Mac to answer. It is long because a loaded machine is slow, not because Ollama is.
const startTimeout = 15 * time.Second

// pause is the time between two looks.
const pause = 10 * time.Millisecond

// finalError ends a poll at once.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func final(err error) error { return finalError{err} }

// poll calls look until it returns nil or a final error or the time is over, and returns its last error.
func poll(timeout time.Duration, look func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := look()
		var end finalError
		if err == nil || errors.As(err, &end) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
	}
}

// WaitListening waits until something accepts connections at the address.
func (m *Mac) WaitListening(address string, timeout time.Duration) error {
	err := poll(timeout, func() error {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		return fmt.Errorf("sandbox: nobody listens: %w", err)
	}
	return nil
}

// WaitGone waits until launchd does not know the job any more.
func (m *Mac) WaitGone(label string, timeout time.Duration) error {
	return poll(timeout, func() error {
		if m.Loaded(label) {
			return fmt.Errorf("sandbox: %s is still loaded", label)
		}
		return nil
	})
}

// WaitPID waits until the job has a process that is not the given one, and returns its pid.
func (m *Mac) WaitPID(label string, not int, timeout time.Duration) (pid int, err error) {
	err = poll(timeout, func() error {
		if pid = m.JobPID(label); pid == 0 || pid == not {
			return fmt.Errorf("sandbox: %s has no new process", label)
		}
		return nil
	})
	return pid, err
}

// StartService bootstraps LaunchAgents/LABEL.plist into the user's domain and waits until /api/version answers where the job's
// OLLAMA_HOST says.
func (m *Mac) StartService(label string) error {
	path := filepath.Join(m.Agents(), label+".plist")
	if _, stderr, code := m.Launchctl("bootstrap", m.Domain(), path); code != 0 {
		return fmt.Errorf("sandbox: bootstrap of %s: exit %d: %s", path, code, stderr)
	}
	def, err := readDefinition(path)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	host := parseHost(def.EnvironmentVariables["OLLAMA_HOST"], strconv.Itoa(m.Port))
	if err := m.WaitVersion(host.reachable(), startTimeout); err != nil {
		return fmt.Errorf("sandbox: %s does not answer: %w", label, err)
	}
	return nil
}

// WaitVersion waits until /api/version answers at the address.
func (m *Mac) WaitVersion(address string, timeout time.Duration) error {
	return poll(timeout, func() error { return getVersion(address) })
}

// direct is a client that uses no proxy, whatever the environment of the test says, and keeps no connections.
var direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func getVersion(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/version", nil)
	if err != nil {
		return err
	}
	resp, err := direct.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("http://%s/api/version: %s", address, resp.Status)
	}
	return nil
}
