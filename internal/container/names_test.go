package container

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

func TestHostNames(t *testing.T) {
	bridge := []Network{{Name: "bridge", Gateway: "172.17.0.1"}, {Name: "other", Gateway: "172.19.0.1"}, {Name: "none"}}
	gateway := []ExtraHost{{"ollama.host", "host-gateway"}, {"db", "10.0.0.9"}}
	docker := []ExtraHost{{"Host.docker.internal", "192.168.5.2"}}
	for _, c := range []struct {
		rt    Runtime
		mode  string
		extra []ExtraHost
		want  string
	}{
		{Runtime{Product: DockerDesktop}, "bridge", nil, "host.docker.internal"},
		{Runtime{Product: DockerDesktop}, "host", nil, "localhost host.docker.internal"},
		{Runtime{Product: DockerDesktop}, "bridge", gateway, "host.docker.internal ollama.host"},
		{Runtime{Product: OrbStack}, "bridge", nil, "host.docker.internal host.orb.internal"},
		{Runtime{Product: Colima}, "bridge", nil, "host.docker.internal host.lima.internal"},
		{Runtime{Product: Lima}, "bridge", nil, "host.lima.internal"},
		{Runtime{Product: Lima}, "bridge", docker, "host.lima.internal Host.docker.internal"},
		{Runtime{Product: RancherDesktop}, "bridge", docker, "host.docker.internal host.rancher-desktop.internal"},
		{Runtime{Product: PodmanMachine}, "bridge", nil, "host.containers.internal host.docker.internal"},
		{dockerNative, "bridge", nil, "172.17.0.1 172.19.0.1"},
		{dockerNative, "bridge", gateway, "ollama.host 172.17.0.1 172.19.0.1"},
		{dockerNative, "bridge", []ExtraHost{{"h", "172.19.0.1"}}, "h 172.17.0.1 172.19.0.1"},
		{dockerNative, "host", nil, "localhost 172.17.0.1 172.19.0.1"},
		{podmanNative, "bridge", nil, "host.containers.internal 172.17.0.1 172.19.0.1"},
		{Runtime{Tool: "docker", Product: Native, Podman: true}, "bridge", nil, "host.containers.internal 172.17.0.1 172.19.0.1"},
		{podmanNative, "bridge", docker, "Host.docker.internal host.containers.internal 172.17.0.1 172.19.0.1"},
		{dockerNative, "container:ab", nil, strings.Join(genericNames, " ") + " 172.17.0.1 172.19.0.1"},
		{Runtime{Product: Lima}, "container:ab", nil, "host.lima.internal host.docker.internal host.containers.internal host.orb.internal host.rancher-desktop.internal"},
		{Runtime{Product: UnknownProduct}, "bridge", nil, strings.Join(genericNames, " ") + " 172.17.0.1 172.19.0.1"},
	} {
		got := Container{Runtime: c.rt, NetworkMode: c.mode, ExtraHosts: c.extra, Networks: bridge}.hostNames()
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s %s %v: %q, want %q", c.rt.Product, c.mode, c.extra, got, c.want)
		}
	}
}

func TestHostName(t *testing.T) {
	for rt, want := range map[Runtime]string{
		{Product: DockerDesktop}:  "host.docker.internal",
		{Product: Colima}:         "host.docker.internal",
		{Product: Lima}:           "host.lima.internal",
		{Product: PodmanMachine}:  "host.containers.internal",
		{Product: UnknownProduct}: "host.docker.internal",
		dockerNative:              "host.docker.internal",
		podmanNative:              "host.containers.internal",
		{}:                        "host.docker.internal",
	} {
		if got := rt.HostName(); got != want {
			t.Errorf("%+v: %s, want %s", rt, got, want)
		}
	}
}

func TestDefaultGateway(t *testing.T) {
	for _, c := range []struct {
		rt         Runtime
		line, file string
		want       string
	}{
		{dockerNative, "docker network inspect bridge", "docker-linux.network.json", "172.17.0.1"},
		{podmanNative, "podman network inspect podman", "podman-linux.network.json", "10.88.0.1"},
		{Runtime{Tool: "docker", Product: Native, Podman: true}, "docker network inspect podman", "docker-podman-linux.network.json", "10.88.0.1"},
		{Runtime{Tool: "nerdctl", Product: Native}, "nerdctl network inspect bridge", "nerdctl-CONSTRUCTED.network.json", "10.4.0.1"},
	} {
		r := &tools{answers: map[string]said{c.line: {out: string(fixture(t, c.file))}}}
		if got, err := DefaultGateway(t.Context(), r, c.rt); err != nil || got != c.want {
			t.Errorf("%s: %q, %v", c.line, got, err)
		}
	}
}

func TestDefaultGatewayErrors(t *testing.T) {
	r := &tools{}
	if _, err := DefaultGateway(t.Context(), r, Runtime{Tool: "docker", Product: Colima}); err == nil || len(r.asked) != 0 {
		t.Errorf("in a virtual machine: %v", err)
	}
	for out, want := range map[string]string{
		`[{"IPAM":{"Config":[{"Subnet":"fd00::/64","Gateway":"fd00::1"},{"Subnet":"10.1.2.0/24"}]}}]`: "10.1.2.1",
		`[{"IPAM":{"Config":[{"Subnet":"fd00::/64"}]}}]`:                                              "fd00::1",
		`[{"IPAM":{"Config":[{"Subnet":"10.1.2.0/24","Gateway":"junk"}]}}]`:                           "",
		`[]`:                               "",
		`{}`:                               "",
		`[{"IPAM":{"Config":null}}, null]`: "",
	} {
		got, err := parseGateway([]byte(out))
		if got != want || (want == "") != errors.Is(err, launchctl.ErrFormat) {
			t.Errorf("%s: %q, %v", out, got, err)
		}
	}
	r = &tools{answers: map[string]said{"docker network inspect bridge": {code: 1, stderr: string(fixture(t, "docker-no-engine.stderr"))}}}
	if _, err := DefaultGateway(t.Context(), r, dockerNative); !errors.Is(err, ErrNoEngine) {
		t.Error(err)
	}
}
