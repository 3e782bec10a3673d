/* SPDX-License-Identifier: MIT */
/*
 * gotrace check on real programs: red on one that blocks, with who and where; green on one that does
 * not; inconclusive where too little was seen. Live, started, recorded; as each format, read by parsers
 * that are not ours.
 */
#define _GNU_SOURCE
#include "../../tools/diag.h"
#include "../unit/schema.h"
#include "rights.h"
#include "shell.h"

#define FIFOS "7"

static struct outcome o;
static char dir[] = "/tmp/check_test.XXXXXX";

static char *in_dir(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned next;
	char *ret = path[next++ % 4];

	snprintf(ret, PATH_MAX, "%s/%s", dir, name);
	return ret;
}

static struct program healthy_start(void)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "healthy"), "idle", NULL };
	struct program p = program_start(argv, NULL);

	program_expect(&p, "ready");
	return p;
}

/* gotrace check, and these arguments, which end with NULL. Returns its exit code. */
static int check_as(e2e_setup_fn setup, int out_fd, ...)
{
	char *argv[32] = { "gotrace", "check" };
	va_list ap;
	int n = 2;

	va_start(ap, out_fd);
	while ((argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	gotrace_run(&o, setup, out_fd, argv);
	return o.code;
}

#define check(...) check_as(NULL, -1, __VA_ARGS__, NULL)
#define LONG_ENOUGH "--for", "1s", "--max-overhead", "0%"

static bool has_probes(void)
{
	static struct outcome doctor;
	static int known = -1;

	if (known < 0) {
		gotrace_on(&doctor, NULL, "doctor", NULL);
		known = strstr(doctor.out, "yes  probes by one uprobe_multi link") != NULL;
		if (!known)
			print_message("no uprobe_multi on this kernel\n");
	}
	return known;
}

static void given_a_program_that_blocks_when_checked_then_it_is_red_and_says_who_where(void **state)
{
	struct program p = readers_start(FIFOS, "0", NULL);

	(void)state;
	check(LONG_ENOUGH, "--fail-on", "blocked.max>1ns", "--fail-on", "threads>1000",
	      pid_text(p.pid));

	assert_code(&o, EXIT_CHECK);
	assert_says(o.out, "\nviolated      blocked.max>1ns: it is: ");
	assert_says(o.out, "blocked for ");
	assert_says(o.out, "/fifo-");
	assert_says(o.out, "read_fifo growth.c:");
	assert_says(o.out, "\n  and 2 more\n");
	assert_says(o.out, "\nholds         threads>1000: it was not, at any of ");
	assert_says(o.out, "\n1 violated, 0 inconclusive, 1 holds\n");
	assert_true(program_lives(&p));
	program_stop(&p);
}

static void given_all_violated_when_a_process_is_checked_then_it_ends_at_once(void **state)
{
	struct program p = readers_start(FIFOS, "0", NULL);

	(void)state;
	/* Far longer than this test may take. */
	check("--for", "1h", "--fail-on", "blocked>6", pid_text(p.pid));

	assert_code(&o, EXIT_CHECK);
	assert_says(o.out, "blocked>6: it is: 7, at the first look");
	program_stop(&p);
}

static void given_a_healthy_program_when_checked_then_it_is_green(void **state)
{
	struct program p = healthy_start();

	(void)state;
	check(LONG_ENOUGH, "--fail-on", "blocked.max>10s", "--fail-on", "threads>64", "--fail-on",
	      "lost>0", pid_text(p.pid));

	if (has_probes()) {
		assert_code(&o, EXIT_FINE);
		assert_says(o.out, "\n0 violated, 0 inconclusive, 3 holds\n");
	} else {
		assert_code(&o, EXIT_LOST);
	}
	program_stop(&p);
}

static void given_too_little_to_measure_when_checked_then_it_is_inconclusive_not_green(void **state)
{
	struct program p = healthy_start();

	(void)state;
	check(LONG_ENOUGH, "--fail-on", "netpoll.p99>1h", pid_text(p.pid));

	assert_code(&o, EXIT_LOST);
	assert_says(o.out, "\ninconclusive  netpoll.p99>1h: ");
	if (has_probes())
		assert_says(o.out, "the 99th percentile needs");
	program_stop(&p);
}

static void given_both_when_checked_then_a_violation_beats_what_is_inconclusive(void **state)
{
	struct program p = readers_start(FIFOS, "0", NULL);

	(void)state;
	check(LONG_ENOUGH, "--fail-on", "netpoll.p99>1h", "--fail-on", "blocked>0",
	      pid_text(p.pid));

	assert_code(&o, EXIT_CHECK);
	assert_says(o.out, "\n1 violated, 1 inconclusive, 0 holds\n");
	program_stop(&p);
}

static void given_no_rights_when_checked_then_only_what_can_be_seen_is_answered(void **state)
{
	struct program p = sleeper_start(e2e_as_nobody, NULL);

	(void)state;
	check_as(e2e_as_nobody, -1, "-n", "2", "--fail-on", "threads>64", pid_text(p.pid), NULL);
	assert_code(&o, EXIT_FINE);
	check_as(e2e_as_nobody, -1, "-n", "2", "--fail-on", "blocked.max>1h", pid_text(p.pid),
		 NULL);
	assert_code(&o, EXIT_LOST);
	assert_says(o.out, "no probe is armed");
	program_stop(&p);
}

static void given_an_interrupt_when_checking_then_what_was_not_seen_does_not_hold(void **state)
{
	char *argv[] = { (char *)getenv("GOTRACE"),
			 "check",
			 "--for",
			 "1h",
			 "--fail-on",
			 "threads>64",
			 "--format",
			 "tap",
			 NULL,
			 NULL };
	struct program p = healthy_start(), g;

	(void)state;
	argv[8] = pid_text(p.pid);
	g = program_start(argv, NULL);
	program_expect(&g, "1..1");
	kill(g.pid, SIGINT);
	program_expect(&g, "not ok 1 - threads>64");
	program_expect(&g, "  message: \"interrupted after ");
	assert_int_equal(e2e_wait(g.pid), EXIT_LOST);
	close(g.out);
	program_stop(&p);
}

static void given_a_wrong_expression_when_checked_then_nothing_starts_and_it_is_pointed_at(
	void **state)
{
	char *made = in_dir("made");

	(void)state;
	check("--fail-on", "threads>64", "--fail-on", "blocked.mx>100ms", "--fail-on", "lost=0",
	      "--", "touch", made);

	assert_code(&o, EXIT_USAGE);
	assert_string_equal(o.out, "");
	assert_string_equal(o.err, "gotrace: cannot check: 'blocked.mx>100ms': no such quantity\n"
				   "  blocked.mx>100ms\n"
				   "  ^~~~~~~~~~\n"
				   "hint: did you mean 'blocked.max'?\n"
				   "gotrace: cannot check: 'lost=0': an operator must stand here\n"
				   "  lost=0\n"
				   "      ^\n"
				   "hint: did you mean '=='?\n");
	assert_int_equal(access(made, F_OK), -1);
}

static void given_wrong_options_when_checked_then_it_is_a_usage_error(void **state)
{
	(void)state;
	assert_int_equal(check("1"), EXIT_USAGE);
	assert_says(o.err, "--fail-on is missing");
	assert_int_equal(check("--format", "xml", "--fail-on", "threads>1", "1"), EXIT_USAGE);
	assert_says(o.err, "hint: text, tap, junit or json");
	assert_int_equal(check("--json", "--format", "tap", "--fail-on", "threads>1", "1"),
			 EXIT_USAGE);
	assert_int_equal(check("--fail-on", "threads>1", pid_text(pid_absent())), EXIT_NO_TARGET);
}

static void given_nobody_who_reads_when_checked_then_the_exit_code_is_the_same(void **state)
{
	struct program p = readers_start(FIFOS, "0", NULL);
	int fd[2];

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	close(fd[0]);
	check_as(NULL, fd[1], "--fail-on", "blocked>0", pid_text(p.pid), NULL);
	close(fd[1]);

	assert_code(&o, EXIT_CHECK);
	assert_string_equal(o.err, "");
	program_stop(&p);
}

static void given_a_command_when_checked_then_it_is_seen_to_its_end_and_the_report_is_alone(
	void **state)
{
	(void)state;
	check("--format", "junit", "--max-overhead", "0%", "--fail-on", "blocked<1", "--fail-on",
	      "threads>1000", "--", e2e_path("EXAMPLES_DIR", "growth"), "--fifos", "3", "--urandom",
	      "0", "--seconds", "1");

	assert_code(&o, EXIT_CHECK);
	assert_ptr_equal(strstr(o.out, "<?xml"), o.out);
	assert_null(strstr(o.out, "ready:"));
	assert_says(o.err, "ready: 3 blocked in FIFOs");
	assert_says(o.err, "done: 3 blocked in FIFOs");
	assert_says(o.out, "<property name=\"ended\" value=\"exited\"/>");
}

static void given_a_command_that_fails_when_checked_then_it_is_not_green_and_said(void **state)
{
	(void)state;
	check("--fail-on", "threads>1000", "--", e2e_path("EXAMPLES_DIR", "growth"), "--nonsense");

	assert_code(&o, EXIT_LOST);
	assert_says(o.out, "inconclusive  threads>1000: no look has seen its runtime started");
	assert_says(o.err, "growth ended with exit status 2");
}

/* gotrace record for some looks. */
static char *recording_of(pid_t pid)
{
	char *path = in_dir("growth.rec");
	char *argv[] = { "gotrace", "record", "--force", "-o",          path, "-i",
			 "50ms",    "-n",     "10",      pid_text(pid), NULL };

	gotrace_run(&o, NULL, -1, argv);
	assert_code(&o, EXIT_FINE);
	return path;
}

static void given_a_recording_when_checked_then_it_is_judged_as_the_process_was(void **state)
{
	static char bytes[1 << 20];
	struct program p = readers_start(FIFOS, "0", NULL);
	char *path = recording_of(p.pid), *cut = in_dir("cut.rec");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)state;
	close(fd);
	program_stop(&p);
	assert_int_equal(check("--fail-on", "blocked>6", path), EXIT_CHECK);
	assert_says(o.out, "read_fifo growth.c:");
	assert_int_equal(check("--fail-on", "threads>64", path), EXIT_FINE);
	assert_says(o.out, "at any of 10 looks");
	/* Its end is missing: what was not seen in the rest may be in it. */
	assert_true(n > 1024);
	file_put(cut, bytes, (size_t)n - 200);
	assert_int_equal(check("--fail-on", "threads>64", cut), EXIT_LOST);
	assert_says(o.out, "records were lost");
	assert_int_equal(check("--fail-on", "blocked>6", cut), EXIT_CHECK);
}

/* One of each answer, in a format; the report is a file then, too. */
static char *report_of(pid_t pid, char *format)
{
	char *path = in_dir(format);

	check("-n", "3", "--format", format, "--fail-on", "blocked>0", "--fail-on", "threads>1000",
	      "--fail-on", "netpoll.p99>1h", pid_text(pid));
	assert_code(&o, EXIT_CHECK);
	file_put(path, o.out, strlen(o.out));
	return path;
}

static void given_json_when_read_by_its_schema_then_it_fits(void **state)
{
	struct program p = readers_start(FIFOS, "0", NULL);
	char *path = report_of(p.pid, "json"), *schema = in_dir("schema");

	(void)state;
	program_stop(&p);
	assert_int_equal(json_number(o.out, "violated"), 1);
	assert_int_equal(json_number(o.out, "inconclusive"), 1);
	gotrace_on(&o, NULL, "schema", "check");
	assert_code(&o, EXIT_FINE);
	file_put(schema, o.out, strlen(o.out));
	if (!schema_can_judge())
		e2e_skip("python3-jsonschema is not installed");
	assert_true(schema_file_holds(schema, path));
}

static void given_junit_when_read_by_python_then_counts_are_right(void **state)
{
	static const char script[] =
		"import sys, xml.etree.ElementTree as tree\n"
		"suite = tree.fromstring(sys.stdin.buffer.read()).find('testsuite')\n"
		"found = [suite.get(n) for n in ('tests', 'failures', 'errors')]\n"
		"assert found == ['3', '1', '1'], found\n"
		"assert 'read_fifo growth.c:' in suite.find('.//failure').text\n";
	struct program p = readers_start(FIFOS, "0", NULL);
	char *path = report_of(p.pid, "junit");

	(void)state;
	program_stop(&p);
	assert_int_equal(schema_python(script, "", path), 0);
}

/* The runner of our own tests reads it. */
static void given_tap_when_run_as_a_test_then_one_passes_and_two_fail(void **state)
{
	struct program p = readers_start(FIFOS, "0", NULL);
	char *path = report_of(p.pid, "tap"), *script = in_dir("tap.sh"), text[PATH_MAX + 64];
	char *argv[] = { (char *)e2e_path("BUILD_DIR", "run"), script, NULL };

	(void)state;
	program_stop(&p);
	snprintf(text, sizeof(text), "#!/bin/sh\ncat %s\nexit 1\n", path);
	file_put(script, text, strlen(text));
	unsetenv("TEST_TOTALS");
	shell_run(&o, argv);
	assert_int_equal(o.code, 1);
	assert_says(o.out, "1 passed, 2 failed, 0 skipped");
}

static int dir_make(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_remove(void **state)
{
	char *argv[] = { "rm", "-r", dir, NULL };

	(void)state;
	shell_run(&o, argv);
	return o.code;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_a_program_that_blocks_when_checked_then_it_is_red_and_says_who_where),
		cmocka_unit_test(given_all_violated_when_a_process_is_checked_then_it_ends_at_once),
		cmocka_unit_test(given_a_healthy_program_when_checked_then_it_is_green),
		cmocka_unit_test(
			given_too_little_to_measure_when_checked_then_it_is_inconclusive_not_green),
		cmocka_unit_test(
			given_both_when_checked_then_a_violation_beats_what_is_inconclusive),
		cmocka_unit_test(
			given_no_rights_when_checked_then_only_what_can_be_seen_is_answered),
		cmocka_unit_test(
			given_an_interrupt_when_checking_then_what_was_not_seen_does_not_hold),
		cmocka_unit_test(
			given_a_wrong_expression_when_checked_then_nothing_starts_and_it_is_pointed_at),
		cmocka_unit_test(given_wrong_options_when_checked_then_it_is_a_usage_error),
		cmocka_unit_test(
			given_nobody_who_reads_when_checked_then_the_exit_code_is_the_same),
		cmocka_unit_test(
			given_a_command_when_checked_then_it_is_seen_to_its_end_and_the_report_is_alone),
		cmocka_unit_test(
			given_a_command_that_fails_when_checked_then_it_is_not_green_and_said),
		cmocka_unit_test(
			given_a_recording_when_checked_then_it_is_judged_as_the_process_was),
		cmocka_unit_test(given_json_when_read_by_its_schema_then_it_fits),
		cmocka_unit_test(given_junit_when_read_by_python_then_counts_are_right),
		cmocka_unit_test(given_tap_when_run_as_a_test_then_one_passes_and_two_fail),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
