/* SPDX-License-Identifier: MIT */
/* sched_clock_test.c - when a thread fell asleep, by the scheduler's clock of its CPU and by its own. */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/source/sched_clock.h"
#include "../../tools/source/threads.h"

#define SLACK_NS 1000000ull
#define TEST_SECONDS 60

static struct sched_clock clocks; /* 8 KiB */

static bool pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0;
}

/* "S" and exec_start of a process; exec_start 0: this kernel does not tell. */
static char state_read(pid_t pid, uint64_t *ret_exec_start_ns)
{
	unsigned long long ms, fraction;
	char path[64], line[512], state = '?';
	FILE *f;

	*ret_exec_start_ns = 0;
	snprintf(path, sizeof(path), "/proc/%d/sched", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "se.exec_start : %llu.%6llu", &ms, &fraction) == 2)
			*ret_exec_start_ns = ms * 1000000ull + fraction;
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f) && strrchr(line, ')'))
		sscanf(strrchr(line, ')'), ") %c", &state);
	if (f)
		fclose(f);
	return state;
}

/* A process pinned to a CPU, which says when it was about to sleep. */
static pid_t sleeper(int cpu, int say, int wait_for)
{
	pid_t pid = fork();
	uint64_t now;
	char byte;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!pin(cpu))
		_exit(1);
	now = threads_now_ns();
	if (write(say, &now, sizeof(now)) != sizeof(now))
		_exit(1);
	_exit(read(wait_for, &byte, 1) < 0);
}

static void judge(int cpu)
{
	uint64_t before, exec_start, after, said;
	int told[2], go[2], status;
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(go), 0);
	pid = sleeper(cpu, told[1], go[0]);
	assert_true(pid > 0);
	assert_int_equal(read(told[0], &before, sizeof(before)), sizeof(before));
	while (state_read(pid, &exec_start) != 'S')
		sched_yield();
	state_read(pid, &exec_start);
	after = threads_now_ns();

	/* a CPU that we got no time on is tried again; what is said is never wrong */
	do {
		memset(&clocks, 0, sizeof(clocks));
		sched_clock_refresh(&clocks);
		said = sched_clock_to_monotonic(&clocks, (uint32_t)cpu, exec_start);
	} while (said == 0);
	assert_in_range(said, before - SLACK_NS, after + SLACK_NS);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(told[i]);
		close(go[i]);
	}
}

static void each_cpu_says_when_a_thread_of_it_fell_asleep(void **state)
{
	cpu_set_t own, after;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(own), &own), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &own))
			judge(cpu);
	/* and we are free to go where we were */
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&own, &after));
}

static int time_limit(void **state)
{
	(void)state;
	alarm(TEST_SECONDS);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cpu_says_when_a_thread_of_it_fell_asleep),
	};
	uint64_t exec_start;

	state_read(getpid(), &exec_start);
	if (exec_start == 0) {
		printf("skipped: this kernel has no /proc/PID/sched\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, time_limit, NULL);
}
