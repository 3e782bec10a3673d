/* SPDX-License-Identifier: MIT */
/*
 * gotrace netpoll on programs that know how many of their goroutines wait, and how often they have
 * waited: exact numbers, names of what they wait on, and who polled.
 */
#include "e2e.h"

#include "../unit/schema.h"

enum { FINE = 0 };

#define TEXT_BYTES (1 << 20)

static char text[TEXT_BYTES];

static void need_probes(void)
{
	static struct outcome o;

	gotrace_on(&o, NULL, "doctor", NULL);
	if (!strstr(o.out, "yes  probes by one uprobe_multi link"))
		e2e_skip("no probes by uprobe_multi here");
}

/* From before the target's start; nothing is shed. */
static struct program watch(char *how, char *n)
{
	char *argv[] = { (char *)getenv("GOTRACE"),
			 "netpoll",
			 "--json",
			 "-i",
			 "50ms",
			 "--max-overhead",
			 "0%",
			 "--",
			 (char *)e2e_path("TRACEE_DIR", "netwaits"),
			 how,
			 n,
			 NULL };

	return program_start(argv, NULL);
}

static pid_t expect_ready(struct program *g)
{
	program_expect(g, "ready: ");
	return (pid_t)strtol(g->line + 7, NULL, 10);
}

/* Ends gotrace; what it still says is in `text` then. Returns its exit code. */
static int finish(struct program *g, pid_t target)
{
	size_t n = 0;
	ssize_t some;
	int code;

	/* One that began after the target was ready, and the next one: all is settled. */
	program_expect(g, "{\"type\":\"tick\"");
	program_expect(g, "{\"type\":\"tick\"");
	kill(g->pid, SIGINT);
	/* 1,000 waiters do not fit a pipe. */
	fcntl(g->out, F_SETPIPE_SZ, TEXT_BYTES);
	code = e2e_wait(g->pid);
	kill(target, SIGKILL);
	while ((some = read(g->out, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)some;
	text[n] = 0;
	close(g->out);
	return code;
}

static const char *totals(void)
{
	const char *at = strstr(text, "{\"type\":\"totals\"");

	assert_non_null(at);
	return at;
}

static void waiting_is(long goroutines, long counter)
{
	const char *at = strstr(totals(), "\"waiting\":{");

	assert_int_equal(json_number(at, "goroutines"), goroutines);
	assert_int_equal(json_number(at, "descriptors"), goroutines);
	assert_int_equal(json_number(at, "directions"), counter);
	assert_int_equal(json_number(at, "counter"), counter);
}

/* Each with its own descriptor, and each with a name. */
static void test_a_thousand_parked_are_a_thousand_waiting(void **state)
{
	struct program g = watch("parked", "1000");
	pid_t target = expect_ready(&g);
	const char *waiters;

	(void)state;
	assert_int_equal(finish(&g, target), FINE);

	waiting_is(1000, 1000);
	waiters = strstr(totals(), "\"waiters\":[");
	assert_int_equal(count_of(waiters, "\"to\":\"read\""), 1000);
	assert_int_equal(count_of(waiters, "\"name\":\"unix"), 1000);
	assert_int_equal(count_of(waiters, "\"goroutines\":1,"), 1000);
	assert_says(text, "\"law_broken\":null");
}

static void test_waits_are_counted_exactly(void **state)
{
	struct program g = watch("rounds", "997");
	pid_t target = expect_ready(&g);
	const char *fds;

	(void)state;
	assert_int_equal(finish(&g, target), FINE);

	fds = strstr(totals(), "\"descriptors\":[");
	assert_int_equal(count_of(fds, "{\"fd\":"), 1);
	assert_int_equal(json_number(fds, "waits"), 997);
	assert_int_equal(json_number(strstr(fds, "\"parked\""), "n"), 997);
	assert_int_equal(json_number(strstr(fds, "\"queued\""), "n"), 997);
	assert_true(json_number(strstr(fds, "\"polled_by\""), "unknown") == 0);
	waiting_is(0, 0);
}

/* Recorded with all probes, and looked at afterwards: the same waits. */
static void test_a_recording_has_the_same_waits(void **state)
{
	char path[] = "/tmp/netpoll_recording.XXXXXX";
	char *argv[] = { (char *)getenv("GOTRACE"),
			 "record",
			 "--json",
			 "--force",
			 "--all",
			 "-o",
			 path,
			 "--max-overhead",
			 "0%",
			 "--",
			 (char *)e2e_path("TRACEE_DIR", "netwaits"),
			 "rounds",
			 "97",
			 NULL };
	char *replay[] = { "gotrace", "netpoll", "--json", path, NULL };
	static struct outcome o;
	struct program g;
	pid_t target;

	(void)state;
	close(mkstemp(path));
	g = program_start(argv, NULL);
	target = expect_ready(&g);
	kill(g.pid, SIGINT);
	assert_int_equal(e2e_wait(g.pid), FINE);
	kill(target, SIGKILL);
	close(g.out);
	gotrace_run(&o, NULL, -1, replay);
	unlink(path);

	assert_code(&o, FINE);
	snprintf(text, sizeof(text), "%s", strstr(o.out, "{\"type\":\"totals\""));
	assert_int_equal(json_number(strstr(totals(), "\"descriptors\":["), "waits"), 97);
}

/* Nobody polls while the one P computes: it is sysmon that does, and the report says so. */
static void test_a_rescue_by_sysmon_is_flagged(void **state)
{
	struct program g = watch("rescue", "7");
	pid_t target = expect_ready(&g);
	const char *by;

	(void)state;
	assert_int_equal(finish(&g, target), FINE);

	by = strstr(totals(), "\"by\":{");
	assert_true(json_number(strstr(by, "\"sysmon\":"), "waits") >= 1);
	assert_int_equal(json_number(strstr(by, "\"idle_m\":"), "waits") +
				 json_number(strstr(by, "\"scheduler\":"), "waits") +
				 json_number(strstr(by, "\"sysmon\":"), "waits"),
			 7);
	/* It was runnable long before it ran: that is what a rescue is about. */
	assert_true(json_number(strstr(strstr(by, "\"sysmon\":"), "\"queued\""), "max_ns") >
		    1000000);
}

/* One look needs no event: who waits is in the memory of the target. */
static void test_one_look_without_probes(void **state)
{
	char *target_argv[] = { (char *)e2e_path("TRACEE_DIR", "netwaits"), "parked", "31", NULL };
	struct program target = program_start(target_argv, NULL);
	char pid[16], *argv[] = { "gotrace", "netpoll", "--sample", "--once", pid, NULL };
	static struct outcome o;

	(void)state;
	program_expect(&target, "ready: ");
	snprintf(pid, sizeof(pid), "%d", target.pid);
	gotrace_run(&o, NULL, -1, argv);
	program_stop(&target);

	assert_code(&o, FINE);
	assert_says(o.out, "waiting: 31 goroutines on 31 descriptors\n");
	assert_says(o.out, "and 11 more goroutines");
	assert_null(strstr(o.out, "rescued"));
}

static void test_lines_of_json_fit_their_schema(void **state)
{
	char lines[] = "/tmp/netpoll_lines.XXXXXX", schema[] = "/tmp/netpoll_schema.XXXXXX";
	struct program g = watch("rounds", "5");
	FILE *out = fdopen(mkstemp(lines), "w");
	char *argv[] = { "gotrace", "schema", "netpoll", NULL };
	int schema_fd = mkstemp(schema);
	static struct outcome o;
	pid_t target = expect_ready(&g);

	(void)state;
	assert_int_equal(finish(&g, target), FINE);
	fprintf(out, "%s\n%s", g.line, strstr(text, "{\"type\":"));
	fclose(out);
	gotrace_run(&o, NULL, schema_fd, argv);
	assert_code(&o, FINE);
	if (schema_can_judge())
		assert_true(schema_file_holds(schema, lines));
	unlink(lines);
	unlink(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_thousand_parked_are_a_thousand_waiting),
		cmocka_unit_test(test_waits_are_counted_exactly),
		cmocka_unit_test(test_a_recording_has_the_same_waits),
		cmocka_unit_test(test_a_rescue_by_sysmon_is_flagged),
		cmocka_unit_test(test_one_look_without_probes),
		cmocka_unit_test(test_lines_of_json_fit_their_schema),
	};

	e2e_init();
	need_probes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
