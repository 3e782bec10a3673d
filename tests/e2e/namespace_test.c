/* SPDX-License-Identifier: MIT */
/*
 * Targets in other pid and mount namespaces, a gotrace that is in one itself, a /proc that hides,
 * and gotrace with few rights: it says the truth, or does its work.
 */
#define _GNU_SOURCE
#include "rights.h"
#include "sick.h"

enum { NO_TARGET = 4, NOT_PERMITTED = 5, SYSTEM = 6 };

static struct outcome o;

static bool hidden_as_nobody(void)
{
	return mounts_own() && mount("proc", "/proc", "proc", 0, "hidepid=2") == 0 &&
	       e2e_as_nobody();
}

static bool locked_as_nobody(void)
{
	return mounts_own() && mount("proc", "/proc", "proc", 0, "hidepid=1") == 0 &&
	       e2e_as_nobody();
}

static void test_hidden_process_is_not_absent(void **state)
{
	struct program p = sleeper_start(NULL, NULL);

	(void)state;
	gotrace_pid(&o, hidden_as_nobody, "probes", p.pid);
	assert_code(&o, NOT_PERMITTED);
	assert_says(o.err, "permission denied: it exists, and /proc hides it (hidepid=");

	gotrace_pid(&o, locked_as_nobody, "probes", p.pid);
	assert_code(&o, NOT_PERMITTED);
	assert_says(o.err, "permission denied\nhint: /proc is mounted with hidepid=");
	program_stop(&p);
}

static void test_absent_process_is_not_hidden(void **state)
{
	(void)state;
	gotrace_pid(&o, hidden_as_nobody, "probes", pid_absent());

	assert_code(&o, NO_TARGET);
	assert_says(o.err, "no such process");
}

/* What was hinted is true: the process's own user may. */
static void test_own_process_is_not_hidden(void **state)
{
	struct program p = sleeper_start(e2e_as_nobody, NULL);

	(void)state;
	gotrace_pid(&o, hidden_as_nobody, "probes", p.pid);

	assert_code(&o, 0);
	assert_says(o.out, ALL_PROBES);
	program_stop(&p);
}

static void test_target_in_another_namespace(void **state)
{
	struct program p = sleeper_start(namespaces_own, NULL);
	pid_t pid = child_of(p.pid);

	(void)state;
	assert_true(pid > 1);

	gotrace_pid(&o, NULL, "probes", pid);

	assert_code(&o, 0);
	assert_says(o.out, ALL_PROBES ", 0 armed");
	program_stop(&p);
}

/* Each verb in a form that ends; in there a thread's numbers, and its files, are others. */
static void test_every_command_on_a_target_in_another_namespace(void **state)
{
	static const char *const form[][4] = {
		{ "threads", "--once" },        { "blocked", "--by-stack" },
		{ "handoff", "-i50ms", "-n2" }, { "netpoll", "-i50ms", "-n2" },
		{ "growth", "-i50ms", "-n2" },  { "check", "--for=100ms", "--fail-on=hostage>0" },
	};
	struct program p = sleeper_start(namespaces_own, NULL);
	pid_t pid = child_of(p.pid);
	char text[16];

	(void)state;
	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		char *argv[] = { "gotrace",          (char *)form[i][0], text,
				 (char *)form[i][1], (char *)form[i][2], NULL };

		gotrace_run(&o, NULL, -1, argv);
		if (o.code != 0)
			fail_msg("%s ended with %d: %s", form[i][0], o.code, o.err);
		assert_int_not_equal(o.out[0], 0);
	}
	program_stop(&p);
}

static bool are_97(const char *json, const void *unused)
{
	(void)unused;
	return json_number(json, "blocked") == 97;
}

/* The paths and the stacks are those that the target knows, and the tids those that we know. */
static void test_blocked_and_growth_name_calls_in_another_namespace(void **state)
{
	char *json[] = { "--json", NULL }, *growth[] = { "--json", "-i50ms", "-n2", NULL };
	struct program p = readers_start("97", "0", namespaces_own);
	const char *said, *row;
	char path[PATH_MAX];
	pid_t pid;

	(void)state;
	pid = child_of(p.pid);
	said = gotrace_until(pid, "blocked", json, are_97, NULL);
	row = strstr(said, "\"ms\":[");
	assert_says(row, "/fifo-96\",\"kind\":\"FIFO\"");
	assert_says(row, "\"where\":\"read_fifo growth.c:");
	snprintf(path, sizeof(path), "/proc/%d/task/%ld", pid, json_number(row, "tid"));
	assert_int_equal(access(path, F_OK), 0);

	said = gotrace_until(pid, "growth", growth, is_any, NULL);
	snprintf(path, sizeof(path), "{\"call\":\"read(%s/growth-", e2e_tmp());
	assert_says(said, path);
	program_stop(&p);
}

/* Its file is on a mount that only it has: a path would lead nowhere. */
static bool namespaces_own_with_file(void)
{
	char from[4096];

	snprintf(from, sizeof(from), "%s", e2e_path("TRACEE_DIR", "sleeper"));
	if (!namespaces_own() || mount("none", "/mnt", "tmpfs", 0, NULL))
		return false;
	file_copy(from, "/mnt/hidden-target");
	return true;
}

static void test_file_that_only_the_target_sees(void **state)
{
	char *argv[] = { "/mnt/hidden-target", NULL };
	struct program p = program_start(argv, namespaces_own_with_file);
	pid_t pid;

	(void)state;
	program_expect(&p, "ready");
	pid = child_of(p.pid);
	assert_int_not_equal(access("/mnt/hidden-target", F_OK), 0);

	gotrace_pid(&o, NULL, "probes", pid);

	assert_code(&o, 0);
	assert_says(o.out, "libgrt in /mnt/hidden-target, pid");
	assert_null(strstr(o.out, "replaced"));
	program_stop(&p);
}

static void test_gotrace_and_target_in_one_namespace(void **state)
{
	struct program p = sleeper_start(namespaces_own, NULL);

	(void)state;
	namespaces_of = child_of(p.pid);

	/* In there the target is pid 1. */
	gotrace_pid(&o, namespaces_join, "probes", 1);

	assert_code(&o, 0);
	assert_says(o.out, "pid 1 (sleeper): " ALL_PROBES ", 0 armed");
	program_stop(&p);
}

static void test_proc_of_another_namespace(void **state)
{
	(void)state;
	gotrace_pid(&o, namespaces_own_without_proc, "probes", 1);

	assert_code(&o, SYSTEM);
	assert_says(o.err, "/proc is not that of this pid namespace");
}

static void test_doctor_says_which_level(void **state)
{
	(void)state;
	gotrace_on(&o, NULL, "doctor", NULL);
	assert_code(&o, 0);
	assert_says(o.out, "yes  memory of your own processes");
	assert_says(o.out, "yes  memory of other users' processes");

	gotrace_on(&o, e2e_as_nobody, "doctor", NULL);
	assert_code(&o, 0);
	assert_says(o.out, "no   memory of other users' processes");
	assert_says(o.out, "no   BPF task iterator");
	assert_says(o.out, "change: run as root, or with CAP_PERFMON CAP_BPF");
	assert_says(o.out, "\nlevel 0: ");
}

static void test_doctor_with_two_capabilities(void **state)
{
	char *line;

	(void)state;
	gotrace_on(&o, NULL, "doctor", NULL);
	/* What does not work for root (an old kernel) is not asked of fewer rights. */
	line = strstr(o.out, "yes  probes by one uprobe_multi link");
	if (!line) {
		print_message("no uprobe_multi on this kernel\n");
		return;
	}
	gotrace_on(&o, as_nobody_with_bpf, "doctor", NULL);
	assert_code(&o, 0);
	assert_says(o.out, "yes  BPF task iterator");
	assert_says(o.out, "yes  probes by one uprobe_multi link");
	assert_says(o.out, "\nlevel 1: memory, the kernel's view and probes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden_process_is_not_absent),
		cmocka_unit_test(test_absent_process_is_not_hidden),
		cmocka_unit_test(test_own_process_is_not_hidden),
		cmocka_unit_test(test_target_in_another_namespace),
		cmocka_unit_test(test_every_command_on_a_target_in_another_namespace),
		cmocka_unit_test(test_blocked_and_growth_name_calls_in_another_namespace),
		cmocka_unit_test(test_file_that_only_the_target_sees),
		cmocka_unit_test(test_gotrace_and_target_in_one_namespace),
		cmocka_unit_test(test_proc_of_another_namespace),
		cmocka_unit_test(test_doctor_says_which_level),
		cmocka_unit_test(test_doctor_with_two_capabilities),
	};

	namespaces_need();
	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
