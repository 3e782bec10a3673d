/* SPDX-License-Identifier: MIT */
/* What /proc says, of processes that call themselves what they like. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/target/proc.h"

static void test_name_with_brackets_and_escapes(void **state)
{
	struct proc_stat s;
	char was[16];

	(void)state;
	prctl(PR_GET_NAME, was);
	prctl(PR_SET_NAME, ") Z (1\033[2J");
	assert_int_equal(proc_stat_read(getpid(), &s), 0);
	prctl(PR_SET_NAME, was);

	assert_string_equal(s.comm, ") Z (1?[2J");
	assert_int_equal(s.state, 'R');
	assert_int_equal(s.ppid, getppid());
	assert_false(proc_stat_is_kernel_thread(&s));
}

static void test_start_time_is_since_boot(void **state)
{
	struct proc_stat s, child;
	struct timespec boot;
	uint64_t now;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		for (;;)
			pause();
	assert_int_equal(proc_stat_read(getpid(), &s), 0);
	assert_int_equal(proc_stat_read(pid, &child), 0);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	now = (uint64_t)boot.tv_sec * 1000000000ull + (uint64_t)boot.tv_nsec;

	assert_true(s.start_ns > 0 && s.start_ns <= child.start_ns && child.start_ns <= now);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_dead_process_has_no_live_thread(void **state)
{
	struct proc_stat s;
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_stat_read(pid, &s), 0);
	assert_true(proc_stat_is_dead(&s));
	assert_int_equal(proc_live_thread(pid), 0);
	waitpid(pid, NULL, 0);

	assert_true(proc_stat_read(pid, &s) < 0);
	assert_int_equal(proc_live_thread(pid), 0);
	assert_true(proc_live_thread(getpid()) > 0);
}

static void test_status_of_ourselves(void **state)
{
	struct proc_status s;

	(void)state;
	assert_int_equal(proc_status_read(getpid(), &s), 0);

	assert_int_equal(s.tgid, getpid());
	assert_int_equal(s.uid, getuid());
	assert_int_equal(s.euid, geteuid());
	/* This /proc is ours, so nothing lies below it. */
	assert_true(proc_is_ours());
	assert_int_equal(s.ns_level, 0);
	assert_int_equal(s.ns_pid, getpid());
}

static void test_maps_contain_this_function(void **state)
{
	uint64_t here = (uintptr_t)test_maps_contain_this_function;
	struct proc_map map = { 0 };
	struct proc_maps it;
	bool found = false;

	(void)state;
	assert_int_equal(proc_maps_open(&it, getpid()), 0);
	while (!found && proc_maps_next(&it, &map))
		found = here >= map.start && here < map.end;
	proc_maps_close(&it);

	assert_true(found);
	assert_string_equal(map.perms, "r-xp");
	assert_non_null(strstr(map.path, "proc_test"));
	assert_true(map.inode > 0);
}

static void test_lines_are_cut_at_the_newline(void **state)
{
	char line[64];

	(void)state;
	assert_int_equal(proc_line_read("/proc/sys/kernel/ostype", line, sizeof(line)), 0);
	assert_string_equal(line, "Linux");
	assert_int_equal(proc_line_read("/proc/sys/kernel/ostype", line, 3), 0);
	assert_string_equal(line, "Li");
	assert_int_equal(proc_line_read("/proc/none", line, sizeof(line)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_with_brackets_and_escapes),
		cmocka_unit_test(test_start_time_is_since_boot),
		cmocka_unit_test(test_dead_process_has_no_live_thread),
		cmocka_unit_test(test_status_of_ourselves),
		cmocka_unit_test(test_maps_contain_this_function),
		cmocka_unit_test(test_lines_are_cut_at_the_newline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
