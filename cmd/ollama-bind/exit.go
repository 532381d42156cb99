//go:build !windows

package main

import (
	"cmp"
	"errors"

	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// The exit codes, the same for every command. They are an interface.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotWanted   = 3
	exitUndone      = 4
	exitNothingHere = 5
	exitInterrupted = 130
)

// exitMeans is what the codes have in common.
var exitMeans = []commandline.Exit{
	{Code: exitOK, Means: "done, or already in the wanted state"},
	{Code: exitFailed, Means: "failed; nothing is left half done, unless the error says so"},
	{Code: exitUsage, Means: "wrong usage; nothing was run"},
	{Code: exitNotWanted, Means: "not in the wanted state: status, a dry run with changes, a doctor check that fails, a probe that did not get through"},
	{Code: exitUndone, Means: "applied, but the proof failed, and the previous state was restored"},
	{Code: exitNothingHere, Means: "nothing to work on here: no Ollama service, or for probe and url no container runtime"},
	{Code: exitInterrupted, Means: "interrupted, after putting things back"},
}

// exits lists the codes of each command, and what they mean where there is more to say.
var exits = map[string]map[int]string{
	"fix": {exitOK: "Ollama listens as wanted, now or already before", exitFailed: "", exitUsage: "",
		exitNotWanted: "--dry-run: there is something to change", exitUndone: "", exitNothingHere: "no Ollama service was found", exitInterrupted: ""},
	"status": {exitOK: "Ollama listens as wanted", exitFailed: "the service could not be looked at", exitUsage: "",
		exitNotWanted: "it does not", exitNothingHere: "no Ollama service was found", exitInterrupted: "interrupted"},
	"rollback": {exitOK: "everything is as before, or there was nothing to take back", exitFailed: "", exitUsage: "",
		exitNotWanted: "--dry-run: there is something to take back", exitUndone: "", exitNothingHere: "launchd is not here, or the service is gone", exitInterrupted: ""},
	"doctor": {exitOK: "nothing found that keeps containers from Ollama", exitFailed: "it could not look", exitUsage: "",
		exitNotWanted: "a check fails", exitInterrupted: "interrupted"},
	"probe": {exitOK: "every container that was asked reaches Ollama", exitFailed: "it could not ask", exitUsage: "",
		exitNotWanted: "one does not", exitNothingHere: "no container runtime answers", exitInterrupted: "interrupted"},
	"url": {exitOK: "the URL was printed", exitFailed: "the runtime could not be asked", exitUsage: "",
		exitNothingHere: "no container runtime answers", exitInterrupted: "interrupted"},
	"completion": {exitOK: "the file was printed", exitFailed: "it could not be written", exitUsage: ""},
	"version":    {exitOK: "it was printed", exitFailed: "it could not be written", exitUsage: ""},
}

// exitsOf are the codes of a command; "" has all.
func exitsOf(command string) (all []commandline.Exit) {
	for _, e := range exitMeans {
		means, has := exits[command][e.Code]
		if command == "" || has {
			all = append(all, commandline.Exit{Code: e.Code, Means: cmp.Or(means, e.Means)})
		}
	}
	return all
}

// errNotWanted is the answer "no" of a command that did its work.
var errNotWanted = errors.New("not in the wanted state")

func exitCode(err error) int {
	var usage *commandline.UsageError
	var p *service.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errNotWanted):
		return exitNotWanted
	case !errors.As(err, &p):
		return exitFailed
	case p.Ending == service.NothingHere:
		return exitNothingHere
	case p.Ending == service.Undone:
		return exitUndone
	case p.Ending == service.Interrupted:
		return exitInterrupted
	}
	return exitFailed
}
