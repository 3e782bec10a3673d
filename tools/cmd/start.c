/* SPDX-License-Identifier: MIT */
/*
 * start.c - see start.h. The hold: a pipe whose one writer is the child, closed by its exec, and of
 * which we asked to be told by a signal (O_ASYNC). The signal is SIGSTOP, and "we" is the child:
 *
 *	gotrace                            child
 *	arms the hold, closes the go pipe  reads the go pipe
 *	                                   execs; there the kernel closes the hold: SIGSTOP
 *	                                   stops before the new program's first instruction
 *	opens the target, attaches
 *	SIGCONT                            runs
 *
 * No ptrace, so a program that looks for debuggers, or is one, works as ever; and nothing is left
 * behind: the pipe is ours. A runtime in a shared library is mapped by the loader only later: then
 * the program runs in steps of STEP_NS between tries, and what it did before the attach, the first
 * snapshot tells.
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

#define STEP_NS 200000
#define TRIES 1000 /* 0.2 s of the program's time */
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
static bool is_stopped_now(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WUNTRACED) < 0)
		if (errno != EINTR)
			return false;
	return WIFSTOPPED(status);
}

/* Let it run for a while. */
static bool step(pid_t pid)
{
	static const struct timespec a_step = { .tv_nsec = STEP_NS };

	if (kill(pid, SIGCONT) < 0)
		return false;
	nanosleep(&a_step, NULL);
	return kill(pid, SIGSTOP) == 0 && is_stopped_now(pid);
}

void start_release(const struct started *s)
{
	kill(s->pid, SIGCONT);
}

bool start_reap(const struct started *s, int *ret_status)
{
	*ret_status = 0;
	return waitpid(s->pid, ret_status, WNOHANG) != 0;
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
	kill(s->pid, SIGKILL); /* the end of the hold stopped it */
	waitpid(s->pid, NULL, 0);
	return n == sizeof(error) ? -error : -EIO;
}

/* The end of the hold sends the child a SIGSTOP. */
static int hold_arm(int hold, pid_t pid)
{
	if (fcntl(hold, F_SETOWN, pid) < 0 || fcntl(hold, F_SETSIG, SIGSTOP) < 0 ||
	    fcntl(hold, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

enum { GO, REPORT, HOLD, PIPES };

/* pipes[i][0] is what is read. */
static int child_start(char **argv, int pipes[PIPES][2], struct started *ret)
{
	int rc;

	ret->pid = fork();
	if (ret->pid == 0) {
		close(pipes[GO][1]);
		close(pipes[REPORT][0]);
		close(pipes[HOLD][0]);
		child_run(argv, pipes[GO][0], pipes[REPORT][1]);
	}
	if (ret->pid < 0)
		return -errno;
	close(pipes[REPORT][1]);
	close(pipes[HOLD][1]);
	pipes[REPORT][1] = pipes[HOLD][1] = -1;
	rc = hold_arm(pipes[HOLD][0], ret->pid);
	if (rc < 0) {
		kill(ret->pid, SIGKILL);
		waitpid(ret->pid, NULL, 0);
		return rc;
	}
	close(pipes[GO][1]); /* its end is the word to go */
	pipes[GO][1] = -1;
	return exec_wait(ret, pipes[REPORT][0]);
}

static int start_held(char **argv, struct started *ret)
{
	int pipes[PIPES][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } }, rc = 0;

	for (int i = 0; rc == 0 && i < PIPES; i++)
		rc = pipe2(pipes[i], O_CLOEXEC) < 0 ? -errno : 0;
	if (rc == 0)
		rc = child_start(argv, pipes, ret);
	for (int i = 0; i < PIPES; i++)
		for (int k = 0; k < 2; k++)
			if (pipes[i][k] >= 0)
				close(pipes[i][k]);
	return rc;
}

/* Stopped and opened; NULL: it ended, or no runtime has shown up. */
static struct target *open_when_ready(const struct started *s, int *ret_code)
{
	bool is_there = is_stopped_now(s->pid);
	struct target *t = NULL;

	for (int i = 0; is_there && !t && i < TRIES; i++) {
		if (i > 0)
			is_there = step(s->pid);
		diag_quiet(true);
		t = target_open(s->pid, ret_code);
		diag_quiet(false);
	}
	return t;
}

struct target *start_command(char **argv, struct started *ret, int *ret_code)
{
	struct target *t;
	int rc = start_held(argv, ret), status;

	if (rc < 0) {
		*ret_code = diag_error(rc == -EACCES || rc == -EPERM ? EXIT_NOT_PERMITTED
								     : EXIT_NO_TARGET,
				       "cannot start %s: %s", argv[0], strerror(-rc));
		return NULL;
	}
	t = open_when_ready(ret, ret_code);
	if (t)
		return t;
	if (kill(ret->pid, 0) == 0 && !start_reap(ret, &status)) {
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
