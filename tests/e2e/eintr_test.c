/* SPDX-License-Identifier: MIT */
/* eintr_test.c - gotrace comes and goes, and no call of the target is interrupted by it. */
#define _GNU_SOURCE
#include "e2e.h"

#define ATTACHES 30

static struct outcome o;

static void test_no_call_is_interrupted_by_gotrace(void **state)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "slow"), NULL };
	struct program p = program_start(argv, NULL);
	long calls, interrupted;

	(void)state;
	program_expect(&p, "ready");

	/* when it is watched again and again, with events where they may be had, and without */
	for (int i = 0; i < ATTACHES; i++) {
		char pid[16],
			*watch[] = { "gotrace", "threads", pid, "--once", i % 3 ? NULL : "--sample",
				     NULL };

		snprintf(pid, sizeof(pid), "%d", p.pid);
		gotrace_run(&o, NULL, -1, watch);
		assert_int_equal(o.code, 0);
	}

	/* then all its calls have ended by themselves; the kernel gives the signal to the first thread */
	kill(p.pid, SIGTERM);
	program_expect(&p, "");
	assert_int_equal(sscanf(p.line, "%ld calls, %ld interrupted", &calls, &interrupted), 2);
	assert_true(calls > ATTACHES);
	assert_int_equal(interrupted, 0);
	program_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_call_is_interrupted_by_gotrace),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
