/* SPDX-License-Identifier: MIT */
/* shell.h - programs that are not ours: run one to its end, and look at what it said. */
#ifndef TESTS_SHELL_H
#define TESTS_SHELL_H

#include "e2e.h"

/* argv[0] is looked for in PATH. */
static inline void shell_run(struct outcome *ret, char *const argv[])
{
	FILE *out = tmpfile(), *err = tmpfile();
	pid_t pid;

	assert_true(out && err);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fileno(out), 1);
		dup2(fileno(err), 2);
		e2e_child(NULL);
		execvp(argv[0], argv);
		_exit(127);
	}
	ret->code = e2e_wait(pid);
	e2e_text(out, ret->out, sizeof(ret->out));
	e2e_text(err, ret->err, sizeof(ret->err));
}

/* The next verb in the usage text that `gotrace --help` prints, from *at on; false: no more. */
static inline bool usage_verb_next(const char **at, char ret[32])
{
	while (*at) {
		const char *line = *at;
		bool is_verb = !strncmp(line, "  ", 2) && sscanf(line + 2, "%31[a-z]", ret) == 1 &&
			       strcmp(ret, "gotrace");

		*at = strchr(line, '\n');
		*at += !!*at;
		if (is_verb)
			return true;
	}
	return false;
}

#endif
