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

static int model_setup(void **state)
{
	*state = model_new();
	return *state ? 0 : -1;
}

static int model_teardown(void **state)
{
	model_free(*state);
	return 0;
}

static struct row reader(uint32_t tid, uint64_t since_ns)
{
	return (struct row){ .m = tid,
			     .p = -1,
			     .tid = tid,
			     .g = tid,
			     .state = GRT_MS_blocked,
			     .kernel_state = 'S',
			     .nr = READ,
			     .since_ns = since_ns,
			     .arg = FD };
}

/* One look: its rows, and behind the first one what the number is, as names come. */
static void look(struct model *m, uint64_t t, const struct row *rows, size_t n, const char *name)
{
	rec_apply(m, t, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	rec_apply(m, t, GRT_K_SNAP_SCHED, 2, 0, n, 0, 0, 0);
	for (size_t i = 0; i < n; i++) {
		rec_row(m, t, &rows[i]);
		if (i == 0 && name)
			rec_text(m, GRT_TEXT_FD, FD, name);
	}
	rec_apply(m, t, GRT_K_SNAP_END, n, n, 0, 400000, 0, 0);
}

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
	struct row a = reader(11, T0), b = reader(12, T0 + SEC_NS);
	struct row c = reader(13, T0 + 2 * SEC_NS);
	struct model *m = *state;

	look(m, T0 + MS_NS, &a, 1, "/old");
	look(m, T0 + SEC_NS + MS_NS, (struct row[]){ a, b }, 2, "/newer");
	assert_string_equal(call_of(m, 11), "read(/old)");
	assert_string_equal(call_of(m, 12), "read(/newer)");

	look(m, T0 + 2 * SEC_NS + MS_NS, (struct row[]){ a, b, c }, 3, "/newest");
	look(m, T0 + 3 * SEC_NS, (struct row[]){ a, b, c }, 3, NULL);
	assert_string_equal(call_of(m, 11), "read(/old)");
	assert_string_equal(call_of(m, 12), "read(/newer)");
	assert_string_equal(call_of(m, 13), "read(/newest)");
	assert_string_equal(model_text(m, GRT_TEXT_FD, FD), "/newest");
	assert_int_equal(model_lost(m, 0), 0);
}

/* The same thread, the same number, another file. */
static void its_next_call_is_on_what_the_number_is_by_then(void **state)
{
	struct row a = reader(11, T0), next = reader(11, T0 + SEC_NS);
	struct model *m = *state;

	look(m, T0 + MS_NS, &a, 1, "/old");
	look(m, T0 + SEC_NS + MS_NS, &next, 1, "/new");
	assert_string_equal(call_of(m, 11), "read(/new)");
}

/* It was closed already when the call was seen first: nobody knows what it was. */
static void a_name_that_came_later_is_not_that_of_an_older_call(void **state)
{
	struct row a = reader(11, T0), b = reader(12, T0 + SEC_NS);
	struct model *m = *state;

	look(m, T0 + MS_NS, &a, 1, NULL);
	look(m, T0 + SEC_NS + MS_NS, (struct row[]){ a, b }, 2, "/new");
	assert_string_equal(call_of(m, 11), "read(fd 5)");
	assert_string_equal(call_of(m, 12), "read(/new)");
}

static void what_no_call_began_with_is_forgotten(void **state)
{
	struct row a = reader(11, T0), b = reader(12, T0 + SEC_NS);
	char name[32];
	struct model *m = *state;

	look(m, T0 + MS_NS, &a, 1, "/old");
	for (int i = 1; i <= 100; i++) {
		snprintf(name, sizeof(name), "/file-%d", i);
		b.since_ns = T0 + (uint64_t)i * SEC_NS;
		look(m, b.since_ns + MS_NS, (struct row[]){ a, b }, 2, name);
		assert_string_equal(call_of(m, 11), "read(/old)");
		assert_string_equal(call_of(m, 12) + strlen("read("), strcat(name, ")"));
	}
	assert_string_equal(model_text_at(m, GRT_TEXT_FD, FD, 1), "/old");
	assert_string_equal(model_text_at(m, GRT_TEXT_FD, FD, 100), "/old");

	look(m, T0 + 200 * SEC_NS, &b, 1, NULL);
	assert_null(model_text_at(m, GRT_TEXT_FD, FD, 100));
	assert_string_equal(call_of(m, 12), "read(/file-100)");
}

/* A number with each look another name, and each time one more call that holds on to it. */
static void as_many_names_as_calls_hold(void **state)
{
	struct row rows[40];
	struct model *m = *state;
	char name[32];

	for (uint32_t i = 0; i < 40; i++) {
		rows[i] = reader(11 + i, T0 + i * SEC_NS);
		snprintf(name, sizeof(name), "/file-%u", i);
		look(m, T0 + i * SEC_NS + MS_NS, rows, i + 1, name);
	}
	for (uint32_t i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "read(/file-%u)", i);
		assert_string_equal(call_of(m, 11 + i), name);
	}
	/* every other one ends */
	for (uint32_t i = 0; i < 20; i++)
		rows[i] = rows[2 * i];
	look(m, T0 + 50 * SEC_NS, rows, 20, NULL);
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

	look(m, T0, NULL, 0, NULL);
	rec_text(m, GRT_TEXT_STRING, 0x1000, "/a");
	look(m, T0 + SEC_NS, NULL, 0, NULL);
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
		TEST(what_no_call_began_with_is_forgotten),
		TEST(as_many_names_as_calls_hold),
		TEST(other_names_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
