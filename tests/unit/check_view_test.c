/* SPDX-License-Identifier: MIT */
/*
 * check_view_test.c - the answers of gotrace check in its four formats: golden files, parsers that are
 * not ours, and names that a target chose to break them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trial.h"
#include "screen.h"

/* One of each answer, at the end of the scene. */
static void show(struct screen *s, enum view_format format, unsigned int columns)
{
	struct view_opts o = { .format = format, .columns = columns };
	struct trial t;
	struct view *v;

	trial_begin(&t, "blocked.max > 100ms", "threads>64", "handoff.p99>500us", NULL);
	scene_names(t.model);
	look(&t, SCENE_T0, scene_rows, SCENE_ROWS);
	look(&t, SCENE_T0 + SEC_NS, scene_rows, SCENE_ROWS);
	model_tick(t.model, UINT64_MAX);
	judge_end(&t.judge, t.model, &armed, &asked);
	o.report_opts = &t.judge.results;
	v = view_new(s->out, &report_check, &o);
	assert_non_null(v);
	view_begin(v, t.model, &scene_head);
	view_totals(v, t.model, &asked);
	view_free(v);
	fflush(s->out);
	judge_fini(&t.judge);
	model_free(t.model);
}

static void format_is(enum view_format format, unsigned int columns, const char *name)
{
	struct screen s;

	screen_open(&s);
	show(&s, format, columns);
	if (columns)
		assert_true(longest_line(s.text) <= columns);
	screen_is(&s, name);
}

static void given_one_of_each_answer_when_shown_then_each_format_is_the_golden_one(void **state)
{
	(void)state;
	format_is(VIEW_TEXT, 80, "check_80.txt");
	format_is(VIEW_TEXT, 40, "check_40.txt");
	format_is(VIEW_TAP, 0, "check.tap");
	format_is(VIEW_JUNIT, 0, "check.xml");
	format_is(VIEW_JSON, 0, "check.json");
}

static void given_json_when_judged_by_its_schema_then_it_fits(void **state)
{
	(void)state;
	if (!schema_can_judge())
		skip();
	assert_true(golden_fits("check", "check.json"));
}

static const char xml_script[] =
	"import sys\n"
	"import xml.etree.ElementTree as tree\n"
	"root = tree.fromstring(sys.stdin.buffer.read())\n"
	"suite = root.find('testsuite')\n"
	"cases = suite.findall('testcase')\n"
	"failures = [c for c in cases if c.find('failure') is not None]\n"
	"errors = [c for c in cases if c.find('error') is not None]\n"
	"assert root.tag == 'testsuites' and suite.get('name') == 'gotrace check'\n"
	"assert int(suite.get('tests')) == len(cases)\n"
	"assert int(suite.get('failures')) == len(failures)\n"
	"assert int(suite.get('errors')) == len(errors)\n"
	"names = '|'.join(c.get('name') for c in cases)\n"
	"assert names == sys.argv[1], names\n";

static void xml_holds(const char *text, const char *names)
{
	char path[] = "/tmp/check_xml.XXXXXX";
	FILE *out = fdopen(mkstemp(path), "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	assert_int_equal(schema_python(xml_script, names, path), 0);
	unlink(path);
}

static void given_junit_when_another_parser_reads_it_then_counts_and_names_are_right(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show(&s, VIEW_JUNIT, 0);
	fclose(s.out);
	model_free(s.model);
	xml_holds(s.text, "blocked.max > 100ms|threads>64|handoff.p99>500us");
	free(s.text);
}

/* Names are the target's: every byte, and what looks like markup, in all places. */
static void hostile_shown(struct screen *s, enum view_format format, const char *name)
{
	struct check_result r = { .text = "blocked>0",
				  .quantity = "blocked",
				  .op = ">",
				  .answer = CHECK_VIOLATED,
				  .why = "it is: 1",
				  .threads = 1 };
	struct check_results all = { .row = &r, .n = 1, .looks = 1 };
	struct view_head head = scene_head;
	struct view *v;

	r.thread[0] = (struct check_thread){ .m = 1, .tid = 7, .p = -1, .fd = 3, .frames = 1 };
	snprintf(r.thread[0].call, CALL_BYTES, "read(3<%s>)", name);
	snprintf(r.thread[0].fd_name, BRIEF_BYTES, "%s", name);
	snprintf(r.thread[0].frame[0], BRIEF_BYTES, "%s", name);
	head.comm = name;
	head.note = name;
	screen_open(s);
	v = view_new(s->out, &report_check,
		     &(struct view_opts){ .format = format, .report_opts = &all });
	view_begin(v, s->model, &head);
	view_totals(v, s->model, &asked);
	view_free(v);
	fclose(s->out);
	model_free(s->model);
}

static void given_hostile_names_when_told_as_xml_then_any_parser_takes_it(void **state)
{
	static const char *const names[] = {
		"]]></failure><x a=\"'&amp;", "\xff\xfe\xc3(\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80",
		"\xef\xbf\xbe\xef\xbf\xbf",   "\xc3\xa9\xf0\x9f\x98\x80\x7f",
		"\033]0;x\007\n\r\t\x01",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct screen s;

		hostile_shown(&s, VIEW_JUNIT, names[i]);
		xml_holds(s.text, "blocked>0");
		free(s.text);
		hostile_shown(&s, VIEW_TAP, names[i]);
		assert_null(strpbrk(s.text, "\033\007\r\x01"));
		/* No line of a target's is taken for a test. */
		assert_ptr_equal(strstr(s.text, "\nnot ok 1 - blocked>0\n"),
				 strstr(s.text, "\nnot ok"));
		assert_null(strstr(s.text, "\nok"));
		free(s.text);
	}
}

static void given_a_name_with_a_test_in_it_when_told_as_tap_then_it_is_no_line(void **state)
{
	struct screen s;

	(void)state;
	hostile_shown(&s, VIEW_TAP, "x\nok 2 - forged\n...");
	assert_null(strstr(s.text, "\nok"));
	assert_null(strstr(s.text, "\n..."));
	free(s.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_one_of_each_answer_when_shown_then_each_format_is_the_golden_one),
		cmocka_unit_test(given_json_when_judged_by_its_schema_then_it_fits),
		cmocka_unit_test(
			given_junit_when_another_parser_reads_it_then_counts_and_names_are_right),
		cmocka_unit_test(given_hostile_names_when_told_as_xml_then_any_parser_takes_it),
		cmocka_unit_test(
			given_a_name_with_a_test_in_it_when_told_as_tap_then_it_is_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
