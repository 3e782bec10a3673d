/* SPDX-License-Identifier: MIT */
/* pprof_test.c - the profile opens in `go tool pprof`, a reader that we did not write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/view/pprof.h"
#include "sick.h"

static char text[65536];

static int run_go(const char *how, const char *index, const char *path)
{
	char command[512];
	FILE *in;
	size_t n;

	snprintf(command, sizeof(command),
		 "go tool pprof -symbolize=none -sample_index=%s %s %s 2>&1", index, how, path);
	in = popen(command, "r");
	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	text[n] = '\0';
	return pclose(in);
}

static void profile_of(struct model *m, char *path)
{
	FILE *out = fdopen(mkstemp(path), "w");

	assert_non_null(out);
	assert_true(pprof_write(out, m, "growth"));
	fclose(out);
}

static struct model *sick(void)
{
	struct model *m = model_new();

	sick_names(m);
	sick_snapshot(m, SCENE_T0, 7);
	sick_events(m, SCENE_T0 + SEC_NS / 2);
	sick_snapshot(m, SCENE_T0 + SEC_NS, 19);
	model_tick(m, UINT64_MAX);
	return m;
}

/* Is there a line with all of these words, in this order? */
static void assert_line(const char *first, const char *second)
{
	for (const char *line = text; line && *line;
	     line = strchr(line, '\n'), line += line != NULL) {
		const char *at = strstr(line, first), *end = strchr(line, '\n');

		if (at && (!end || at < end) && (at = strstr(at, second)) && (!end || at < end))
			return;
	}
	fail_msg("no line with '%s' and '%s' in:\n%s", first, second, text);
}

static void test_threads_by_call_and_line(void **state)
{
	char path[] = "/tmp/pprof_test.XXXXXX";
	struct model *m = sick();

	(void)state;
	profile_of(m, path);
	assert_int_equal(run_go("-top", "threads", path), 0);
	assert_non_null(strstr(text, "Type: threads"));
	assert_non_null(strstr(text, "7 total"));
	assert_line("3 42.86%", "read(/dev/urandom)");
	assert_line("1 14.29%", "hostage");
	assert_int_equal(run_go("-top -cum -lines", "threads", path), 0);
	assert_line("3 42.86%", "main_fn files.c:80");
	assert_line("3 42.86%", "worker_read files.c:41");
	unlink(path);
	model_free(m);
}

static void test_threads_made_add_up(void **state)
{
	char path[] = "/tmp/pprof_test.XXXXXX";
	struct model *m = sick();

	(void)state;
	profile_of(m, path);
	assert_int_equal(run_go("-top", "made", path), 0);
	assert_non_null(strstr(text, "12 total"));
	assert_line("7 58.33%", "read(/dev/urandom)");
	unlink(path);
	model_free(m);
}

/* More frames than fit one size of any table. */
static void test_many_stacks(void **state)
{
	char path[] = "/tmp/pprof_test.XXXXXX";
	struct model *m = model_new();

	(void)state;
	rec_apply(m, SCENE_T0, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	for (int64_t i = 0; i < 1000; i++) {
		uint64_t fd[6] = { (uint64_t)i };
		struct row r = sick_row(i, SCENE_T0 - 1, SYS_read, fd);

		rec_row(m, SCENE_T0, &r);
		rec_stack(m, SCENE_T0, r.tid, GRT_STACK_USER, 0, 3, 0x10000 + (uint64_t)i,
			  0x20000 + (uint64_t)i % 7, 0x30000);
	}
	rec_apply(m, SCENE_T0, GRT_K_SNAP_END, 1000, 1000, 0, 1, 0, 0);
	model_tick(m, SCENE_T0);
	profile_of(m, path);
	assert_int_equal(run_go("-top -cum", "threads", path), 0);
	assert_non_null(strstr(text, "1000 total"));
	assert_line("1000   100%", "0x30000");
	unlink(path);
	model_free(m);
}

static void test_an_empty_process_is_a_profile_too(void **state)
{
	char path[] = "/tmp/pprof_test.XXXXXX";
	struct model *m = model_new();

	(void)state;
	profile_of(m, path);
	assert_int_equal(run_go("-raw", "threads", path), 0);
	assert_non_null(strstr(text, "threads/count"));
	unlink(path);
	model_free(m);
}

static void test_a_full_disk_is_told(void **state)
{
	FILE *out = fopen("/dev/full", "w");
	struct model *m = sick();

	(void)state;
	assert_non_null(out);
	assert_false(pprof_write(out, m, "growth"));
	fclose(out);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_by_call_and_line),
		cmocka_unit_test(test_threads_made_add_up),
		cmocka_unit_test(test_many_stacks),
		cmocka_unit_test(test_an_empty_process_is_a_profile_too),
		cmocka_unit_test(test_a_full_disk_is_told),
	};

	if (system("go version >/dev/null 2>&1")) {
		puts("go is not installed");
		return 77;
	}
	/* Where a test may have no home, pprof wants a place for its settings all the same. */
	setenv("PPROF_TMPDIR", "/tmp", 0);
	setenv("HOME", "/tmp", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
