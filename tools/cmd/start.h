/* SPDX-License-Identifier: MIT */
/*
 * start.h - a command that is started to be studied: it is stopped by its own exec, before the
 * first instruction of the new program, without ptrace.
 */
#ifndef GOTRACE_START_H
#define GOTRACE_START_H

#include "../target/target.h"

struct started {
	pid_t pid;
};

/*
 * Start argv (ends with NULL) and open it. The process is stopped then: start_release lets it run.
 * On failure NULL, *ret_code set, after diag_error; nothing of it is left.
 */
struct target *start_command(char **argv, struct started *ret, int *ret_code);
void start_release(const struct started *s);
/* Gone? Then collect it, and how it ended, as waitpid says. */
bool start_reap(const struct started *s, int *ret_status);

#endif
