/* SPDX-License-Identifier: MIT */
/*
 * Output that nobody reads: a pipe stays full, and gotrace is asked to end. It waits for a slow reader,
 * and for one that does not read it waits no longer than a moment.
 */
#define _GNU_SOURCE
#include "e2e.h"

#include <sched.h>
#include <sys/syscall.h>

enum { FINE = 0, LOST = 3, PIPE_BYTES = 4096 };

/* gotrace whose stdout is a pipe of a page; its stderr is in a file. */
struct unread {
	pid_t pid;
	int out;
	FILE *err;
};

static struct outcome o;

static struct unread start(char *const argv[])
{
	struct unread u = { .err = tmpfile() };
	int out[2];

	assert_non_null(u.err);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(fcntl(out[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
	u.pid = fork();
	assert_true(u.pid >= 0);
	if (u.pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(fileno(u.err), STDERR_FILENO);
		e2e_child(NULL);
		fexecve(e2e_gotrace, argv, environ);
		_exit(127);
	}
	close(out[1]);
	u.out = out[0];
	return u;
}

/* Does it sleep until somebody makes room? A wait for events is another call. */
static bool is_stuck(pid_t pid)
{
	char path[64];
	long nr = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%ld", &nr) != 1)
		nr = -1;
	if (f)
		fclose(f);
	return state_of(pid) == 'S' && (nr == SYS_poll || nr == SYS_write);
}

/* Nothing has been read when this returns, and there is more to come. */
static void expect_full(const struct unread *u)
{
	struct pollfd some = { .fd = u->out, .events = POLLIN };

	assert_int_equal(poll(&some, 1, E2E_WAIT_MS), 1);
	while (!is_stuck(u->pid)) {
		assert_int_equal(waitpid(u->pid, NULL, WNOHANG), 0);
		sched_yield();
	}
}

static void end(struct unread *u)
{
	o.code = e2e_wait(u->pid);
	o.out[0] = 0;
	e2e_text(u->err, o.err, sizeof(o.err));
	close(u->out);
}

static void test_interrupted_while_nobody_reads(void **state)
{
	static const char *const verbs[] = { "threads", "blocked", "netpoll" };
	struct program target = sleeper_start(NULL, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char pid[16], *argv[] = { "gotrace", (char *)verbs[i], "--json", "-i", "1ms",
					  "-n",      "100000",         pid,      NULL };
		struct unread u;

		snprintf(pid, sizeof(pid), "%d", target.pid);
		u = start(argv);
		expect_full(&u);
		kill(u.pid, SIGINT);
		end(&u);

		assert_code(&o, FINE);
		assert_says(o.err, "interrupted: nobody read the rest of the output");
		assert_true(program_lives(&target));
	}
	program_stop(&target);
}

static void test_a_reader_who_comes_late_gets_all(void **state)
{
	struct program target = sleeper_start(NULL, NULL);
	char pid[16],
		*argv[] = { "gotrace", "threads", "--json", "-i", "1ms", "-n", "50", pid, NULL };
	struct program late = { 0 };
	struct unread u;

	(void)state;
	snprintf(pid, sizeof(pid), "%d", target.pid);
	u = start(argv);
	expect_full(&u);
	late.out = u.out;
	program_expect(&late, "{\"type\":\"begin\"");
	for (int i = 0; i < 50; i++)
		program_expect(&late, "{\"type\":\"tick\"");
	program_expect(&late, "{\"type\":\"end\"");
	end(&u);

	assert_code(&o, FINE);
	assert_string_equal(o.err, "");
	program_stop(&target);
}

/* What is missing of a recording is lost, whoever's choice it was. */
static void test_a_recording_that_nobody_reads(void **state)
{
	struct program target = sleeper_start(NULL, NULL);
	char pid[16], *argv[] = { "gotrace", "record", "-o", "-", "-i", "1ms", pid, NULL };
	struct unread u;

	(void)state;
	snprintf(pid, sizeof(pid), "%d", target.pid);
	u = start(argv);
	expect_full(&u);
	kill(u.pid, SIGINT);
	end(&u);

	assert_code(&o, LOST);
	assert_says(o.err, "interrupted: nobody read the rest of the recording");
	assert_true(program_lives(&target));
	program_stop(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupted_while_nobody_reads),
		cmocka_unit_test(test_a_reader_who_comes_late_gets_all),
		cmocka_unit_test(test_a_recording_that_nobody_reads),
	};

	if (geteuid() != 0)
		e2e_skip("not root");
	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
