# SPDX-License-Identifier: MIT
# completion.bash WORD... - what bash offers for the last word: a line a candidate. What readline does
# before it calls a completion function is done here by hand; $GOTRACE is the gotrace.
set -u
eval "$("$GOTRACE" completion bash)" || exit 1
registered=$(complete -p gotrace) || exit 1
fn=${registered#*-F }
fn=${fn%% *}
COMP_WORDS=("$GOTRACE" "${@:2}")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
"$fn" gotrace "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"}
