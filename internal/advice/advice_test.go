package advice

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// on8080 is bound on a port of its own.
func on8080(f *Facts) {
	setAll(f, "0.0.0.0:8080")
	f.State.Socket.Listeners[0].Address = "*:8080"
}

func asked(f *Facts) { f.Asked = true }

func fixed(f *Facts) { f.Fix = &backup.Receipt{} }

func err(e *service.Error) change {
	return func(f *Facts) {
		e.Err = errors.New("what went wrong")
		f.State, f.Err = service.State{Socket: service.Socket{Port: 11434}}, e
	}
}

func on(system string, f change) change { return of(f, func(f *Facts) { f.System = system }) }

// TestHints is about the hints that depend on more than one thing being wrong.
// dropIn is for systemd.
const dropIn = "sudo mkdir -p /etc/systemd/system/ollama.service.d && printf '[Service]\\nEnvironment=\"OLLAMA_HOST=172.17.0.1:11434\"\\n' | sudo tee /etc/systemd/system/ollama.service.d/ollama-bind.conf && sudo systemctl daemon-reload && sudo systemctl restart ollama"

func TestHints(t *testing.T) {
	none, noLaunchd := err(&service.Error{ID: service.NoService}), err(&service.Error{ID: "no-launchctl"})
	taken := of(none, func(f *Facts) { f.State.Socket.Listeners = []lsof.Listener{listener(7, "*:11434")} })
	first := func(f Facts) string { return First(f).Hint }
	notFound := func(f Facts) string { return NotFound(f).Hint }
	isDown := func(f Facts) string { return Down(f, "nothing answers", false).Hint }
	held := func(f Facts) string { return Down(f, "port taken", true).Hint }
	for name, tc := range map[string]struct {
		hint   func(Facts) string
		change change
		want   string
	}{
		"own port kept":             {first, of(on8080, noEnvFile, func(f *Facts) { f.Disabled = true }), "launchctl enable gui/501/sh.brew.ollama"},
		"own port, well":            {first, on8080, "ollama-bind status --host 0.0.0.0:8080"},
		"own port, asked":           {first, of(on8080, asked), "ollama-bind fix"},
		"a port of the system's":    {first, of(onLoopback, func(f *Facts) { setAll(f, "127.0.0.1:0") }), "ollama-bind fix"},
		"own port on loopback":      {first, of(on8080, func(f *Facts) { setAll(f, "127.0.0.1:8080"); f.State.Socket.Listeners[0].Address = "127.0.0.1:8080" }), "ollama-bind fix --host 0.0.0.0:8080"},
		"loopback is another wish":  {first, of(on8080, func(f *Facts) { f.Goal = service.GoalFor(ollama.Default, true) }), "ollama-bind fix --host 127.0.0.1:11434"},
		"by hand, restart":          {first, of(byHand, func(f *Facts) { f.State.Service.Label = "x" }), "launchctl bootout gui/501/my.ollama && launchctl bootstrap gui/501 '/Users/a b/x.plist'"},
		"by hand, uninstalled":      {first, of(byHand, func(f *Facts) { f.State.NoProgram, f.State.Job.Program = true, "/opt/x/ollama" }), "ls -l /opt/x"},
		"by hand, gone":             {first, of(byHand, plistErr(gonePlist)), "ls -l '/Users/a b'"},
		"by hand, not XML":          {first, of(byHand, plistErr(&plistfix.Error{}), func(f *Facts) { f.State.Settings[0].File.Data = []byte("{}") }), "plutil -convert xml1 '/Users/a b/x.plist'"},
		"by hand, broken":           {first, of(byHand, plistErr(&plistfix.Error{})), "plutil -lint '/Users/a b/x.plist'"},
		"by hand, elsewhere":        {first, of(byHand, onLoopback), "ollama-bind fix --plist '/Users/a b/x.plist'"},
		"started with run":          {lastingHint1, func(f *Facts) { f.AtLogin = false }, "brew services stop ollama && brew services start ollama"},
		"old Homebrew":              {lastingHint1, of(noEnvFile, func(f *Facts) { f.State.Settings[0].Use = service.TooOld }), "brew update && ollama-bind fix"},
		"state folder, moved":       {first, of(onLoopback, badStore(syscall.ENOTDIR), func(f *Facts) { f.Store.Moved = true }), "unset OLLAMA_BIND_STATE_DIR && ollama-bind fix"},
		"state folder, a file":      {first, of(onLoopback, badStore(syscall.ENOTDIR)), "ls -ld '/a b'"},
		"state folder of another":   {first, of(onLoopback, badStore(backup.ErrForeign)), "sudo chown 501 '/a b'"},
		"no service":                {notFound, none, "brew services start ollama"},
		"no Ollama":                 {notFound, of(none, func(f *Facts) { f.Err.(*service.Error).Err = service.ErrNotInstalled }), "brew install ollama && brew services start ollama"},
		"another Ollama":            {notFound, taken, "ollama-bind probe"},
		"another program":           {notFound, of(taken, func(f *Facts) { f.State.Socket.Listeners[0].Command = "nginx" }), "ps -p 7 -o pid,user,command"},
		"no launchctl on a Mac":     {notFound, noLaunchd, "export PATH=$PATH:/bin:/usr/sbin"},
		"Linux":                     {notFound, on("linux", noLaunchd), dropIn},
		"Windows":                   {notFound, on("windows", noLaunchd), "setx OLLAMA_HOST 0.0.0.0:11434"},
		"elsewhere":                 {notFound, on("plan9", noLaunchd), "ollama-bind probe"},
		"launchctl fails":           {notFound, err(&service.Error{ID: "launchctl-failed"}), "launchctl print gui/501"},
		"a folder not to be read":   {notFound, err(&service.Error{ID: "plist-unreadable", Path: "/a b/c"}), "ls -ld '/a b'"},
		"down":                      {isDown, unload, "brew services start ollama"},
		"down, no service":          {isDown, none, "brew services start ollama"},
		"down here, up there":       {isDown, taken, "lsof -nP -iTCP:11434 -sTCP:LISTEN"},
		"down on Linux":             {isDown, on("linux", noLaunchd), "sudo systemctl start ollama || ollama serve"},
		"down on Windows":           {isDown, on("windows", noLaunchd), "ollama serve"},
		"held, no service":          {held, none, "lsof -nP -iTCP:11434 -sTCP:LISTEN"},
		"rebind":                    {Rebind, onLoopback, "ollama-bind fix"},
		"rebind on its port":        {Rebind, on8080, "ollama-bind fix --host 0.0.0.0:8080"},
		"rebind, held":              {Rebind, func(f *Facts) { f.State.Socket.Listeners[0].PID = 7 }, "ps -p 7 -o pid,user,command"},
		"rebind, no service":        {Rebind, none, "OLLAMA_HOST=0.0.0.0:11434 ollama serve"},
		"rebind on Linux":           {Rebind, on("linux", noLaunchd), dropIn},
		"rebind, unclear":           {Rebind, err(&service.Error{ID: "launchctl-failed"}), "ollama-bind fix"},
		"close":                     {Close, func(*Facts) {}, "ollama-bind fix --host 127.0.0.1:11434"},
		"close what fix has opened": {Close, fixed, "ollama-bind rollback"},
		"close, held":               {Close, of(fixed, func(f *Facts) { f.State.Socket.Listeners[0].PID = 7 }), "ps -p 7 -o pid,user,command"},
		"close, no service":         {Close, none, "OLLAMA_HOST=127.0.0.1:11434 ollama serve"},
		"upgrade":                   {Upgrade, func(*Facts) {}, "brew upgrade ollama && brew services restart ollama"},
		"upgrade, by hand":          {Upgrade, byHand, "open https://ollama.com/download"},
	} {
		f := bound()
		tc.change(f)
		got := tc.hint(*f)
		if isCommand(t, name, got); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func lastingHint1(f Facts) string { return All(f)[0].Hint }

// TestHinted is about what goes wrong on the way.
func TestHinted(t *testing.T) {
	wrap := func(format string, err error) error { return fmt.Errorf(format, err) }
	for _, tc := range []struct {
		e          service.Error
		fix, again string // the hints of fix and of rollback
	}{
		{service.Error{ID: "timeout-too-short"}, "ollama-bind fix --timeout ", "ollama-bind rollback --timeout "},
		{service.Error{ID: "write-failed", Path: "/a b/c", Err: syscall.ENOSPC}, "df -h '/a b'", "df -h '/a b'"},
		{service.Error{ID: "backup-failed", Path: "/a b/c", Err: syscall.EACCES}, "ls -ld '/a b'", "ls -ld '/a b'"},
		{service.Error{ID: "state-folder", Path: "/a b"}, "ls -ld '/a b'", "ls -ld '/a b'"},
		{service.Error{ID: "locked"}, "ps -axo pid,command | grep ollama-bind", "ps -axo pid,command | grep ollama-bind"},
		{service.Error{ID: "changed-meanwhile"}, "ollama-bind fix", "ollama-bind rollback"},
		{service.Error{ID: "proof-failed"}, "ollama-bind status", "ollama-bind status"},
		{service.Error{ID: "undo-failed"}, "brew services start ollama", "brew services start ollama"},
		{service.Error{ID: "plist-refused", Path: "/a b"}, "plutil -lint '/a b'", "plutil -lint '/a b'"},
		{service.Error{ID: "plist-refused", Path: "/a b", Err: wrap("editing: %w", plistfix.ErrBinary)}, "plutil -convert xml1 '/a b'", "plutil -convert xml1 '/a b'"},
		{service.Error{ID: "env-file-refused"}, "ollama-bind fix --no-persist", ""},
		{service.Error{ID: "changed-since"}, "", "ollama-bind rollback --force"},
		{service.Error{ID: "backup-damaged"}, "", "ollama-bind rollback --list"},
		{service.Error{ID: "backups-unreadable", Path: "/a b"}, "", "ls -la '/a b'"},
		{service.Error{ID: "no-backup"}, "", "ollama-bind status"},
		{service.Error{ID: "no-backup", Path: "/x"}, "", "sudo ollama-bind rollback"},
		{service.Error{ID: "no-backup", Err: errors.New("backup x is not there")}, "", "ollama-bind rollback --list"},
		{service.Error{ID: "unheard-of"}, "", ""},
	} {
		f := bound()
		now := f.State
		now.Service.Loaded = false
		if tc.e.Err == nil {
			tc.e.Err = errors.New("what went wrong")
		}
		for command, want := range map[string]string{"fix": tc.fix, "rollback": tc.again} {
			p := plans(*f)["reload"]
			p.Command = command
			var told *service.Error
			if !errors.As(Hinted(wrap("on the way: %w", &tc.e), p, now), &told) || !strings.HasPrefix(told.Hint, want) {
				t.Errorf("%s %s: %+v, want %q", command, tc.e.ID, told, want)
			}
			isCommand(t, tc.e.ID, told.Hint)
		}
	}
	if plain := errors.New("plain"); Hinted(plain, rebind.Plan{}, service.State{}) != plain {
		t.Error("an error of another kind is not left alone")
	}
}

// TestSince is about what has become of the last fix.
func TestSince(t *testing.T) {
	const restart = "brew services start ollama"
	generated := func(f *Facts) {
		setPlist(f, nil)
		f.State.Settings[1].File.Data = []byte("<plist version=\"1.0\"><dict><key>LimitLoadToSessionType</key></dict></plist>")
	}
	unfixed := func(f *Facts) { f.Fix = nil; onLoopback(f) }
	for name, tc := range map[string]struct {
		change            change
		id, text, repairs string
	}{
		"well":                  {func(*Facts) {}, "intact", "fixed, and intact since 2026-", ""},
		"well, not by us":       {func(f *Facts) { f.Fix = nil }, "intact", "not by a fix", ""},
		"never":                 {unfixed, "never-fixed", "never fixed", "ollama-bind fix"},
		"never, for all we see": {of(unfixed, func(f *Facts) { f.State.Service.Daemon = true }), "never-fixed", "root alone", "sudo ollama-bind fix"},
		"never, for root":       {of(unfixed, func(f *Facts) { f.State.Service.Daemon, f.UID = true, 0 }), "never-fixed", "never fixed", ""},
		"plist deleted":         {of(unload, plistErr(fs.ErrNotExist)), "plist-deleted", "brew services stop", restart},
		"by hand, deleted":      {of(byHand, plistErr(fs.ErrNotExist)), "plist-deleted", "was deleted since", "ls -l"},
		"plist broken":          {plistErr(&plistfix.Error{}), "plist-edited", "broken", "brew services restart"},
		"plist edited":          {func(f *Facts) { setPlist(f, env("127.0.0.1")) }, "plist-edited", "edited since", "ollama-bind fix"},
		"stopped":               {unload, "job-not-loaded", "stopped", restart},
		"not read since":        {func(f *Facts) { f.State.Job.Environment = nil }, "job-older-environment", "before the fix", "ollama-bind fix"},
		"env file broken":       {envErr(&fs.PathError{Err: syscall.EACCES}), "env-file-unusable", "permission denied", ""},
		"env file deleted":      {noEnvFile, "env-file-deleted", "deleted since", ""},
		"env file left out":     {of(noEnvFile, func(f *Facts) { f.Fix.Files = nil }), "env-file-left-out", "did not write", ""},
		"env file edited":       {func(f *Facts) { setEnvFile(f, "A=1\n") }, "env-file-edited", "edited since", ""},
		"ended":                 {down(1, "0"), "not-running", "as the last fix has left it", "launchctl kickstart"},
		"crashes":               {down(1, "1"), "not-running", "as the last fix has left it", "tail"},
		"elsewhere":             {onLoopback, "not-reached", "does not listen so", "ollama-bind fix"},
		"another address":       {of(asked, func(f *Facts) { f.Goal = service.GoalFor(ollama.Host{Port: 8080}, true) }), "other-address", "another address was asked about", ""},
		"killed before writing": {of(generated, func(f *Facts) {
			f.Fix.Done, f.Fix.Files = false, []backup.Saved{{Layer: service.PlistLayer, Before: backup.Sum(f.State.Plist().File.Data)}}
		}), "fix-unfinished", "did not get to its end", "ollama-bind fix"},
		"killed in the outage": {of(unload, func(f *Facts) { f.Fix.Done = false }), "fix-unfinished", "did not get to its end", restart},
		"taken back half way": {of(noEnvFile, func(f *Facts) {
			f.Back = &backup.Receipt{Files: []backup.Saved{{Layer: service.EnvFileLayer}}}
		}), "rollback-unfinished", "`ollama-bind rollback` goes on", ""},
		"edited after that": {func(f *Facts) {
			setEnvFile(f, "A=1\n")
			f.Back = &backup.Receipt{Files: []backup.Saved{{Layer: service.EnvFileLayer}}}
		}, "env-file-edited", "edited since", ""},
		"written by Homebrew": {generated, "plist-", "", "ollama-bind fix"},
	} {
		f := bound()
		f.Fix = &backup.Receipt{Done: true, Host: value, Created: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Files: []backup.Saved{{Layer: service.EnvFileLayer}}}
		tc.change(f)
		d := Since(*f)
		if !strings.HasPrefix(d.ID, tc.id) || !strings.Contains(d.Message, tc.text) || !strings.HasPrefix(d.Repair, tc.repairs) || (tc.id == "intact") != (d.Layer == "") {
			t.Errorf("%s: %+v, want %s, %q, %q", name, d, tc.id, tc.text, tc.repairs)
		}
		isCommand(t, name, d.Repair)
	}
}

func TestTraps(t *testing.T) {
	for value, want := range map[string]struct {
		level Level // "" for none
		text  string
	}{
		"0.0.0.0:11434": {}, "[::]": {}, "127.0.0.1": {}, "localhost:8080": {}, ":11434": {}, "0.0.0.0/v1": {}, "http://0.0.0.0:11434": {}, "192.168.1.5": {},
		"http://0.0.0.0": {Fail, "port, 80 or 443"}, "11434": {Fail, "port alone"}, "0.0.0.0:0": {Fail, "random"}, "*:11434": {Fail, "star"},
		"127.0.0.1,192.168.1.5": {Fail, "list"}, "10.8.0.3:11434": {Fail, "not an address of this machine"},
		`"0.0.0.0:11434"`: {Warn, "quotes"}, "0.0.0.0:abc": {Warn, "no port between"}, ":66000": {Warn, "no port between"}, "mac.local": {Warn, "looked up"},
		"0.0.0.0:11434 # lan": {Warn, "comment"},
	} {
		f := bound()
		f.Addresses = []netip.Addr{netip.MustParseAddr("192.168.1.5")}
		setAll(f, value)
		if got := Traps(*f); worstTrap(*f).level != want.level || !strings.Contains(strings.Join(got, "\n"), want.text) {
			t.Errorf("%s: %s, %q; want %s, %q", value, worstTrap(*f).level, got, want.level, want.text)
		}
	}
}

func TestWrongNames(t *testing.T) {
	misnamed := func(name string) change {
		return func(f *Facts) { setPlist(f, map[string]string{name: secret, ollama.Variable: value}) }
	}
	alone := func(f *Facts) {
		noEnvFile(f)
		setPlist(f, map[string]string{"OLLAMA_PORT": secret})
		f.State.Job.Environment = nil
	}
	for name, tc := range map[string]struct {
		change         change
		id, text, hint string
	}{
		"alone":                 {alone, "value-trap", "OLLAMA_PORT is no variable", "ollama-bind fix"},
		"as well":               {misnamed("OLLAMA_HOSTS"), "value-suspicious", "remove OLLAMA_HOSTS from " + plistPath, "plutil -p '/Users/a b/"},
		"with a no-break space": {misnamed("\u00a0OLLAMA_HOST"), "value-suspicious", `"\u00a0OLLAMA_HOST" is no variable`, "plutil -p "},
		"in lower case":         {misnamed("ollama_host"), "value-suspicious", "ollama_host is no variable", "plutil -p "},
		"one that there is":     {misnamed("OLLAMA_MODELS"), "", "", ""},
		"export":                {func(f *Facts) { setEnvFile(f, "OLLAMA_HOST="+value+"\nexport OLLAMA_HOST=x\n") }, "value-suspicious", "remove line 2 from " + envPath, "cat -v '/Users/a b/"},
		"taken for the same":    {func(f *Facts) { setAll(f, value+" # lan") }, "value-suspicious", "remove OLLAMA_HOST from " + envPath, "cat -v "},
		"inherited":             {func(f *Facts) { alone(f); setPlist(f, nil); f.State.Job.InheritedEnvironment = env("http://0.0.0.0") }, "value-trap", "scheme", "ollama-bind fix"},
		"with a quote in path":  {of(misnamed("OLLAMA_IP"), func(f *Facts) { f.State.Settings[1].File.Path = "/it's/x.plist" }), "value-suspicious", "", `plutil -p '/it'\''s/x.plist'`},
	} {
		f := bound()
		tc.change(f)
		var found Advice
		for _, a := range All(*f) {
			if a.Check == "value-traps" {
				found = a
			}
		}
		if tc.id != "" {
			expect(t, name, found, tc.id, tc.text, tc.hint)
		} else if found.ID != "" {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
