package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []int
		want   int
	}{
		{nil, 0},
		{[]int{7}, 7},
		{[]int{9, 1}, 1},
		{[]int{5, 1, 9}, 5},
		{[]int{4, 1, 3, 2}, 2},
	} {
		given := slices.Clone(c.values)
		if got := median(given); got != c.want || !slices.Equal(given, c.values) {
			t.Errorf("median(%v) = %d, want %d and nothing moved", c.values, got, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{span(1500 * time.Nanosecond), "1.5 µs"},
		{span(12345 * time.Microsecond), "12.3 ms"},
		{span(1500 * time.Millisecond), "1.50 s"},
		{weight(667), "667 B"},
		{weight(1340), "1.3 KB"},
		{weight(999_990), "1.0 MB"},
		{weight(6.61e6), "6.6 MB"},
		{weight(3.2e9), "3.2 GB"},
		{times(ratio(3.0, 0)), "0.0000"},
		{times(0.5), "0.50"},
		{times(ratio(30*time.Millisecond, 20*time.Millisecond)), "1.50"},
		{times(1213.4), "1213"},
		{atMost(1.3, 1.3, ""), "at most 1.3: ok"},
		{atMost(2.6, 2.5, " decodes"), "at most 2.5 decodes: MISSED"},
		{plain("format=XML/size=1MB"), "XML, 1MB"},
		{plain("1MB"), "1MB"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	one := table{head: []string{"what", "time"}, notes: []string{"A note."}}
	one.add("this", "1 ms")
	want := "\n| what | time |\n|---|--:|\n| this | 1 ms |\n\nA note.\n"
	if diff := cmp.Diff(want, markdown([]table{one})); diff != "" {
		t.Error(diff)
	}
}

func TestBetween(t *testing.T) {
	page := "before\n" + begin + "old\n" + end + "after\n"
	got, ok := between(page, "new\n")
	if want := "before\n" + begin + "\nnew\n\n" + end + "after\n"; !ok || got != want {
		t.Errorf("got %q, %v, want %q", got, ok, want)
	}
	for _, page := range []string{"", begin, end + begin} {
		if _, ok := between(page, "new"); ok {
			t.Errorf("%q has a place for the tables", page)
		}
	}
}

// TestPage holds the page against the program that writes into it.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := between(string(page), ""); !ok {
		t.Error("docs/benchmarks.md has no place for the tables")
	}
}

const benchOutput = `goos: linux
cpu: Some CPU
BenchmarkSplice/format=XML/size=1KB-8         	   69243	       100 ns/op	10000.00 MB/s	    3760 B/op	      16 allocs/op
BenchmarkHowettDecode/format=XML/size=1KB-8   	     100	       400 ns/op	 2500.00 MB/s	   14864 B/op	     388 allocs/op
BenchmarkHowettDecode/format=XML/size=1KB-8   	     100	       600 ns/op	       2.5 furlongs/op
BenchmarkHowettDecode/format=XML/size=1KB-8   	     100	       500 ns/op
BenchmarkHowettDecode/format=XML/size=1MB     	       1	 500000 ns/op	 2000.00 MB/s	 15216416 B/op	  410672 allocs/op
BenchmarkHowettDecode/format=XML/size=1GB     	--- FAIL
PASS
`

func TestParseBench(t *testing.T) {
	results := parseBench(benchOutput)
	if len(results) != 5 {
		t.Fatalf("%d results, want 5: %v", len(results), results)
	}
	got, ok := benchmark(results, decode, "format=XML/size=1KB")
	if want := (bench{bytes: 1000, time: 500, allocated: 0}); !ok || got != want {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
	if _, ok := benchmark(results, roundTrip, "format=XML/size=1KB"); ok {
		t.Error("a benchmark that was not run has a result")
	}
}

func TestDocumentsOf(t *testing.T) {
	var results []result
	for _, r := range []struct {
		document string
		ns       float64
	}{{"f=XML/s=big", 900}, {"f=binary/s=big", 800}, {"f=XML/s=small", 9}, {"f=binary/s=small", 8}} {
		results = append(results, result{name: decode, document: r.document, ns: r.ns, bytesPerSec: 1e9})
	}
	want := []string{"f=XML/s=small", "f=XML/s=big", "f=binary/s=small", "f=binary/s=big"}
	if diff := cmp.Diff(want, documentsOf(results)); diff != "" {
		t.Error(diff)
	}
}

func TestGrowth(t *testing.T) {
	small, large := bench{bytes: 1000, time: 10, allocated: 5}, bench{bytes: 10000, time: 200, allocated: 50}
	want := []string{"10", "20", "10", "2.00", "linear: at most 1.25: MISSED"}
	if diff := cmp.Diff(want, growth(splice, small, large)); diff != "" {
		t.Error(diff)
	}
}

func TestGroups(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	events := []event{
		{at(200), at(300), []string{"lsof"}},
		{at(0), at(100), []string{"launchctl", "a"}},
		{at(50), at(150), []string{"launchctl", "b"}},
		{at(120), at(140), []string{"lsof"}},
	}
	var sizes []int
	for _, g := range groups(events) {
		sizes = append(sizes, len(g))
	}
	if !slices.Equal(sizes, []int{3, 1}) {
		t.Errorf("groups of %v, want 3 side by side, then 1", sizes)
	}
}

func TestDescribe(t *testing.T) {
	lsof, launchctl := command{argv: []string{"/x/lsof"}}, command{argv: []string{"/x/launchctl"}}
	got := describe(work{{launchctl, lsof, launchctl}, {lsof}})
	if want := "2 launchctl and 1 lsof side by side; then 1 lsof"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLongestGap(t *testing.T) {
	start := time.Now()
	var answers []time.Time
	for _, ms := range []int{0, 2, 4, 30, 33, 36} {
		answers = append(answers, start.Add(time.Duration(ms)*time.Millisecond))
	}
	last, first := longestGap(answers)
	if last != answers[2] || first != answers[3] {
		t.Errorf("the gap is from %v to %v", last.Sub(start), first.Sub(start))
	}
}

func TestBuildFlags(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	flags := buildFlags(makefile)
	if len(flags) != 5 || flags[2] == "" || !strings.HasPrefix(flags[4], "-s -w ") || strings.Contains(flags[4], "$") {
		t.Errorf("the flags of make build are %q", flags)
	}
}

func TestChoose(t *testing.T) {
	if got, err := choose("size,patch"); err != nil || !slices.Equal(got, []string{"size", "patch"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := choose("size,pach"); err == nil || !strings.Contains(err.Error(), `"pach"`) {
		t.Errorf("an unknown table: %v", err)
	}
}
