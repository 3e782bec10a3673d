/* SPDX-License-Identifier: MIT */
/*
 * goroutines_test.c - rows of goroutines: from a copy of one, and of a whole process, which is this
 * one: its "runtime" is a few structs here, so that what is read is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/source/goroutines.h"

#define ROWS_MAX 20000u

struct fake_g {
	char before[200];
	uint64_t id;
	uint32_t status, reason;
	int32_t fd;
	uint32_t mode;
	uint64_t fn, parked;
};

struct fake_sched {
	uint64_t allg_len;
};

#define FIELD(member)                                                     \
	{                                                                 \
		.off = offsetof(struct fake_g, member),                   \
		.width = sizeof(((struct fake_g *)0)->member), .known = 1 \
	}

static const struct layout fake_layout = {
	.g_id = FIELD(id),
	.g_status = FIELD(status),
	.g_waitreason = FIELD(reason),
	.g_wait_fd = FIELD(fd),
	.g_wait_mode = FIELD(mode),
	.g_fn = FIELD(fn),
	.g_net_parked = FIELD(parked),
	.sched_allg_len = { .off = 0, .width = 8, .known = 1 },
	.g_size = sizeof(struct fake_g),
};

static struct grt_rec row[ROWS_MAX];
static uint32_t nrows, ntexts;

static void keep(void *arg, const struct grt_rec *rec)
{
	(void)arg;
	ntexts += rec->kind == GRT_K_TEXT;
	if (rec->kind == GRT_K_SNAP_G && nrows < ROWS_MAX)
		row[nrows++] = *rec;
}

static struct fake_g waiting_g(void)
{
	return (struct fake_g){ .id = 42,
				.status = GRT_G_WAITING,
				.reason = 3,
				.fd = 7,
				.mode = GRT_MODE_WRITE,
				.fn = 0x1234,
				.parked = 99 };
}

static void a_waiting_one_says_on_what_and_since_when(void **state)
{
	struct fake_g g = waiting_g();
	struct grt_rec rec;

	(void)state;
	assert_true(goroutine_row(&rec, &fake_layout, &g, NULL));

	assert_int_equal(rec.kind, GRT_K_SNAP_G);
	assert_int_equal(rec.arg[0], 42);
	assert_int_equal(rec.arg[1], GRT_G_WAITING | 3 << 8 | GRT_MODE_WRITE << 16);
	assert_int_equal(rec.arg[2], 7);
	assert_int_equal(rec.arg[3], 99);
	assert_int_equal(rec.arg[4], 0);
	assert_int_equal(rec.arg[5], 0x1234);
}

/* What its last wait left behind is no wait. */
static void one_that_waits_on_nothing_has_no_descriptor(void **state)
{
	struct fake_g g = waiting_g();
	struct grt_rec rec;

	(void)state;
	g.fd = -1;
	assert_true(goroutine_row(&rec, &fake_layout, &g, NULL));

	assert_int_equal((int64_t)rec.arg[2], -1);
	assert_int_equal(rec.arg[3], 0);
	assert_int_equal(rec.arg[1] >> 16, 0);
}

static void one_in_a_call_is_known_by_its_m(void **state)
{
	struct m_view m = { .id = 5, .g = 42, .call = 8 | GRT_CALL_IN };
	struct fake_g g = waiting_g();
	struct grt_rec rec;

	(void)state;
	g.status = GRT_G_RUNNING;
	assert_true(goroutine_row(&rec, &fake_layout, &g, &m));
	assert_int_equal(rec.arg[1] & 0xff, GRT_G_SYSCALL);
	assert_int_equal(rec.arg[4], 6);
	m.call = 8;
	assert_true(goroutine_row(&rec, &fake_layout, &g, &m));
	assert_int_equal(rec.arg[1] & 0xff, GRT_G_RUNNING);
	m.g = 41; /* the M ran the one that had this struct before */
	assert_true(goroutine_row(&rec, &fake_layout, &g, &m));
	assert_int_equal(rec.arg[4], 0);
}

static void the_dead_are_left_out(void **state)
{
	struct fake_g g = waiting_g();
	struct grt_rec rec;

	(void)state;
	g.status = GRT_G_DEAD;
	assert_false(goroutine_row(&rec, &fake_layout, &g, NULL));
	g.status = GRT_G_IDLE;
	assert_false(goroutine_row(&rec, &fake_layout, &g, NULL));
	g = waiting_g();
	g.id = 0;
	assert_false(goroutine_row(&rec, &fake_layout, &g, NULL));
}

/* This process as a target. */
struct fake {
	struct fake_g *g;
	struct fake_g **allgs;
	struct fake_sched sched;
	struct m_view view[1];
	uint64_t m_addr[1];
	struct target target;
	struct tables tables;
	struct goroutines *goroutines;
};

static struct fake *fake_new(uint32_t n)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->g = calloc(ROWS_MAX, sizeof(*f->g));
	f->allgs = calloc(ROWS_MAX, sizeof(*f->allgs));
	for (uint32_t i = 0; i < ROWS_MAX; i++) {
		f->g[i] = waiting_g();
		f->g[i].id = i + 1;
		f->g[i].fd = -1;
		f->allgs[i] = &f->g[i];
	}
	f->sched.allg_len = n;
	f->view[0] =
		(struct m_view){ .status = GRT_M_RUNNING, .g = 3, .g_addr = (uintptr_t)&f->g[2] };
	f->target.pid = f->target.via_tid = getpid();
	f->target.pidfd = f->target.mem_fd = -1;
	f->target.layout = fake_layout;
	f->target.layout.allgs = (uintptr_t)&f->allgs;
	f->tables.target = &f->target;
	f->tables.layout = &f->target.layout;
	f->tables.sched = (char *)&f->sched;
	f->tables.view = f->view;
	f->tables.m.n = 1;
	f->tables.m.addr = f->m_addr;
	f->goroutines = goroutines_new(&f->target);
	assert_non_null(f->goroutines);
	return f;
}

static void fake_free(struct fake *f)
{
	goroutines_free(f->goroutines);
	free(f->g);
	free(f->allgs);
	free(f);
}

static void look(struct fake *f)
{
	nrows = ntexts = 0;
	goroutines_emit(f->goroutines, &f->tables, NULL, keep, NULL);
}

static void ten_thousand_and_seven_are_all_there(void **state)
{
	struct fake *f = fake_new(10007);

	(void)state;
	look(f);

	assert_int_equal(nrows, 10007);
	for (uint32_t i = 0; i < nrows; i++)
		assert_int_equal(row[i].arg[0], i + 1);
	assert_int_equal(row[2].arg[4], 1);
	assert_int_equal(f->tables.lost, 0);
	fake_free(f);
}

static void those_that_come_later_are_seen(void **state)
{
	struct fake *f = fake_new(3);

	(void)state;
	look(f);
	assert_int_equal(nrows, 3);
	f->sched.allg_len = 5000;
	f->g[0].status = GRT_G_DEAD;
	look(f);
	assert_int_equal(nrows, 4999);
	fake_free(f);
}

static void what_cannot_be_read_is_counted(void **state)
{
	struct fake *f = fake_new(10);

	(void)state;
	f->allgs[4] = (struct fake_g *)0x10000;
	look(f);
	assert_int_equal(nrows, 9);
	assert_int_equal(f->tables.lost, 1);
	fake_free(f);
}

static void a_damaged_table_is_counted_and_survived(void **state)
{
	struct fake *f = fake_new(10);

	(void)state;
	f->sched.allg_len = UINT64_MAX / 2;
	look(f);
	assert_true(nrows == 0);
	assert_int_equal(f->tables.lost, 1);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiting_one_says_on_what_and_since_when),
		cmocka_unit_test(one_that_waits_on_nothing_has_no_descriptor),
		cmocka_unit_test(one_in_a_call_is_known_by_its_m),
		cmocka_unit_test(the_dead_are_left_out),
		cmocka_unit_test(ten_thousand_and_seven_are_all_there),
		cmocka_unit_test(those_that_come_later_are_seen),
		cmocka_unit_test(what_cannot_be_read_is_counted),
		cmocka_unit_test(a_damaged_table_is_counted_and_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
