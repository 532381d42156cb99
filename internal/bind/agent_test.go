package bind

import (
	"errors"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

func seen(label, domain string, pid int, err error) sighting {
	return sighting{
		Candidate: homebrew.Candidate{Label: label},
		target:    launchctl.Target{Domain: launchctl.Domain(domain), Label: label},
		job:       launchctl.Job{PID: pid, Path: "/" + label},
		err:       err,
	}
}

func TestSift(t *testing.T) {
	broken := errors.New("print broke")
	for name, tc := range map[string]struct {
		all         []sighting
		best, rival string
		unclear     error
	}{
		"nothing":           {[]sighting{seen("a", "gui/1", 0, launchctl.ErrNotLoaded), seen("b", "gui/1", 0, launchctl.ErrNoDomain)}, "", "", nil},
		"one":               {[]sighting{seen("a", "gui/1", 0, launchctl.ErrNotLoaded), seen("b", "gui/1", 7, nil)}, "gui/1/b", "", nil},
		"running one first": {[]sighting{seen("a", "gui/1", 0, nil), seen("b", "gui/1", 7, nil)}, "gui/1/b", "gui/1/a", nil},
		"first of two":      {[]sighting{seen("a", "gui/1", 6, nil), seen("b", "gui/1", 7, nil)}, "gui/1/a", "gui/1/b", nil},
		"the same twice":    {[]sighting{seen("a", "gui/1", 6, nil), seen("a", "user/1", 6, nil)}, "gui/1/a", "", nil},
		"unclear":           {[]sighting{seen("a", "gui/1", 0, broken), seen("b", "gui/1", 0, launchctl.ErrNotLoaded)}, "", "", broken},
		"unclear beside":    {[]sighting{seen("a", "gui/1", 0, broken), seen("b", "gui/1", 7, nil)}, "gui/1/b", "", broken},
	} {
		f, err := sift(tc.all)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := targetOf(f.best); got != tc.best {
			t.Errorf("%s: best is %q, want %q", name, got, tc.best)
		}
		if got := targetOf(f.rival); got != tc.rival {
			t.Errorf("%s: rival is %q, want %q", name, got, tc.rival)
		}
		if !errors.Is(f.unclear, tc.unclear) {
			t.Errorf("%s: unclear is %v", name, f.unclear)
		}
	}
	var p *Problem
	if _, err := sift([]sighting{seen("a", "gui/1", 0, launchctl.ErrNoTool)}); !errors.As(err, &p) || p.Kind != NothingHere {
		t.Errorf("without a launchctl: %v", err)
	}
}

func targetOf(s *sighting) string {
	if s == nil {
		return ""
	}
	return s.target.String()
}

func TestDomainsOf(t *testing.T) {
	a := homebrew.Candidate{Label: "a"}
	all := []sighting{seen("a", "gui/1", 0, launchctl.ErrNoDomain), seen("b", "system", 0, nil), seen("a", "user/1", 0, launchctl.ErrNotLoaded)}
	if got := domainsOf(a, all); len(got) != 1 || got[0] != "user/1" {
		t.Errorf("got %v, want user/1 alone: nobody is logged in at the screen", got)
	}
}
