package bind

import (
	"path/filepath"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
)

// Lasting says why the setting would not survive Homebrew's next restart of the
// service, and what to do about it; nothing if it would, or if it is not there.
func (m Machine) Lasting(s State, g Goal) string {
	const restart = "`brew services restart ollama`, also after an upgrade, "
	if !g.Matches(s.Plist.Value()) || g.Value == nil {
		return ""
	}
	if s.Agent.Loaded && homebrew.IsLabel(s.Agent.Label) && !m.atLogin(s.Agent.Plist) {
		return "the service was started with `brew services run`, from " + s.Agent.Plist +
			": it does not start at login, and a file in LaunchAgents, if there is one, was not touched; `" + s.RewriteCommand() + "` puts that right"
	}
	if s.EnvFile.Err != nil && s.envFileUse() == honoured {
		return "Homebrew's env file " + s.EnvFile.File.Path + " cannot be used (" + bare(s.EnvFile.Err).Error() +
			"), so the setting is dropped at the next `brew services restart ollama`, if that does not fail on the file"
	}
	switch s.envFileUse() {
	case forOthers:
		return ""
	case notForRoot:
		return "`sudo brew services restart ollama` writes the property list anew without the setting, because Homebrew ignores its env file for root: run `" + s.FixCommand(g) + "` again then"
	case tooOld:
		return restart + "writes the property list anew without the setting, because this Homebrew ignores the env file: " +
			"run `brew update` first, or `" + s.FixCommand(g) + "` again afterwards"
	}
	if s.judgeEnvFile(Goal{Lasting: g.Value, Persist: true}).State == OK {
		return ""
	}
	return restart + "writes the property list anew without the setting: `" + s.FixCommand(g) + "` puts it into Homebrew's env file, and it stays"
}

// atLogin reports whether launchd loads the property list by itself.
func (m Machine) atLogin(plist string) bool {
	dir := resolved(filepath.Dir(plist))
	return dir == resolved(homebrew.Agents(m.Home)) || dir == resolved(m.Daemons)
}
