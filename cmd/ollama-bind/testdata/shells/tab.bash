# bash tab.bash COMPLETION WORD… prints what TAB would offer for the last word: bash
# sets these two variables, calls the function, and takes the candidates from COMPREPLY.
set -u
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_ollama_bind ollama-bind "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
if [ ${#COMPREPLY[@]} -gt 0 ]; then printf '%s\n' "${COMPREPLY[@]}"; fi
