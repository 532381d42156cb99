package main

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The limits of the patch.
const (
	mostDecodes = 2.5  // SetEnv decodes twice, to verify
	mostGrowth  = 1.25 // of the time for a byte: linear, but for what caches do
)

// The benchmarks of plistfix that are compared.
const (
	splice    = "Splice"
	setEnv    = "SetEnv"
	decode    = "HowettDecode"
	roundTrip = "HowettRoundTrip"
)

var editors = []struct{ name, what string }{
	{splice, "the splice alone"},
	{setEnv, "SetEnv: checked, spliced, verified"},
	{decode, "howett.net/plist: decode"},
	{roundTrip, "howett.net/plist: decode, set, encode"},
}

// result is a line that a benchmark has printed.
type result struct {
	name        string
	document    string // "format=XML/size=1MB"
	ns          float64
	bytesPerSec float64 // 0 where it does not tell
	allocated   float64
}

// bench is one benchmark with one document, run many times.
type bench struct {
	bytes     float64 // of the document
	time      time.Duration
	allocated float64
}

var benchLine = regexp.MustCompile(`^Benchmark(\w+)/(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// parseBench reads what `go test -bench` prints, and passes over what it does not
// know.
func parseBench(text string) []result {
	var results []result
	for line := range strings.Lines(text) {
		found := benchLine.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			continue
		}
		r := result{name: found[1], document: found[2]}
		fields := strings.Fields(found[3])
		for i := 0; i+1 < len(fields); i += 2 {
			r.set(fields[i], fields[i+1])
		}
		results = append(results, r)
	}
	return results
}

func (r *result) set(figure, unit string) {
	value, err := strconv.ParseFloat(figure, 64)
	if err != nil {
		return
	}
	switch unit {
	case "ns/op":
		r.ns = value
	case "MB/s":
		r.bytesPerSec = value * 1e6
	case "B/op":
		r.allocated = value
	}
}

// benchmark is one benchmark's median with a document.
func benchmark(results []result, name, document string) (b bench, ok bool) {
	var ns, allocated, bytes []float64
	for _, r := range results {
		if r.document != document {
			continue
		}
		if r.name == name {
			ns, allocated = append(ns, r.ns), append(allocated, r.allocated)
		}
		if r.bytesPerSec > 0 {
			bytes = append(bytes, r.bytesPerSec*r.ns/1e9)
		}
	}
	b = bench{median(bytes), time.Duration(math.Round(median(ns))), median(allocated)}
	return b, len(ns) > 0
}

// documentsOf are the documents in the results: format by format, the smallest first.
func documentsOf(results []result) []string {
	var all []string
	for _, r := range results {
		if !slices.Contains(all, r.document) {
			all = append(all, r.document)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int {
		first, _ := benchmark(results, decode, a)
		second, _ := benchmark(results, decode, b)
		return cmp.Or(cmp.Compare(path.Dir(a), path.Dir(b)), cmp.Compare(first.bytes, second.bytes))
	})
	return all
}

// plain is a document's name without the names of its properties: "XML, 1MB".
func plain(document string) string {
	var values []string
	for part := range strings.SplitSeq(document, "/") {
		values = append(values, part[strings.Index(part, "=")+1:])
	}
	return strings.Join(values, ", ")
}

// patch compares the editing of a document with what a library does.
func patch(l *lab) ([]table, error) {
	results, err := l.benchmarks()
	if err != nil {
		return nil, err
	}
	documents := documentsOf(results)
	return []table{patchTable(results, documents), growthTable(results, documents)}, nil
}

func patchTable(results []result, documents []string) table {
	t := table{head: []string{"document", "what", "time", "allocated", "against decode", "against decode, set, encode", "wanted"}}
	for _, d := range documents {
		one, _ := benchmark(results, decode, d)
		trip, _ := benchmark(results, roundTrip, d)
		for _, e := range editors {
			b, ok := benchmark(results, e.name, d)
			if !ok {
				t.add(plain(d), e.what, notHere, "", "", "", "")
				continue
			}
			t.add(fmt.Sprintf("%s, %s", plain(path.Dir(d)), weight(b.bytes)), e.what, span(b.time), weight(b.allocated),
				times(ratio(b.time, one.time)), times(ratio(b.time, trip.time)), patchLimit(e.name, b, one, trip))
		}
	}
	return t
}

func patchLimit(name string, b, one, trip bench) string {
	switch name {
	case splice:
		return "faster than decode, set, encode: " + verdict(b.time < trip.time)
	case setEnv:
		return atMost(ratio(b.time, one.time), mostDecodes, " decodes")
	}
	return ""
}

// growthTable compares each document with the next larger one of its format: how much
// more there is to read, and how much longer it takes.
func growthTable(results []result, documents []string) table {
	t := table{head: []string{"from, to", "what", "times the bytes", "times the time", "times the allocation", "time for a byte", "wanted"}}
	for i := 1; i < len(documents); i++ {
		from, to := documents[i-1], documents[i]
		if path.Dir(from) != path.Dir(to) {
			continue
		}
		for _, e := range editors {
			small, ok := benchmark(results, e.name, from)
			large, ok2 := benchmark(results, e.name, to)
			if ok && ok2 {
				t.add(append([]string{plain(from) + " to " + plain(path.Base(to)), e.what}, growth(e.name, small, large)...)...)
			}
		}
	}
	return t
}

func growth(name string, small, large bench) []string {
	more, longer := ratio(large.bytes, small.bytes), ratio(large.time, small.time)
	wanted := ""
	if name == splice || name == setEnv {
		wanted = "linear: " + atMost(ratio(longer, more), mostGrowth, "")
	}
	return []string{times(more), times(longer), times(ratio(large.allocated, small.allocated)), times(ratio(longer, more)), wanted}
}

// benchmarks runs the benchmarks of plistfix, all of them by turns. The largest
// document takes too long for many: its turns are spread among the others.
func (l *lab) benchmarks() ([]result, error) {
	test := l.path("plistfix.test")
	if err := l.goTool("test", "-c", "-o", test, "./plistfix"); err != nil {
		return nil, err
	}
	var names []string
	for _, e := range editors {
		names = append(names, e.name)
	}
	pattern := "^Benchmark(" + strings.Join(names, "|") + ")$"
	if l.quick {
		return l.turns(5, test, "-test.benchtime", "20ms", "-test.bench", pattern)
	}
	var results []result
	for range 3 {
		usual, err := l.turns(7, test, "-test.benchtime", "20ms", "-test.bench", pattern)
		if err != nil {
			return nil, err
		}
		huge, err := l.turns(1, test, "-huge", "-test.benchtime", "1x", "-test.bench", pattern+"/XML/100MB")
		if err != nil {
			return nil, err
		}
		results = slices.Concat(results, usual, huge)
	}
	return results, nil
}

func (l *lab) turns(turns int, argv ...string) ([]result, error) {
	var all []result
	argv = append(argv, "-test.run", "^$", "-test.benchmem")
	for range turns {
		r := command{argv: argv, dir: "plistfix"}.start(l.ctx)
		if err := r.wait(&sample{}); err != nil {
			return nil, err
		}
		all = append(all, parseBench(r.out.String())...)
	}
	return all, nil
}
