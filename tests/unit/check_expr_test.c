/* SPDX-License-Identifier: MIT */
/*
 * check_expr_test.c - the language of gotrace check: what it takes, and that each error points at the
 * character that is wrong. Last, a million texts that nobody would write.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/cmd/check_expr.h"
#include "../../tools/diag.h"
#include "tree.h"

#define FUZZ_ROUNDS 1000000
#define FUZZ_BYTES 40

static void given_right_expressions_when_parsed_then_each_part_is_known(void **state)
{
	static const struct {
		const char *text, *quantity;
		enum check_op op;
		uint64_t bound;
	} rows[] = {
		{ "threads>64", "threads", CHECK_GT, 64 },
		{ "threads>=64", "threads", CHECK_GE, 64 },
		{ "threads<2", "threads", CHECK_LT, 2 },
		{ "threads<=2", "threads", CHECK_LE, 2 },
		{ "threads==2", "threads", CHECK_EQ, 2 },
		{ "threads!=2", "threads", CHECK_NE, 2 },
		{ " \tthreads.new  >\t7 ", "threads.new", CHECK_GT, 7 },
		{ "blocked.max>100ms", "blocked.max", CHECK_GT, 100000000 },
		{ "handoff.p99>1.5us", "handoff.p99", CHECK_GT, 1500 },
		{ "handoff.p50>250ns", "handoff.p50", CHECK_GT, 250 },
		{ "hostage.max>0.1s", "hostage.max", CHECK_GT, 100000000 },
		{ "netpoll.max>2m", "netpoll.max", CHECK_GT, 120000000000 },
		{ "netpoll.p90>1h", "netpoll.p90", CHECK_GT, 3600000000000 },
		{ "blocked.max>0", "blocked.max", CHECK_GT, 0 },
		{ "overhead>1%", "overhead", CHECK_GT, 10000 },
		{ "overhead>=0.25%", "overhead", CHECK_GE, 2500 },
		{ "lost!=0", "lost", CHECK_NE, 0 },
		{ "threads>18446744073709551615", "threads", CHECK_GT, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct check_error error;
		struct check_expr e;

		if (!check_expr_parse(&e, rows[i].text, &error))
			fail_msg("'%s': %s", rows[i].text, error.why);
		assert_string_equal(e.quantity->name, rows[i].quantity);
		assert_int_equal(e.op, rows[i].op);
		assert_true(e.bound == rows[i].bound);
		assert_ptr_equal(e.text, rows[i].text);
	}
}

/* A quantity that the page does not have does not exist for users. */
static void given_the_manual_page_when_looked_into_then_it_has_each_quantity(void **state)
{
	char path[PATH_MAX], *page = NULL;
	size_t cap = 0;
	FILE *in;

	(void)state;
	assert_true(tree_find("tools/man/gotrace-check.1", path, sizeof(path)));
	in = fopen(path, "r");
	assert_non_null(in);
	assert_true(getdelim(&page, &cap, '\0', in) > 0);
	fclose(in);
	for (int i = 0; i < CHECK_QUANTITIES_N; i++) {
		char first[64], other[64];

		snprintf(first, sizeof(first), "\n.It Cm %s", check_quantities[i].name);
		snprintf(other, sizeof(other), " , %s", check_quantities[i].name);
		if (!strstr(page, first) && !strstr(page, other))
			fail_msg("gotrace-check.1 has no '%s'", check_quantities[i].name);
	}
	free(page);
}

static const char *bound_of(enum check_unit unit)
{
	return unit == CHECK_NS ? "5ms" : unit == CHECK_PPM ? "5%" : "5";
}

static void given_the_table_when_each_quantity_is_parsed_then_it_finds_itself(void **state)
{
	(void)state;
	for (int i = 0; i < CHECK_QUANTITIES_N; i++) {
		const struct check_quantity *q = &check_quantities[i];
		struct check_error error;
		struct check_expr e;
		char text[64];

		snprintf(text, sizeof(text), "%s>%s", q->name, bound_of(q->unit));
		assert_true(check_expr_parse(&e, text, &error));
		assert_ptr_equal(e.quantity, q);
		assert_int_equal(q->id, i);
		assert_int_equal(q->percentile != 0, q->when == CHECK_END && q->unit == CHECK_NS);
	}
}

static void given_wrong_expressions_when_parsed_then_errors_point_at_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *mark, *why, *hint; /* mark stands below text */
	} rows[] = {
		{ "blocked.mx>100ms", "^~~~~~~~~~", "no such quantity", "'blocked.max'" },
		{ "thread>64", "^~~~~~", "no such quantity", "'threads'" },
		{ "p99>5ms", "^~~", "no such quantity", "'handoff.p99', 'netpoll.p99'" },
		{ "xyzzy>5", "^~~~~", "no such quantity", "gotrace-check(1)" },
		{ ">64", "^", "a quantity is missing", "such as threads" },
		{ "", "^", "a quantity is missing", "such as threads" },
		{ "   ", "   ^", "a quantity is missing", "such as threads" },
		{ "threads", "       ^", "an operator is missing", "> >= < <= == !=" },
		{ "threads=64", "       ^", "an operator must stand here", "'=='" },
		{ "threads=>64", "       ^", "an operator must stand here", "'>='" },
		{ "threads=<64", "       ^", "an operator must stand here", "'<='" },
		{ "threads:64", "       ^", "an operator must stand here", "> >= < <= == !=" },
		{ "threads>", "        ^", "a number is missing", "threads>64" },
		{ "threads>>4", "        ^", "a number must stand here", "threads>64" },
		{ "threads>-1", "        ^", "a number must stand here", "threads>64" },
		{ "threads>6.5", "         ^", "a whole number is needed", "64" },
		{ "threads>64ms", "          ^~", "a count has no unit", "64" },
		{ "threads>64%", "          ^", "a count has no unit", "64" },
		{ "blocked.max>100", "               ^", "a unit is missing", "100ms" },
		{ "blocked.max>100sec", "               ^~~", "no such unit of time", "100ms" },
		{ "blocked.max>1.ms", "              ^", "a digit must stand behind the point",
		  "" },
		{ "overhead>1", "          ^", "'%' is missing", "0.25%" },
		{ "overhead>1ms", "          ^~", "a share ends in %", "0.25%" },
		{ "threads>64 x", "           ^", "nothing may follow", "each --fail-on" },
		{ "threads>64,lost>0", "          ^~~~~~~", "nothing may follow",
		  "each --fail-on" },
		{ "threads<0", "        ^", "nothing is below 0: this never fails", "" },
		{ "threads >= 0 ", "           ^", "nothing is below 0: this always fails", "" },
		{ "threads>18446744073709551616", "        ^~~~~~~~~~~~~~~~~~~~", "too large", "" },
		{ "blocked.max>9999999999h", "            ^~~~~~~~~~", "too large", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct check_error error;
		struct check_expr e;

		assert_false(check_expr_parse(&e, rows[i].text, &error));
		if (strcmp(error.why, rows[i].why))
			fail_msg("'%s': %s", rows[i].text, error.why);
		if (error.at != strspn(rows[i].mark, " ") ||
		    error.at + error.bytes != strlen(rows[i].mark))
			fail_msg("'%s': %zu bytes at %zu", rows[i].text, error.bytes, error.at);
		if (!strstr(error.hint, rows[i].hint))
			fail_msg("'%s': hint: %s", rows[i].text, error.hint);
	}
}

/* What diag_point says of it on stderr. */
static void point(const char *text, size_t at, size_t bytes, char *ret, size_t ret_bytes)
{
	FILE *file = tmpfile();
	int saved = dup(2);

	assert_non_null(file);
	dup2(fileno(file), 2);
	diag_point(text, at, bytes);
	dup2(saved, 2);
	close(saved);
	rewind(file);
	ret[fread(ret, 1, ret_bytes - 1, file)] = 0;
	fclose(file);
}

static void given_an_error_when_it_is_shown_then_the_mark_stands_below_the_character(void **state)
{
	char said[512];

	(void)state;
	point("threads=64", 7, 1, said, sizeof(said));
	assert_string_equal(said, "  threads=64\n         ^\n");
	point("threads>", 8, 1, said, sizeof(said));
	assert_string_equal(said, "  threads>\n          ^\n");
	/* Two bytes are one column, and nothing reaches the terminal as a command. */
	point("\xc3\xa9\xc3\xa9 x\033[2J", 5, 3, said, sizeof(said));
	assert_string_equal(said, "  \xc3\xa9\xc3\xa9 x?[2J\n     ^~~\n");
	diag_json(true);
	point("a\"b", 1, 1, said, sizeof(said));
	diag_json(false);
	assert_string_equal(said, "{\"text\":\"a\\\"b\",\"at\":1,\"bytes\":1}\n");
}

static void given_operators_when_applied_then_they_mean_what_they_say(void **state)
{
	static const bool truth[CHECK_OPS][3] = {
		/* of 4, 5, 6 to 5 */
		[CHECK_GT] = { false, false, true }, [CHECK_GE] = { false, true, true },
		[CHECK_LT] = { true, false, false }, [CHECK_LE] = { true, true, false },
		[CHECK_EQ] = { false, true, false }, [CHECK_NE] = { true, false, true },
	};

	(void)state;
	for (int op = 0; op < CHECK_OPS; op++)
		for (uint64_t v = 4; v <= 6; v++)
			assert_int_equal(check_op_is_true((enum check_op)op, v, 5),
					 truth[op][v - 4]);
}

static uint32_t fuzz_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* A right expression with some bytes changed, or pieces in any order, or anything at all. */
static void fuzz_text(char text[FUZZ_BYTES], uint32_t *seed)
{
	static const char *const pieces[] = {
		"threads", "blocked", ".max", ".p99",     "handoff", ">",        ">=",
		"==",      "!",       "<",    "64",       "1.5",     "ms",       "%",
		" ",       "\t",      "0",    "overhead", "s",       "\xc3\xa9", "99999999999999",
		"."
	};
	uint32_t kind = fuzz_next(seed) % 3, n = fuzz_next(seed) % 8;

	text[0] = 0;
	if (kind == 0) {
		for (uint32_t i = 0; i < n; i++) {
			const char *piece =
				pieces[fuzz_next(seed) % (sizeof(pieces) / sizeof(pieces[0]))];

			if (strlen(text) + strlen(piece) < FUZZ_BYTES)
				strcat(text, piece);
		}
		return;
	}
	snprintf(text, FUZZ_BYTES, "handoff.p99 >= 1.5ms");
	for (uint32_t i = 0; i < n; i++) {
		char byte = (char)(kind == 1 ? " !\"%.0123456789<=>azms"[fuzz_next(seed) % 22]
					     : (int)fuzz_next(seed));

		text[fuzz_next(seed) % strlen("handoff.p99 >= 1.5ms")] = byte;
	}
}

static void given_any_text_when_parsed_then_it_is_right_or_an_error_is_within_it(void **state)
{
	uint32_t seed = 1;
	unsigned right = 0;

	(void)state;
	for (int i = 0; i < FUZZ_ROUNDS; i++) {
		char text[FUZZ_BYTES], again[128], *exact;
		struct check_error error;
		struct check_expr e, same;

		fuzz_text(text, &seed);
		/* On the heap and to the byte, so that a sanitizer sees who reads past it. */
		exact = strdup(text);
		if (check_expr_parse(&e, exact, &error)) {
			right++;
			snprintf(again, sizeof(again), "%s%s%llu%s", e.quantity->name,
				 check_op_text(e.op), (unsigned long long)e.bound,
				 e.quantity->unit == CHECK_NS ? "ns" : "");
			assert_true(e.quantity->unit == CHECK_PPM ||
				    (check_expr_parse(&same, again, &error) &&
				     same.bound == e.bound && same.op == e.op));
		} else {
			size_t n = strlen(exact);

			assert_true(error.why[0] && error.bytes > 0);
			assert_true(error.at <= n);
			assert_true(error.at == n || error.at + error.bytes <= n);
		}
		free(exact);
	}
	/* It has seen both. */
	assert_in_range(right, FUZZ_ROUNDS / 1000, FUZZ_ROUNDS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_the_manual_page_when_looked_into_then_it_has_each_quantity),
		cmocka_unit_test(given_right_expressions_when_parsed_then_each_part_is_known),
		cmocka_unit_test(given_the_table_when_each_quantity_is_parsed_then_it_finds_itself),
		cmocka_unit_test(
			given_wrong_expressions_when_parsed_then_errors_point_at_what_is_wrong),
		cmocka_unit_test(
			given_an_error_when_it_is_shown_then_the_mark_stands_below_the_character),
		cmocka_unit_test(given_operators_when_applied_then_they_mean_what_they_say),
		cmocka_unit_test(
			given_any_text_when_parsed_then_it_is_right_or_an_error_is_within_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
