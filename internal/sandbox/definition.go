package sandbox

import (
	"os"
	"slices"
	"syscall"

	"howett.net/plist"
)

// defaultPath is the PATH that launchd gives to its jobs.
const defaultPath = "/usr/bin:/bin:/usr/sbin:/sbin"

// definition is what launchd reads in a plist.
type definition struct {
	Label                  string            `plist:"Label"`
	Program                string            `plist:"Program"`
	ProgramArguments       []string          `plist:"ProgramArguments"`
	EnvironmentVariables   map[string]string `plist:"EnvironmentVariables"`
	WorkingDirectory       string            `plist:"WorkingDirectory"`
	StandardOutPath        string            `plist:"StandardOutPath"`
	StandardErrorPath      string            `plist:"StandardErrorPath"`
	RunAtLoad              bool              `plist:"RunAtLoad"`
	KeepAlive              any               `plist:"KeepAlive"`
	ThrottleInterval       *int              `plist:"ThrottleInterval"`
	ExitTimeOut            *int              `plist:"ExitTimeOut"`
	LimitLoadToSessionType any               `plist:"LimitLoadToSessionType"`
}

func readDefinition(path string) (definition, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return definition{}, err
	}
	var def definition
	_, err = plist.Unmarshal(data, &def)
	return def, err
}

func (def definition) argv() []string {
	if len(def.ProgramArguments) == 0 {
		return []string{def.Program}
	}
	return def.ProgramArguments
}

// program is what runs: Program, or else the first argument.
func (def definition) program() string {
	if def.Program != "" {
		return def.Program
	}
	return def.ProgramArguments[0]
}

// startsAtLoad: a job that is always kept alive starts without RunAtLoad as well.
func (def definition) startsAtLoad() bool { return def.RunAtLoad || def.KeepAlive == true }

func (def definition) keepsAlive() bool {
	_, conditions := def.KeepAlive.(map[string]any)
	return def.KeepAlive == true || conditions
}

// wantsRespawn tells whether the job is to be started again after a run that ended this way.
func (def definition) wantsRespawn(status syscall.WaitStatus) bool {
	conditions, ok := def.KeepAlive.(map[string]any)
	if !ok {
		return def.KeepAlive == true
	}
	if want, ok := conditions["SuccessfulExit"].(bool); ok && want == (status == 0) {
		return true
	}
	want, ok := conditions["Crashed"].(bool)
	return ok && want == status.Signaled()
}

// allowedIn tells whether the job may be loaded into the domain: without LimitLoadToSessionType an agent is for a session at the screen.
func (def definition) allowedIn(d domain) bool {
	session := map[string]string{"user": "Background", "gui": "Aqua"}[d.kind]
	switch limit := def.LimitLoadToSessionType.(type) {
	case string:
		return session == "" || limit == session
	case []any:
		return session == "" || slices.Contains(limit, any(session))
	default:
		return session != "Background"
	}
}
