/* SPDX-License-Identifier: MIT */
/*
 * gotrace attached to a target, while things happen to both: the target dies, execs, is stopped,
 * has lost its main thread or its file; gotrace is one of three, is killed, loses its reader, has
 * few rights. What gotrace leaves behind is read from the target's own memory, by `gotrace
 * probes`.
 */
#define _GNU_SOURCE
#include "rights.h"

#include <dirent.h>

enum { FINE = 0, NO_TARGET = 4 };

static struct outcome o;

/* gotrace threads PID --json, attached when this returns. */
static struct program gotrace_attach(pid_t target, const char *more)
{
	struct program p = gotrace_watch(target, more);

	program_expect(&p, "{\"type\":\"begin\"");
	return p;
}

/* The semaphore of the probe `retake`, as the target sees it, and how many sites are armed. */
static void listeners(pid_t pid, long *ret_semaphore, long *ret_armed)
{
	char text[16], *argv[] = { "gotrace", "probes", "--json", text, NULL };
	const char *retake;

	snprintf(text, sizeof(text), "%d", pid);
	gotrace_run(&o, NULL, -1, argv);
	assert_code(&o, FINE);
	retake = strstr(o.out, "\"name\":\"retake\"");
	assert_non_null(retake);
	*ret_semaphore = json_number(retake, "semaphore");
	*ret_armed = json_number(o.out, "armed");
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * Waits until gotraces listen, or nobody does any more: the kernel lets go of what was killed in
 * its own time. However many share a site, the kernel arms it once and raises the semaphore once.
 */
static void expect_listeners(pid_t pid, bool want)
{
	int64_t until = now_ms() + E2E_WAIT_MS;
	long semaphore, armed;

	do {
		listeners(pid, &semaphore, &armed);
		if (semaphore == want && (armed > 0) == want)
			return;
		sched_yield();
	} while (now_ms() < until);
	fail_msg("semaphore %ld, %ld armed, want %s", semaphore, armed, want ? "some" : "none");
}

static int gotrace_end(struct program *p, int sig)
{
	int code;

	kill(p->pid, sig);
	code = e2e_wait(p->pid);
	close(p->out);
	return code;
}

static bool has_probes(void)
{
	static int known = -1;

	if (known < 0) {
		gotrace_on(&o, NULL, "doctor", NULL);
		known = strstr(o.out, "yes  probes by one uprobe_multi link") != NULL;
		if (!known)
			print_message("no uprobe_multi on this kernel\n");
	}
	return known;
}

static void test_three_come_and_go_in_another_order(void **state)
{
	struct program target = sleeper_start(NULL, NULL), a, b, c;

	(void)state;
	if (!has_probes())
		return;
	expect_listeners(target.pid, false);
	a = gotrace_attach(target.pid, NULL);
	expect_listeners(target.pid, true);
	b = gotrace_attach(target.pid, NULL);
	expect_listeners(target.pid, true);
	c = gotrace_attach(target.pid, NULL);
	expect_listeners(target.pid, true);

	assert_int_equal(gotrace_end(&b, SIGINT), FINE);
	expect_listeners(target.pid, true);
	assert_int_equal(gotrace_end(&a, SIGKILL), -SIGKILL);
	expect_listeners(target.pid, true);
	assert_int_equal(gotrace_end(&c, SIGTERM), FINE);
	expect_listeners(target.pid, false);

	assert_true(program_lives(&target));
	program_stop(&target);
}

static void test_killed_while_probes_are_hit(void **state)
{
	char *argv[] = { (char *)e2e_path("EXAMPLES_DIR", "growth"),
			 "--fifos",
			 "5",
			 "--urandom",
			 "3",
			 "--seconds",
			 "100",
			 NULL };
	struct program target = program_start(argv, NULL), g;

	(void)state;
	program_expect(&target, "ready");
	for (int i = 0; has_probes() && i < 3; i++) {
		g = gotrace_attach(target.pid, NULL);
		program_expect(&g, "{\"type\":\"tick\"");
		program_expect(&g, "{\"type\":\"tick\"");
		assert_int_equal(gotrace_end(&g, SIGKILL), -SIGKILL);
	}
	expect_listeners(target.pid, false);

	/* It runs as before: who attaches now finds all of it. */
	assert_true(program_lives(&target));
	g = gotrace_attach(target.pid, NULL);
	program_expect(&g, "{\"type\":\"tick\"");
	assert_true(json_number(g.line, "blocked") >= 5);
	assert_int_equal(gotrace_end(&g, SIGINT), FINE);
	program_stop(&target);
}

static void test_others_of_the_same_file_are_left_alone(void **state)
{
	struct program target = sleeper_start(NULL, NULL), g = gotrace_attach(target.pid, NULL);
	long semaphore, armed;

	(void)state;
	for (int i = 0; i < 9; i++) {
		struct program other = sleeper_start(NULL, NULL);

		listeners(other.pid, &semaphore, &armed);
		assert_int_equal(semaphore, 0);
		assert_int_equal(armed, 0);
		assert_true(program_lives(&other));
		program_stop(&other);
	}
	assert_int_equal(gotrace_end(&g, SIGINT), FINE);
	program_stop(&target);
}

static void test_target_dies(void **state)
{
	struct program target = sleeper_start(NULL, NULL), g = gotrace_attach(target.pid, NULL);

	(void)state;
	program_stop(&target);

	program_expect(&g, "{\"type\":\"end\"");
	assert_says(g.line, "\"why\":\"exited\"");
	assert_int_equal(e2e_wait(g.pid), FINE);
	close(g.out);
}

static void test_target_execs_itself(void **state)
{
	struct program target = sleeper_start(NULL, NULL), g = gotrace_attach(target.pid, NULL);

	(void)state;
	kill(target.pid, SIGUSR1);
	program_expect(&target, "ready");

	/* The old image ends, and the new one is attached. */
	program_expect(&g, "{\"type\":\"end\"");
	program_expect(&g, "{\"type\":\"begin\"");
	program_expect(&g, "{\"type\":\"tick\"");
	assert_int_equal(gotrace_end(&g, SIGINT), FINE);
	program_stop(&target);
}

static void test_target_execs_another_program(void **state)
{
	struct program target = sleeper_start(NULL, NULL), g = gotrace_attach(target.pid, NULL);

	(void)state;
	kill(target.pid, SIGUSR2);

	program_expect(&g, "{\"type\":\"end\"");
	assert_int_equal(e2e_wait(g.pid), NO_TARGET);
	close(g.out);
	program_stop(&target);
}

static void test_reader_goes_away(void **state)
{
	struct program target = sleeper_start(NULL, NULL), g = gotrace_attach(target.pid, NULL);

	(void)state;
	close(g.out);
	e2e_wait(g.pid);

	if (has_probes())
		expect_listeners(target.pid, false);
	assert_true(program_lives(&target));
	program_stop(&target);
}

/* Threads that can still run: a main thread that has exited stays listed, as a zombie. */
static long tasks(pid_t pid)
{
	char path[64];
	struct dirent *e;
	long n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += atoi(e->d_name) > 0 && state_of((pid_t)atoi(e->d_name)) != 'Z';
	closedir(d);
	return n;
}

/*
 * One row, of a target that gotrace knows as pid; what it says must add up to the target's threads,
 * which come and go no more.
 */
static void once(e2e_setup_fn setup, pid_t target, pid_t pid, long want_level)
{
	char text[16], *argv[] = { "gotrace", "threads", "--json", "--once", text, NULL };
	const char *tick;

	snprintf(text, sizeof(text), "%d", pid);
	gotrace_run(&o, setup, -1, argv);

	assert_code(&o, FINE);
	tick = strstr(o.out, "{\"type\":\"tick\"");
	assert_non_null(tick);
	assert_int_equal(json_number(tick, "threads"), tasks(target));
	assert_int_equal(json_number(o.out, "level"), want_level);
	if (want_level > 0)
		assert_int_equal(json_number(o.out, "armed"), json_number(o.out, "wanted"));
	assert_says(o.out, "\"lost\":0");
}

static long full_level(void)
{
	return has_probes() ? 1 : 0;
}

static void test_stopped_target_is_read(void **state)
{
	struct program target = sleeper_start(NULL, NULL);
	int status;

	(void)state;
	kill(target.pid, SIGSTOP);
	waitpid(target.pid, &status, WUNTRACED);

	once(NULL, target.pid, target.pid, full_level());

	assert_true(WIFSTOPPED(status) && program_lives(&target));
	program_stop(&target);
}

static void test_target_without_its_main_thread(void **state)
{
	struct program target = sleeper_start(NULL, "--thread");

	(void)state;
	once(NULL, target.pid, target.pid, full_level());
	program_stop(&target);
}

static void test_replaced_program_is_the_one_that_runs(void **state)
{
	char *argv[] = { "./target", NULL };
	struct program old, new;

	(void)state;
	file_copy(e2e_path("TRACEE_DIR", "sleeper"), "target");
	old = program_start(argv, NULL);
	program_expect(&old, "ready");
	file_copy(e2e_path("TRACEE_DIR", "sleeper"), "newer");
	assert_int_equal(rename("newer", "target"), 0);
	new = program_start(argv, NULL);
	program_expect(&new, "ready");

	once(NULL, old.pid, old.pid, full_level());
	assert_says(o.out, "replaced or deleted on disk");
	once(NULL, new.pid, new.pid, full_level());
	assert_null(strstr(o.out, "deleted on disk"));

	program_stop(&old);
	program_stop(&new);
	unlink("target");
}

static void test_no_rights_but_the_users_own(void **state)
{
	struct program target = sleeper_start(e2e_as_nobody, NULL);

	(void)state;
	once(e2e_as_nobody, target.pid, target.pid, 0);

	assert_null(strstr(o.out, "\"why_not_higher\":null"));
	program_stop(&target);
}

static void test_two_capabilities_suffice(void **state)
{
	struct program target = sleeper_start(e2e_as_nobody, NULL);

	(void)state;
	if (has_probes())
		once(as_nobody_with_bpf, target.pid, target.pid, 1);
	program_stop(&target);
}

static void test_target_in_another_namespace(void **state)
{
	struct program p = sleeper_start(namespaces_own, NULL);
	pid_t pid = child_of(p.pid);

	(void)state;
	once(NULL, pid, pid, full_level());
	/* Each thread was matched with its M, although the program knows other numbers. */
	assert_int_equal(json_number(strstr(o.out, "{\"type\":\"tick\""), "foreign"), 0);
	program_stop(&p);
}

static void test_gotrace_and_target_in_one_namespace(void **state)
{
	struct program p = sleeper_start(namespaces_own, NULL);

	(void)state;
	namespaces_of = child_of(p.pid);

	/* In there the target is pid 1. */
	once(namespaces_join, namespaces_of, 1, full_level());

	assert_int_equal(json_number(strstr(o.out, "{\"type\":\"tick\""), "foreign"), 0);
	program_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_come_and_go_in_another_order),
		cmocka_unit_test(test_killed_while_probes_are_hit),
		cmocka_unit_test(test_others_of_the_same_file_are_left_alone),
		cmocka_unit_test(test_target_dies),
		cmocka_unit_test(test_target_execs_itself),
		cmocka_unit_test(test_target_execs_another_program),
		cmocka_unit_test(test_reader_goes_away),
		cmocka_unit_test(test_stopped_target_is_read),
		cmocka_unit_test(test_target_without_its_main_thread),
		cmocka_unit_test(test_replaced_program_is_the_one_that_runs),
		cmocka_unit_test(test_no_rights_but_the_users_own),
		cmocka_unit_test(test_two_capabilities_suffice),
		cmocka_unit_test(test_target_in_another_namespace),
		cmocka_unit_test(test_gotrace_and_target_in_one_namespace),
	};

	namespaces_need();
	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
