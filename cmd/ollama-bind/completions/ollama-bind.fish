# fish completion for ollama-bind. It starts no program, and evaluates nothing that was
# typed. make docs writes what is generated.

# __ollama_bind_first: the word that is being typed is the first.
function __ollama_bind_first
    test (count (commandline -opc)) -eq 1
end

# __ollama_bind_second COMMAND: it is the second, after COMMAND.
function __ollama_bind_second
    set -l words (commandline -opc)
    test (count $words) -eq 2 -a "$words[2]" = $argv[1]
end

# __ollama_bind_of COMMAND: it is one of COMMAND's.
function __ollama_bind_of
    set -l words (commandline -opc)
    test "$words[2]" = $argv[1]
end

complete -c ollama-bind -f
# generated: fish
complete -c ollama-bind -n '__ollama_bind_first' -l help -s h -d 'show help'
complete -c ollama-bind -n '__ollama_bind_first' -l version -s v -d 'print the version'
complete -c ollama-bind -n __ollama_bind_first -a fix -d 'make this Mac\'s Ollama listen on all interfaces, and prove that it does'
complete -c ollama-bind -n '__ollama_bind_of fix' -l dry-run -s n -d 'show the change as a diff and stop'
complete -c ollama-bind -n '__ollama_bind_of fix' -l show-values -d 'show the values of other keys in the diff of a dry run too'
complete -c ollama-bind -n '__ollama_bind_of fix' -l host -x -a '0.0.0.0:11434 127.0.0.1:11434' -d 'the ADDRESS for Ollama to listen on: one of this machine\'s, or 0.0.0.0 for all of them'
complete -c ollama-bind -n '__ollama_bind_of fix' -l service -x -a '' -d 'the SERVICE, if there are several: brew, app, or a launchd label'
complete -c ollama-bind -n '__ollama_bind_of fix' -l plist -r -F -d 'the plist FILE of the service'
complete -c ollama-bind -n '__ollama_bind_of fix' -l no-persist -d 'leave Homebrew\'s env file out: the next brew services restart drops the setting'
complete -c ollama-bind -n '__ollama_bind_of fix' -l no-restart -d 'write the files, and leave the running service alone'
complete -c ollama-bind -n '__ollama_bind_of fix' -l timeout -x -a '' -d 'the TIME that the whole command may take, such as 45s or 2m; at least a third is kept for putting things back'
complete -c ollama-bind -n '__ollama_bind_of fix' -l json -d 'print one JSON object on stdout, on errors too'
complete -c ollama-bind -n '__ollama_bind_of fix' -l quiet -s q -d 'print errors only'
complete -c ollama-bind -n '__ollama_bind_of fix' -l verbose -s v -d 'show on stderr each program that is run, and how it ended'
complete -c ollama-bind -n '__ollama_bind_of fix' -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -a status -d 'show where the address is set, what runs, and who listens'
complete -c ollama-bind -n '__ollama_bind_of status' -l host -x -a '0.0.0.0:11434 127.0.0.1:11434' -d 'the ADDRESS for Ollama to listen on: one of this machine\'s, or 0.0.0.0 for all of them'
complete -c ollama-bind -n '__ollama_bind_of status' -l service -x -a '' -d 'the SERVICE, if there are several: brew, app, or a launchd label'
complete -c ollama-bind -n '__ollama_bind_of status' -l plist -r -F -d 'the plist FILE of the service'
complete -c ollama-bind -n '__ollama_bind_of status' -l json -d 'print one JSON object on stdout, on errors too'
complete -c ollama-bind -n '__ollama_bind_of status' -l verbose -s v -d 'show on stderr each program that is run, and how it ended'
complete -c ollama-bind -n '__ollama_bind_of status' -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -a rollback -d 'put back what fix changed, byte for byte, and prove that too'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l dry-run -s n -d 'show the change as a diff and stop'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l show-values -d 'show the values of other keys in the diff of a dry run too'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l service -x -a '' -d 'the SERVICE, if there are several: brew, app, or a launchd label'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l all -d 'take back the fixes of all services'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l list -d 'list the backups and stop'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l to -x -a '' -d 'go back to this backup; the beginning of the ID is enough'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l force -d 'restore the file even if it was changed since the fix'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l timeout -x -a '' -d 'the TIME that the whole command may take, such as 45s or 2m; at least a third is kept for putting things back'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l json -d 'print one JSON object on stdout, on errors too'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l quiet -s q -d 'print errors only'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l verbose -s v -d 'show on stderr each program that is run, and how it ended'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -a doctor -d 'check everything between OLLAMA_HOST and a container, and name the cure'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l container -x -a '' -d 'ask from inside the container NAME; can be given again'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l runtime -x -a 'docker podman nerdctl' -d 'ask only TOOL: docker, podman, nerdctl'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l check -x -a 'platform agent-found label two-jobs job-loaded disabled last-exit plist-parses plist-permissions value-in-env-file value-in-plist value-in-job launchctl-getenv value-traps listeners owner-is-job second-ollama api-version api-from-own-address lasting state-folder homebrew-version firewall-state exposed-addresses ollama-version-advisories client-env container-runtime container-url container-extra-hosts container-proxy container-reaches-loopback container-reaches-wildcard container-reaches-ollama' -d 'run only the check ID; can be given again'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l list-checks -d 'list the checks and stop'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l host -x -a '0.0.0.0:11434 127.0.0.1:11434' -d 'the ADDRESS for Ollama to listen on: one of this machine\'s, or 0.0.0.0 for all of them'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l service -x -a '' -d 'the SERVICE, if there are several: brew, app, or a launchd label'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l plist -r -F -d 'the plist FILE of the service'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l json -d 'print one JSON object on stdout, on errors too'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l verbose -s v -d 'show on stderr each program that is run, and how it ended'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -a probe -d 'ask from inside containers whether they reach Ollama, and what it takes'
complete -c ollama-bind -n '__ollama_bind_of probe' -l container -x -a '' -d 'ask from inside the container NAME; can be given again'
complete -c ollama-bind -n '__ollama_bind_of probe' -l image -x -a '' -d 'ask from a temporary container of IMAGE, on the network of each container'
complete -c ollama-bind -n '__ollama_bind_of probe' -l runtime -x -a 'docker podman nerdctl' -d 'ask only TOOL: docker, podman, nerdctl'
complete -c ollama-bind -n '__ollama_bind_of probe' -l url -x -a '' -d 'ask for URL, whatever the environment of the containers says'
complete -c ollama-bind -n '__ollama_bind_of probe' -l origin -x -a '' -d 'send ORIGIN, as a web page from there would'
complete -c ollama-bind -n '__ollama_bind_of probe' -l host -x -a '0.0.0.0:11434 127.0.0.1:11434' -d 'the ADDRESS for Ollama to listen on: one of this machine\'s, or 0.0.0.0 for all of them'
complete -c ollama-bind -n '__ollama_bind_of probe' -l timeout -x -a '' -d 'the TIME that the whole command may take'
complete -c ollama-bind -n '__ollama_bind_of probe' -l json -d 'print one JSON object on stdout, on errors too'
complete -c ollama-bind -n '__ollama_bind_of probe' -l verbose -s v -d 'show on stderr each program that is run, and how it ended'
complete -c ollama-bind -n '__ollama_bind_of probe' -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -a url -d 'print the URL at which a container finds this machine\'s Ollama'
complete -c ollama-bind -n '__ollama_bind_of url' -l from -x -a '' -d 'the URL that works on this machine'
complete -c ollama-bind -n '__ollama_bind_of url' -l runtime -x -a 'colima docker docker-desktop host lima nerdctl orbstack podman rancher rancher-desktop' -d 'use the name of RUNTIME, and ask none: colima, docker, docker-desktop, host, lima, nerdctl, orbstack, podman, rancher, rancher-desktop'
complete -c ollama-bind -n '__ollama_bind_of url' -l json -d 'print one JSON object on stdout, on errors too'
complete -c ollama-bind -n '__ollama_bind_of url' -l verbose -s v -d 'show on stderr each program that is run, and how it ended'
complete -c ollama-bind -n '__ollama_bind_of url' -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -a completion -d 'print the completion for bash, zsh or fish'
complete -c ollama-bind -n '__ollama_bind_second completion' -a 'bash zsh fish'
complete -c ollama-bind -n '__ollama_bind_of completion' -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -a version -d 'print version, commit, date and Go version'
complete -c ollama-bind -n '__ollama_bind_of version' -l json -d 'print one JSON object on stdout, on errors too'
complete -c ollama-bind -n '__ollama_bind_of version' -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -a help -d 'show the help for a command'
complete -c ollama-bind -n '__ollama_bind_second help' -a 'fix status rollback doctor probe url completion version'
# end generated
