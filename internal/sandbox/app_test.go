package sandbox

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/app"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/ps"
)

// appMac is a Mac with the app in a folder with a blank, and nothing else running.
func appMac(t *testing.T) (m *Mac, bundle string) {
	t.Helper()
	if OwnSQLite() == "" || runtime.GOOS != "linux" {
		t.Skip("the app needs a sqlite3 of this machine, and Linux' /proc")
	}
	o := userOptions()
	o.AppSecond = 20 * time.Millisecond
	m = newMac(t, o)
	bundle = filepath.Join(m.Dir(), "My Applications", "Ollama.app")
	if err := m.InstallApp(bundle, "0.33.0"); err != nil {
		t.Fatal(err)
	}
	return m, bundle
}

// servers are the processes of the app's server, with their parents' pids.
func (m *Mac) servers(t *testing.T) (found []ps.Process) {
	t.Helper()
	all, err := m.Running()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p ps.Process) bool { return p.Name() != "ollama" })
}

// sockets is what lsof prints of the port's listeners.
func sockets(m *Mac) string {
	out, _, _ := m.Run("lsof", "-nP", "-iTCP:"+strconv.Itoa(m.Port), "-sTCP:LISTEN", "-F", "pn")
	return out
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestAppServesAsItsDatabaseSays(t *testing.T) {
	t.Parallel()
	m, bundle := appMac(t)
	check(t, m.OpenApp(bundle, "hidden"))
	main, servers := m.AppPID(), m.servers(t)
	if len(servers) != 1 || servers[0].Parent != main ||
		servers[0].Path != filepath.Join(bundle, "Contents/Resources/ollama") {
		t.Errorf("the server is %+v, want one of the bundle below %d", servers, main)
	}
	if !strings.Contains(sockets(m), "n127.0.0.1:") {
		t.Errorf("listens on %s", sockets(m))
	}
	table, _, _ := m.Launchctl("list")
	if !strings.Contains(table, strconv.Itoa(main)+"\t0\tapplication.com.electron.ollama.") ||
		!strings.Contains(table, "-\t0\tcom.ollama.ollama\n") {
		t.Errorf("launchctl list:\n%s", table)
	}
	check(t, m.Expose(true))
	eventually(t, "the new server listens everywhere", func() bool {
		return strings.Contains(sockets(m), "n*:")
	})
	if m.AppPID() != main {
		t.Error("the app was started again")
	}

	// Written behind its back, the window writes its own value back at the next click.
	check(t, app.SetExpose(OwnSQLite(), m.Home(), false))
	check(t, m.Click())
	eventually(t, "the click has taken it back", func() bool {
		value, _ := app.Query(OwnSQLite(), m.AppDatabase(), "SELECT expose FROM settings")
		return value == "1"
	})
}

// SIGTERM ends the app and its server; osascript's quit does not, and killing the server
// does not help for long.
func TestAppEnds(t *testing.T) {
	t.Parallel()
	m, bundle := appMac(t)
	check(t, m.OpenApp(bundle))
	main := m.AppPID()
	if _, _, code := m.Run("osascript", "-e", `quit app "Ollama"`); code != 0 || m.AppPID() != main {
		t.Errorf("osascript: exit %d, and the app is %d", code, m.AppPID())
	}
	first := m.servers(t)[0].PID
	check(t, syscall.Kill(first, syscall.SIGKILL))
	eventually(t, "the server is back", func() bool {
		s := m.servers(t)
		return len(s) == 1 && s[0].PID != first && sockets(m) != ""
	})
	if _, _, code := m.Run("pkill", "-x", "ollama-app"); code != 1 {
		t.Errorf("pkill of nobody: exit %d", code)
	}
	if _, _, code := m.Run("pkill", "-x", "Ollama"); code != 0 {
		t.Errorf("pkill: exit %d", code)
	}
	eventually(t, "the app has gone", func() bool { return m.AppPID() == 0 })
	if s := m.servers(t); len(s) != 0 || !IsFree(m.Port) {
		t.Errorf("the app has gone before its server: %v", s)
	}
}

// A killed app leaves an orphan with the port, which the next start ends.
func TestAppOrphan(t *testing.T) {
	t.Parallel()
	m, bundle := appMac(t)
	check(t, m.OpenApp(bundle))
	check(t, m.EndApp(syscall.SIGKILL))
	orphan := m.servers(t)
	if len(orphan) != 1 || orphan[0].Parent != 1 {
		t.Fatalf("the orphan is %+v", orphan)
	}
	check(t, m.OpenApp(bundle))
	eventually(t, "another server has the port", func() bool {
		s := m.servers(t)
		return len(s) == 1 && s[0].PID != orphan[0].PID && sockets(m) != ""
	})
}

// The app ends another server once, and then tries for ever without killing.
func TestAppReapsOnce(t *testing.T) {
	t.Parallel()
	m, bundle := appMac(t)
	reaped, stop, err := m.HoldPort(m.Port, "")
	check(t, err)
	defer stop()
	check(t, m.OpenApp(bundle)) // the holder answers
	eventually(t, "the app has the port", func() bool {
		s := m.servers(t)
		return len(s) == 1 && s[0].Parent == m.AppPID() && sockets(m) != ""
	})
	if s := sockets(m); strings.Contains(s, "p"+strconv.Itoa(reaped)+"\n") {
		t.Errorf("%d still listens: %s", reaped, s)
	}

	// A second holder comes in between, and stays.
	check(t, syscall.Kill(m.AppPID(), syscall.SIGSTOP))
	check(t, syscall.Kill(m.servers(t)[0].PID, syscall.SIGKILL))
	eventually(t, "the port is free", func() bool { return IsFree(m.Port) })
	held, stop, err := m.HoldPort(m.Port, "")
	check(t, err)
	defer stop()
	check(t, syscall.Kill(m.AppPID(), syscall.SIGCONT))
	log := filepath.Join(m.Home(), ".ollama/logs/server.log")
	eventually(t, "it has tried three times", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Count(string(text), "address already in use") >= 4
	})
	if s := sockets(m); !strings.Contains(s, "p"+strconv.Itoa(held)+"\n") {
		t.Errorf("%d has lost the port to %s", held, s)
	}
	stop()
	eventually(t, "the app has the port", func() bool {
		return strings.Contains(sockets(m), "n127.0.0.1:")
	})
}

// A running app is only shown; open -n starts another one, which ends the first.
func TestAppSecondStart(t *testing.T) {
	t.Parallel()
	m, bundle := appMac(t)
	check(t, m.OpenApp(bundle))
	first := m.AppPID()
	check(t, m.OpenApp(bundle))
	if m.AppPID() != first {
		t.Errorf("open started %d beside %d", m.AppPID(), first)
	}
	if _, stderr, code := m.Run("open", "-n", "-a", bundle); code != 0 {
		t.Fatalf("open -n: exit %d: %s", code, stderr)
	}
	eventually(t, "the second app serves alone", func() bool {
		s := m.servers(t)
		return m.AppPID() != first && len(s) == 1 && s[0].Parent == m.AppPID()
	})
}

// What waits in the caches is installed at a hidden start, and the settings stay.
func TestAppUpdate(t *testing.T) {
	t.Parallel()
	m, bundle := appMac(t)
	check(t, m.OpenApp(bundle))
	check(t, m.Expose(true))
	check(t, m.StageAppUpdate("0.41.0"))
	check(t, m.EndApp(syscall.SIGTERM))
	check(t, m.OpenApp(bundle, "hidden"))
	info, err := os.ReadFile(filepath.Join(bundle, "Contents/Info.plist"))
	if err != nil || !strings.Contains(string(info), "<string>0.41.0</string>") {
		t.Errorf("Info.plist: %s, %v", info, err)
	}
	eventually(t, "it listens everywhere", func() bool { return strings.Contains(sockets(m), "n*:") })
}

// The app lives on without a server where it cannot read its settings.
func TestAppWithABrokenDatabase(t *testing.T) {
	t.Parallel()
	m, bundle := appMac(t)
	_, err := m.BreakDatabase("schema")
	check(t, err)
	if _, stderr, code := m.Run("open", "-a", bundle); code != 0 {
		t.Fatalf("open: exit %d: %s", code, stderr)
	}
	eventually(t, "the app has given up", func() bool {
		log, _ := os.ReadFile(filepath.Join(m.Home(), ".ollama/logs/app.log"))
		return strings.Contains(string(log), "failed to read settings")
	})
	if m.AppPID() == 0 || len(m.servers(t)) != 0 {
		t.Errorf("the app is %d, its servers are %v", m.AppPID(), m.servers(t))
	}
}

func TestAppAfterAReboot(t *testing.T) {
	t.Parallel()
	m, bundle := appMac(t)
	check(t, m.OpenApp(bundle))
	_, _, _ = m.Launchctl("setenv", "OLLAMA_HOST", "0.0.0.0")
	check(t, m.Reboot())
	check(t, m.WaitVersion(net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Port)), timeout))
	if value, _, _ := m.Launchctl("getenv", "OLLAMA_HOST"); value != "\n" {
		t.Errorf("setenv has outlived the reboot: %q", value)
	}
	login := m.JobPID(app.LoginItem)
	out, _, _ := m.Run("ps", "-o", "ppid=", "-p", strconv.Itoa(m.AppPID()))
	if login == 0 || strings.TrimSpace(out) != strconv.Itoa(login) {
		t.Errorf("the app's parent is %q, want the login item's %d", out, login)
	}
}

func TestOpenNeedsAScreen(t *testing.T) {
	t.Parallel()
	m := newMac(t, Options{NoGUI: true})
	bundle := filepath.Join(m.Applications(), "Ollama.app")
	check(t, m.InstallApp(bundle, "0.33.0"))
	if _, stderr, code := m.Run("open", "-a", "Ollama"); code != 1 || stderr == "" {
		t.Errorf("open: exit %d: %q", code, stderr)
	}
	if _, stderr, code := m.Run("open", "-a", "Other"); code != 1 ||
		stderr != "Unable to find application named 'Other'\n" {
		t.Errorf("open: exit %d: %q", code, stderr)
	}
}

// A wrapper that does not exec: the listener is a child of the job, and ends with it.
func TestAgentWithAWrapper(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	script := filepath.Join(m.Dir(), "serve.sh")
	text := "#!/bin/sh\n" + m.Prefix() + "/opt/ollama/bin/ollama serve\n"
	check(t, os.WriteFile(script, []byte(text), 0o755))
	plist := strings.Replace(string(agent(brewKeys)),
		"<string>/opt/homebrew/opt/ollama/bin/ollama</string>\n\t\t<string>serve</string>",
		"<string>"+script+"</string>", 1)
	_, err := m.Install("com.example.mine", []byte(plist))
	check(t, err)
	check(t, m.StartService("com.example.mine"))
	job := m.JobPID("com.example.mine")
	if runtime.GOOS == "linux" {
		if s := m.servers(t); len(s) != 1 || s[0].Parent != job {
			t.Errorf("the server is %+v, want a child of %d", s, job)
		}
	}
	table, _, _ := m.Launchctl("list")
	if want := strconv.Itoa(job) + "\t0\tcom.example.mine\n"; !strings.Contains(table, want) {
		t.Errorf("launchctl list has no %q:\n%s", want, table)
	}
	_, _, _ = m.Launchctl("bootout", m.Domain()+"/com.example.mine")
	check(t, m.WaitGone("com.example.mine", timeout))
	eventually(t, "the port is free", func() bool { return IsFree(m.Port) })
}

// Home-manager's agent: started at load, started again after a failure, and not after a
// SIGTERM, to which Ollama exits 0.
func TestKeepAliveUnlessSuccessful(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	extra := "<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>"
	_, err := m.Install(label, agent(extra+everySession))
	check(t, err)
	check(t, m.StartService(label))
	first := m.JobPID(label)
	check(t, syscall.Kill(first, syscall.SIGKILL))
	eventually(t, "it is back", func() bool {
		pid := m.JobPID(label)
		return pid != 0 && pid != first && !IsFree(m.Port)
	})
	check(t, syscall.Kill(m.JobPID(label), syscall.SIGTERM))
	eventually(t, "it has ended", func() bool { return m.JobPID(label) == 0 })
	out, _, _ := m.Launchctl("print", m.Domain()+"/"+label)
	if !strings.Contains(out, "state = not running") {
		t.Errorf("print:\n%s", out)
	}
}
