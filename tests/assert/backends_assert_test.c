/* SPDX-License-Identifier: MIT */
/*
 * backends_assert_test.c - the same checks on another process by BPF, and on what was recorded of it:
 * same answers as by the sink. The test itself is no libgrt program.
 */
#include "../e2e/e2e.h"

#include <dirent.h>
#include <sched.h>
#include <sys/syscall.h>

#include "../../tools/assert/gotrace_assert.h"

#define DEADLINE_NS 20000000000ll
#define CHANCES 5 /* scopes that may each meet a page fault: one must be without */

static struct outcome o;

static bool blocked_is(gotrace_scope *s, void *arg)
{
	return gotrace_look(s).blocked == *(unsigned *)arg;
}

/*
 * An M that sleeps in a page fault, or for a lock of the runtime, is a hostage as well when a look
 * meets it: once, by chance, and not in scope after scope.
 */
static enum gotrace_answer hostages_that_last(pid_t pid, unsigned blocked)
{
	enum gotrace_answer ret = GOTRACE_VIOLATED;

	for (int i = 0; i < CHANCES && ret == GOTRACE_VIOLATED; i++) {
		gotrace_scope *s = gotrace_scope_begin(gotrace_process(pid), GOTRACE_NEEDS_KERNEL);

		if (!s)
			fail_msg("%s", gotrace_why());
		assert_true(gotrace_wait_for(s, blocked_is, &blocked, DEADLINE_NS));
		ret = gotrace_check_no_hostage(s);
		if (ret != GOTRACE_HOLDS)
			print_message("%s\n", gotrace_text(s));
		gotrace_scope_end(s);
	}
	return ret;
}

static void test_a_process_is_watched_by_bpf(void **state)
{
	struct program p = readers_start("7", "0", NULL);
	gotrace_scope *s = gotrace_scope_begin(gotrace_process(p.pid), GOTRACE_NEEDS_KERNEL);
	unsigned seven = 7;

	(void)state;
	if (!s)
		fail_msg("%s", gotrace_why());
	assert_true(gotrace_wait_for(s, blocked_is, &seven, DEADLINE_NS));
	assert_int_equal(gotrace_check_blocked_at_most(s, 7), GOTRACE_HOLDS);
	assert_int_equal(gotrace_check_blocked_at_most(s, 6), GOTRACE_VIOLATED);
	assert_non_null(strstr(gotrace_text(s), "in read("));
	assert_int_equal(gotrace_check_no_blocked_m(s), GOTRACE_VIOLATED);
	gotrace_scope_end(s);
	assert_int_equal(hostages_that_last(p.pid, seven), GOTRACE_HOLDS);
	program_stop(&p);
}

static bool has_hostage(gotrace_scope *s, void *unused)
{
	(void)unused;
	return gotrace_look(s).hostage == 1;
}

/* A thread of pid sleeps in a read of fd: what it touches on its way there has been paged in. */
static bool sleeps_in_read(pid_t pid, int fd)
{
	char path[300], call[64], want[64];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	assert_non_null(d);
	snprintf(want, sizeof(want), "%d 0x%x ", SYS_read, fd);
	while (!found && (e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", pid, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		found = fgets(call, sizeof(call), f) && strncmp(call, want, strlen(want)) == 0;
		fclose(f);
	}
	closedir(d);
	return found;
}

/* A goroutine waits in a read that its runtime was not told of: its P can run nobody. */
static void test_an_m_that_sleeps_with_its_p_is_a_hostage(void **state)
{
	char fd[16], call[64], *argv[] = { (char *)e2e_path("TRACEE_DIR", "gate"), fd, "1", NULL };
	struct program p;
	gotrace_scope *s;
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	snprintf(fd, sizeof(fd), "%d", gate[0]);
	p = program_start(argv, NULL);
	program_expect(&p, "ready");
	while (!sleeps_in_read(p.pid, gate[0]))
		sched_yield(); /* the first hostage is the one that is told of */
	s = gotrace_scope_begin(gotrace_process(p.pid), GOTRACE_NEEDS_KERNEL);
	if (!s)
		fail_msg("%s", gotrace_why());
	assert_true(gotrace_wait_for(s, has_hostage, NULL, DEADLINE_NS));

	/* then it is told who, which goroutine, in which call, with what P, and from where in the program, */
	assert_int_equal(gotrace_check_no_hostage(s), GOTRACE_VIOLATED);
	assert_says(gotrace_text(s), "an M held a P while it slept outside of any call");
	assert_says(gotrace_text(s), "\n  M");
	snprintf(call, sizeof(call), "), G1 in read(%s<pipe:[", fd);
	assert_says(gotrace_text(s), call);
	assert_says(gotrace_text(s), "it holds P0");
	assert_says(gotrace_text(s), "main_fn");

	/* and also when it is over: it was in the scope */
	assert_int_equal(write(gate[1], "x", 1), 1);
	program_expect(&p, "blocks: 1");
	assert_int_equal(gotrace_check_no_hostage(s), GOTRACE_VIOLATED);
	assert_says(gotrace_text(s), "main_fn");
	gotrace_scope_end(s);
	program_stop(&p);
	close(gate[0]);
	close(gate[1]);
}

static void test_a_recording_gives_the_same_answers(void **state)
{
	char path[] = "/tmp/backends_test.XXXXXX", pid[16];
	char *argv[] = { "gotrace", "record", pid, "-o", path, "--for", "300ms", "--force", NULL };
	struct program p = readers_start("7", "0", NULL);
	gotrace_scope *s;

	(void)state;
	close(mkstemp(path));
	snprintf(pid, sizeof(pid), "%d", p.pid);
	gotrace_run(&o, NULL, -1, argv);
	assert_code(&o, 0);
	program_stop(&p);
	s = gotrace_scope_begin(gotrace_recording(path), 0);
	if (!s)
		fail_msg("%s", gotrace_why());
	assert_int_equal(gotrace_check_blocked_at_most(s, 7), GOTRACE_HOLDS);
	assert_int_equal(gotrace_check_blocked_at_most(s, 6), GOTRACE_VIOLATED);
	assert_int_equal(gotrace_look(s).blocked, 7);
	gotrace_scope_end(s);
	unlink(path);
}

static void test_what_cannot_be_watched_says_why(void **state)
{
	(void)state;
	assert_null(gotrace_scope_begin(gotrace_process(pid_absent()), 0));
	assert_non_null(strstr(gotrace_why(), "no such process"));
	assert_null(gotrace_scope_begin(gotrace_self(), GOTRACE_NEEDS_KERNEL));
	assert_non_null(strstr(gotrace_why(), "the kernel's view is needed"));
	assert_null(gotrace_scope_begin(gotrace_recording("/dev/null"), 0));
	assert_true(strlen(gotrace_why()) > 0);
	assert_null(gotrace_scope_begin((struct gotrace_target){ 0 }, 0));
	assert_string_equal(gotrace_why(), "no such target");
}

static bool has_probes(void)
{
	struct program p = sleeper_start(NULL, NULL);
	gotrace_scope *s = gotrace_scope_begin(gotrace_process(p.pid), 0);

	gotrace_scope_end(s);
	program_stop(&p);
	return s != NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_process_is_watched_by_bpf),
		cmocka_unit_test(test_an_m_that_sleeps_with_its_p_is_a_hostage),
		cmocka_unit_test(test_a_recording_gives_the_same_answers),
		cmocka_unit_test(test_what_cannot_be_watched_says_why),
	};

	e2e_init();
	if (!has_probes())
		e2e_skip("probes cannot be attached here");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
