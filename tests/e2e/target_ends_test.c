/* SPDX-License-Identifier: MIT */
/*
 * A target that ends while gotrace is about to look at it, or forks while it is looked at. When exactly that
 * happens is left to chance: whatever the moment, what gotrace says is true, and it says something.
 */
#include "e2e.h"

#include <time.h>

enum { FINE = 0, NO_TARGET = 4 };

/* From before the target is opened to after the first look. */
#define MOMENTS 12
#define MOMENT_NS 9000000l /* between two of them */
#define MANY "3000"
#define NS_PER_SEC 1000000000l

static struct outcome o;

/* After a while, by a process of its own: we wait for gotrace meanwhile. */
static pid_t kill_after(pid_t target, long ns)
{
	struct timespec ts = { .tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC };
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		nanosleep(&ts, NULL);
		kill(target, SIGKILL);
		_exit(0);
	}
	return pid;
}

/* Either a report, or an error that is true. */
static void assert_true_words(const char *verb)
{
	if (o.code == FINE && o.out[0])
		return;
	if (o.code == NO_TARGET && (strstr(o.err, "ended") || strstr(o.err, "no such process") ||
				    strstr(o.err, "it is not in /proc") || strstr(o.err, "zombie")))
		return;
	fail_msg("%s ended with %d, and said: \"%s\" \"%s\"", verb, o.code, o.out, o.err);
}

static void test_whenever_it_ends_something_true_is_said(void **state)
{
	static const char *const verbs[] = { "threads", "blocked", "handoff",
					     "netpoll", "growth",  "record" };

	(void)state;
	for (size_t v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++)
		for (long i = 0; i < MOMENTS; i++) {
			struct program target = sleeper_start(NULL, NULL);
			bool is_record = !strcmp(verbs[v], "record");
			char pid[16], *argv[] = { "gotrace",  (char *)verbs[v],
						  pid,        "--for",
						  "60s",      is_record ? "-o" : NULL,
						  "ends.rec", "--force",
						  NULL };
			pid_t killer = kill_after(target.pid, i * MOMENT_NS);

			snprintf(pid, sizeof(pid), "%d", target.pid);
			gotrace_run(&o, NULL, -1, argv);
			assert_true_words(verbs[v]);
			e2e_wait(killer);
			program_stop(&target);
		}
}

/* Its main thread is the first to go: then there is no memory to read, though the process still is there. */
static void test_thousands_on_their_way_out_are_no_lack_of_permission(void **state)
{
	static const char *const verbs[] = { "threads", "blocked" };

	(void)state;
	for (long i = 0; i < MOMENTS; i++) {
		char *many[] = { (char *)e2e_path("TRACEE_DIR", "many"), MANY, NULL };
		struct program target = program_start(many, NULL);
		char pid[16], *argv[] = { "gotrace", (char *)verbs[i % 2], pid, "-n", "1", NULL };

		program_expect(&target, "");
		snprintf(pid, sizeof(pid), "%d", target.pid);
		kill(target.pid, SIGKILL);
		gotrace_run(&o, NULL, -1, argv);
		assert_true_words(verbs[i % 2]);
		program_stop(&target);
	}
}

/* Mid-command, in all that watch: by itself, then by another program, which is none of ours. */
static void test_who_execs_is_followed_as_far_as_it_runs_the_runtime(void **state)
{
	static const struct {
		const char *verb, *row;
	} watch[] = {
		{ "threads", "{\"type\":\"tick\"" },  { "blocked", "{\"type\":\"blocked\"" },
		{ "handoff", "{\"type\":\"tick\"" },  { "netpoll", "{\"type\":\"tick\"" },
		{ "growth", "{\"type\":\"growth\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(watch) / sizeof(watch[0]); i++) {
		struct program target = sleeper_start(NULL, NULL), g;
		char pid[16], *argv[] = { (char *)getenv("GOTRACE"),
					  (char *)watch[i].verb,
					  pid,
					  "--json",
					  "-i20ms",
					  i == 1 ? "--watch" : NULL,
					  NULL };

		snprintf(pid, sizeof(pid), "%d", target.pid);
		g = program_start(argv, NULL);
		program_expect(&g, watch[i].row);
		kill(target.pid, SIGUSR1);
		program_expect(&g, "{\"type\":\"end\"");
		assert_says(g.line, "\"lost\":0}");
		program_expect(&g, "{\"type\":\"begin\"");
		program_expect(&g, watch[i].row);
		kill(target.pid, SIGUSR2);
		program_expect(&g, "{\"type\":\"end\"");
		assert_int_equal(e2e_wait(g.pid), NO_TARGET);
		close(g.out);
		program_stop(&target);
	}
}

static void test_children_are_not_the_target(void **state)
{
	struct program target = sleeper_start(NULL, NULL);
	char pid[16], *argv[] = {
		(char *)getenv("GOTRACE"), "threads", "--json", "-i", "50ms", pid, NULL
	};
	struct program g;
	long threads;

	(void)state;
	snprintf(pid, sizeof(pid), "%d", target.pid);
	g = program_start(argv, NULL);
	program_expect(&g, "{\"type\":\"tick\"");
	threads = json_number(g.line, "threads");
	for (int i = 0; i < 5; i++) {
		assert_int_equal(kill(target.pid, SIGHUP), 0);
		program_expect(&target, "forked");
		program_expect(&g, "{\"type\":\"tick\"");
		assert_int_equal(json_number(g.line, "threads"), threads);
	}
	program_stop(&target);
	program_expect(&g, "{\"type\":\"end\"");
	assert_says(g.line, "\"why\":\"exited\"");
	assert_says(g.line, "\"lost\":0}");
	assert_int_equal(e2e_wait(g.pid), FINE);
	close(g.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whenever_it_ends_something_true_is_said),
		cmocka_unit_test(test_thousands_on_their_way_out_are_no_lack_of_permission),
		cmocka_unit_test(test_who_execs_is_followed_as_far_as_it_runs_the_runtime),
		cmocka_unit_test(test_children_are_not_the_target),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
