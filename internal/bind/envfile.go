package bind

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// EnvFile is Homebrew's override for the service: what it merges into the
// property list whenever it writes that anew.
type EnvFile struct {
	File  backup.File
	Value *string // OLLAMA_HOST as Homebrew reads it, nil if it is not set
	// Err says why the file could not be read, or why Homebrew would choke on it.
	Err error
}

// WritableByOthers are the permissions with which Homebrew skips the env file
// (Homebrew/brew Library/Homebrew/service.rb), and launchd refuses a property
// list (launchctl(1)).
const WritableByOthers = 0o022

// errNoEnvFile says that Homebrew would look in another place in every folder.
var errNoEnvFile = errors.New("HOME, XDG_CONFIG_HOME and HOMEBREW_XDG_CONFIG_HOME give no full path for it")

func readEnvFile(path string) EnvFile {
	if path == "" {
		return EnvFile{Err: errNoEnvFile}
	}
	file, err := backup.ReadAbsent(path)
	file.Path = path
	if err != nil || file.Absent {
		return EnvFile{File: file, Err: err}
	}
	value, ok, err := homebrew.EnvValue(file.Data, ollama.Variable)
	if err != nil || !ok {
		return EnvFile{File: file, Err: err}
	}
	return EnvFile{File: file, Value: &value}
}

// envFileUse is what the env file is good for with this agent.
type envFileUse int

const (
	honoured   envFileUse = iota
	forOthers             // the service is not Homebrew's
	notForRoot            // Homebrew ignores it for services that root starts
	tooOld                // this Homebrew does not know of it yet
)

func (s State) envFileUse() envFileUse {
	switch {
	case s.Agent.Chosen && !homebrew.IsLabel(s.Agent.Label):
		return forOthers
	case s.Agent.Daemon:
		return notForRoot
	case s.Brew.Known && !s.Brew.HonoursEnvFile:
		return tooOld
	}
	return honoured
}

func (s State) judgeEnvFile(g Goal) Layer {
	l := Layer{Name: EnvFileLayer, Value: s.EnvFile.Value}
	use := s.envFileUse()
	switch {
	case !g.Persist:
		l.State, l.Detail = Skipped, "left out by --no-persist"
	case use == forOthers:
		l.State, l.Detail = Skipped, "for Homebrew's services only"
	case use == notForRoot:
		l.State, l.Detail = Unsupported, "Homebrew ignores it for services started with sudo"
	case s.EnvFile.Err != nil:
		l.State, l.Detail = Unknown, bare(s.EnvFile.Err).Error()
	case use == tooOld:
		l.State, l.Detail = Unsupported, "this Homebrew is older than 6.0.15 and ignores it"
	case s.EnvFile.File.Mode&WritableByOthers != 0:
		l.State, l.Detail = Differs, fmt.Sprintf("others can write to it (mode %04o), so Homebrew skips it", s.EnvFile.File.Mode)
	case Equivalent(l.Value, g.Lasting) && l.Value != nil && !s.Brew.Known:
		l.State, l.Detail = OK, "no Homebrew found that could be asked whether it reads it"
	case Equivalent(l.Value, g.Lasting):
		l.State = OK
	case s.EnvFile.File.Absent:
		l.State, l.Detail = Missing, "no such file"
	default:
		l.State, l.Detail = judgeValue(g.Lasting, l.Value)
	}
	return l
}

// editEnvFile is the change that the env file needs, if any.
func (m Machine) editEnvFile(s State, g Goal) ([]backup.Change, error) {
	use := s.envFileUse()
	if !g.Persist || use == forOthers || use == notForRoot {
		return nil, nil
	}
	if err := m.refuseEnvFile(s, g); err != nil {
		return nil, err
	}
	f := s.EnvFile.File
	if Equivalent(s.EnvFile.Value, g.Lasting) && f.Mode&WritableByOthers == 0 {
		return nil, nil
	}
	after, err := setEnvLine(f.Data, g.Lasting)
	if err != nil {
		return nil, problem(Failed, "env-file-refused", s.FixCommand(g)+" --no-persist", "editing %s: %w", f.Path, err)
	}
	c := backup.Change{Layer: EnvFileLayer, File: f, After: after, Mode: f.Mode &^ WritableByOthers}
	if f.Absent {
		c.Mode, c.Folders = 0o644, backup.MissingFolders(f.Path)
	}
	return []backup.Change{c}, nil
}

func setEnvLine(data []byte, value *string) ([]byte, error) {
	switch {
	case value == nil:
		return homebrew.UnsetEnvLine(data, ollama.Variable)
	case sameValue(data, *value):
		return data, nil
	}
	return homebrew.SetEnvLine(data, ollama.Variable, *value)
}

func sameValue(data []byte, value string) bool {
	now, ok, err := homebrew.EnvValue(data, ollama.Variable)
	return err == nil && ok && Equivalent(&now, &value)
}

// refuseEnvFile says why the env file must not be touched. A file that Homebrew
// chokes on takes the whole service down at its next restart, so it is said even
// where our own line would be fine.
func (m Machine) refuseEnvFile(s State, g Goal) error {
	e, withoutIt := s.EnvFile, s.FixCommand(g)+" --no-persist"
	var malformed *homebrew.EnvError
	switch {
	case errors.As(e.Err, &malformed):
		return problem(Failed, "env-file-malformed", withoutIt,
			"%s is not as Homebrew and launchd need it: %w; mend it, or go on without it", e.File.Path, e.Err)
	case errors.Is(e.Err, errNoEnvFile):
		return problem(Failed, "env-file-nowhere", withoutIt, "finding Homebrew's env file: %w", e.Err)
	case errors.Is(e.Err, fs.ErrNotExist):
		return problem(Failed, "env-file-dangling", "ls -l "+shell.Quote(e.File.Path), "reading %s: the link leads nowhere", e.File.Path)
	case e.Err != nil:
		return problem(Failed, "env-file-unreadable", "ls -ld "+shell.Quote(e.File.Path), "reading %s: %w", e.File.Path, bare(e.Err))
	case !e.File.Absent && e.File.UID != m.UID:
		return m.refuseOwner(s.command("fix", g), e.File.Path, e.File.UID)
	}
	return nil
}
