/* SPDX-License-Identifier: MIT */
/* fmt_test.c - numbers keep to their widths, and text of the target cannot command the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/view/fmt.h"

static void counts_are_short(void **state)
{
	char buf[FMT_BYTES];

	(void)state;
	assert_string_equal(fmt_count(buf, 0), "0");
	assert_string_equal(fmt_count(buf, 9999), "9999");
	assert_string_equal(fmt_count(buf, 10000), "10k");
	assert_string_equal(fmt_count(buf, 999999), "999k");
	assert_string_equal(fmt_count(buf, 1000000), "1.0M");
	assert_string_equal(fmt_count(buf, 12345678), "12M");
	for (uint64_t n = 1; n < 1000000000000000ull; n = n * 7 + 3)
		assert_true(strlen(fmt_count(buf, n)) <= 4);
}

static void durations_have_one_plain_unit(void **state)
{
	char buf[FMT_BYTES];

	(void)state;
	assert_string_equal(fmt_duration(buf, 0), "0ns");
	assert_string_equal(fmt_duration(buf, 850), "850ns");
	assert_string_equal(fmt_duration(buf, 1250), "1.2us");
	assert_string_equal(fmt_duration(buf, 86700), "86us");
	assert_string_equal(fmt_duration(buf, 4199999), "4.1ms");
	assert_string_equal(fmt_duration(buf, 999999999), "999ms");
	assert_string_equal(fmt_duration(buf, 1000000000), "1.0s");
	assert_string_equal(fmt_duration(buf, 41900000000ull), "41s");
	assert_string_equal(fmt_duration(buf, 725000000000ull), "12m05s");
	assert_string_equal(fmt_duration(buf, 3ull * 3600 * 1000000000), "3h00m");
	assert_string_equal(fmt_duration(buf, (5ull * 24 + 3) * 3600 * 1000000000), "5d03h");
}

static void rates_below_one_a_second_are_not_zero(void **state)
{
	char buf[FMT_BYTES];

	(void)state;
	assert_string_equal(fmt_rate(buf, 0, 1000000000), "0");
	assert_string_equal(fmt_rate(buf, 1, 1000000000), "1");
	assert_string_equal(fmt_rate(buf, 7, 500000000), "14");
	assert_string_equal(fmt_rate(buf, 1, 3000000000ull), "0.3");
	assert_string_equal(fmt_rate(buf, 1, 3600000000000ull), "0.1");
}

static void text_is_cut_and_shows_that(void **state)
{
	char buf[32];

	(void)state;
	fmt_clean(buf, sizeof(buf), "read(7)", 7);
	assert_string_equal(buf, "read(7)");
	fmt_clean(buf, sizeof(buf), "read(7, 16)", 8);
	assert_string_equal(buf, "read(7,~");
	fmt_clean(buf, 4, "abcdef", 80);
	assert_string_equal(buf, "ab~");
}

static void escape_sequences_are_shown_not_sent(void **state)
{
	char buf[32];

	(void)state;
	fmt_clean(buf, sizeof(buf), "a\033[2Jb\n", 80);
	assert_string_equal(buf, "a\\x1b[2Jb\\x0a");
	fmt_clean(buf, sizeof(buf), "abc\033", 5);
	assert_string_equal(buf, "abc~");
}

static void words_wrap_at_the_width(void **state)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	fmt_wrapped(out, "one two three four", 9);
	fclose(out);
	assert_string_equal(text, "one two\n  three\n  four\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_short),
		cmocka_unit_test(durations_have_one_plain_unit),
		cmocka_unit_test(rates_below_one_a_second_are_not_zero),
		cmocka_unit_test(text_is_cut_and_shows_that),
		cmocka_unit_test(escape_sequences_are_shown_not_sent),
		cmocka_unit_test(words_wrap_at_the_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
