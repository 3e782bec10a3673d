# SPDX-License-Identifier: MIT
# completion.zsh LINE... - what becomes of each line when Tab is pressed in a zsh on a terminal of its
# own: <line>. gotrace is found by $PATH; $FPATH_EVAL says how the shell gets the completion: "eval", or a
# folder for its fpath.
zmodload zsh/zpty
dir=$(mktemp -d) || exit 1
trap 'rm -r $dir' EXIT
mkfifo $dir/said
cat >$dir/.zshrc <<'RC'
unset zle_bracketed_paste
LISTMAX=10000
[[ $FPATH_EVAL == eval ]] || fpath=($FPATH_EVAL $fpath)
autoload -U compinit
compinit -u -D
[[ $FPATH_EVAL == eval ]] && eval "$(gotrace completion zsh)"
say() { print -r -- "<$BUFFER>" >$ZDOTDIR/said; BUFFER= }
zle -N say
bindkey '^I' complete-word
bindkey '^X' say
print ready >$ZDOTDIR/said
RC
export TERM=dumb ZDOTDIR=$dir
zpty shell zsh -i
exec {said}<>$dir/said
read -t 60 -u $said ready || exit 1
for line; do
	zpty -w -n shell $line$'\t\x18'
	read -t 30 -u $said got || exit 1
	print -r -- $got
	# What it shows meanwhile must not fill the terminal.
	while zpty -r -t shell shown; do :; done
done
