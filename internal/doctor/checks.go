package doctor

import (
	"context"
	"errors"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Checks are all that there are, in the order in which they are reported: from
// what has to be there, down the layers to the socket, and on to who reaches it.
func Checks() []Check {
	return slices.Concat([]Check{
		{ID: "platform", Question: "is launchd here, which runs Homebrew's Ollama?", run: checkPlatform},
		{ID: "agent-found", Question: "is there a Homebrew service for Ollama, and its program?", run: checkAgent},
		{ID: "label", Question: "does the service have a label that Homebrew knows?", run: ofState(judgeLabel)},
		{ID: "two-jobs", Question: "is it the only Homebrew service for Ollama?", run: ofState(checkTwoJobs)},
		{ID: "job-loaded", Question: "has launchd loaded the service, and does it run?", run: ofState(judgeLoaded)},
		{ID: "disabled", Question: "may launchd start the service at login?", run: checkDisabled},
		{ID: "last-exit", Question: "how did the service's last run end?", run: ofState(checkLastExit)},
		{ID: "plist-parses", Question: "is the service's property list one that launchd understands?", run: ofState(judgePlist)},
		{ID: "plist-permissions", Question: "is the property list yours, and writable by nobody else?", run: ofState(judgePermissions)},
		{ID: "value-in-env-file", Question: "what is OLLAMA_HOST in Homebrew's env file, from which it takes it at every restart?", run: ofState(judgeEnvFile)},
		{ID: "value-in-plist", Question: "what is OLLAMA_HOST in the property list, from which launchd takes it at every start?", run: ofState(judgePlistValue)},
		{ID: "value-in-job", Question: "what is OLLAMA_HOST in the service as launchd has loaded it?", run: ofState(judgeJobValue)},
		{ID: "launchctl-getenv", Question: "has somebody set OLLAMA_HOST with launchctl setenv?", run: checkGetenv},
		{ID: "value-traps", Question: "does Ollama read the value as it was meant?", run: ofState(checkTraps)},
		{ID: "listeners", Question: "who listens on Ollama's port, and on which addresses?", run: checkListeners},
		{ID: "owner-is-job", Question: "is it the service's own process that listens?", run: checkOwner},
		{ID: "second-ollama", Question: "is another Ollama running, such as Ollama.app?", run: checkSecond},
		{ID: "api-version", Question: "does Ollama answer on this machine?", run: checkVersion},
		{ID: "api-from-own-address", Question: "does Ollama answer on this machine's other addresses?", run: checkOwnAddress},
		{ID: "lasting", Question: "does the setting survive Homebrew's next restart of the service?", run: ofState(judgeLasting)},
		{ID: "homebrew-version", Question: "is Homebrew new enough to keep the setting (6.0.15)?", run: ofState(judgeHomebrew)},
		{ID: "firewall-state", Question: "what does the macOS firewall do?", run: checkFirewall},
		{ID: "exposed-addresses", Question: "at which addresses could others reach Ollama?", run: checkExposed},
		{ID: "ollama-version-advisories", Question: "does this version of Ollama have known security holes?", run: checkAdvisories},
		{ID: "client-env", Question: "does the ollama command in this shell ask this Ollama?", run: checkClient},
	}, containerChecks)
}

// ofState is a check that needs the four layers and nothing else.
func ofState(judge func(*Case, bind.State) Finding) func(context.Context, *Case) Finding {
	return func(ctx context.Context, c *Case) Finding {
		s, err := c.state(ctx)
		if err != nil {
			return withoutState(err)
		}
		return judge(c, s)
	}
}

// withoutState says why there are no layers to look at.
func withoutState(err error) Finding {
	switch {
	case noLaunchd(err):
		return skipped("there is no launchd on this machine")
	case noAgent(err):
		return skipped("there is no Homebrew service for Ollama")
	}
	return skipped(err.Error())
}

// withoutTool says why a program could not be asked.
func withoutTool(name string, err error) Finding {
	if errors.Is(err, launchctl.ErrNoTool) {
		return skipped("there is no " + name + " on this machine")
	}
	return skipped(err.Error())
}
