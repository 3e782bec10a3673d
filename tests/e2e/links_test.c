/* SPDX-License-Identifier: MIT */
/*
 * links_test.c - probes are shed and armed again while a program hits them as fast as it can: no hit of a
 * group that stays armed is missed, and none is told twice.
 */
#define _GNU_SOURCE
#include "source.h"

#include "../../bpf/events.h"
#include "../../tools/source/events.h"

#define CALLS 20000 /* between two changes */
#define ROUNDS 5

struct flood {
	struct program p;
	struct target *t;
	struct programs programs;
	struct events *e;
	int gate;
};

static uint64_t calls_told(const struct flood *f)
{
	return events_counter(f->e, BPF_COUNT_KIND0 + GRT_K_entersyscall);
}

static void drop(void *arg, const struct grt_rec *rec)
{
	(void)arg;
	(void)rec;
}

/* Records are not what is counted here, but a full ring would make each hit cheaper. */
static void await_calls(const struct flood *f, uint64_t more)
{
	uint64_t want = calls_told(f) + more;
	int64_t until = now_ns() + SETTLE_MS * 1000000ll;

	while (calls_told(f) < want && now_ns() < until)
		events_drain(f->e, drop, NULL);
	assert_true(calls_told(f) >= want);
}

/* All its probes armed before its first call. */
static void given_flood(struct flood *f)
{
	struct programs_want want = { .threads = true, .events = true };
	struct events_opts o = { .kinds = ALL_KINDS, .programs = &f->programs };
	struct thread_list threads = { 0 };
	struct threads_iter *it;
	int code, target_fd;

	f->p = program_at_gate("flood", NULL, &f->gate, &target_fd);
	f->t = target_open(f->p.pid, &code);
	assert_non_null(f->t);
	want.target = f->t;
	assert_int_equal(programs_load(&f->programs, &want), 0);
	it = threads_iter_open(&f->programs, f->t, false, &code);
	assert_non_null(it);
	assert_int_equal(threads_iter_read(it, NULL, &threads), 0);
	thread_list_free(&threads);
	o.target = f->t;
	o.init_tgid = threads_iter_init_tgid(it);
	o.observer_level = threads_iter_level(it);
	threads_iter_close(it);
	f->e = f->programs.events_error ? NULL : events_open(&o, &code);
	if (!f->e)
		e2e_skip("no uprobe_multi on this kernel: groups are not shed");
	assert_int_equal(write(f->gate, "", 1), 1);
}

/* What was told of calls is what the program says that it made. */
static void expect_exact(struct flood *f)
{
	uint64_t told;

	kill(f->p.pid, SIGTERM);
	program_expect(&f->p, "calls: ");
	told = calls_told(f);
	assert_int_equal(told, strtoull(f->p.line + strlen("calls: "), NULL, 10));
	assert_int_equal(events_counter(f->e, BPF_COUNT_LOST_MAP), 0);
}

static void end_flood(struct flood *f)
{
	events_close(f->e);
	programs_unload(&f->programs);
	target_close(f->t);
	close(f->gate);
	program_stop(&f->p);
}

static void test_no_hit_is_missed_or_told_twice_while_others_are_shed(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct flood f = { 0 };

		given_flood(&f);
		await_calls(&f, CALLS);
		assert_int_equal(events_groups(f.e), GRT_COLD | GRT_WARM | GRT_HOT);

		assert_int_equal(events_arm(f.e, GRT_HOT), GRT_HOT);
		await_calls(&f, CALLS);
		assert_int_equal(events_arm(f.e, GRT_HOT | GRT_COLD), GRT_HOT | GRT_COLD);
		await_calls(&f, CALLS);

		expect_exact(&f);
		end_flood(&f);
	}
}

static void test_what_is_shed_is_not_told_and_comes_back(void **state)
{
	struct flood f = { 0 };
	uint64_t told;

	(void)state;
	given_flood(&f);
	await_calls(&f, CALLS);

	assert_int_equal(events_arm(f.e, GRT_COLD), GRT_COLD);
	told = calls_told(&f);
	assert_int_equal(events_arm(f.e, 0), 0);
	assert_int_equal(calls_told(&f), told);

	assert_int_equal(events_arm(f.e, GRT_COLD | GRT_HOT), GRT_COLD | GRT_HOT);
	await_calls(&f, CALLS);
	end_flood(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_hit_is_missed_or_told_twice_while_others_are_shed),
		cmocka_unit_test(test_what_is_shed_is_not_told_and_comes_back),
	};

	source_tests_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
