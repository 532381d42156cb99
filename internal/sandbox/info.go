package sandbox

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
)

// userName is the user's, unless the environment says another.
const userName = "alice"

// serviceInfo is what brew services info tells; the fields stand in brew's order.
type serviceInfo struct {
	Name         string  `json:"name"`
	ServiceName  string  `json:"service_name"`
	Running      bool    `json:"running"`
	Loaded       bool    `json:"loaded"`
	Schedulable  bool    `json:"schedulable"`
	PID          *int    `json:"pid"`
	ExitCode     *int    `json:"exit_code"`
	User         *string `json:"user"`
	Status       string  `json:"status"`
	File         string  `json:"file"`
	Registered   bool    `json:"registered"`
	LoadedFile   *string `json:"loaded_file"`
	Command      string  `json:"command"`
	WorkingDir   string  `json:"working_dir"`
	RootDir      *string `json:"root_dir"`
	LogPath      string  `json:"log_path"`
	ErrorLogPath string  `json:"error_log_path"`
	Interval     *int    `json:"interval"`
	Cron         *string `json:"cron"`
}

// serviceSummary is what brew services list tells.
type serviceSummary struct {
	Name     string  `json:"name"`
	Status   string  `json:"status"`
	User     *string `json:"user"`
	File     string  `json:"file"`
	ExitCode *int    `json:"exit_code"`
}

func (b *brew) info() error {
	info, err := b.serviceInfo()
	if err != nil {
		return err
	}
	return b.printJSON([]serviceInfo{info})
}

// list shows formulae that are installed: Ollama, or nothing.
func (b *brew) list() error {
	if _, err := b.installed(); err != nil {
		return b.printJSON([]serviceSummary{})
	}
	info, err := b.serviceInfo()
	if err != nil {
		return err
	}
	return b.printJSON([]serviceSummary{{info.Name, info.Status, info.User, info.File, info.ExitCode}})
}

func (b *brew) printJSON(v any) error {
	e := json.NewEncoder(b.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (b *brew) serviceInfo() (serviceInfo, error) {
	env, err := b.environment()
	if err != nil {
		return serviceInfo{}, err
	}
	s := b.status()
	log := filepath.Join(b.Prefix, "var", "log", "ollama.log")
	return serviceInfo{
		Name:         "ollama",
		ServiceName:  s.label,
		Running:      s.running(),
		Loaded:       s.loaded,
		PID:          s.pid(),
		ExitCode:     s.exit(),
		User:         b.owner(),
		Status:       s.word(),
		File:         b.file(s),
		Registered:   b.registered(),
		LoadedFile:   s.loadedFile(),
		Command:      serviceCommand(b.Prefix, env),
		WorkingDir:   filepath.Join(b.Prefix, "var"),
		LogPath:      log,
		ErrorLogPath: log,
	}, nil
}

// owner is whose the service is, or nil when it has no plist.
func (b *brew) owner() *string {
	name := os.Getenv("USER")
	switch {
	case slices.ContainsFunc(b.plistsIn(b.Daemons), exists):
		name = "root"
	case !b.registered():
		return nil
	case name == "":
		name = userName
	}
	return &name
}

// file is in the caller's folder whenever there is a plist in either folder.
func (b *brew) file(s status) string {
	if !b.registered() {
		return b.sourcePlist()
	}
	active := filepath.Join(b.agentsFolder(), s.label+".plist")
	if slices.Contains(b.destinations(), active) && exists(active) {
		return active
	}
	return firstExisting(b.destinations(), b.destination())
}

func (s status) loadedFile() *string {
	path := firstGroup(printPath, s.text)
	if !s.print || path == "" {
		return nil
	}
	return &path
}
