/* SPDX-License-Identifier: MIT */
/* growth_test.c - the ledger of threads, from records: causes add up, and name what was seen. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "records.h"

#define T0 (1000 * SEC_NS)
#define SETTLED (20 * MS_NS)

static const struct counts none;
static const uint64_t fsync_args[6] = { 5 };
static const uint64_t flock_args[6] = { 6, 2 };

static struct row blocked(int64_t id, int32_t nr, const uint64_t *args)
{
	return (struct row){
		.m = id,
		.tid = 4000 + (uint32_t)id,
		.p = -1,
		.g = 100 + (uint64_t)id,
		.state = GRT_MS_blocked,
		.kernel_state = 'S',
		.nr = nr,
		.since_ns = T0 - SEC_NS,
		.args = args,
	};
}

static struct model *model_of(const struct row *rows, size_t n)
{
	struct model *m = model_new();

	assert_non_null(m);
	rec_text(m, GRT_TEXT_FD, 5, "/data/wal");
	rec_text(m, GRT_TEXT_FD, 6, "/run/x.lock");
	rec_snapshot(m, T0, 1, 0, rows, n, &none);
	model_tick(m, T0);
	return m;
}

static void made(struct model *m, uint64_t t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rec_apply(m, t, GRT_K_m_new, 50 + i, 0, GRT_MNEW_HANDOFF, 0, 0, 0);
}

static void settle(struct model *m, uint64_t t, const struct row *rows, size_t n)
{
	rec_snapshot(m, t, 1, 0, rows, n, &none);
	model_tick(m, t);
}

static const struct model_cause *cause(const struct model *m, const char *call)
{
	const struct model_cause *c;
	size_t n = model_causes(m, &c);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(c[i].call, call))
			return &c[i];
	fail_msg("no cause '%s'", call);
	return NULL;
}

static double all_causes(const struct model *m)
{
	const struct model_cause *c;
	size_t n = model_causes(m, &c);
	double all = 0;

	for (size_t i = 0; i < n; i++)
		all += c[i].threads;
	return all;
}

static void assert_about(double a, double b)
{
	if (fabs(a - b) > 1e-6)
		fail_msg("%f is not %f", a, b);
}

static void test_each_blocked_m_has_an_equal_share(void **state)
{
	struct row rows[4];
	struct model *m;

	(void)state;
	for (int i = 0; i < 4; i++)
		rows[i] =
			blocked(i, i < 3 ? SYS_fsync : SYS_flock, i < 3 ? fsync_args : flock_args);
	m = model_of(rows, 4);
	made(m, T0 + 1, 88);
	settle(m, T0 + SETTLED, rows, 4);
	assert_about(cause(m, "fsync(/data/wal)")->threads, 66);
	assert_about(cause(m, "flock(/run/x.lock)")->threads, 22);
	assert_int_equal(cause(m, "fsync(/data/wal)")->now, 3);
	assert_int_equal(model_growth(m)->made, 88);
	assert_int_equal(model_growth(m)->made_by[GRT_MNEW_HANDOFF], 88);
	model_free(m);
}

static void test_threads_made_when_nothing_was_blocked_have_their_own_row(void **state)
{
	struct model *m = model_of(NULL, 0);

	(void)state;
	made(m, T0 + 1, 5);
	settle(m, T0 + SETTLED, NULL, 0);
	assert_about(cause(m, "nothing was blocked")->threads, 5);
	assert_true(cause(m, "nothing was blocked")->is_other);
	model_free(m);
}

static void test_a_call_between_two_snapshots_is_charged(void **state)
{
	struct model *m = model_of(NULL, 0);

	(void)state;
	rec_apply(m, T0 + 10, GRT_K_SWITCH_OUT, 3, GRT_CALL_IN, SYS_fsync, 5, T0 + 1, 0);
	rec_apply(m, T0 + 10, GRT_K_retake, 0, 3, 103, 9, GRT_BY_SYSMON, SYS_fsync);
	made(m, T0 + 20, 7);
	rec_apply(m, T0 + 30, GRT_K_exitsyscall_slow, 103, 3, 0, GRT_EXIT_IDLE_P, 0, 0);
	made(m, T0 + 40, 2);
	settle(m, T0 + SETTLED, NULL, 0);
	assert_about(cause(m, "fsync(/data/wal)")->threads, 7);
	assert_about(cause(m, "nothing was blocked")->threads, 2);
	model_free(m);
}

/* A snapshot has shown an fsync of descriptor 5 and its line; that one is over. */
static struct model *model_of_a_line(void)
{
	struct row row = blocked(1, SYS_fsync, fsync_args);
	struct grt_rec stack = { .time_ns = T0, .tid = row.tid, .kind = GRT_K_SNAP_STACK };
	struct model *m = model_new();

	assert_non_null(m);
	rec_text(m, GRT_TEXT_FD, 5, "/data/wal");
	rec_text(m, GRT_TEXT_FUNCTION, 0x1000, "fsync");
	rec_text(m, GRT_TEXT_FUNCTION, 0x2000, "wal_sync");
	rec_text(m, GRT_TEXT_LINE, 0x2000, "wal.c:41");
	rec_apply(m, T0, GRT_K_SNAP_BEGIN, 1, 1, 0, T0, 0, 0);
	rec_row(m, T0, &row);
	stack.arg[0] = GRT_STACK_USER | 2 << 8 | (uint64_t)GRT_FRAME_SYSTEM << 32;
	stack.arg[1] = 0x1000;
	stack.arg[2] = 0x2000;
	model_apply(m, &stack);
	rec_apply(m, T0, GRT_K_SNAP_END, 1, 1, 0, 1, 0, 0);
	model_tick(m, T0);
	rec_apply(m, T0 + 5, GRT_K_exitsyscall_slow, 101, 1, 0, GRT_EXIT_IDLE_P, 0, 0);
	return m;
}

/* Another one that no snapshot shows, and a thread made meanwhile. */
static void short_fsync(struct model *m)
{
	rec_apply(m, T0 + 10, GRT_K_SWITCH_OUT, 3, GRT_CALL_IN, SYS_fsync, 5, T0 + 1, 0);
	rec_apply(m, T0 + 10, GRT_K_retake, 0, 3, 103, 9, GRT_BY_SYSMON, SYS_fsync);
	made(m, T0 + 20, 1);
	rec_apply(m, T0 + 30, GRT_K_exitsyscall_slow, 103, 3, 0, GRT_EXIT_IDLE_P, 0, 0);
	settle(m, T0 + SETTLED, NULL, 0);
}

static void test_a_short_call_is_put_to_the_line_that_a_snapshot_saw(void **state)
{
	struct model *m = model_of_a_line();
	const struct model_cause *c;

	(void)state;
	rec_text(m, GRT_TEXT_FD, 5, "/data/wal (deleted)"); /* the same file */
	short_fsync(m);
	assert_int_equal(model_causes(m, &c), 1);
	assert_string_equal(c[0].call, "fsync(/data/wal)");
	assert_string_equal(c[0].where, "wal_sync wal.c:41");
	assert_int_equal(c[0].npcs, 2);
	assert_about(c[0].threads, 1);
	model_free(m);
}

static void test_a_number_that_is_another_files_is_put_to_no_line(void **state)
{
	struct model *m = model_of_a_line();
	const struct model_cause *c;

	(void)state;
	rec_text_at(m, T0 + 6, GRT_RF_ANOTHER, GRT_TEXT_FD, 5, "/data/index");
	short_fsync(m);
	assert_int_equal(model_causes(m, &c), 1);
	assert_string_equal(c[0].call, "fsync(/data/index)");
	assert_null(c[0].where);
	assert_about(c[0].threads, 1);
	model_free(m);
}

static void test_a_block_told_by_snapshot_and_event_counts_once(void **state)
{
	struct row rows[2] = { blocked(1, SYS_fsync, fsync_args),
			       blocked(2, SYS_flock, flock_args) };
	struct model *m = model_of(rows, 1);

	(void)state;
	/* The newest snapshot shows M2 blocked; that its P was taken comes out a tick later. */
	rec_apply(m, T0 + 15 * MS_NS, GRT_K_retake, 0, 2, 102, 9, GRT_BY_SYSMON, SYS_flock);
	settle(m, T0 + SETTLED, rows, 2);
	made(m, T0 + 2 * SETTLED, 10);
	settle(m, T0 + 4 * SETTLED, rows, 2);
	assert_about(cause(m, "fsync(/data/wal)")->threads, 5);
	assert_about(cause(m, "flock(/run/x.lock)")->threads, 5);
	model_free(m);
}

/*
 * Many beginnings, ends and snapshots in a fixed pseudo-random order: nothing is lost or doubled.
 */
static void test_causes_add_up_to_the_threads_made(void **state)
{
	struct model *m = model_of(NULL, 0);
	uint64_t seed = 42, t = T0 + MS_NS, all = 0;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct row row;
		uint64_t id, g;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		id = seed >> 40 & 31;
		g = 100 + (seed >> 50 & 1 ? id : id + 1);
		t += MS_NS;
		switch (seed >> 60 & 7) {
		case 0:
		case 1:
			rec_apply(m, t, GRT_K_retake, 0, id, g, 9, GRT_BY_SYSMON, SYS_fsync);
			break;
		case 2:
			rec_apply(m, t, GRT_K_entersyscallblock, g, id, 0, SYS_flock, 0, 0);
			break;
		case 3:
			rec_apply(m, t, GRT_K_exitsyscall_slow, g, id, 0, GRT_EXIT_IDLE_P, 0, 0);
			break;
		case 4:
			rec_apply(m, t, GRT_K_m_exit, id, 0, 0, 0, 0, 0);
			break;
		case 5:
			row = blocked((int64_t)id, SYS_read, fsync_args);
			settle(m, t, &row, 1);
			break;
		default:
			made(m, t, 3);
			all += 3;
		}
	}
	model_tick(m, UINT64_MAX);
	assert_int_equal(model_growth(m)->made, all);
	assert_about(all_causes(m), (double)all);
	model_free(m);
}

static void test_more_causes_than_rows_still_add_up(void **state)
{
	struct model *m = model_of(NULL, 0);
	uint64_t t = T0 + MS_NS;

	(void)state;
	for (uint64_t fd = 0; fd < 20000; fd++) {
		rec_apply(m, t, GRT_K_SWITCH_OUT, 1, GRT_CALL_IN, SYS_read, fd, 0, 0);
		rec_apply(m, t, GRT_K_retake, 0, 1, 1000 + fd, 9, GRT_BY_SYSMON, SYS_read);
		made(m, t + 1, 1);
		t += 10;
	}
	model_tick(m, UINT64_MAX);
	assert_about(all_causes(m), 20000);
	assert_true(cause(m, "other calls")->threads > 3000);
	model_free(m);
}

static void test_without_events_the_runtimes_count_tells(void **state)
{
	struct row row = blocked(1, SYS_fsync, fsync_args);
	struct counts c = { .made = 10 };
	struct model *m = model_new();

	(void)state;
	rec_text(m, GRT_TEXT_FD, 5, "/data/wal");
	rec_snapshot(m, T0, 1, 0, &row, 1, &c);
	model_tick(m, T0);
	c.made = 17;
	c.gone = 2;
	rec_snapshot(m, T0 + SEC_NS, 1, 0, &row, 1, &c);
	model_tick(m, T0 + SEC_NS);
	model_tick(m, UINT64_MAX);
	assert_int_equal(model_growth(m)->made, 7);
	assert_int_equal(model_growth(m)->gone, 2);
	assert_about(cause(m, "fsync(/data/wal)")->threads, 7);
	model_free(m);
}

static void test_who_got_the_p(void **state)
{
	struct row row = blocked(2, SYS_read, fsync_args);
	struct model *m = model_of(NULL, 0);
	const struct model_thread *t;
	uint64_t after_ns;
	int64_t heir;

	(void)state;
	rec_retake(m, T0 + 1000, 0, 2, 20000, GRT_BY_SYSMON, 0);
	rec_handoff(m, T0 + 10000, 0, 2, GRT_HANDOFF_RETAKE, GRT_HANDOFF_MADE, 7);
	rec_done(m, T0 + 62000, 0, 2, 7);
	row.nr = 0;
	settle(m, T0 + SETTLED, &row, 1);
	assert_int_equal(model_threads(m, &t), 1);
	assert_true(model_heir(m, t, &heir, &after_ns));
	assert_int_equal(heir, 7);
	assert_int_equal(after_ns, 61000);
	rec_apply(m, T0 + 5 * SETTLED, GRT_K_exitsyscall_slow, 102, 2, 0, 2, 0, 0);
	settle(m, T0 + 9 * SETTLED, &row, 1);
	model_threads(m, &t);
	assert_false(model_heir(m, t, &heir, &after_ns));
	model_free(m);
}

static void test_limits_are_known_when_told(void **state)
{
	struct model *m = model_of(NULL, 0);

	(void)state;
	assert_false(model_limits(m)->is_known);
	rec_apply(m, T0, GRT_K_SNAP_BEGIN, 2, 1, 0, T0, 0, 0);
	rec_apply(m, T0, GRT_K_SNAP_LIMITS, 10000, MODEL_NO_LIMIT, MODEL_NO_LIMIT, 512, 100, 0);
	rec_apply(m, T0, GRT_K_SNAP_END, 0, 0, 0, 1, 0, 0);
	assert_true(model_limits(m)->is_known);
	assert_int_equal(model_limits(m)->runtime, 10000);
	assert_int_equal(model_limits(m)->cgroup_used, 100);
	model_free(m);
}

static void test_growth_of_late_forgets_what_is_old(void **state)
{
	struct row rows[50];
	struct model *m = model_new();

	(void)state;
	for (int i = 0; i < 50; i++)
		rows[i] = blocked(i, SYS_fsync, fsync_args);
	rec_snapshot(m, T0, 1, 0, rows, 3, &none);
	model_tick(m, T0);
	for (uint64_t i = 1; i <= 200; i++)
		settle(m, T0 + i * SEC_NS, rows, i < 100 ? 10 : 50);
	assert_int_equal(model_growth(m)->late_threads, 0);
	assert_int_equal(model_growth(m)->late_ns, 60 * SEC_NS);
	assert_int_equal(model_growth(m)->threads_at_first, 3);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_blocked_m_has_an_equal_share),
		cmocka_unit_test(test_threads_made_when_nothing_was_blocked_have_their_own_row),
		cmocka_unit_test(test_a_call_between_two_snapshots_is_charged),
		cmocka_unit_test(test_a_short_call_is_put_to_the_line_that_a_snapshot_saw),
		cmocka_unit_test(test_a_number_that_is_another_files_is_put_to_no_line),
		cmocka_unit_test(test_a_block_told_by_snapshot_and_event_counts_once),
		cmocka_unit_test(test_causes_add_up_to_the_threads_made),
		cmocka_unit_test(test_more_causes_than_rows_still_add_up),
		cmocka_unit_test(test_without_events_the_runtimes_count_tells),
		cmocka_unit_test(test_who_got_the_p),
		cmocka_unit_test(test_limits_are_known_when_told),
		cmocka_unit_test(test_growth_of_late_forgets_what_is_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
