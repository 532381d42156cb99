package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// The limit of doctor: its slowest check, a little, and the start of the program.
const mostOverSlowest = 1.1

// slowestShown is how many checks have a row.
const slowestShown = 3

// surgery is a Mac for doctor to look at.
type surgery struct {
	name    string
	furnish func(*sandbox.Mac) error
}

var surgeries = []surgery{
	{"no container runtime", func(*sandbox.Mac) error { return nil }},
	{"Docker Desktop, one container with curl", func(m *sandbox.Mac) error {
		if err := m.StartEngine(sandbox.Engine{Product: sandbox.ProductDesktop}); err != nil {
			return err
		}
		url := fmt.Sprintf("OLLAMA_BASE_URL=http://host.docker.internal:%d", m.Port)
		return m.RunContainer(sandbox.Container{Name: "app", Image: "app:1", Tools: []string{"curl"}, Env: []string{url}})
	}},
}

// doctor compares all checks together with each of them alone.
func doctor(l *lab) ([]table, error) {
	t := table{head: []string{"Mac", "what", "time", "ratio", "wanted"}}
	for _, s := range surgeries {
		if err := l.visit(s, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return []table{t}, nil
}

func (l *lab) visit(s surgery, t *table) error {
	m, err := l.mac()
	if err != nil {
		return err
	}
	defer scrap(m)
	if err := s.furnish(m); err != nil {
		return err
	}
	checks, err := l.checks(m)
	if err != nil {
		return err
	}
	samples, err := l.visits(m, checks)
	if err != nil {
		return err
	}
	t.rows = append(t.rows, consultation{s.name, checks, samples}.rows()...)
	return nil
}

const theDoctor = "`ollama-bind doctor`, all checks"

// visits measures the start of the program, doctor, and every check alone.
func (l *lab) visits(m *sandbox.Mac, checks []string) (map[string][]sample, error) {
	visit := func(args ...string) work {
		return alone(l.onMac(m, append([]string{"doctor", "--host", host(m)}, args...)...).ends(anyCode))
	}
	sides := []side{{version, alone(l.onMac(m, "version"))}, {theDoctor, visit()}}
	for _, id := range checks {
		sides = append(sides, side{id, visit("--check", id)})
	}
	return compare(l.ctx, l.times(21, 3), sides)
}

// checks are the IDs of all of them.
func (l *lab) checks(m *sandbox.Mac) ([]string, error) {
	r := l.onMac(m, "doctor", "--list-checks", "--json").start(l.ctx)
	if err := r.wait(&sample{}); err != nil {
		return nil, err
	}
	var list struct{ Checks []struct{ ID string } }
	if err := json.Unmarshal(r.out.Bytes(), &list); err != nil {
		return nil, err
	}
	var ids []string
	for _, check := range list.Checks {
		ids = append(ids, check.ID)
	}
	return ids, nil
}

// consultation is what was measured on one Mac.
type consultation struct {
	mac     string
	checks  []string
	samples map[string][]sample
}

func (c consultation) rows() [][]string {
	start, took := c.time(version), c.time(theDoctor)
	slices.SortFunc(c.checks, func(a, b string) int { return cmp.Compare(c.time(b), c.time(a)) })
	rows := [][]string{{c.mac, "the start of the program (`version`)", span(start), "", ""}}
	for _, id := range c.checks[:min(slowestShown, len(c.checks))] {
		rows = append(rows, []string{"", "`" + id + "` alone, without that start", span(c.time(id) - start), "", ""})
	}
	cores := time.Duration(runtime.NumCPU())
	slowest := ratio(took-start, c.time(c.checks[0])-start)
	return append(rows,
		[]string{"", "processor time of doctor and its commands, shared by all cores", span(middle(c.samples[theDoctor], cpu) / cores), "", ""},
		[]string{"", theDoctor, span(took), times(slowest), atMost(slowest, mostOverSlowest, " × the slowest check, plus the start")})
}

func (c consultation) time(side string) time.Duration { return middle(c.samples[side], wall) }
