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

#include "../../tools/source/programs.h"
#include "../../tools/source/sched_clock.h"
#include "../../tools/source/threads.h"

#define SLACK_NS 1000000ull
#define TEST_SECONDS 60
#define LOOKS 5

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

/* A CPU that we got no time on is visited again; what is said is never wrong. */
static uint64_t by_visits(pid_t pid, int cpu, uint64_t exec_start)
{
	uint64_t said;

	(void)pid;
	do {
		memset(&clocks, 0, sizeof(clocks));
		sched_clock_refresh(&clocks);
		said = sched_clock_to_monotonic(&clocks, (uint32_t)cpu, exec_start);
	} while (said == 0);
	return said;
}

/* NULL: BPF may not be used. */
static struct threads_iter *iter_of(pid_t pid, struct programs *programs)
{
	struct target t = { .pid = pid };
	const struct programs_want want = { .target = &t, .threads = true };
	int error;

	return programs_load(programs, &want) == 0 ? threads_iter_open(programs, &t, false, &error)
						   : NULL;
}

/*
 * What reads the clocks may be stopped between two of them, as any: the second look then has the nearer one.
 * "S" is seen a little before the thread is charged for the last time.
 */
static uint64_t by_iterator(pid_t pid, int cpu, uint64_t exec_start)
{
	struct programs programs = { 0 };
	struct thread_list list = { 0 };
	struct threads_iter *it;
	uint64_t said = 0, still = 0;

	memset(&clocks, 0, sizeof(clocks));
	it = iter_of(pid, &programs);
	assert_non_null(it);
	for (int i = 0; i < LOOKS; i++) {
		still = exec_start;
		assert_int_equal(threads_iter_read(it, &clocks, &list), 0);
		assert_int_equal(list.n, 1);
		assert_int_equal(list.row[0].cpu, cpu);
		said = list.row[0].asleep_since_ns;
		state_read(pid, &exec_start);
	}
	assert_int_equal(exec_start, still);
	assert_int_equal(list.row[0].exec_start_ns, exec_start);
	thread_list_free(&list);
	threads_iter_close(it);
	programs_unload(&programs);
	assert_int_equal(clocks.measured_ns, 0); /* no CPU was visited */
	return said;
}

static void judge(int cpu, uint64_t (*ask)(pid_t, int, uint64_t))
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

	said = ask(pid, cpu, exec_start);
	assert_in_range(said, before - SLACK_NS, after + SLACK_NS);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(told[i]);
		close(go[i]);
	}
}

static void judge_all(uint64_t (*ask)(pid_t, int, uint64_t))
{
	cpu_set_t own, after;

	assert_int_equal(sched_getaffinity(0, sizeof(own), &own), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &own))
			judge(cpu, ask);
	/* and we are free to go where we were */
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&own, &after));
}

static void each_cpu_says_when_a_thread_of_it_fell_asleep(void **state)
{
	(void)state;
	judge_all(by_visits);
}

static void the_iterator_says_it_of_each_cpu(void **state)
{
	struct programs programs = { 0 };
	struct threads_iter *it = iter_of(getpid(), &programs);

	(void)state;
	threads_iter_close(it);
	programs_unload(&programs);
	if (!it)
		skip();
	judge_all(by_iterator);
}

/* The least counts, and may rise by half a thousandth of the time. */
static void the_nearest_measurement_counts(void **state)
{
	(void)state;
	memset(&clocks, 0, sizeof(clocks));
	sched_clock_note_queue_lag(&clocks, -700);
	assert_int_equal(clocks.queue_lag_ns, -700);
	sched_clock_note_queue_lag(&clocks, -900);
	assert_int_equal(clocks.queue_lag_ns, -900);
	sched_clock_note_queue_lag(&clocks, 4000000000);
	assert_in_range(clocks.queue_lag_ns + 900, 0, SLACK_NS);
	clocks.queue_lag_at_ns -= 1000000000;
	sched_clock_note_queue_lag(&clocks, 4000000000);
	assert_in_range(clocks.queue_lag_ns + 900, 500000, 500000 + 2 * SLACK_NS);
}

/* A guest that was paused: one of the two clocks stood still. */
static void a_step_of_the_clocks_is_believed_in_the_end(void **state)
{
	(void)state;
	memset(&clocks, 0, sizeof(clocks));
	sched_clock_note_queue_lag(&clocks, 700);
	for (int i = 0; i < 3; i++) {
		assert_in_range(clocks.queue_lag_ns, 700, 700 + SLACK_NS);
		sched_clock_note_queue_lag(&clocks, 60000000000);
	}
	assert_int_equal(clocks.queue_lag_ns, 60000000000);
}

static void no_thread_fell_asleep_in_the_future(void **state)
{
	uint64_t now_ns = threads_now_ns(), said;

	(void)state;
	memset(&clocks, 0, sizeof(clocks));
	assert_int_equal(sched_clock_to_monotonic(&clocks, 1, 1000), 0);
	clocks.offset_ns[1] = 500;
	assert_int_equal(sched_clock_to_monotonic(&clocks, 1, 1000), 1500);
	said = sched_clock_to_monotonic(&clocks, 1, 2 * now_ns);
	assert_in_range(said, now_ns, threads_now_ns());
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
		cmocka_unit_test(the_nearest_measurement_counts),
		cmocka_unit_test(a_step_of_the_clocks_is_believed_in_the_end),
		cmocka_unit_test(no_thread_fell_asleep_in_the_future),
		cmocka_unit_test(each_cpu_says_when_a_thread_of_it_fell_asleep),
		cmocka_unit_test(the_iterator_says_it_of_each_cpu),
	};
	uint64_t exec_start;

	state_read(getpid(), &exec_start);
	if (exec_start == 0) {
		printf("skipped: this kernel has no /proc/PID/sched\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, time_limit, NULL);
}
