/* SPDX-License-Identifier: MIT */
/*
 * start.c - see start.h.
 *
 *	gotrace                            child
 *	writes the go pipe                 reads the go pipe
 *	                                   execs: the exec pipe closes by itself
 *	reads the end of the exec pipe
 *	SIGSTOP, opens the target          runs from the exec until the stop arrives: some 100 us
 *	attaches, SIGCONT                  goes on
 *
 * The layout is only known after the exec, so what the program does until the stop arrives is not
 * seen: loader and C library, as a rule. How much of the runtime had already started, the first
 * snapshot tells. A runtime in a shared library is mapped by the loader later: then the program
 *runs in steps of STEP_NS between tries.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../diag.h"
#include "start.h"

#define STEP_NS     200000
#define TRIES       1000 /* 0.2 s of the program's time */
#define EXEC_FAILED 127

static _Noreturn void child_run(char **argv, int go, int report)
{
	char byte;
	int error;

	while (read(go, &byte, 1) < 0 && errno == EINTR)
		;
	execvp(argv[0], argv);
	error = errno;
	while (write(report, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(EXEC_FAILED);
}

/* Until the stop has arrived; false: it ended before. */
static bool stop(pid_t pid)
{
	int status;

	if (kill(pid, SIGSTOP) < 0)
		return false;
	while (waitpid(pid, &status, WUNTRACED) < 0)
		if (errno != EINTR)
			return false;
	return WIFSTOPPED(status);
}

void start_release(const struct started *s)
{
	kill(s->pid, SIGCONT);
}

bool start_reap(const struct started *s)
{
	return waitpid(s->pid, NULL, WNOHANG) != 0;
}

static int exec_wait(const struct started *s, int report)
{
	int error = 0;
	ssize_t n;

	do {
		n = read(report, &error, sizeof(error));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	waitpid(s->pid, NULL, 0);
	return n == sizeof(error) ? -error : -EIO;
}

static int child_start(char **argv, struct started *ret)
{
	int go[2], report[2], rc;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(report, O_CLOEXEC) < 0) {
		rc = -errno;
		close(go[0]);
		close(go[1]);
		return rc;
	}
	ret->pid = fork();
	if (ret->pid == 0) {
		close(go[1]);
		close(report[0]);
		child_run(argv, go[0], report[1]);
	}
	rc = ret->pid < 0 ? -errno : 0;
	close(go[0]);
	close(report[1]);
	close(go[1]); /* its end is the word to go */
	if (rc == 0)
		rc = exec_wait(ret, report[0]);
	close(report[0]);
	return rc;
}

/* Stopped and opened; NULL: it ended, or no runtime has shown up. */
static struct target *open_when_ready(const struct started *s, int *ret_code)
{
	static const struct timespec step = { .tv_nsec = STEP_NS };
	struct target *t = NULL;

	for (int i = 0; !t && i < TRIES && stop(s->pid); i++) {
		diag_quiet(true);
		t = target_open(s->pid, ret_code);
		diag_quiet(false);
		if (!t) {
			start_release(s);
			nanosleep(&step, NULL);
		}
	}
	return t;
}

struct target *start_command(char **argv, struct started *ret, int *ret_code)
{
	struct target *t;
	int rc = child_start(argv, ret);

	if (rc < 0) {
		*ret_code =
			diag_error(EXIT_NO_TARGET, "cannot start %s: %s", argv[0], strerror(-rc));
		return NULL;
	}
	t = open_when_ready(ret, ret_code);
	if (t)
		return t;
	if (kill(ret->pid, 0) == 0 && !start_reap(ret)) {
		t = target_open(ret->pid, ret_code); /* says why */
		target_close(t);
		kill(ret->pid, SIGTERM);
		start_release(ret);
		waitpid(ret->pid, NULL, 0);
	} else {
		*ret_code = diag_error(EXIT_NO_TARGET, "%s ended before a runtime started in it",
				       argv[0]);
	}
	return NULL;
}
