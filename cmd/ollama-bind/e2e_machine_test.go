//go:build e2e

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// groupVariable has the control group that all of a run is in. It is set where .ci/e2e has
// namespaces of its own, in which nothing of a second engine can be left behind.
const groupVariable = "OLLAMA_BIND_E2E_GROUP"

func init() {
	conditions["machine"] = func() bool { return os.Getenv(groupVariable) != "" }
	e2eCommands["machine"] = e2eMachine
}

// engineMachine is a machine with an engine: a network namespace, which a cable connects
// with this one.
type engineMachine struct {
	here, there string // the addresses of the cable's ends
	host        string // DOCKER_HOST
	flags       []string
}

var engineMachines = map[string]engineMachine{
	"remote": {here: "10.77.0.1", there: "10.77.0.2", host: "tcp://10.77.0.2:2375", flags: []string{"--tls=false"}},
	"orbstack": {here: vmGateway, there: "192.168.65.3", host: "unix://FOLDER/docker.sock",
		flags: []string{"--label", "dev.orbstack.e2e=1", "--host-gateway-ip", vmGateway}},
}

// e2eMachine starts a machine that has an engine with the image of busybox, and sets
// $ENGINE, its DOCKER_HOST, and $ADDRESS, which this machine has there.
func e2eMachine(ts *testscript.TestScript, neg bool, args []string) {
	m, ok := engineMachines[args[0]]
	if !ok {
		ts.Fatalf("machine remote|orbstack")
	}
	folder, err := os.MkdirTemp("/run", "e2e-") // the paths of sockets have to be short
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(folder) })
	script := fmt.Sprintf(`ip link set lo up
until ip link show cable >/dev/null 2>&1; do sleep 0.05; done
ip address add %s/24 dev cable && ip link set cable up && ip route add default via %s && exec "$@"`, m.there, m.here)
	argv := append([]string{"--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh",
		"dockerd", "-H", m.host, "--config-file", "FOLDER/daemon.json", "--pidfile", "FOLDER/docker.pid", "--data-root", "FOLDER/data",
		"--exec-root", "FOLDER/exec", "--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs",
		"--cgroup-parent", "/" + os.Getenv(groupVariable) + "-far"}, m.flags...)
	for i, arg := range argv {
		argv[i] = strings.ReplaceAll(arg, "FOLDER", folder)
	}
	ts.Check(os.WriteFile(filepath.Join(folder, "daemon.json"), []byte("{}"), 0o644))
	log, err := os.Create(ts.MkAbs("dockerd.log"))
	ts.Check(err)
	defer log.Close()
	cmd := exec.Command("unshare", argv...)
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	m.connect(ts, cmd.Process.Pid)
	m.host = strings.ReplaceAll(m.host, "FOLDER", folder)
	m.fill(ts, theEngine(ts))
	ts.Setenv("ENGINE", m.host)
	ts.Setenv("ADDRESS", m.here)
}

// connect lays the cable to the network namespace of a process.
func (m engineMachine) connect(ts *testscript.TestScript, pid int) {
	own, err := os.Readlink("/proc/self/ns/net")
	ts.Check(err)
	eventually(ts, "the machine has its own network", func() bool {
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		return err == nil && its != own
	})
	for _, line := range []string{
		fmt.Sprintf("link add e2e-cable type veth peer name cable netns %d", pid),
		"address add " + m.here + "/24 dev e2e-cable",
		"link set e2e-cable up",
	} {
		out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			ts.Fatalf("ip %s: %v: %s", line, err, out)
		}
	}
	ts.Defer(func() { _ = exec.Command("ip", "link", "del", "e2e-cable").Run() })
}

// fill waits for the engine, and gives it the image.
func (m engineMachine) fill(ts *testscript.TestScript, e *engine) {
	there := &engine{client: e.client, host: m.host}
	deadline := time.Now().Add(fullTime)
	for {
		_, err := there.docker("version")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the engine does not answer: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	image, err := e.docker("save", busyboxImage)
	ts.Check(err)
	_, err = there.dockerReads([]byte(image), "load")
	ts.Check(err)
}
