/* SPDX-License-Identifier: MIT */
/* What the user is told, in text and in JSON, whatever bytes a target calls itself. */
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

#include "../../tools/diag.h"
#include "../../tools/json.h"

static char said[32768];

/* Runs fn and keeps what it wrote to stderr. */
static int hear(int (*fn)(void))
{
	FILE *file = tmpfile();
	int saved = dup(2), rc;
	size_t n;

	assert_non_null(file);
	dup2(fileno(file), 2);
	rc = fn();
	dup2(saved, 2);
	close(saved);
	rewind(file);
	n = fread(said, 1, sizeof(said) - 1, file);
	said[n] = 0;
	fclose(file);
	return rc;
}

static int say_error(void)
{
	return diag_error(EXIT_NOT_PERMITTED, "cannot attach to pid %d: %s", 4711,
			  "permission denied");
}

static int say_hint_and_warning(void)
{
	diag_hint("run as root");
	diag_warn("3 events were lost");
	return 0;
}

static int say_hostile_name(void)
{
	return diag_error(EXIT_NO_TARGET, "pid 1 (%s)", "a\033[2J\n\"\\\xff\xc3\xa9\x7f");
}

static int say_much(void)
{
	static char name[9000];

	memset(name, '\n', sizeof(name) - 1);
	return diag_error(EXIT_SYSTEM, "%s", name);
}

static void test_error_is_one_line_and_returns_its_code(void **state)
{
	(void)state;
	diag_json(false);
	assert_int_equal(hear(say_error), EXIT_NOT_PERMITTED);
	assert_string_equal(said, "gotrace: cannot attach to pid 4711: permission denied\n");

	hear(say_hint_and_warning);
	assert_string_equal(said, "hint: run as root\ngotrace: warning: 3 events were lost\n");
}

static void test_json_mode_makes_objects(void **state)
{
	(void)state;
	diag_json(true);
	assert_int_equal(hear(say_error), EXIT_NOT_PERMITTED);
	assert_string_equal(said, "{\"error\":\"cannot attach to pid 4711: permission denied\","
				  "\"code\":5}\n");

	hear(say_hint_and_warning);
	assert_string_equal(said, "{\"hint\":\"run as root\"}\n"
				  "{\"warning\":\"3 events were lost\"}\n");
	diag_json(false);
}

static void test_hostile_names_reach_no_terminal(void **state)
{
	(void)state;
	hear(say_hostile_name);
	assert_string_equal(said, "gotrace: pid 1 (a\\x1b[2J\\x0a\"\\\xff\xc3\xa9\\x7f)\n");

	diag_json(true);
	hear(say_hostile_name);
	diag_json(false);
	assert_string_equal(said, "{\"error\":\"pid 1 (a\\u001b[2J\\u000a\\\"\\\\\\ufffd\xc3\xa9"
				  "\\u007f)\",\"code\":4}\n");
}

static void test_long_messages_are_cut_not_overrun(void **state)
{
	(void)state;
	assert_int_equal(hear(say_much), EXIT_SYSTEM);

	assert_non_null(strstr(said, "\\x0a\\x0a"));
	assert_string_equal(said + strlen(said) - 1, "\n");
}

/* Writes one value of each kind, nested. */
static char *json_sample(void)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	struct json j;

	json_init(&j, out);
	json_open(&j, NULL, '{');
	json_uint(&j, "u", UINT64_MAX);
	json_int(&j, "i", INT64_MIN);
	json_open(&j, "list", '[');
	json_bool(&j, NULL, true);
	json_null(&j, NULL);
	json_open(&j, NULL, '{');
	json_close(&j);
	json_close(&j);
	json_text(&j, "text", "\xed\xa0\x80\xc0\xaf\xf0\x9f\x98\x80");
	json_text(&j, "none", NULL);
	json_close(&j);
	fclose(out);
	return text;
}

static void test_json_nests_and_escapes(void **state)
{
	char *text = json_sample();

	(void)state;
	/* A surrogate and an overlong form are not UTF-8: each byte of them is replaced. */
	assert_string_equal(text, "{\"u\":18446744073709551615,\"i\":-9223372036854775808,"
				  "\"list\":[true,null,{}],\"text\":\"\\ufffd\\ufffd\\ufffd"
				  "\\ufffd\\ufffd\xf0\x9f\x98\x80\",\"none\":null}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_is_one_line_and_returns_its_code),
		cmocka_unit_test(test_json_mode_makes_objects),
		cmocka_unit_test(test_hostile_names_reach_no_terminal),
		cmocka_unit_test(test_long_messages_are_cut_not_overrun),
		cmocka_unit_test(test_json_nests_and_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
