/* SPDX-License-Identifier: MIT */
/*
 * completion.c - gotrace completion: what a shell needs to complete gotrace's words, from the table of
 * verbs; and the pids that its scripts ask for.
 *
 *	$ eval "$(gotrace completion bash)"
 *	$ gotrace netpoll --max<TAB>
 *
 * What a verb's operand or an option's value may be is read off its name, as help shows it: PID and FILE
 * mean what they say, VERB is one that has a schema, words in small letters are the words to choose from,
 * anything else cannot be completed.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../diag.h"
#include "../target/target.h"
#include "../view/schema.h"
#include "cmd.h"

#define WORD_BYTES 32
#define SEPARATORS " |."

static const char bash_engine[] =
	"_gotrace_of()\n"
	"{\n"
	"	local word\n"
	"	for word in $1; do\n"
	"		case $word in\n"
	"		PID) compgen -W \"$(\"${COMP_WORDS[0]}\" completion pids 2>/dev/null)\" -- \"$2\" ;;\n"
	"		FILE) compgen -f -- \"$2\" ;;\n"
	"		*) compgen -W \"$word\" -- \"$2\" ;;\n"
	"		esac\n"
	"	done\n"
	"}\n"
	"\n"
	"_gotrace()\n"
	"{\n"
	"	local cur=$2 verb=${COMP_WORDS[1]} of= operands=0 dash=0 i\n"
	"	local verbs options operand command\n"
	"	_gotrace_verb \"$verb\"\n"
	"	for ((i = 2; i < COMP_CWORD; i++)); do\n"
	"		case ${COMP_WORDS[i]} in\n"
	"		--) dash=$i; break ;;\n"
	"		-?*) of=$(_gotrace_value \"$verb\" \"${COMP_WORDS[i]}\") || continue\n"
	"			# --interval=1s comes as three words.\n"
	"			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))\n"
	"			((i++)) ;;\n"
	"		*) ((operands++)) ;;\n"
	"		esac\n"
	"	done\n"
	"	[[ $cur == = ]] && cur=\n"
	"	COMPREPLY=()\n"
	"	if ((COMP_CWORD == 1)); then\n"
	"		mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$cur\")\n"
	"	elif ((dash && !command)); then\n"
	"		return\n"
	"	elif ((dash && COMP_CWORD == dash + 1)); then\n"
	"		mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n"
	"	elif ((dash)); then\n"
	"		compopt -o filenames 2>/dev/null\n"
	"		mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"	elif ((i <= COMP_CWORD)) && [[ $cur == -* ]]; then\n"
	"		mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
	"	elif ((i > COMP_CWORD || operands == 0)); then\n"
	"		((i > COMP_CWORD)) || of=$operand\n"
	"		[[ $of == *FILE* ]] && compopt -o filenames 2>/dev/null\n"
	"		mapfile -t COMPREPLY < <(_gotrace_of \"$of\" \"$cur\")\n"
	"	fi\n"
	"}\n"
	"complete -F _gotrace gotrace\n";

static const char zsh_head[] =
	"#compdef gotrace\n"
	"# What zsh needs to complete gotrace's words; made by: gotrace completion zsh\n"
	"\n"
	"_gotrace_of()\n"
	"{\n"
	"	local word ret=1\n"
	"	local -a found\n"
	"	for word; do\n"
	"		case $word in\n"
	"		PID) found=(${(f)\"$(${(Q)gotrace} completion pids 2>/dev/null)\"})\n"
	"			compadd -X 'pid of a libgrt program' -a found && ret=0 ;;\n"
	"		FILE) _files && ret=0 ;;\n"
	"		*) compadd -- $word && ret=0 ;;\n"
	"		esac\n"
	"	done\n"
	"	return ret\n"
	"}\n"
	"\n"
	"_gotrace()\n"
	"{\n"
	"	local curcontext=$curcontext gotrace=$words[1] verb=$words[2]\n"
	"	local -i dash=${words[(i)--]}\n"
	"	local -a verbs\n";

static const char zsh_dispatch[] = "	if ((CURRENT == 2)); then\n"
				   "		_describe verb verbs\n"
				   "		return\n"
				   "	fi\n"
				   "	if ((dash < CURRENT)); then\n"
				   "		shift $dash words\n"
				   "		((CURRENT -= dash))\n"
				   "		_normal\n"
				   "		return\n"
				   "	fi\n"
				   "	shift words\n"
				   "	((CURRENT--))\n"
				   "	case $verb in\n";

static const char zsh_tail[] = "	esac\n"
			       "}\n"
			       "\n"
			       "# Loaded by eval, or by the shell itself from its fpath.\n"
			       "if [[ $funcstack[1] == _gotrace ]]; then\n"
			       "	_gotrace \"$@\"\n"
			       "else\n"
			       "	compdef _gotrace gotrace\n"
			       "fi\n";

static bool has_opts(const struct cmd *c)
{
	return c->opts && c->opts->long_name;
}

/* Next word of "PID | FILE | -- COMMAND...", "bash|zsh" or "TIME"; false at the end. */
static bool word_next(const char **at, char *ret)
{
	size_t n;

	*at += strspn(*at, SEPARATORS);
	n = strcspn(*at, SEPARATORS);
	snprintf(ret, WORD_BYTES, "%.*s", (int)n, *at);
	*at += n;
	return n > 0;
}

/* The words of a name that can be completed, each behind a space. */
static void put_words(const char *name)
{
	char word[WORD_BYTES];

	while (word_next(&name, word)) {
		if (!strcmp(word, "PID") || !strcmp(word, "FILE") || islower((unsigned char)*word))
			printf(" %s", word);
		for (int i = 0; !strcmp(word, "VERB") && schema_name(i); i++)
			printf(" %s", schema_name(i));
	}
}

static void put_options(const struct cmd *c)
{
	printf("--help");
	for (const struct opt *o = c->opts; has_opts(c) && o->long_name; o++) {
		printf(" --%s", o->long_name);
		if (o->short_name)
			printf(" -%c", o->short_name);
	}
}

static void bash_values(const struct cmd *c)
{
	for (const struct opt *o = c->opts; has_opts(c) && o->long_name; o++) {
		if (!o->arg_name)
			continue;
		printf("	'%s --%s'", c->name, o->long_name);
		if (o->short_name)
			printf(" | '%s -%c'", c->name, o->short_name);
		printf(") echo '");
		put_words(o->arg_name);
		printf("' ;;\n");
	}
}

static void bash_print(void)
{
	puts("# What bash needs to complete gotrace's words; made by: gotrace completion bash\n");
	puts("_gotrace_verb()\n{\n	verbs='--help --version'");
	for (const struct cmd *const *c = cmd_table; *c; c++)
		printf("	verbs+=' %s'\n", (*c)->name);
	puts("	options= operand= command=0\n	case $1 in");
	for (const struct cmd *const *c = cmd_table; *c; c++) {
		printf("	%s) options='", (*c)->name);
		put_options(*c);
		printf("' operand='");
		put_words((*c)->args);
		printf("' command=%d ;;\n", (*c)->takes_command);
	}
	puts("	esac\n}\n");
	puts("# What the value of an option may be; fails for one that has none.");
	puts("_gotrace_value()\n{\n	case \"$1 $2\" in");
	for (const struct cmd *const *c = cmd_table; *c; c++)
		bash_values(*c);
	puts("	*) return 1 ;;\n	esac\n}\n");
	fputs(bash_engine, stdout);
}

/* Inside of '...', where _arguments reads brackets and colons. */
static void zsh_text(const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			printf("'\\''");
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
}

static void zsh_option(const struct opt *o)
{
	printf(" \\\n		");
	if (o->short_name)
		printf("'(-%c --%s)'{-%c%s,--%s%s}'", o->short_name, o->long_name, o->short_name,
		       o->arg_name ? "+" : "", o->long_name, o->arg_name ? "=" : "");
	else
		printf("'--%s%s", o->long_name, o->arg_name ? "=" : "");
	putchar('[');
	zsh_text(o->help);
	putchar(']');
	if (o->arg_name) {
		putchar(':');
		zsh_text(o->arg_name);
		printf(": _gotrace_of");
		put_words(o->arg_name);
	}
	putchar('\'');
}

static void zsh_print(void)
{
	fputs(zsh_head, stdout);
	puts("	verbs=(");
	for (const struct cmd *const *c = cmd_table; *c; c++) {
		printf("		'%s:", (*c)->name);
		zsh_text((*c)->help);
		puts("'");
	}
	puts("	)");
	fputs(zsh_dispatch, stdout);
	for (const struct cmd *const *c = cmd_table; *c; c++) {
		printf("	%s) _arguments -s \\\n		'(-h --help)'{-h,--help}'[what it "
		       "takes]'",
		       (*c)->name);
		for (const struct opt *o = (*c)->opts; has_opts(*c) && o->long_name; o++)
			zsh_option(o);
		if (*(*c)->args) {
			printf(" \\\n		'1:");
			zsh_text((*c)->args);
			printf(": _gotrace_of");
			put_words((*c)->args);
			putchar('\'');
		}
		puts(" ;;");
	}
	fputs(zsh_tail, stdout);
}

/* A pid a line: all processes that can be watched by this user. */
static int pids_print(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	if (!proc)
		return diag_error(EXIT_SYSTEM, "cannot list processes: no /proc");
	diag_quiet(true);
	while ((d = readdir(proc))) {
		struct target *t = NULL;
		int code;

		if (isdigit((unsigned char)*d->d_name))
			t = target_open((pid_t)atoi(d->d_name), &code);
		if (!t)
			continue;
		printf("%d\n", t->pid);
		target_close(t);
	}
	diag_quiet(false);
	closedir(proc);
	return EXIT_FINE;
}

static int run(int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "bash"))
		bash_print();
	else if (argc == 1 && !strcmp(argv[0], "zsh"))
		zsh_print();
	else if (argc == 1 && !strcmp(argv[0], "pids"))
		return pids_print();
	else
		return diag_error(EXIT_USAGE, "completion: want bash, zsh or pids");
	return EXIT_FINE;
}

const struct cmd cmd_completion = {
	.name = "completion",
	.args = "bash|zsh|pids",
	.help = "completion for a shell; or pids that can be watched",
	.run = run,
};
