package advice

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Ollama.app has a switch of its own. These texts name it: a click does what fix does.

// QuitApp ends the app. AppleScript's quit only closes its window.
const QuitApp = "pkill -x Ollama"

// openApp starts the app without a window, as its installer does.
func openApp(s service.State) string {
	return "open -g -j -a " + shell.Quote(s.Service.Bundle) + " --args hidden"
}

// theSwitch is where to click.
const theSwitch = "its switch \"Expose Ollama to the network\" (Ollama in the menu bar > Settings)"

// ofApp reports whether the service is the app.
func ofApp(f Facts) bool { return f.Found() && f.State.Service.KindName() == service.App }

// appLimit says why only a person can flip the switch now, "" if fix can.
func appLimit(f Facts) string {
	one := f.State.Lasting()
	switch {
	case !ofApp(f):
		return ""
	case errors.Is(one.Err, fs.ErrNotExist):
		return "Ollama.app was never started by this user, so there is no switch yet: open it once"
	case one.Err != nil:
		return fmt.Sprintf("reading the switch of Ollama.app in %s: %v; flip %s by hand", one.File.Path, service.Bare(one.Err), theSwitch)
	case one.Use == service.UpdateWaits:
		return "an update of Ollama.app waits for its next start, and would replace it in the middle: let it install, or flip " + theSwitch + " by hand"
	case one.Use == service.NoScreen:
		return "nobody is logged in at the screen, where Ollama.app could be started again: flip " + theSwitch + " there"
	}
	return ""
}

// otherHost reports whether the wanted address is one that the switch cannot set.
func otherHost(f Facts) bool {
	return ofApp(f) && f.Command != "rollback" && !(f.Goal.Host.Wildcard() && f.Goal.Host.Port == service.AppPort)
}

// leadOut shows the app's window, or lets the update install.
func leadOut(f Facts) string {
	if one := f.State.Lasting(); one.Err == nil && one.Use == service.UpdateWaits {
		return words(f.State).restart(f.State)
	}
	return "open -a " + shell.Quote(f.State.Service.Bundle)
}

// switchedOff reports whether the app keeps Ollama to this Mac, or would at its next
// start.
func switchedOff(f Facts) bool {
	return ofApp(f) && f.State.Lasting().Err == nil && f.State.Lasting().Value == nil && f.Goal.Host.Wildcard()
}

func sayOff(f Facts) string {
	if value := f.State.Job.Value(); value != nil && answersAsWanted(f) {
		return "Ollama.app has OLLAMA_HOST=" + *value + " from who started it, as launchctl setenv gives it, and only until it ends; " +
			theSwitch + " is off, and lasts"
	}
	return "Ollama.app keeps Ollama on this Mac alone: " + theSwitch + " is off; fix flips it, or you do"
}

// appBeside is the app that waits for another service's port, or nil.
func appBeside(f Facts) *service.Service {
	for _, s := range f.State.Service.Others {
		if f.Found() && s.KindName() == service.App {
			return &s
		}
	}
	return nil
}
