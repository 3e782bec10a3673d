/* SPDX-License-Identifier: MIT */
/*
 * gotrace.c - usage, help, dispatch and "did you mean", all from the table of verbs. A new verb is a
 * file in cmd/ with one const struct cmd, and a row in cmd/table.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/near.h"
#include "diag.h"
#include "heap.h"

#ifndef GOTRACE_VERSION
#define GOTRACE_VERSION "0.1.0"
#endif

static void usage(FILE *out)
{
	fputs("usage: gotrace VERB [options] ...\n\n", out);
	for (const struct cmd *const *c = cmd_table; *c; c++)
		fprintf(out, "  %-10s %-28s %s\n", (*c)->name, (*c)->args, (*c)->help);
	fputs("\n  gotrace VERB --help     says more\n"
	      "  gotrace --version\n\n"
	      "exit status: 0 fine, 1 a check failed, 2 usage, 3 events were lost,\n"
	      "4 no such process or not a libgrt program, 5 not permitted, 6 the system refused\n",
	      out);
}

static const struct cmd *cmd_find(const char *name)
{
	const struct cmd *near = NULL;
	unsigned best = NEAR_TYPOS_MAX + 1;

	for (const struct cmd *const *c = cmd_table; *c; c++) {
		unsigned n = near_typos(name, (*c)->name);

		if (n == 0)
			return *c;
		if (n < best || (!near && !strncmp((*c)->name, name, strlen(name)))) {
			best = n;
			near = *c;
		}
	}
	diag_error(EXIT_USAGE, "no such verb: '%s'", name);
	if (near && *name)
		diag_hint("did you mean '%s'?", near->name);
	return NULL;
}

static bool is_word(const char *arg, const char *brief, const char *full)
{
	return !strcmp(arg, brief) || !strcmp(arg, full);
}

static int cmd_run(const struct cmd *c, int argc, char **argv)
{
	int first;

	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (is_word(argv[i], "-h", "--help")) {
			opt_usage(c, stdout);
			return EXIT_FINE;
		}
	first = opt_parse(c, argc, argv);
	return first < 0 ? -first : c->run(argc - first, argv + first);
}

/*
 * A descriptor that we were started without is the next one that is opened: a recording or a map
 * would get what is meant for the user. Opened for what it is not used for, using it is EBADF still.
 */
static bool standard_fds_fill(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	const struct cmd *c;
	int code = EXIT_FINE;

	if (!standard_fds_fill())
		return EXIT_SYSTEM; /* nobody can be told */
	heap_arrange();
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (is_word(argv[1], "-V", "--version")) {
		puts("gotrace " GOTRACE_VERSION);
	} else if (is_word(argv[1], "-h", "--help") || !strcmp(argv[1], "help")) {
		usage(stdout);
	} else {
		c = cmd_find(argv[1]);
		code = c ? cmd_run(c, argc - 1, argv + 1) : EXIT_USAGE;
	}
	/* What the user did not get is an error, not a success. */
	if ((fflush(stdout) || ferror(stdout)) && code == EXIT_FINE)
		code = diag_error(EXIT_SYSTEM, "cannot write the output: %s", strerror(errno));
	return code;
}
