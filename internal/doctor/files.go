package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

func judgePlist(_ *Case, s bind.State) Finding {
	path := s.Agent.Plist
	switch {
	case errors.Is(s.Plist.Err, fs.ErrNotExist) && s.Agent.Loaded:
		return failed("the service runs, but its property list is gone: launchd does not start it at login",
			s.RewriteCommand(), path)
	case noFile(s):
		return failed("there is no property list", lookBeside(s), path)
	case errors.Is(s.Plist.Err, fs.ErrNotExist):
		return failed("there is no property list", s.StartCommand(), path)
	case s.Plist.Err != nil:
		return failed(s.Plist.Err.Error(), "plutil -lint "+shell.Quote(path), path)
	}
	return passed("a property list that launchd understands", path)
}

func judgePermissions(c *Case, s bind.State) Finding {
	f := s.Plist.File
	seen := fmt.Sprintf("%s: mode %04o, owner %d", s.Agent.Plist, f.Mode, f.UID)
	switch {
	case f.Data == nil:
		return skipped("the property list could not be read", s.Agent.Plist)
	case f.Mode&bind.WritableByOthers != 0:
		return failed("others can write to the property list: launchd refuses to load it",
			"chmod go-w "+shell.Quote(s.Agent.Plist), seen)
	case s.Agent.Daemon && f.UID == 0 && c.Machine.UID != 0:
		return passed("root's, as it has to be: fix needs sudo", seen)
	case f.UID != c.Machine.UID && f.UID != 0:
		return failed("the property list belongs to somebody else: launchd refuses to load it",
			fmt.Sprintf("sudo chown %d %s", c.Machine.UID, shell.Quote(s.Agent.Plist)), seen)
	case f.UID != c.Machine.UID:
		return warned("the property list belongs to root: launchd loads it, but fix cannot change it",
			fmt.Sprintf("sudo chown %d %s", c.Machine.UID, shell.Quote(s.Agent.Plist)), seen)
	}
	return passed("yours, and writable by nobody else", seen)
}

func judgeLasting(c *Case, s bind.State) Finding {
	value := s.Plist.Value()
	if value == nil {
		return skipped("OLLAMA_HOST is not set, so nothing can be lost")
	}
	g := bind.GoalFor(ollama.ParseHost(*value), true)
	if text := c.Machine.Lasting(s, g); text != "" {
		return warned(text, cureForLasting(s, g), s.Agent.Plist)
	}
	return passed("the setting stays", filepath.Clean(s.EnvFile.File.Path))
}

// cureForLasting is a command where there is a single one; else the text says
// what to do.
func cureForLasting(s bind.State, g bind.Goal) string {
	switch l := s.Layers(g)[0]; {
	case l.State == bind.Missing, l.State == bind.Differs:
		return s.FixCommand(g)
	case l.State == bind.Unsupported && !s.Agent.Daemon:
		return "brew update && " + s.FixCommand(g)
	}
	return ""
}

func judgeHomebrew(_ *Case, s bind.State) Finding {
	switch {
	case s.Brew.Prefix == "":
		return skipped("the service's program is not Homebrew's")
	case !s.Brew.Known:
		return skipped("Homebrew's own code was not found", s.Brew.Prefix)
	}
	return judgeBrewVersion(s.Brew, s.Brew.Version())
}

func judgeBrewVersion(brew homebrew.Installation, version string) Finding {
	named := ""
	if version != "" {
		named = version + ", "
	}
	if brew.HonoursEnvFile {
		return passed(named+"6.0.15 or later: it keeps the setting", brew.Repository)
	}
	return warned(named+"older than 6.0.15: it drops the setting whenever it restarts the service", "brew update", brew.Repository)
}
