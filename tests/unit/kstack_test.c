/* SPDX-License-Identifier: MIT */
/* kstack_test.c - where a thread of ours sleeps, as /proc tells root, its owner, and a stranger. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tools/source/kstack.h"

#define NOBODY 65534

static bool become_nobody(void)
{
	return setgid(NOBODY) == 0 && setuid(NOBODY) == 0;
}

static char state_of(pid_t pid)
{
	char path[64], text[256] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	end = strrchr(text, ')');
	return end ? end[2] : '\0';
}

/* A process that reads a pipe that nobody writes; asleep when this returns. */
static pid_t reader_start(bool as_nobody)
{
	int ends[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (as_nobody && !become_nobody())
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* A change of user makes it unreadable to its owner. */
		prctl(PR_SET_DUMPABLE, 1);
		_exit(read(ends[0], &c, 1) == 1);
	}
	while (state_of(pid) != 'S')
		sched_yield();
	return pid;
}

static void reader_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What a child that becomes nobody sees; its exit status is whether `holds` does. */
static bool holds_for_nobody(bool (*holds)(struct kstack *, struct thread_row *), pid_t pid)
{
	struct thread_row row = { .tid = (uint32_t)pid };
	int status = 1;
	pid_t child = fork();

	if (child == 0) {
		struct kstack *k = kstack_new();

		if (!become_nobody() || !k)
			_exit(1);
		kstack_read(k, pid, &row);
		_exit(holds(k, &row) ? 0 : 1);
	}
	return waitpid(child, &status, 0) == child && status == 0;
}

static bool sleeps_in_a_pipe(struct kstack *k, struct thread_row *row)
{
	const char *name = kstack_name(k, row->nkernel ? row->kernel[0] : 0);

	return name && strstr(name, "pipe_read") && !kstack_why_not(k);
}

static bool is_told_why_not(struct kstack *k, struct thread_row *row)
{
	const char *why = kstack_why_not(k);

	return row->nkernel == 0 && why && strstr(why, "/proc/PID/stack: Permission denied");
}

static void given_root_when_a_thread_sleeps_then_its_kernel_stack_is_known(void **state)
{
	struct kstack *k = kstack_new();
	pid_t pid = reader_start(false);
	struct thread_row row = { .tid = (uint32_t)pid };

	(void)state;
	for (int i = 0; i < 2; i++) {
		kstack_read(k, pid, &row);
		assert_true(sleeps_in_a_pipe(k, &row));
		assert_true(row.nkernel > 1);
	}
	assert_null(kstack_name(k, 0));
	assert_null(kstack_name(k, 1000));
	kstack_free(k);
	reader_end(pid);
}

static void given_its_owner_when_a_thread_sleeps_then_one_function_is_known(void **state)
{
	pid_t pid = reader_start(true);

	(void)state;
	assert_true(holds_for_nobody(sleeps_in_a_pipe, pid));
	reader_end(pid);
}

static void given_a_stranger_when_a_thread_sleeps_then_the_reason_is_told(void **state)
{
	pid_t pid = reader_start(false);

	(void)state;
	assert_true(holds_for_nobody(is_told_why_not, pid));
	reader_end(pid);
}

static void given_a_thread_that_is_gone_when_read_then_nothing_is_known_and_nothing_told(
	void **state)
{
	struct kstack *k = kstack_new();
	pid_t pid = fork();
	struct thread_row row = { 0 };

	(void)state;
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	row.tid = (uint32_t)pid;
	kstack_read(k, pid, &row);
	assert_int_equal(row.nkernel, 0);
	assert_null(kstack_why_not(k));
	kstack_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_root_when_a_thread_sleeps_then_its_kernel_stack_is_known),
		cmocka_unit_test(given_its_owner_when_a_thread_sleeps_then_one_function_is_known),
		cmocka_unit_test(given_a_stranger_when_a_thread_sleeps_then_the_reason_is_told),
		cmocka_unit_test(
			given_a_thread_that_is_gone_when_read_then_nothing_is_known_and_nothing_told),
	};

	if (geteuid() != 0) {
		printf("skipped: not root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
