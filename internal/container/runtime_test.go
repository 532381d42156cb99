package container

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/launchctl"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
)

const fixtures = "../../fixtures/containers"

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// said is a program's end: what it wrote, and its exit status.
type said struct {
	out, stderr string
	code        int
	err         error
}

// tools is a Runner that knows its answers by the command line.
type tools struct {
	mu      sync.Mutex
	answers map[string]said
	asked   []string
}

func (r *tools) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, line)
	a, ok := r.answers[line]
	switch {
	case !ok:
		return nil, launchctl.ErrNoTool
	case a.err != nil:
		return nil, a.err
	case a.code != 0:
		return []byte(a.out), &launchctl.ExitError{Args: []string{line}, Code: a.code, Stderr: a.stderr}
	}
	return []byte(a.out), nil
}

const (
	dockerInfo  = "docker info --format {{json .}}"
	podmanInfo  = "podman info --format json"
	nerdctlInfo = "nerdctl info --format {{json .}}"
)

var (
	mac   = ""
	linux = "6.1.0-40-amd64"
	other = "6.1.0-41-amd64"
)

func TestParseInfo(t *testing.T) {
	for _, c := range []struct {
		file, tool string
		kernel     string
		want       Runtime
	}{
		{"docker-linux", "docker", linux, Runtime{Product: Native, Context: "default", Version: "20.10.24+dfsg1"}},
		{"docker-linux", "docker", other, Runtime{Product: UnknownProduct, Context: "default", Version: "20.10.24+dfsg1"}},
		{"docker-linux", "docker", mac, Runtime{Product: UnknownProduct, Context: "default", Version: "20.10.24+dfsg1"}},
		{"docker-podman-linux", "docker", linux, Runtime{Product: Native, Context: "default", Version: "4.3.1", Podman: true}},
		{"docker-podman-linux", "docker", mac, Runtime{Product: PodmanMachine, Context: "default", Version: "4.3.1", Podman: true}},
		{"docker-podman-linux", "docker", other, Runtime{Product: UnknownProduct, Context: "default", Version: "4.3.1", Podman: true}},
		{"docker-is-podman", "docker", linux, Runtime{Product: Native, Version: "4.3.1", Podman: true}},
		{"podman-linux", "podman", linux, Runtime{Product: Native, Version: "4.3.1", Podman: true}},
		{"podman-linux", "podman", other, Runtime{Product: Native, Version: "4.3.1", Podman: true}},
		{"podman-linux-remote", "podman", linux, Runtime{Product: Native, Version: "4.3.1", Podman: true}},
		{"podman-linux-remote", "podman", other, Runtime{Product: UnknownProduct, Version: "4.3.1", Podman: true}},
		{"podman-machine-CONSTRUCTED", "podman", mac, Runtime{Product: PodmanMachine, Version: "5.3.1", Rootless: true, Podman: true}},
		{"podman-machine-CONSTRUCTED", "podman", linux, Runtime{Product: PodmanMachine, Version: "5.3.1", Rootless: true, Podman: true}},
		{"docker-podman-machine-CONSTRUCTED", "docker", mac, Runtime{Product: PodmanMachine, Context: "default", Version: "5.3.1", Rootless: true, Podman: true}},
		{"docker-desktop-CONSTRUCTED", "docker", mac, Runtime{Product: DockerDesktop, Context: "desktop-linux", Version: "27.1.1"}},
		{"docker-desktop-linux-CONSTRUCTED", "docker", linux, Runtime{Product: DockerDesktop, Context: "desktop-linux", Version: "29.4.1"}},
		{"orbstack-CONSTRUCTED", "docker", mac, Runtime{Product: OrbStack, Context: "orbstack", Version: "24.0.7"}},
		{"colima-CONSTRUCTED", "docker", mac, Runtime{Product: Colima, Context: "colima", Version: "27.4.0"}},
		{"lima-CONSTRUCTED", "docker", mac, Runtime{Product: Lima, Context: "default", Version: "24.0.7", Rootless: true}},
		{"rancher-desktop-CONSTRUCTED", "docker", mac, Runtime{Product: RancherDesktop, Context: "rancher-desktop", Version: "26.1.5"}},
		{"nerdctl-rootless-CONSTRUCTED", "nerdctl", "5.11.0-22-generic", Runtime{Product: Native, Version: "v1.5.2", Rootless: true}},
	} {
		c.want.Tool = c.tool
		got, err := parseInfo(c.tool, fixture(t, c.file+".info.json"), c.kernel)
		if err != nil || got != c.want {
			t.Errorf("%s on %q: got %+v, %v, want %+v", c.file, c.kernel, got, err, c.want)
		}
	}
}

// Marks that one product leaves in one field only.
func TestProductMarks(t *testing.T) {
	for info, want := range map[string]Product{
		`"OperatingSystem":"Docker Desktop 4.30"`:           DockerDesktop,
		`"Labels":["com.docker.desktop.address=npipe://x"]`: DockerDesktop,
		`"Labels":["dev.orbstack.a=b"]`:                     OrbStack,
		`"Name":"orbstack"`:                                 OrbStack,
		`"Labels":["a=b","dev.rancherdesktop.a=b"]`:         RancherDesktop,
		`"Name":"rancher-desktop"`:                          RancherDesktop,
		`"OperatingSystem":"Rancher Desktop WSL Distribution","Name":"host","KernelVersion":"6.1.0-40-amd64"`: RancherDesktop,
		`"Name":"colima-work"`:                           Colima,
		`"Name":"lima-default"`:                          Lima,
		`"Name":"localhost.localdomain"`:                 UnknownProduct,
		`"Name":"host","KernelVersion":"6.1.0-40-amd64"`: Native,
		`"Name":"host","KernelVersion":"6.1.0-41-amd64"`: UnknownProduct,
		`"Name":"host","KernelVersion":""`:               UnknownProduct,
		`"Labels":["who=dev.orbstack.x"]`:                UnknownProduct,
	} {
		got, err := parseInfo("docker", []byte(`{"ServerVersion":"1",`+info+`}`), linux)
		if err != nil || got.Product != want {
			t.Errorf("%s: %s, %v, want %s", info, got.Product, err, want)
		}
	}
}

// TestPublishedInfo has the fields of engines on Macs that somebody has published, and
// asks for the product that the first column names.
func TestPublishedInfo(t *testing.T) {
	for line := range strings.Lines(string(fixture(t, "docker-info-fields.tsv"))) {
		f := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") || f[2] == "moby" { // Docker for Mac of 2017, for which no macOS is left
			continue
		}
		info, err := json.Marshal(map[string]any{"OperatingSystem": f[1], "Name": f[2], "KernelVersion": f[3], "ServerVersion": f[4], "DockerRootDir": f[6]})
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseInfo("docker", info, mac)
		if err != nil || string(got.Product) != f[0] {
			t.Errorf("%s: %s, %v", line, got.Product, err)
		}
	}
}

func TestParseInfoRefuses(t *testing.T) {
	for answer, want := range map[string]error{
		"":           launchctl.ErrFormat,
		"null":       ErrNoEngine,
		"[]":         launchctl.ErrFormat,
		`{"Name":1}`: launchctl.ErrFormat,
		"{}":         ErrNoEngine,
		`{"ServerErrors":["permission denied while trying"]}`:            ErrNoPermission,
		string(fixture(t, "docker-old-no-engine-CONSTRUCTED.info.json")): ErrNoEngine,
		string(fixture(t, "docker-no-engine.info.json")):                 ErrNoEngine,
	} {
		if got, err := parseInfo("docker", []byte(answer), linux); !errors.Is(err, want) {
			t.Errorf("%.60q: %+v, %v, want %v", answer, got, err, want)
		}
	}
}

func TestFind(t *testing.T) {
	r := &tools{answers: map[string]said{
		dockerInfo: {out: string(fixture(t, "colima-CONSTRUCTED.info.json"))},
		podmanInfo: {code: 125, stderr: string(fixture(t, "podman-no-engine.stderr"))},
	}}
	f := find(t.Context(), r, mac, Tools())
	found, unusable := f.Runtimes, f.Unusable
	if len(found) != 1 || found[0].Product != Colima {
		t.Errorf("found %+v", found)
	}
	if len(unusable) != 2 || unusable[0].Tool != "podman" || unusable[1].Tool != "nerdctl" {
		t.Fatalf("unusable %+v", unusable)
	}
	if err := unusable[0].Err; !errors.Is(err, ErrNoEngine) || !strings.HasPrefix(err.Error(), "podman: no engine answers: Cannot connect to Podman. Please") || strings.Contains(err.Error(), "\n") {
		t.Errorf("podman: %v", err)
	}
	if err := unusable[1].Err; !errors.Is(err, launchctl.ErrNoTool) {
		t.Errorf("nerdctl: %v", err)
	}
}

func TestFindOne(t *testing.T) {
	for _, c := range []struct {
		name, tool string
		answer     said
		want       error
		says       string
	}{
		{"no engine", "docker", said{code: 1, out: string(fixture(t, "docker-no-engine.info.json")), stderr: string(fixture(t, "docker-no-engine.stderr"))}, ErrNoEngine, "Cannot connect to the Docker daemon at unix:///nonexistent. Is the docker daemon running?"},
		{"no permission", "docker", said{code: 1, stderr: string(fixture(t, "docker-no-permission.stderr"))}, ErrNoPermission, "permission denied while trying"},
		{"no context", "docker", said{code: 1, stderr: string(fixture(t, "docker-no-context.stderr"))}, ErrNoEngine, `context "nope": context not found`},
		{"notice first", "docker", said{code: 125, stderr: "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.\ntime=\"x\" level=warning msg=\"y\"\n\nError: broken\x1b[31m"}, ErrNoEngine, "docker: no engine answers: Error: broken?[31m"},
		{"silent", "docker", said{code: 1}, ErrNoEngine, "no reason given"},
		{"hangs", "docker", said{err: launchctl.ErrNoAnswer}, launchctl.ErrNoAnswer, "docker"},
		{"containerd", "nerdctl", said{code: 1, stderr: string(fixture(t, "nerdctl-no-engine.stderr"))}, ErrNoEngine, "rootless containerd not running"},
	} {
		r := &tools{answers: map[string]said{dockerInfo: c.answer, nerdctlInfo: c.answer}}
		f := Probe{Runner: r, Tools: []string{c.tool}}.Find(t.Context())
		if len(f.Runtimes) != 0 || len(f.Unusable) != 1 {
			t.Errorf("%s: %+v", c.name, f)
			continue
		}
		if err := f.Unusable[0].Err; c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v with %q", c.name, err, c.want, c.says)
		}
	}
}

// waiting answers when as many programs run as it waits for.
type waiting struct{ sync.WaitGroup }

func (w *waiting) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	w.Done()
	all := make(chan struct{})
	go func() { w.Wait(); close(all) }()
	select {
	case <-all:
		return nil, launchctl.ErrNoTool
	case <-time.After(10 * time.Second):
		return nil, errors.New("asked one after the other")
	}
}

func TestFindAsksSideBySide(t *testing.T) {
	w := new(waiting)
	w.Add(len(Tools()) + 1) // docker is asked as well where its engine is
	unusable := Probe{Runner: w}.Find(t.Context()).Unusable
	var names []string
	for _, a := range unusable {
		if names = append(names, a.Tool); !errors.Is(a.Err, launchctl.ErrNoTool) {
			t.Error(a.Err)
		}
	}
	if !reflect.DeepEqual(names, Tools()) {
		t.Errorf("in the order %v", names)
	}
}

func TestAddressFrom(t *testing.T) {
	for endpoint, elsewhere := range map[string]bool{
		"unix:///var/run/docker.sock":   false,
		"npipe:////./pipe/docker":       false,
		"tcp://127.0.0.1:2375":          false,
		"ssh://me@localhost":            false,
		"tcp://[::1]:2376":              false,
		"":                              false,
		"nonsense":                      false,
		"tcp://192.0.2.7:2376":          true,
		"ssh://192.0.2.7:22":            true,
		"ssh://a-name-of-ssh-s.invalid": true,
	} {
		address := addressFrom(endpoint)
		if got := address != ""; got != elsewhere && len(ownAddresses(t)) > 0 {
			t.Errorf("%s: %q", endpoint, address)
		}
	}
}

// ownAddresses are those by which another machine could reach this one.
func ownAddresses(t *testing.T) (own []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.To4() != nil && ip.IsGlobalUnicast() {
			own = append(own, ip.String())
		}
	}
	return own
}

func FuzzParseInfo(f *testing.F) {
	files, err := filepath.Glob(fixtures + "/*.info.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		f.Add(fixture(f, filepath.Base(file)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rt, err := parseInfo("docker", data, linux)
		if err == nil && rt.Product == "" {
			t.Error("a runtime without a product")
		}
		if text.Printable(rt.Version, text.MaxValue) != rt.Version || text.Printable(rt.Context, text.MaxValue) != rt.Context {
			t.Errorf("%q, %q", rt.Version, rt.Context)
		}
	})
}
