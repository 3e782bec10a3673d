/* SPDX-License-Identifier: MIT */
/* Layout notes: what is right is read, and what is wrong is refused by the name of its field. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define DESC_ADDR 0x700000ull

static char err[256];

static int parse(const struct bytes *desc, struct layout *ret)
{
	struct fenced f = fenced_copy(desc->data, desc->n);
	int rc;

	err[0] = 0;
	rc = layout_parse(ret, f.data, f.bytes, DESC_ADDR, err, sizeof(err));
	fenced_free(&f);
	return rc;
}

static void test_note_of_libgrt_is_read(void **state)
{
	struct note_row row[128];
	struct layout l;
	struct bytes desc;
	size_t n = note_rows(row);

	(void)state;
	note_row_find(row, n, "sched")->value = 0x100;
	note_row_find(row, n, "allp")->value = (uint32_t)-0x40;
	note_desc(&desc, 1, row, n);

	assert_int_equal(parse(&desc, &l), 0);

	assert_int_equal(l.variant, LAYOUT_GRT);
	/* Addresses count from the word that holds them: rows 0 and 2, value is the second word. */
	assert_int_equal(l.sched, DESC_ADDR + 8 + 4 + 0x100);
	assert_int_equal(l.allp, DESC_ADDR + 8 + 2 * 12 + 4 - 0x40);
	assert_int_equal(l.m_size, STRUCT_BYTES);
	assert_true(l.m_call.known);
	assert_int_equal(l.m_call.off, note_row_find(row, n, "m_call")->value);
	assert_int_equal(l.m_call.width, 8);
}

static void test_optional_rows_may_be_missing(void **state)
{
	struct note_row row[128];
	struct layout l;
	struct bytes desc;
	size_t n = note_rows(row);
	struct note_row *gone = note_row_find(row, n, "sched_epfd");
	uint64_t word = 77;

	(void)state;
	*gone = row[--n];
	note_desc(&desc, 1, row, n);

	assert_int_equal(parse(&desc, &l), 0);

	assert_false(l.sched_epfd.known);
	assert_int_equal(layout_get(&l.sched_epfd, &word), 0);
}

/* One wrong thing in a good note, and what the sentence must name. */
struct damage {
	const char *field;
	uint32_t value, width; /* ~0: as it was */
	const char *expect;
};

static const struct damage damages[] = {
	{ "m_call", ~0u, 3, "m_call has width 3" },
	{ "m_call", ~0u, 0, "m_call has width 0" },
	{ "m_call", STRUCT_BYTES, ~0u, "m_call is at offset 512, outside of struct m" },
	{ "m_call", STRUCT_BYTES - 4, 4, "" },
	{ "m_call", 0x80000000, ~0u, "m_call is at offset" },
	{ "m_call", 4, ~0u, "m_call is at offset 4, which is not aligned" },
	{ "m_take", 0, ~0u, "m_take overlaps m_id" },
	{ "m_size", 0, ~0u, "m_size is 0 bytes" },
	{ "m_size", 0x40000000, ~0u, "m_size is" },
	{ "m_size", 64, ~0u, "outside of struct m of 64 bytes" },
	{ "p_size", ~0u, 8, "p_size has width 8" },
	{ "sched", ~0u, 4, "sched has width 4" },
	{ "allp", ~0u, 0, "allp has width 0" },
};

static void test_damaged_field_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *d = &damages[i];
		struct note_row row[128];
		struct layout l;
		struct bytes desc;
		size_t n = note_rows(row);
		struct note_row *r = note_row_find(row, n, d->field);

		r->value = d->value == ~0u ? r->value : d->value;
		r->width = d->width == ~0u ? r->width : d->width;
		note_desc(&desc, 1, row, n);

		assert_int_equal(parse(&desc, &l), *d->expect ? -EINVAL : 0);

		if (!strstr(err, d->expect))
			fail_msg("want \"%s\", have \"%s\"", d->expect, err);
	}
}

static void test_row_twice_and_unknown_row_are_refused(void **state)
{
	struct note_row row[128];
	struct layout l;
	struct bytes desc;
	size_t n = note_rows(row);

	(void)state;
	row[n] = *note_row_find(row, n, "m_tid");
	note_desc(&desc, 1, row, n + 1);
	assert_int_equal(parse(&desc, &l), -EINVAL);
	assert_string_equal(err, "m_tid is there twice");

	row[n].id = 4711;
	note_desc(&desc, 1, row, n + 1);
	assert_int_equal(parse(&desc, &l), -EINVAL);
	assert_non_null(strstr(err, "id 4711 is not known"));
}

static void test_missing_needed_row_is_named(void **state)
{
	static const char *const needed[] = { "sched",  "allm",  "allp",     "m_size",
					      "m_id",   "m_tid", "m_status", "m_call",
					      "m_take", "m_p",   "p_id",     "sched_gomaxprocs" };

	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		struct note_row row[128];
		char expect[64];
		struct layout l;
		struct bytes desc;
		size_t n = note_rows(row);

		*note_row_find(row, n, needed[i]) = row[n - 1];
		note_desc(&desc, 1, row, n - 1);

		assert_int_equal(parse(&desc, &l), -EINVAL);

		snprintf(expect, sizeof(expect), "%s is missing", needed[i]);
		assert_string_equal(err, expect);
	}
}

static void test_version_and_length_must_match(void **state)
{
	struct note_row row[128];
	struct layout l;
	struct bytes desc;
	size_t n = note_rows(row);

	(void)state;
	note_desc(&desc, 2, row, n);
	assert_int_equal(parse(&desc, &l), -EINVAL);
	assert_non_null(strstr(err, "version is 2"));

	note_desc(&desc, 1, row, n);
	for (size_t cut = 0; cut < desc.n; cut++) {
		struct bytes part = desc;

		part.n = cut;
		assert_int_equal(parse(&part, &l), -EINVAL);
		assert_string_not_equal(err, "");
	}
}

/* What was accepted can be read within its structs, whatever the note said. */
static void assert_fields_inside(const struct layout *l)
{
#define LAYOUT_GLOBAL(id, name, sym)
#define LAYOUT_SIZE(id, name, type)
#define LAYOUT_FIELD(id, name, type, member) \
	assert_true(!l->name.known || l->name.off + l->name.width <= l->type##_size);
#include "../../runtime/layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
}

static void test_every_flipped_bit_is_refused_or_harmless(void **state)
{
	struct note_row row[128];
	struct layout l;
	struct bytes desc;
	size_t n = note_rows(row), refused = 0;

	(void)state;
	note_desc(&desc, 1, row, n);
	for (size_t bit = 0; bit < desc.n * 8; bit++) {
		int rc;

		desc.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		rc = parse(&desc, &l);
		desc.data[bit / 8] ^= (uint8_t)(1u << bit % 8);

		assert_true(rc == 0 || (rc == -EINVAL && err[0]));
		if (rc == 0)
			assert_fields_inside(&l);
		refused += rc != 0;
	}
	/* Only addresses of globals and sizes have values that could be others. */
	assert_true(refused > desc.n * 8 * 3 / 4);
}

static void test_values_have_width_and_sign(void **state)
{
	const struct layout_field byte = { 1, 1, 1 }, word = { 4, 4, 1 }, none = { 0, 8, 0 };
	const uint8_t copy[8] = { 1, 0xff, 3, 4, 0xfe, 0xff, 0xff, 0xff };

	(void)state;
	assert_int_equal(layout_get(&byte, copy), 0xff);
	assert_int_equal(layout_get_signed(&byte, copy), -1);
	assert_int_equal(layout_get(&word, copy), 0xfffffffe);
	assert_int_equal(layout_get_signed(&word, copy), -2);
	assert_int_equal(layout_get_signed(&none, copy), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note_of_libgrt_is_read),
		cmocka_unit_test(test_optional_rows_may_be_missing),
		cmocka_unit_test(test_damaged_field_is_named),
		cmocka_unit_test(test_row_twice_and_unknown_row_are_refused),
		cmocka_unit_test(test_missing_needed_row_is_named),
		cmocka_unit_test(test_version_and_length_must_match),
		cmocka_unit_test(test_every_flipped_bit_is_refused_or_harmless),
		cmocka_unit_test(test_values_have_width_and_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
