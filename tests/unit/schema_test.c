/* SPDX-License-Identifier: MIT */
/* schema_test.c - what the JSON view prints is what its schema promises, whatever a target calls
 * itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../tools/view/schema.h"
#include "scene.h"
#include "schema.h"

static bool fits(const char *report, const char *json_path)
{
	char path[] = "/tmp/schema_test_schema.XXXXXX";
	FILE *out = fdopen(mkstemp(path), "w");
	bool ok;

	assert_non_null(out);
	assert_true(schema_print(report, out));
	fclose(out);
	ok = schema_file_holds(path, json_path);
	unlink(path);
	return ok;
}

static void golden_files_fit(void **state)
{
	static const char *const files[] = {
		"tests/golden/threads.json",
		"tests/golden/level_0.json",
		"tests/golden/by_m.json",
		"tests/golden/lost.json",
	};
	char path[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_true(tree_find(files[i], path, sizeof(path)));
		assert_true(fits("threads", path));
	}
}

static void hostile_names_stay_valid_json(void **state)
{
	static const struct counts none;
	struct row row = {
		.m = 1, .tid = 7, .p = -1, .state = GRT_MS_blocked, .nr = SYS_read, .arg = 3
	};
	struct view_head head = scene_head;
	char path[] = "/tmp/schema_test.XXXXXX";
	struct model *m = model_new();
	struct view *v;
	FILE *out;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	out = fdopen(fd, "w");
	v = view_new(out, &report_by_m, &(struct view_opts){ .format = VIEW_JSON });
	head.comm = "a\"b\\c\n\xfe";
	head.note = "\033]0;title\007";
	rec_text(m, GRT_TEXT_FD, 3, "\"\\\n\t\x01\x7f\xff\xc3\xa9\xed\xa0\x80/");
	rec_snapshot(m, SCENE_T0, 1, 0, &row, 1, &none);
	view_begin(v, m, &head);
	view_row(v, m);
	view_free(v);
	fclose(out);
	model_free(m);
	assert_true(fits("threads", path));
	unlink(path);
}

static void the_judge_refuses_what_does_not_fit(void **state)
{
	char path[] = "/tmp/schema_test.XXXXXX";
	FILE *out = fdopen(mkstemp(path), "w");

	(void)state;
	assert_non_null(out);
	fputs("{\"type\":\"tick\"}\n", out);
	fclose(out);
	assert_false(fits("threads", path));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files_fit),
		cmocka_unit_test(hostile_names_stay_valid_json),
		cmocka_unit_test(the_judge_refuses_what_does_not_fit),
	};

	if (!schema_can_judge()) {
		puts("python3-jsonschema is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
