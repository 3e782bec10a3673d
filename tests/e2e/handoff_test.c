/* SPDX-License-Identifier: MIT */
/*
 * gotrace handoff on programs that know how often they lost a P: exact numbers, split exactly by
 * call and by who took it; and what gotrace saw is what the runtime counted.
 */
#include "e2e.h"

#include "../unit/schema.h"

enum { FINE = 0, LOST = 3 };

#define TEXT_BYTES (1 << 20)

static char text[TEXT_BYTES];

static void need_probes(void)
{
	static struct outcome o;

	gotrace_on(&o, NULL, "doctor", NULL);
	if (!strstr(o.out, "yes  probes by one uprobe_multi link"))
		e2e_skip("no probes by uprobe_multi here");
}

/* gotrace handoff --json, 20 ticks a second, nothing shed, on the tracee with these arguments. */
static struct program watch(char *const args[])
{
	char *argv[24] = { (char *)getenv("GOTRACE"),
			   "handoff",
			   "--json",
			   "-i",
			   "50ms",
			   "--max-overhead",
			   "0%",
			   "--",
			   (char *)e2e_path("TRACEE_DIR", "handoffs") };
	int n = 9;

	for (; *args; args++)
		argv[n++] = *args;
	return program_start(argv, NULL);
}

/* Ticks until the runtime has counted so many hand-offs; 0: until the number stands still. */
static void expect_counted(struct program *g, long want)
{
	long before = -1;

	for (;;) {
		long now;

		program_expect(g, "{\"type\":\"tick\"");
		now = json_number(strstr(g->line, "\"counters\""), "handoffs");
		if (want ? now == want : now == before)
			return;
		if (want && now > want)
			fail_msg("%ld hand-offs, want %ld", now, want);
		before = now;
	}
}

/* The target's pid, from "books: PID N"; *ret_n gets N. */
static pid_t expect_books(struct program *g, long *ret_n)
{
	char *end;
	pid_t pid;

	program_expect(g, "books: ");
	pid = (pid_t)strtol(g->line + 7, &end, 10);
	*ret_n = strtol(end, NULL, 10);
	return pid;
}

/* Ends gotrace; what it still says is in `text` then. Returns its exit code. */
static int finish(struct program *g, pid_t target)
{
	size_t n = 0;
	ssize_t some;
	int code;

	kill(g->pid, SIGINT);
	/* The target holds the other end, too, until it is gone. */
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

/* The row of a call and a taker; NULL: there is none. */
static const char *row_of(const char *call, const char *by)
{
	const char *at = strstr(totals(), "\"rows\":[");
	char want_call[64], want_by[64];

	snprintf(want_call, sizeof(want_call), "{\"call\":\"%s\",", call);
	snprintf(want_by, sizeof(want_by), "\"by\":\"%s\"", by);
	for (at = strstr(at, want_call); at; at = strstr(at + 1, want_call))
		if (!strncmp(strstr(at, "\"by\":"), want_by, strlen(want_by)))
			return at;
	return NULL;
}

static void row_is(const char *call, const char *by, long n)
{
	const char *row = row_of(call, by);

	if (!row)
		fail_msg("no row of %s by %s in:\n%s", call, by, totals());
	assert_int_equal(json_number(row, "taken"), n);
	assert_int_equal(json_number(row, "handoffs"), n);
	assert_int_equal(json_number(row, "returned"), n);
	assert_int_equal(json_number(strstr(row, "\"detect\""), "n"), n);
}

static unsigned int rows_in_totals(void)
{
	unsigned int n = 0;

	for (const char *at = totals(); (at = strstr(at, "{\"call\":")); at++)
		n++;
	return n;
}

static void test_primes_are_counted_and_split_exactly(void **state)
{
	char *args[] = { "one", "97", "53", "31", "101", "13", NULL };
	struct program g = watch(args);
	long n;
	pid_t target = expect_books(&g, &n);

	(void)state;
	assert_int_equal(n, 97 + 53 + 31 + 101 + 13);
	expect_counted(&g, n);
	assert_int_equal(finish(&g, target), FINE);

	assert_int_equal(rows_in_totals(), 5);
	row_is("read", "sysmon", 97);
	row_is("poll", "sysmon", 53);
	row_is("foreign C", "sysmon", 31);
	row_is("read", "itself", 101);
	row_is("poll", "itself", 13);
	assert_int_equal(json_number(totals(), "out"), 0);
	assert_int_equal(json_number(totals(), "older"), 0);
	assert_says(text, "\"law_broken\":null");
}

/* C23: 1,000 of 1,000 each, and none of the one booked on the other. */
static void test_eager_and_lazy_are_kept_apart(void **state)
{
	char *args[] = { "one", "1000", "0", "0", "1000", "0", NULL };
	struct program g = watch(args);
	const char *eager, *lazy;
	long n, eager_ns, lazy_ns;
	pid_t target = expect_books(&g, &n);

	(void)state;
	expect_counted(&g, 2000);
	assert_int_equal(finish(&g, target), FINE);

	assert_int_equal(rows_in_totals(), 2);
	row_is("read", "sysmon", 1000);
	row_is("read", "itself", 1000);
	eager = row_of("read", "itself");
	lazy = row_of("read", "sysmon");
	assert_true(json_number(strstr(eager, "\"detect\""), "max_ns") <= 5000);
	assert_true(json_number(strstr(lazy, "\"detect\""), "p50_ns") > 5000);
	eager_ns = json_number(strstr(eager, "\"total\""), "p50_ns");
	lazy_ns = json_number(strstr(lazy, "\"total\""), "p50_ns");
	print_message("hand-off p50: eager %ld ns, lazy %ld ns: %.1f times\n", eager_ns, lazy_ns,
		      (double)lazy_ns / (double)eager_ns);
}

/* Recorded as it happens, and looked at afterwards: the same rows. */
static void test_a_recording_has_the_same_rows(void **state)
{
	char path[] = "/tmp/handoff_recording.XXXXXX";
	char *argv[] = { (char *)getenv("GOTRACE"),
			 "record",
			 "--json",
			 "--force",
			 "-o",
			 path,
			 "--max-overhead",
			 "0%",
			 "--",
			 (char *)e2e_path("TRACEE_DIR", "handoffs"),
			 "one",
			 "31",
			 "7",
			 "5",
			 "53",
			 "3",
			 NULL };
	char *replay[] = { "gotrace", "handoff", "--json", path, NULL };
	static struct outcome o;
	struct program g;
	pid_t target;
	long n;

	(void)state;
	close(mkstemp(path));
	g = program_start(argv, NULL);
	target = expect_books(&g, &n);
	assert_int_equal(n, 31 + 7 + 5 + 53 + 3);
	assert_int_equal(finish(&g, target), FINE);
	gotrace_run(&o, NULL, -1, replay);
	unlink(path);

	assert_code(&o, FINE);
	snprintf(text, sizeof(text), "%s", o.out);
	assert_int_equal(rows_in_totals(), 5);
	row_is("read", "sysmon", 31);
	row_is("poll", "sysmon", 7);
	row_is("foreign C", "sysmon", 5);
	row_is("read", "itself", 53);
	row_is("poll", "itself", 3);
	assert_says(text, "\"law_broken\":null");
}

/* Sums over all rows of the member of each. */
static long sum_of(const char *member)
{
	long sum = 0;

	for (const char *at = strstr(totals(), "{\"call\":"); at; at = strstr(at + 1, "{\"call\":"))
		sum += json_number(at, member);
	return sum;
}

static long taken_by(const char *by)
{
	char want[64];
	long sum = 0;

	snprintf(want, sizeof(want), "\"by\":\"%s\"", by);
	for (const char *at = strstr(totals(), want); at; at = strstr(at + 1, want))
		sum += json_number(at, "taken");
	return sum;
}

/*
 * Everything that loses Ps at once, on two of them, from the first moment on: what was seen is what
 * the runtime counted, or what is missing is not more than what was lost.
 */
static void test_what_was_seen_is_what_the_runtime_counted(void **state)
{
	char *args[] = { "load", "2000", NULL };
	struct program g = watch(args);
	const char *counters;
	long n, lost, missing;
	pid_t target = expect_books(&g, &n);
	int code;

	(void)state;
	expect_counted(&g, 0);
	code = finish(&g, target);

	counters = strstr(totals(), "\"counters\"");
	lost = json_number(strstr(text, "{\"type\":\"end\""), "lost");
	assert_int_equal(code, lost ? LOST : FINE);
	missing = json_number(counters, "handoffs") - sum_of("handoffs") +
		  json_number(counters, "retakes") - taken_by("sysmon") - taken_by("steal") -
		  taken_by("kernel") - taken_by("procs") + json_number(counters, "given_up") -
		  taken_by("itself");
	assert_true(missing >= 0 && missing <= lost);
	assert_says(text, "\"law_broken\":null");
	if (lost == 0) {
		assert_int_equal(json_number(totals(), "out"), 0);
		assert_int_equal(json_number(totals(), "older"), 0);
		assert_int_equal(json_number(counters, "slow_exits"), sum_of("returned"));
	}
	assert_true(json_number(counters, "given_up") > 100);
	print_message("%ld hand-offs, %ld lost\n", sum_of("handoffs"), lost);
}

static void test_lines_of_json_fit_their_schema(void **state)
{
	char *args[] = { "one", "3", "2", "1", "1", "1", NULL };
	char lines[] = "/tmp/handoff_lines.XXXXXX", schema[] = "/tmp/handoff_schema.XXXXXX";
	struct program g = watch(args);
	FILE *out = fdopen(mkstemp(lines), "w");
	char *argv[] = { "gotrace", "schema", "handoff", NULL };
	int schema_fd = mkstemp(schema);
	static struct outcome o;
	long n;
	pid_t target = expect_books(&g, &n);

	(void)state;
	program_expect(&g, "{\"type\":\"tick\"");
	fprintf(out, "%s\n", g.line);
	assert_int_equal(finish(&g, target), FINE);
	fputs(strstr(text, "{\"type\":"), out);
	fclose(out);
	gotrace_run(&o, NULL, schema_fd, argv);
	assert_code(&o, FINE);
	if (schema_can_judge())
		assert_true(schema_file_holds(schema, lines));
	unlink(lines);
	unlink(schema);
}

/* Nobody asked for an interval: only the tables, and they are on the screen of a person. */
static void test_without_an_interval_only_the_tables_are_shown(void **state)
{
	char *argv[] = { (char *)getenv("GOTRACE"),
			 "handoff",
			 "--",
			 (char *)e2e_path("TRACEE_DIR", "handoffs"),
			 "one",
			 "3",
			 "0",
			 "0",
			 "2",
			 "0",
			 NULL };
	struct program g = program_start(argv, NULL);
	long n;
	pid_t target = expect_books(&g, &n);

	(void)state;
	assert_int_equal(finish(&g, target), FINE);
	assert_says(text, "by call and by who took it:");
	assert_says(text, " itself ");
	assert_says(text, " sysmon ");
	assert_says(text, " of 5 hand-offs, whose call");
	assert_says(text, "lost: 0");
	assert_null(strstr(text, "hand-offs/s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primes_are_counted_and_split_exactly),
		cmocka_unit_test(test_eager_and_lazy_are_kept_apart),
		cmocka_unit_test(test_a_recording_has_the_same_rows),
		cmocka_unit_test(test_what_was_seen_is_what_the_runtime_counted),
		cmocka_unit_test(test_lines_of_json_fit_their_schema),
		cmocka_unit_test(test_without_an_interval_only_the_tables_are_shown),
	};

	e2e_init();
	need_probes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
