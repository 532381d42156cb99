package service

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

func seen(label, domain string, pid int, err error) sighting {
	return sighting{
		Service: Service{Label: label},
		target:  launchctl.Target{Domain: launchctl.Domain(domain), Label: label},
		job:     launchctl.Job{PID: pid, Path: "/" + label},
		err:     err,
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
	var p *Error
	if _, err := sift([]sighting{seen("a", "gui/1", 0, launchctl.ErrNoTool)}); !errors.As(err, &p) || p.Ending != NothingHere {
		t.Errorf("without a launchctl: %v", err)
	}
}

func targetOf(s *sighting) string {
	if s == nil {
		return ""
	}
	return s.target.String()
}

// TestSiftUnsteady: of two that want one port, the one that launchd starts again
// and again may run at the moment.
func TestSiftUnsteady(t *testing.T) {
	loops, stays := seen("a", "gui/1", 6, nil), seen("b", "gui/1", 7, nil)
	loops.job.Runs, loops.job.LastExit = 4, "1"
	stays.job.Runs, stays.job.LastExit = 1, "(never exited)"
	for _, all := range [][]sighting{{loops, stays}, {stays, loops}} {
		if f, _ := sift(all); targetOf(f.best) != "gui/1/b" || targetOf(f.rival) != "gui/1/a" {
			t.Errorf("best is %s, rival %s", targetOf(f.best), targetOf(f.rival))
		}
	}
	loops.job.PID, stays.job.PID = 6, 0
	if f, _ := sift([]sighting{stays, loops}); targetOf(f.best) != "gui/1/a" {
		t.Errorf("best is %s, which does not run", targetOf(f.best))
	}
}

// TestRivalsFile: launchd would load it again at the next login, unless it is the
// other job's as well, which may have been loaded from elsewhere.
func TestRivalsFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a b.plist")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	best, rival := seen("a", "gui/1", 7, nil), seen("b", "gui/1", 0, nil)
	other := filepath.Join(dir, "other.plist")
	for name, tc := range map[string]struct {
		plist, bests, loaded string // the rival's file, and what the best has and was loaded from
		want                 string
	}{
		"its own":                {file, other, other, file},
		"gone":                   {filepath.Join(dir, "none.plist"), other, other, ""},
		"loaded by both":         {file, other, file, ""},
		"of both, by one loaded": {file, file, other, ""},
	} {
		best.Plist, best.job.Path, rival.Plist = tc.bests, tc.loaded, tc.plist
		if got := (found{best: &best, rival: &rival}).service().Rival.Plist; got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestDomainsOf(t *testing.T) {
	all := []sighting{seen("a", "gui/1", 0, launchctl.ErrNoDomain), seen("b", "system", 0, nil), seen("a", "user/1", 0, launchctl.ErrNotLoaded)}
	all[1].Plist = "/b"
	if got := domainsOf("", all); len(got) != 1 || got[0] != "user/1" {
		t.Errorf("got %v, want user/1 alone: nobody is logged in at the screen", got)
	}
}

func TestSamePath(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if !samePath(link, real) || !samePath("", real) || samePath(real, filepath.Join(dir, "other")) {
		t.Error("links, or their absence, are not seen through")
	}
}

// What the service may have in its environment is masked, wherever it comes from.
func TestSecrets(t *testing.T) {
	s := State{
		Settings: []Setting{
			parseEnvFile(backup.File{Data: []byte("E=from-env-file\n")}),
			{Agent: plistfix.Agent{EnvironmentVariables: map[string]string{"A": "from-plist", "OLLAMA_HOST": "0.0.0.0:11434", "B": "1"}}},
		},
		Job: Job{Job: launchctl.Job{Environment: map[string]string{"C": "from-job"}, InheritedEnvironment: map[string]string{"D": "from-setenv"}}},
	}
	got := s.Log().Secrets
	slices.Sort(got)
	if diff := cmp.Diff([]string{"from-env-file", "from-job", "from-plist", "from-setenv"}, got); diff != "" {
		t.Error(diff)
	}
}
