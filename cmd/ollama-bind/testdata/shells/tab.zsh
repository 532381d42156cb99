# zsh tab.zsh fpath|source COMPLETION LINE… types each line and TAB in an interactive
# zsh, and prints what its completion system adds, and an empty line after each. It is
# the real one, in a pseudo-terminal: tab-inside.zsh only writes the candidates down.
zmodload zsh/zpty || exit 1
export HOW=$1 COMPLETION=$2 FOUND=$PWD/found
shift 2

zpty tab zsh -f -i
zpty -w tab "source ${(q)0:A:h}/tab-inside.zsh"
zpty -r tab answer '*nextplease*' || exit 1
for line; do
  zpty -n -w tab "$line"$'\t\030n'
  zpty -r tab answer '*nextplease*' || exit 1
done
zpty -d tab
cat $FOUND
