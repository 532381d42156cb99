package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// Brew is the kind of Homebrew's service, whose plist Homebrew writes
// from its formula and an env file of the user's.
const Brew = "brew"

type brew struct{ byLaunchd }

func (brew) Name() string { return Brew }

// find takes the loaded job, or the first file that exists. `brew services run` loads a
// job without a file in the known places.
func (brew) find(ctx context.Context, m Machine, harder bool) ([]candidate, error) {
	services := slices.DeleteFunc(m.brewServices(), func(s Service) bool { return IsThere(s.Plist) == harder })
	all := m.ask(ctx, services)
	f, err := sift(all)
	switch {
	case err != nil:
		return nil, err
	case f.best == nil:
		return firstFile(services, all, f.unclear)
	}
	return []candidate{{f.service(), Job{Job: f.best.job, Loaded: true}}}, nil
}

func (brew) adopt(ctx context.Context, m Machine, s *State, _ []candidate) (candidate, bool) {
	return m.adopted(ctx, s, homebrew.IsLabel)
}

func (m Machine) brewServices() []Service {
	var all []Service
	for _, c := range homebrew.Candidates(m.Home, m.Daemons) {
		all = append(all, Service{Kind: brew{}, Label: c.Label, Plist: c.Plist, Daemon: c.Daemon})
	}
	return all
}

func (brew) left(m Machine) Service { return m.brewServices()[0] }

// firstFile takes the first plist that exists, if no job is loaded.
func firstFile(services []Service, all []sighting, unclear error) ([]candidate, error) {
	for _, s := range services {
		_, err := os.Lstat(s.Plist)
		switch {
		case err == nil:
			s.Domains = domainsOf(s.Plist, all)
			return []candidate{{s, Job{Err: unclear}}}, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, Fail("plist-unreadable", s.Plist, "looking for %s: %w", s.Plist, Bare(err))
		}
	}
	if unclear != nil {
		return nil, Fail("launchctl-failed", "", "looking for the Ollama service: %w", unclear)
	}
	return nil, nil
}

// ErrNotInstalled: there is a Homebrew, but it has no Ollama.
var ErrNotInstalled = errors.New("ollama is not installed with Homebrew")

// EnvFileLayer is the layer of Homebrew's env file: its own override for the service,
// merged into the plist each time it is written.
const EnvFileLayer = "env-file"

func (brew) settings(_ context.Context, m Machine, s State) []Setting {
	plist := readPlist(s.Service.Plist)
	env := readEnvFile(m.EnvFile)
	env.Use = useOfEnvFile(m, s.Service, program(plist, s.Job))
	if s.Service.Loaded && errors.Is(plist.Err, fs.ErrNotExist) && temporary(s.Service.Plist) {
		plist.Use = NoFile
	}
	return []Setting{env, plist}
}

// temporary reports whether a path is in a folder for temporary files. `brew services
// run` writes to /private/tmp (Homebrew/brew pull requests 23869 and 23878).
func temporary(path string) bool {
	return slices.Contains([]string{"/private/tmp", "/tmp", filepath.Clean(os.TempDir())}, filepath.Dir(path))
}

// errNoEnvFile: Homebrew would look in a different place in every folder.
var errNoEnvFile = errors.New("HOME, XDG_CONFIG_HOME and HOMEBREW_XDG_CONFIG_HOME give no full path for it")

func readEnvFile(path string) Setting {
	if path == "" {
		return Setting{Layer: EnvFileLayer, Err: errNoEnvFile}
	}
	f, err := backup.ReadAbsent(path)
	f.Path = path
	if err != nil {
		return Setting{Layer: EnvFileLayer, File: f, Err: err}
	}
	return parseEnvFile(f)
}

func parseEnvFile(f backup.File) Setting {
	one := Setting{Layer: EnvFileLayer, File: f}
	if f.Absent {
		return one
	}
	// Nothing of an unreadable file reaches the service.
	one.Agent.EnvironmentVariables, one.Err = homebrew.ParseEnv(f.Data)
	one.Value = lookup(one.Agent.EnvironmentVariables)
	return one
}

func (brew) Parse(layer string, f backup.File) Setting {
	if layer == EnvFileLayer {
		return parseEnvFile(f)
	}
	return parsePlist(f)
}

func useOfEnvFile(m Machine, s Service, program string) Use {
	if s.Daemon {
		return NotForRoot
	}
	installation := m.installation(program)
	switch {
	case !installation.Known:
		return Unasked
	case !installation.HonoursEnvFile:
		return TooOld
	}
	return Heeded
}

// installation is the Homebrew that the program belongs to, or the first one here.
func (m Machine) installation(program string) homebrew.Installation {
	prefixes := m.Prefixes
	if prefix := homebrew.PrefixOf(program); prefix != "" {
		prefixes = []string{prefix}
	}
	for _, prefix := range prefixes {
		if found := homebrew.FindInstallation(prefix); found.Known {
			return found
		}
	}
	return homebrew.Installation{}
}

// WritableByOthers are the permissions with which Homebrew skips the env file
// (Homebrew/brew Library/Homebrew/service.rb), and launchd refuses a plist
// (launchctl(1)).
const WritableByOthers = 0o022

func (brew) judge(one Setting, g Goal) (LayerState, string) {
	switch {
	case one.Use == NoFile:
		return Skipped, "none: `brew services run` has deleted it"
	case one.Layer == PlistLayer:
		return judgePlist(one, g)

	case !g.Persist:
		return Skipped, "left out by --no-persist"
	case one.Use == NotForRoot:
		return Unsupported, "Homebrew ignores it for services started with sudo"
	case one.Err != nil:
		return Unknown, Bare(one.Err).Error()
	case one.Use == TooOld:
		return Unsupported, "this Homebrew is older than 6.0.15 and ignores it"
	case one.File.Mode&WritableByOthers != 0:
		return Differs, fmt.Sprintf("others can write to it (mode %04o), so Homebrew skips it", one.File.Mode)
	case Equivalent(one.Value, g.Lasting) && one.Value != nil && one.Use == Unasked:
		return OK, "no Homebrew found that could be asked whether it reads it"
	case Equivalent(one.Value, g.Lasting):
		return OK, ""
	case one.File.Absent:
		return Missing, "no such file"
	}
	return judgeValue(g.Lasting, one.Value)
}

func (brew) Set(one Setting, value *string) (*backup.Change, error) {
	f := one.File
	switch {
	case one.Use == NotForRoot, one.Use == NoFile:
		return nil, nil
	case one.Layer == PlistLayer:
		return setPlist(one, value)
	case Equivalent(one.Value, value) && f.Mode&WritableByOthers == 0:
		return nil, nil
	}
	after, err := f.Data, error(nil)
	switch {
	case value == nil:
		after, err = homebrew.UnsetEnvLine(f.Data, ollama.Variable)
	case !Equivalent(one.Value, value): // otherwise only its mode is wrong
		after, err = homebrew.SetEnvLine(f.Data, ollama.Variable, *value)
	}
	if err != nil {
		return nil, Fail("env-file-refused", f.Path, "editing %s: %w", f.Path, err)
	}
	c := backup.Change{Layer: EnvFileLayer, File: f, After: after, Mode: f.Mode &^ WritableByOthers}
	if f.Absent {
		c.Mode, c.Folders = 0o644, backup.MissingFolders(f.Path)
	}
	return &c, nil
}

// Owns treats all of Homebrew's labels as one service: it may have a new one since.
func (brew) Owns(r backup.Receipt, _ Service) bool { return homebrew.IsLabel(r.Label) }

func (brew) mayHold(m Machine, r backup.Receipt, f backup.Saved) bool {
	if f.Layer == EnvFileLayer {
		return f.Path == m.EnvFile || strings.HasSuffix(f.Path, homebrew.EnvFileEnding)
	}
	return byLaunchd{}.mayHold(m, r, f)
}
