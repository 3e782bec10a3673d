/* SPDX-License-Identifier: MIT */
/* text_test.c - names of descriptors whose numbers are given out again: each call keeps those it began with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/model/brief.h"
#include "records.h"

#define T0 (10 * SEC_NS)
#define FD 5
#define READ 0

static uint64_t now_ns; /* of the newest look */

static int model_setup(void **state)
{
	now_ns = T0;
	*state = model_new();
	return *state ? 0 : -1;
}

static int model_teardown(void **state)
{
	model_free(*state);
	return 0;
}

/* flags: GRT_RF_SAME_CALL: it was in this call at the look before. */
static struct row reader(uint32_t tid, uint16_t flags)
{
	return (struct row){ .m = tid,
			     .p = -1,
			     .tid = tid,
			     .g = tid,
			     .state = GRT_MS_blocked,
			     .kernel_state = 'S',
			     .nr = READ,
			     .since_ns = T0,
			     .arg = FD,
			     .flags = flags };
}

#define NEW(tid) reader(tid, 0)
#define SAME(tid) reader(tid, GRT_RF_SAME_CALL)

/* One look: its rows, and behind the first one what the number is, as names come. */
static void look(struct model *m, const struct row *rows, size_t n, const char *name,
		 uint16_t name_flags)
{
	now_ns += SEC_NS;
	rec_apply(m, now_ns, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	rec_apply(m, now_ns, GRT_K_SNAP_SCHED, 2, 0, n, 0, 0, 0);
	for (size_t i = 0; i < n; i++) {
		rec_row(m, now_ns, &rows[i]);
		if (i == 0 && name)
			rec_text_at(m, now_ns, name_flags, GRT_TEXT_FD, FD, name);
	}
	rec_apply(m, now_ns, GRT_K_SNAP_END, n, n, 0, 400000, 0, 0);
}

#define LOOK(m, name, flags, ...)              \
	look(m, (struct row[]){ __VA_ARGS__ }, \
	     sizeof((struct row[]){ __VA_ARGS__ }) / sizeof(struct row), name, flags)

static const char *call_of(const struct model *m, uint32_t tid)
{
	static char call[BRIEF_BYTES];
	const struct model_thread *t;
	size_t n = model_threads(m, &t);

	for (size_t i = 0; i < n; i++)
		if (t[i].tid == tid) {
			brief_call(call, m, &t[i]);
			return call;
		}
	return "no such thread";
}

static void a_call_keeps_the_name_it_began_with(void **state)
{
	struct model *m = *state;

	LOOK(m, "/old", 0, NEW(11));
	LOOK(m, "/newer", GRT_RF_ANOTHER, SAME(11), NEW(12));
	assert_string_equal(call_of(m, 11), "read(/old)");
	assert_string_equal(call_of(m, 12), "read(/newer)");

	LOOK(m, "/newest", GRT_RF_ANOTHER, SAME(11), SAME(12), NEW(13));
	LOOK(m, NULL, 0, SAME(11), SAME(12), SAME(13));
	assert_string_equal(call_of(m, 11), "read(/old)");
	assert_string_equal(call_of(m, 12), "read(/newer)");
	assert_string_equal(call_of(m, 13), "read(/newest)");
	assert_string_equal(model_text(m, GRT_TEXT_FD, FD), "/newest");
	assert_int_equal(model_lost(m, 0), 0);
}

/* The same thread, the same number, another file. */
static void its_next_call_is_on_what_the_number_is_by_then(void **state)
{
	struct model *m = *state;

	LOOK(m, "/old", 0, NEW(11));
	LOOK(m, "/new", GRT_RF_ANOTHER, NEW(11));
	assert_string_equal(call_of(m, 11), "read(/new)");
}

/* It was closed already when the call was seen first: nobody knows what it was. */
static void a_name_that_came_later_is_not_that_of_an_older_call(void **state)
{
	struct model *m = *state;

	LOOK(m, NULL, 0, NEW(11));
	LOOK(m, "/new", 0, SAME(11), NEW(12));
	assert_string_equal(call_of(m, 11), "read(fd 5)");
	assert_string_equal(call_of(m, 12), "read(/new)");
}

/* A socket has its other end now; a file was deleted: that goes for the older call, too. */
static void the_same_file_by_another_name_is_so_for_all(void **state)
{
	struct model *m = *state;

	LOOK(m, "socket:[9]", 0, NEW(11));
	LOOK(m, "tcp a->b", 0, SAME(11), NEW(12));
	assert_string_equal(call_of(m, 11), "read(tcp a->b)");
	assert_string_equal(call_of(m, 12), "read(tcp a->b)");
}

/* A row that moved while it was read may be the same call; the next row says whether it is. */
static void a_row_that_moved_forgets_nothing(void **state)
{
	struct model *m = *state;

	LOOK(m, "/old", 0, NEW(11));
	LOOK(m, "/new", GRT_RF_ANOTHER, reader(11, GRT_RF_TORN), NEW(12));
	LOOK(m, NULL, 0, SAME(11), SAME(12));
	assert_string_equal(call_of(m, 11), "read(/old)");

	/* one that moved at the very first look is named at the next */
	LOOK(m, NULL, 0, SAME(11), SAME(12), reader(13, GRT_RF_TORN));
	LOOK(m, "/newest", GRT_RF_ANOTHER, SAME(11), SAME(12), NEW(13));
	assert_string_equal(call_of(m, 13), "read(/newest)");
}

/* In which the call may have been seen first. */
static void behind_a_snapshot_that_was_dropped_the_newest_name_is_right(void **state)
{
	struct model *m = *state;

	LOOK(m, "/old", 0, NEW(11));
	rec_apply(m, now_ns, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	rec_text_at(m, now_ns, GRT_RF_ANOTHER, GRT_TEXT_FD, FD, "/new");
	LOOK(m, NULL, 0, SAME(11));
	assert_string_equal(call_of(m, 11), "read(/new)");
}

/* As in a pid namespace whose numbers are others than ours. */
static void threads_come_in_any_order(void **state)
{
	struct model *m = *state;

	LOOK(m, "/old", 0, NEW(900), NEW(901), NEW(12), NEW(11));
	LOOK(m, "/new", GRT_RF_ANOTHER, SAME(900), SAME(12), SAME(11), NEW(13));
	assert_string_equal(call_of(m, 900), "read(/old)");
	assert_string_equal(call_of(m, 12), "read(/old)");
	assert_string_equal(call_of(m, 11), "read(/old)");
	assert_string_equal(call_of(m, 13), "read(/new)");
}

static void what_no_call_began_with_is_forgotten(void **state)
{
	struct model *m = *state;
	char name[32];

	LOOK(m, "/old", 0, NEW(11));
	for (int i = 1; i <= 100; i++) {
		snprintf(name, sizeof(name), "/file-%d", i);
		LOOK(m, name, GRT_RF_ANOTHER, SAME(11), NEW(12));
		assert_string_equal(call_of(m, 11), "read(/old)");
		assert_string_equal(call_of(m, 12) + strlen("read("), strcat(name, ")"));
	}
	assert_string_equal(model_text_at(m, GRT_TEXT_FD, FD, 1), "/old");
	assert_string_equal(model_text_at(m, GRT_TEXT_FD, FD, 100), "/old");

	LOOK(m, NULL, 0, SAME(12));
	assert_null(model_text_at(m, GRT_TEXT_FD, FD, 100));
	assert_string_equal(call_of(m, 12), "read(/file-100)");
}

/* At each look another file, and one more call that holds on to it. */
static void as_many_names_as_calls_hold(void **state)
{
	struct row rows[40];
	struct model *m = *state;
	char name[32];

	for (uint32_t i = 0; i < 40; i++) {
		rows[i] = NEW(11 + i);
		snprintf(name, sizeof(name), "/file-%u", i);
		look(m, rows, i + 1, name, i ? GRT_RF_ANOTHER : 0);
		rows[i] = SAME(11 + i);
	}
	for (uint32_t i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "read(/file-%u)", i);
		assert_string_equal(call_of(m, 11 + i), name);
	}
	/* every other one ends */
	for (uint32_t i = 0; i < 20; i++)
		rows[i] = rows[2 * i];
	look(m, rows, 20, NULL, 0);
	for (uint32_t i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "read(/file-%u)", 2 * i);
		assert_string_equal(call_of(m, 11 + 2 * i), name);
	}
	assert_null(model_text_at(m, GRT_TEXT_FD, FD, 0));
}

/* What else has a name has one: addresses are not given out again while a call uses them. */
static void other_names_are_replaced(void **state)
{
	struct model *m = *state;

	look(m, NULL, 0, NULL, 0);
	rec_text(m, GRT_TEXT_STRING, 0x1000, "/a");
	look(m, NULL, 0, NULL, 0);
	rec_text(m, GRT_TEXT_STRING, 0x1000, "/b");
	assert_string_equal(model_text(m, GRT_TEXT_STRING, 0x1000), "/b");
	assert_string_equal(model_text_at(m, GRT_TEXT_STRING, 0x1000, 1), "/b");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_call_keeps_the_name_it_began_with),
		TEST(its_next_call_is_on_what_the_number_is_by_then),
		TEST(a_name_that_came_later_is_not_that_of_an_older_call),
		TEST(the_same_file_by_another_name_is_so_for_all),
		TEST(a_row_that_moved_forgets_nothing),
		TEST(behind_a_snapshot_that_was_dropped_the_newest_name_is_right),
		TEST(threads_come_in_any_order),
		TEST(what_no_call_began_with_is_forgotten),
		TEST(as_many_names_as_calls_hold),
		TEST(other_names_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
