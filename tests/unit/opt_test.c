/* SPDX-License-Identifier: MIT */
/* Options: values, order, abbreviations; and errors that name the option and the character. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/cmd/cmd.h"
#include "../../tools/diag.h"

static bool once, by_m, json;
static unsigned long count;
static int64_t interval;
static uint64_t size;
static const char *name;

static const struct opt opts[] = {
	{ "interval", 'i', OPT_DURATION, "TIME", "time between rows", &interval },
	{ "count", 'n', OPT_UINT, "N", "rows", &count },
	{ "once", '1', OPT_FLAG, NULL, "one row", &once },
	{ "by-m", 'm', OPT_FLAG, NULL, "a row per M", &by_m },
	{ "size", 0, OPT_SIZE, "SIZE", "bytes", &size },
	{ "json", 0, OPT_FLAG, NULL, "JSON", &json },
	{ "name", 0, OPT_TEXT, "TEXT", "a name", &name },
	{ "namespace", 0, OPT_TEXT, "TEXT", "another", &name },
	{ 0 },
};
static const struct cmd verb = { .name = "verb", .args = "PID", .help = "help", .opts = opts };
static const struct cmd starter = {
	.name = "start", .args = "-- COMMAND", .help = "help", .opts = opts, .takes_command = true
};

static char said[4096];
static char *args[16];
static int nargs;

/* Parses a line of words; what was said to the user is in said. Returns as opt_parse. */
static int parse(const struct cmd *c, const char *line)
{
	static char copy[512];
	FILE *file = tmpfile();
	int saved = dup(2), rc;
	char *save = NULL;

	once = by_m = json = false;
	count = 0;
	interval = 0;
	name = NULL;
	diag_json(false);
	snprintf(copy, sizeof(copy), "%s", line);
	nargs = 0;
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		args[nargs++] = w;
	args[nargs] = NULL;

	dup2(fileno(file), 2);
	rc = opt_parse(c, nargs, args);
	dup2(saved, 2);
	close(saved);
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = 0;
	fclose(file);
	return rc;
}

static void test_values_before_and_after_operands(void **state)
{
	int first = parse(&verb, "verb -i 200ms 4711 --count=10 --once x -");

	(void)state;
	assert_int_equal(first, nargs - 3);
	assert_string_equal(args[first], "4711");
	assert_string_equal(args[first + 1], "x");
	assert_string_equal(args[first + 2], "-");
	assert_int_equal(interval, 200000000);
	assert_int_equal(count, 10);
	assert_true(once);
}

static void test_bundles_and_attached_values(void **state)
{
	(void)state;
	assert_int_equal(parse(&verb, "verb -1mn7"), 2);
	assert_true(once && by_m);
	assert_int_equal(count, 7);

	assert_int_equal(parse(&verb, "verb -i2s -n 3 --name --once"), 6);
	assert_int_equal(interval, 2000000000);
	assert_string_equal(name, "--once");
}

static void test_names_may_be_abbreviated(void **state)
{
	(void)state;
	assert_true(parse(&verb, "verb --int 1s --js") > 0);
	assert_int_equal(interval, 1000000000);
	assert_true(json);
	/* The whole name of one option is not an abbreviation of another. */
	assert_true(parse(&verb, "verb --name x") > 0);
	assert_string_equal(name, "x");

	assert_int_equal(parse(&verb, "verb --na x"), -EXIT_USAGE);
	assert_string_equal(said, "gotrace: --na: may be --name or --namespace\n");
}

static void test_a_command_keeps_its_dashes(void **state)
{
	int first = parse(&starter, "start --once -- sleep -n 5");

	(void)state;
	assert_int_equal(nargs - first, 4);
	assert_string_equal(args[first], "--");
	assert_string_equal(args[first + 2], "-n");
	assert_int_equal(count, 0);

	first = parse(&verb, "verb -- -n");
	assert_int_equal(nargs - first, 1);
	assert_string_equal(args[first], "-n");
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "1ns", 1 },           { "20us", 20000 },
		{ "1s", 1000000000 },   { "2", 2000000000 },
		{ "1.5s", 1500000000 }, { "0.1s", 100000000 },
		{ "2m", 120000000000 }, { "1h", 3600000000000 },
		{ "0.0000000015s", 1 }, { "9223372036s", 9223372036000000000 },
	};
	static const char *const bad[] = {
		"",     "s",     "1x",  "1.s", ".5s",         "-1s",
		"0",    "0s",    "1 s", "1ss", "9223372037s", "99999999999999999999s",
		"1e3s", "0.1ns",
	};
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(line, sizeof(line), "verb --interval=%s", good[i].text);
		assert_true(parse(&verb, line) > 0);
		assert_int_equal(interval, good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *argv[] = { "verb", "-i", (char *)bad[i], NULL };

		interval = 77;
		if (opt_parse(&verb, 3, argv) != -EXIT_USAGE)
			fail_msg("accepted: '%s'", bad[i]);
		assert_int_equal(interval, 77);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "1", 1 },
		{ "65536", 65536 },
		{ "64K", 65536 },
		{ "64M", 64ull << 20 },
		{ "1G", 1ull << 30 },
		{ "2T", 2ull << 40 },
		{ "18446744073709551615", UINT64_MAX },
		{ "16777215T", 16777215ull << 40 },
	};
	static const char *const bad[] = {
		"",     "M",   "0",   "0K",  "-1M",       "1.5M",
		"64MB", "64m", "1 M", "1KK", "16777216T", "18446744073709551616",
	};
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(line, sizeof(line), "verb --size=%s", good[i].text);
		assert_true(parse(&verb, line) > 0);
		assert_int_equal(size, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *argv[] = { "verb", "--size", (char *)bad[i], NULL };

		size = 77;
		if (opt_parse(&verb, 3, argv) != -EXIT_USAGE)
			fail_msg("accepted: '%s'", bad[i]);
		assert_int_equal(size, 77);
	}
	assert_int_equal(parse(&verb, "verb --size 64MB"), -EXIT_USAGE);
	assert_string_equal(said, "gotrace: --size '64MB': unexpected 'B', want a size such as "
				  "65536, 64M or 1G\n");
}

static void test_errors_name_option_and_character(void **state)
{
	static const struct {
		const char *line, *said;
	} rows[] = {
		{ "verb -n 1x2", "gotrace: --count '1x2': unexpected 'x', want a number\n" },
		{ "verb -n -1", "gotrace: --count '-1': unexpected '-', want a number\n" },
		{ "verb -n 18446744073709551616",
		  "gotrace: --count '18446744073709551616': too large\n" },
		{ "verb -i 5q", "gotrace: --interval '5q': unexpected 'q', want a time such as "
				"200ms, 1s or 1.5s\n" },
		{ "verb -i", "gotrace: --interval: TIME is missing\n" },
		{ "verb --bogus", "gotrace: --bogus: no such option of verb\n" },
		{ "verb -1x", "gotrace: -x: no such option of verb\n" },
		{ "verb --once=1", "gotrace: --once: takes no value, has '=1'\n" },
		{ "verb --bogus --json",
		  "{\"error\":\"--bogus: no such option of verb\",\"code\":2}\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(&verb, rows[i].line), -EXIT_USAGE);
		assert_string_equal(said, rows[i].said);
	}
	diag_json(false);
}

static void test_pids(void **state)
{
	(void)state;
	assert_int_equal(opt_pid("1"), 1);
	assert_int_equal(opt_pid("4194304"), 4194304);
	assert_int_equal(opt_pid("0"), 0);
	assert_int_equal(opt_pid("-1"), 0);
	assert_int_equal(opt_pid(""), 0);
	assert_int_equal(opt_pid("12x"), 0);
	assert_int_equal(opt_pid("99999999999999999999"), 0);
}

static void test_usage_lists_every_option(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	opt_usage(&verb, out);
	fclose(out);

	assert_non_null(strstr(text, "usage: gotrace verb [options] PID\n"));
	assert_non_null(strstr(text, "-i, --interval TIME      time between rows\n"));
	for (const struct opt *o = opts; o->long_name; o++)
		assert_non_null(strstr(text, o->long_name));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_before_and_after_operands),
		cmocka_unit_test(test_bundles_and_attached_values),
		cmocka_unit_test(test_names_may_be_abbreviated),
		cmocka_unit_test(test_a_command_keeps_its_dashes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_errors_name_option_and_character),
		cmocka_unit_test(test_pids),
		cmocka_unit_test(test_usage_lists_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
