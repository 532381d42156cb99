package advice

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// Drift is what has become of the last fix.
type Drift struct {
	ID      string `json:"id"`      // kebab-case, for scripts
	Layer   string `json:"layer"`   // where it shows; empty if nowhere
	Message string `json:"message"` // one sentence
	Repair  string `json:"repair"`  // a command to paste; empty if nothing needs repair
}

// Since compares the state with what the last fix left, by its receipt. What decides
// where Ollama listens now comes before what decides about the next restart. The repair
// is the first advice.
func Since(f Facts) Drift {
	d := since(f)
	if a := First(f); a != nil && d.ID != "intact" && d.ID != "other-address" && d.ID != "env-file-unusable" {
		d.Repair = a.Hint
	}
	return d
}

func since(f Facts) Drift {
	s, last := f.State, f.Fix
	switch {
	case last == nil && s.Reached(f.Goal):
		return Drift{ID: "intact", Message: "bound, though not by a fix that is known here"}
	case last == nil && s.Service.Daemon && f.UID != 0:
		return Drift{ID: "never-fixed", Layer: service.PlistLayer,
			Message: "this service is root's, and what was done to it is known to root alone"}
	case last == nil:
		return Drift{ID: "never-fixed", Layer: decides(s),
			Message: "this service was never fixed, or the fix was taken back"}
	}
	fixed := service.GoalFor(ollama.ParseHost(last.Host), true)
	drifts := []Drift{plistDrift(s, fixed), jobDrift(s, fixed), lastingDrift(s, fixed, *last)}
	if ofApp(f) {
		drifts = []Drift{appDrift(s, fixed)}
	}
	for _, d := range drifts {
		if d.ID != "" && f.Back != nil && leftBy(s, *f.Back, d.Layer) {
			return Drift{ID: "rollback-unfinished", Layer: d.Layer, Message: "the last rollback did not get to its end: `" + RollbackCommand(s) + "` goes on with it"}
		}
		if d.ID != "" && unfinished(s, *last, d.Layer) {
			return Drift{ID: "fix-unfinished", Layer: d.Layer, Message: "the last fix did not get to its end"}
		}
		if d.ID != "" {
			return d
		}
	}
	day := last.Created.Local().Format("2006-01-02 15:04")
	switch {
	case s.Job.Loaded && s.Job.PID == 0 && !s.Reached(fixed):
		return Drift{ID: "not-running", Layer: service.SocketLayer, Message: "all is set as the last fix has left it"}
	case !s.Reached(fixed):
		return Drift{ID: "not-reached", Layer: service.SocketLayer,
			Message: "all is set as the last fix has left it, but the service does not listen so"}
	case !s.Reached(f.Goal):
		return Drift{ID: "other-address", Layer: decides(s),
			Message: "fixed to " + last.Host + " on " + day + ", and intact; another address was asked about"}
	}
	return Drift{ID: "intact", Message: "fixed, and intact since " + day}
}

// unfinished reports whether a layer is not as the fix wanted it because the fix was
// killed. Then nobody else is blamed.
func unfinished(s service.State, last backup.Receipt, layer string) bool {
	sum := backup.Sum(s.Settings[len(s.Settings)-1].File.Data)
	asBefore := slices.ContainsFunc(last.Files, func(f backup.Saved) bool { return f.Layer == layer && f.Before == sum })
	return !last.Done && (layer == service.JobLayer || layer == service.ProcessLayer || layer == decides(s) && asBefore)
}

// leftBy reports whether a layer is as a rollback that was killed has left it.
func leftBy(s service.State, back backup.Receipt, layer string) bool {
	now := backup.Change{File: s.Setting(layer).File}.Saved().Before
	wrote := slices.ContainsFunc(back.Files, func(f backup.Saved) bool { return f.Layer == layer && f.After == now })
	return wrote || layer == service.JobLayer || layer == service.ProcessLayer
}

// decides is the layer from which the next start takes the setting.
func decides(s service.State) string {
	if s.Service.KindName() == service.App {
		return service.SettingLayer
	}
	return service.PlistLayer
}

func appDrift(s service.State, fixed service.Goal) Drift {
	switch {
	case s.JudgeLasting(fixed).State == service.Differs:
		return Drift{ID: "setting-changed", Layer: service.SettingLayer, Message: "the switch of Ollama.app was flipped since the fix"}
	case s.Job.Err == nil && !s.Job.Loaded:
		return Drift{ID: "not-running", Layer: service.ProcessLayer, Message: "Ollama.app was quit since the fix"}
	}
	return Drift{}
}

func plistDrift(s service.State, fixed service.Goal) Drift {
	d := Drift{Layer: service.PlistLayer}
	plist := s.Plist()
	switch {
	case s.Ran():
		return Drift{}
	case errors.Is(plist.Err, fs.ErrNotExist) && words(s).writes:
		d.ID, d.Message = "plist-deleted", "`brew services stop` or `brew services cleanup` has deleted the plist since the fix"
	case errors.Is(plist.Err, fs.ErrNotExist):
		d.ID, d.Message = "plist-deleted", "the plist was deleted since the fix"
	case plist.Err != nil:
		d.ID, d.Message = "plist-edited", "the plist was edited since the fix, and broken"
	case fixed.Matches(plist.Value):
		return Drift{}
	case homebrew.Generated(plist.File.Data):
		d.ID, d.Message = "plist-regenerated", "Homebrew has written the plist since the fix, without the setting"
	default:
		d.ID, d.Message = "plist-edited", "the plist was edited since the fix"
	}
	return d
}

func jobDrift(s service.State, fixed service.Goal) Drift {
	switch {
	case s.Job.Err == nil && !s.Job.Loaded:
		return Drift{ID: "job-not-loaded", Layer: service.JobLayer, Message: "the service has been stopped since the fix"}
	case s.Job.Loaded && !fixed.Matches(s.Job.Value()):
		return Drift{ID: "job-older-environment", Layer: service.JobLayer,
			Message: "launchd still has the environment of before the fix"}
	}
	return Drift{}
}

func lastingDrift(s service.State, fixed service.Goal, last backup.Receipt) Drift {
	layer := s.JudgeLasting(fixed)
	known := slices.ContainsFunc(last.Files, func(f backup.Saved) bool { return f.Layer == layer.Name })
	d := Drift{Layer: layer.Name}
	switch {
	case layer.State == service.OK || layer.State == service.Unsupported || layer.State == service.Skipped:
		return Drift{}
	case layer.State == service.Unknown:
		d.ID, d.Message = "env-file-unusable", "Homebrew's env file cannot be used: "+layer.Detail
	case !known:
		d.ID, d.Message = "env-file-left-out", "the last fix did not write Homebrew's env file"
	case layer.State == service.Missing:
		d.ID, d.Message = "env-file-deleted", "Homebrew's env file was deleted since the fix"
	default:
		d.ID, d.Message = "env-file-edited", "Homebrew's env file was edited since the fix"
	}
	return d
}
