# fish tab.fish COMPLETION LINE… prints what TAB would offer at the end of each line, and
# an empty line after each.
source $argv[1]
for line in $argv[2..-1]
    complete -C $line | string replace -r '\t.*' ''
    echo
end
