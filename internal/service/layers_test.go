package service

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

var everywhere = GoalFor(ollama.ParseHost("0.0.0.0:11434"), true)

// bound is a state in which all is as everywhere wants it.
func bound() State {
	return State{
		Service: Service{Kind: brew{}, Loaded: true, Target: launchctl.Target{Domain: "gui/501", Label: "sh.brew.ollama"}},
		Settings: []Setting{
			{Layer: EnvFileLayer, Value: everywhere.Value},
			{Layer: PlistLayer, Value: everywhere.Value, Agent: plistfix.Agent{Label: "sh.brew.ollama"}},
		},
		Job: Job{Loaded: true, Job: launchctl.Job{PID: 6574, Environment: env("0.0.0.0:11434")}},
		Socket: Socket{
			Port:       11434,
			Listeners:  []lsof.Listener{listener(6574, "IPv6", "*:11434")},
			APIVersion: "0.33.0",
		},
	}
}

func env(host string) map[string]string {
	return map[string]string{"OLLAMA_FLASH_ATTENTION": "1", "OLLAMA_HOST": host}
}

func listener(pid int, family, address string) lsof.Listener {
	return lsof.Listener{PID: pid, Command: "ollama", Family: family, Address: address}
}

func TestLayers(t *testing.T) {
	for name, tc := range map[string]struct {
		layer  string
		change func(s *State)
		state  LayerState
		detail string // a part of it
	}{
		"plist as wanted":        {PlistLayer, func(s *State) {}, OK, ""},
		"plist in other words":   {PlistLayer, func(s *State) { s.Settings[1].Value = ptr("[::]") }, OK, ""},
		"plist with another":     {PlistLayer, func(s *State) { s.Settings[1].Value = ptr("127.0.0.1") }, Differs, "wanted: 0.0.0.0:11434"},
		"plist on the web port":  {PlistLayer, func(s *State) { s.Settings[1].Value = ptr("http://0.0.0.0") }, Differs, ""},
		"plist with none":        {PlistLayer, func(s *State) { s.Settings[1].Value = nil }, Differs, ""},
		"plist gone":             {PlistLayer, func(s *State) { s.Settings[1].Err = &fs.PathError{Err: syscall.ENOENT} }, Missing, "gone"},
		"plist unreadable":       {PlistLayer, func(s *State) { s.Settings[1].Err = errors.New("line 4: no") }, Unknown, "line 4: no"},
		"job as wanted":          {JobLayer, func(s *State) {}, OK, ""},
		"job with none":          {JobLayer, func(s *State) { s.Job.Environment = map[string]string{} }, Differs, ""},
		"job not loaded":         {JobLayer, func(s *State) { s.Job = Job{} }, Missing, "not loaded"},
		"job unclear":            {JobLayer, func(s *State) { s.Job = Job{Err: errors.New("hangs")} }, Unknown, "hangs"},
		"job crashed":            {JobLayer, func(s *State) { s.Job.PID, s.Job.LastExit = 0, "78: EX_CONFIG" }, OK, "78: EX_CONFIG"},
		"job with setenv":        {JobLayer, withSetenv, Differs, "launchctl setenv gives it 0.0.0.0"},
		"socket as wanted":       {SocketLayer, func(s *State) {}, OK, ""},
		"socket of IPv4 alone":   {SocketLayer, func(s *State) { s.Socket.Listeners[0].Family = "IPv4" }, OK, ""},
		"socket on loopback":     {SocketLayer, func(s *State) { s.Socket.Listeners[0].Address = "127.0.0.1:11434" }, Differs, "wanted: *:11434"},
		"socket on another port": {SocketLayer, func(s *State) { s.Socket.Listeners[0].Address = "*:8080" }, Differs, "wanted: *:11434"},
		"socket of another":      {SocketLayer, func(s *State) { s.Socket.Listeners[0].PID = 665 }, Differs, "held by ollama (pid 665)"},
		"socket shared": {SocketLayer, func(s *State) {
			s.Socket.Listeners = append(s.Socket.Listeners, listener(665, "IPv4", "127.0.0.1:11434"))
		}, Differs, "held by ollama (pid 665)"},
		"socket without answer": {SocketLayer, func(s *State) { s.Socket.APIVersion, s.Socket.APIErr = "", errors.New("deaf") }, Differs, "deaf"},
		"nobody listens": {SocketLayer, func(s *State) {
			s.Socket = Socket{Port: 11434, APIErr: syscall.ECONNREFUSED}
		}, Missing, "nothing listens on port 11434"},
		"somebody unseen": {SocketLayer, func(s *State) {
			s.Socket = Socket{Port: 11434, APIVersion: "0.33.0", Unseen: true}
		}, Differs, "does not show"},
		"lsof broken": {SocketLayer, func(s *State) { s.Socket.Err = errors.New("lsof: not found") }, Unknown, "lsof: not found"},
	} {
		s := bound()
		tc.change(&s)
		for _, l := range s.Layers(everywhere) {
			if l.Name == tc.layer && (l.State != tc.state || !strings.Contains(l.Detail, tc.detail)) {
				t.Errorf("%s: %s, %q, want %s, %q", name, l.State, l.Detail, tc.state, tc.detail)
			}
		}
		if want := tc.state == OK && s.Job.PID != 0; s.Reached(everywhere) != want {
			t.Errorf("%s: reached %v, want %v", name, !want, want)
		}
	}
}

func withSetenv(s *State) {
	s.Job.Environment = map[string]string{}
	s.Job.InheritedEnvironment = env("0.0.0.0")
}

func TestGoalUnset(t *testing.T) {
	unset := Goal{Host: ollama.Default}
	if unset.Matches(everywhere.Value) || everywhere.Matches(nil) || !unset.Matches(nil) {
		t.Error("set and not set are the same to a goal")
	}
	s := bound()
	for _, l := range s.Layers(unset)[1:] {
		if l.State != Differs {
			t.Errorf("%s is %s where the variable shall not be set", l.Name, l.State)
		}
	}
}

func ptr(s string) *string { return &s }
