# fish completion for ollama-bind. It starts no program, and evaluates nothing that was
# typed.

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

complete -c ollama-bind -n __ollama_bind_first -a fix -d 'set OLLAMA_HOST in the service, restart it, and prove that it listens'
complete -c ollama-bind -n __ollama_bind_first -a status -d 'show where OLLAMA_HOST is set, and who listens'
complete -c ollama-bind -n __ollama_bind_first -a rollback -d 'put back what the last fix changed'
complete -c ollama-bind -n __ollama_bind_first -a doctor -d 'check everything between OLLAMA_HOST and a container'
complete -c ollama-bind -n __ollama_bind_first -a probe -d 'fetch Ollama from inside of containers'
complete -c ollama-bind -n __ollama_bind_first -a url -d 'print the URL by which a container reaches Ollama'
complete -c ollama-bind -n __ollama_bind_first -a completion -d 'print the completion for a shell'
complete -c ollama-bind -n __ollama_bind_first -a version -d 'print the version'
complete -c ollama-bind -n __ollama_bind_first -a help -d 'show the help for a command'
complete -c ollama-bind -n __ollama_bind_first -l help -s h -d 'show help'
complete -c ollama-bind -n __ollama_bind_first -l version -s v -d 'print the version'
complete -c ollama-bind -n '__ollama_bind_second help' -a 'fix status rollback doctor probe url completion version'
complete -c ollama-bind -n '__ollama_bind_second completion' -a 'bash zsh fish'

complete -c ollama-bind -n '__ollama_bind_of fix' -l dry-run -s n -d 'show the change as a diff and stop'
complete -c ollama-bind -n '__ollama_bind_of fix' -l host -x -a '0.0.0.0:11434 127.0.0.1:11434' -d 'the address that Ollama shall listen on'
complete -c ollama-bind -n '__ollama_bind_of fix' -l plist -r -F -d 'the LaunchAgent, if it is not that of Homebrew'
complete -c ollama-bind -n '__ollama_bind_of fix' -l no-persist -d 'leave the env file of Homebrew out'
complete -c ollama-bind -n '__ollama_bind_of fix' -l no-restart -d 'write the files, and leave the running service alone'
complete -c ollama-bind -n '__ollama_bind_of fix' -l timeout -x -d 'time after which everything is undone, such as 30s'
complete -c ollama-bind -n '__ollama_bind_of fix' -l json -d 'print one JSON object'
complete -c ollama-bind -n '__ollama_bind_of fix' -l quiet -s q -d 'print errors only'
complete -c ollama-bind -n '__ollama_bind_of fix' -l help -s h -d 'show help'

complete -c ollama-bind -n '__ollama_bind_of status' -l host -x -a '0.0.0.0:11434 127.0.0.1:11434' -d 'the address that Ollama shall listen on'
complete -c ollama-bind -n '__ollama_bind_of status' -l plist -r -F -d 'the LaunchAgent, if it is not that of Homebrew'
complete -c ollama-bind -n '__ollama_bind_of status' -l json -d 'print one JSON object'
complete -c ollama-bind -n '__ollama_bind_of status' -l help -s h -d 'show help'

complete -c ollama-bind -n '__ollama_bind_of rollback' -l list -d 'list the backups and stop'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l to -x -d 'go back to what the backup with this ID holds'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l force -d 'restore even if the file was changed since'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l timeout -x -d 'time after which everything is undone, such as 30s'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l json -d 'print one JSON object'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l quiet -s q -d 'print errors only'
complete -c ollama-bind -n '__ollama_bind_of rollback' -l help -s h -d 'show help'

set -l checks \
    platform agent-found label two-jobs job-loaded disabled last-exit plist-parses \
    plist-permissions value-in-env-file value-in-plist value-in-job launchctl-getenv \
    value-traps listeners owner-is-job second-ollama api-version api-from-own-address \
    lasting homebrew-version firewall-state exposed-addresses ollama-version-advisories \
    client-env container-runtime container-url container-extra-hosts container-proxy \
    container-reaches-loopback container-reaches-wildcard container-reaches-ollama
complete -c ollama-bind -n '__ollama_bind_of doctor' -l container -x -d 'a container to ask; again for another one'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l runtime -x -a 'docker podman nerdctl' -d 'ask this one alone'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l check -x -a "$checks" -d 'run only this check; again for another one'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l list-checks -d 'list the checks and stop'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l host -x -a '0.0.0.0:11434 127.0.0.1:11434' -d 'the address that Ollama shall listen on'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l plist -r -F -d 'the LaunchAgent, if it is not that of Homebrew'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l json -d 'print one JSON object'
complete -c ollama-bind -n '__ollama_bind_of doctor' -l help -s h -d 'show help'

complete -c ollama-bind -n '__ollama_bind_of probe' -l container -x -d 'a container to ask; again for another one'
complete -c ollama-bind -n '__ollama_bind_of probe' -l image -x -d 'fetch from a throw-away container of this image'
complete -c ollama-bind -n '__ollama_bind_of probe' -l runtime -x -a 'docker podman nerdctl' -d 'ask this one alone'
complete -c ollama-bind -n '__ollama_bind_of probe' -l url -x -d 'fetch this URL'
complete -c ollama-bind -n '__ollama_bind_of probe' -l origin -x -d 'send this along, as a web page from there would'
complete -c ollama-bind -n '__ollama_bind_of probe' -l host -x -a '0.0.0.0:11434 127.0.0.1:11434' -d 'the address that Ollama shall listen on'
complete -c ollama-bind -n '__ollama_bind_of probe' -l timeout -x -d 'time that all of it may take, such as 30s'
complete -c ollama-bind -n '__ollama_bind_of probe' -l json -d 'print one JSON object'
complete -c ollama-bind -n '__ollama_bind_of probe' -l help -s h -d 'show help'

complete -c ollama-bind -n '__ollama_bind_of url' -l from -x -d 'the URL that works on this machine'
complete -c ollama-bind -n '__ollama_bind_of url' -l runtime -x -a 'docker host lima podman rancher' -d 'take the name that this one has'
complete -c ollama-bind -n '__ollama_bind_of url' -l json -d 'print one JSON object'
complete -c ollama-bind -n '__ollama_bind_of url' -l help -s h -d 'show help'

complete -c ollama-bind -n '__ollama_bind_of completion' -l help -s h -d 'show help'

complete -c ollama-bind -n '__ollama_bind_of version' -l help -s h -d 'show help'
