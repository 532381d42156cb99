# What tab.zsh has the interactive zsh do first.
autoload -Uz compinit
[[ $HOW == fpath ]] && fpath=(${COMPLETION:h} $fpath)
compinit -u -D
[[ $HOW == source ]] && source $COMPLETION
unsetopt auto_list auto_menu

# By default TAB first expands, and so runs, what is before it, whatever the command is;
# no completion could prevent that. This is completion alone.
bindkey '^I' complete-word

# All candidates come by here. With -O, -A or -D it is only asked which would match.
compadd() {
  local -a hits
  if (( ! ${@[(I)-[a-zA-Z]#[OAD]]} )); then
    builtin compadd -O hits "$@"
    (( $#hits )) && print -rl -- $hits >>$FOUND
  fi
  builtin compadd "$@"
}

# ^Xn is typed at the end of a line.
next() { BUFFER=; print >>$FOUND; print -n next''please >/dev/tty }
zle -N next
bindkey '^Xn' next
zle-line-init() { print -n next''please >/dev/tty }
zle -N zle-line-init
