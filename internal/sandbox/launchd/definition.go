package launchd

import (
	"os"
	"slices"
	"syscall"

	"howett.net/plist"
)

// defaultPath is the PATH that launchd gives to its jobs.
const defaultPath = "/usr/bin:/bin:/usr/sbin:/sbin"

// Definition is what launchd reads in a plist.
type Definition struct {
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

// ReadDefinition reads a plist, XML or binary.
func ReadDefinition(path string) (Definition, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Definition{}, err
	}
	var def Definition
	_, err = plist.Unmarshal(data, &def)
	return def, err
}

func (def Definition) argv() []string {
	if len(def.ProgramArguments) == 0 {
		return []string{def.Program}
	}
	return def.ProgramArguments
}

// program is what runs: Program, or else the first argument.
func (def Definition) program() string {
	if def.Program != "" {
		return def.Program
	}
	return def.ProgramArguments[0]
}

// startsAtLoad: a job that is kept alive starts without RunAtLoad as well.
func (def Definition) startsAtLoad() bool { return def.RunAtLoad || def.keepsAlive() }

// keepsAlive: a condition on how it ended starts the job as well (launchd.plist(5)).
func (def Definition) keepsAlive() bool {
	conditions, _ := def.KeepAlive.(map[string]any)
	_, successful := conditions["SuccessfulExit"]
	_, crashed := conditions["Crashed"]
	return def.KeepAlive == true || successful || crashed
}

// keepsAliveAfter reports whether a job that has ended so is started again. Conditions
// on anything but that are taken for none.
func (def Definition) keepsAliveAfter(status syscall.WaitStatus) bool {
	conditions, ok := def.KeepAlive.(map[string]any)
	if !ok {
		return def.KeepAlive == true
	}
	return conditions["SuccessfulExit"] == (status == 0) ||
		conditions["Crashed"] == status.Signaled()
}

// allowedIn reports whether the job may be loaded into the domain: without
// LimitLoadToSessionType an agent is for a session at the screen.
func (def Definition) allowedIn(d domain) bool {
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
