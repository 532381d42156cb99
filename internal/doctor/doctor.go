// Package doctor explains why containers do not reach Ollama. It gathers everything
// once, in parallel, and then asks checks, which are pure, what to make of it. What is
// wrong, and the cure, is in the list of package advice; a check adds the evidence, and
// what to say if all is well.
//
// A check fails only for a reason why containers do not reach Ollama, or certainly will
// not soon. That Ollama listens only on loopback is no such reason: most runtimes on a
// Mac reach it there. It is a warning, until the checks from inside containers have
// shown that it does not matter.
package doctor

import (
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/advice"
)

// Status is how a check ended.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn" // works, and is worth knowing
	Fail Status = "fail" // a reason why containers do not reach Ollama
	Skip Status = "skip" // could not be looked at, or does not apply
)

// Finding is the result of a check.
type Finding struct {
	ID       string
	Status   Status
	Summary  string // one line
	Evidence string // the evidence, one or more lines
	Fix      string // a command to paste
}

// Check looks at one thing.
type Check struct {
	ID       string // kebab-case, an interface
	Question string // one line, for --list-checks
	// inside: the check asks from inside containers, which takes time.
	inside bool
	judge  func(Seen) Finding
}

// Run returns the findings of the checks, in their order.
func Run(s Seen, checks []Check) []Finding {
	var all []Finding
	advised := s.advised()
	for _, check := range checks {
		f := check.judge(s)
		i := slices.IndexFunc(advised, func(a advice.Advice) bool { return a.Check == check.ID })
		if i >= 0 {
			a := advised[i]
			f.Status, f.Summary, f.Fix = Status(a.Level), a.Message, a.Hint
		}
		f.ID = check.ID
		all = append(all, f)
	}
	return all
}

// advised is the list's advice. If containers were asked, and all reach loopback, it
// does not matter that Ollama listens only there.
func (s Seen) advised() []advice.Advice {
	all := advice.All(s.Facts)
	if s.loopbackWillDo() {
		all = slices.DeleteFunc(all, ofLoopback)
	}
	return all
}

func ofLoopback(a advice.Advice) bool { return a.ID == "listens-elsewhere" || a.ID == "plist-differs" }

// First is the advice to start with: that of status, corrected by what was measured
// from inside containers. It is nil if all is well.
func First(s Seen) *advice.Advice {
	first := advice.First(s.Facts)
	if s.loopbackWillDo() && first != nil && ofLoopback(*first) {
		first = nil
		if all := s.advised(); slices.ContainsFunc(all, failing) {
			first = &all[slices.IndexFunc(all, failing)]
		}
	}
	if first != nil && failing(*first) || s.Report == nil {
		return first
	}
	if f := reach(s); f.Status == Fail && f.Fix != "" {
		return &advice.Advice{ID: reaches, Level: advice.Fail, Check: reaches, Message: f.Summary, Hint: f.Fix}
	}
	return first
}

func failing(a advice.Advice) bool { return a.Level == advice.Fail }

func passed(summary string, evidence ...string) Finding {
	return Finding{Status: OK, Summary: summary, Evidence: lines(evidence...)}
}

func warned(summary, fix string, evidence ...string) Finding {
	return Finding{Status: Warn, Summary: summary, Fix: fix, Evidence: lines(evidence...)}
}

func failed(summary, fix string, evidence ...string) Finding {
	return Finding{Status: Fail, Summary: summary, Fix: fix, Evidence: lines(evidence...)}
}

func skipped(summary string, evidence ...string) Finding {
	return Finding{Status: Skip, Summary: summary, Evidence: lines(evidence...)}
}

// lines joins those that are not empty.
func lines(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(line string) bool { return line == "" }), "\n")
}
