/* SPDX-License-Identifier: MIT */
/*
 * growth_test.c - `gotrace growth` on programs whose threads grow: what it counts is what the
 * runtime counts, shares add up, the profile opens in go tool pprof, limits are known.
 */
#include <sys/resource.h>

#include "../unit/schema.h"
#include "sick.h"

#define NPROC_LIMIT 5003
#define EXIT_SYSTEM 6

static struct sick_room room;
static struct outcome out;

static struct program growth_watch(pid_t pid, const char *more)
{
	char text[16], *argv[] = { (char *)getenv("GOTRACE"),
				   "growth",
				   text,
				   "--json",
				   "-i",
				   "50ms",
				   (char *)more,
				   NULL };

	snprintf(text, sizeof(text), "%d", pid);
	return program_start(argv, NULL);
}

static void until_made(struct program *g, long n)
{
	do
		program_expect(g, "{\"type\":\"growth\"");
	while (json_number(g->line, "made") < n);
}

/* The sum over a key, wherever it comes. */
static long sum_of(const char *text, const char *key)
{
	char want[64];
	long sum = 0;

	snprintf(want, sizeof(want), "\"%s\":", key);
	for (; (text = strstr(text, want)) != NULL; text++)
		sum += strtol(text + strlen(want), NULL, 10);
	return sum;
}

static long abs_of(long v)
{
	return v < 0 ? -v : v;
}

/* What it counts is what the kernel and the runtime count; its causes add up to that. */
static void counts_agree(const char *more)
{
	long made, first, threads, gone, blamed;
	struct program p, g;

	sick_room_open(&room);
	p = sick_start(&room, "fifo", "211");
	g = growth_watch(p.pid, more);
	program_expect(&g, "{\"type\":\"begin\"");
	until_made(&g, 5);
	kill(g.pid, SIGINT);
	program_expect(&g, "{\"type\":\"totals\"");
	made = json_number(g.line, "made");
	gone = json_number(g.line, "gone");
	first = json_number(g.line, "threads_at_first");
	threads = json_number(g.line, "threads");
	blamed = sum_of(strstr(g.line, "\"causes\""), "threads_milli");
	/* The last look and the last event are not of one moment. */
	assert_true(abs_of(threads - first - (made - gone)) <= 2);
	assert_true(abs_of(blamed - made * 1000) <= 10);
	assert_says(g.line, "\"call\":\"read(");
	program_expect(&g, "{\"type\":\"end\"");
	assert_says(g.line, "\"law_broken\":null");
	assert_int_equal(json_number(g.line, "lost"), 0);
	assert_int_equal(e2e_wait(g.pid), 0);
	close(g.out);
	program_stop(&p);
	sick_room_close(&room);
}

static void test_threads_made_are_counted_and_put_down(void **state)
{
	(void)state;
	counts_agree(NULL);
}

static void test_without_bpf_the_runtimes_count_is_put_down(void **state)
{
	(void)state;
	counts_agree("--sample");
}

/* Each look from the first to the last, one thread after the other, until none is made any more. */
static void test_a_prime_number_of_sick_goroutines_is_so_many_blocked(void **state)
{
	struct program p, g;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "fifo", "46");
	g = growth_watch(p.pid, NULL);
	do
		program_expect(&g, "{\"type\":\"growth\"");
	while (json_number(g.line, "now") != 47);
	assert_int_equal(json_number(g.line, "blocked"), 47);
	program_stop(&g);
	program_stop(&p);
	sick_room_close(&room);
}

static void go_says(const char *path, const char *want)
{
	static char said[65536];
	char command[256];
	FILE *in;

	snprintf(command, sizeof(command), "HOME=/tmp go tool pprof -symbolize=none -top %s 2>&1",
		 path);
	in = popen(command, "r");
	assert_non_null(in);
	said[fread(said, 1, sizeof(said) - 1, in)] = '\0';
	assert_int_equal(pclose(in), 0);
	assert_says(said, want);
}

static void test_the_profile_opens_in_go_tool_pprof(void **state)
{
	char path[] = "/tmp/growth_test.XXXXXX", pid[16], want[128];
	char *argv[] = { "gotrace", "growth", "--once", "--pprof", path, pid, NULL };
	const long twenty = 20;
	char *json[] = { "--json", NULL };
	struct program p;

	(void)state;
	close(mkstemp(path));
	sick_room_open(&room);
	p = sick_start(&room, "fifo_open", "0");
	gotrace_until(p.pid, "blocked", json, are_blocked, &twenty);
	snprintf(pid, sizeof(pid), "%d", p.pid);
	gotrace_run(&out, NULL, -1, argv);
	assert_code(&out, 0);
	snprintf(want, sizeof(want), "openat(%s)", room.fifo);
	go_says(path, want);
	go_says(path, "Type: threads");
	unlink(path);
	program_stop(&p);
	sick_room_close(&room);
}

static void test_a_profile_that_cannot_be_written_is_told_at_once(void **state)
{
	char pid[16], *nowhere[] = { "gotrace", "growth", "--pprof", "/nonexistent/p", pid, NULL };
	char *full[] = { "gotrace", "growth", "--once", "--pprof", "/dev/full", pid, NULL };
	struct program p = sleeper_start(NULL, NULL);

	(void)state;
	snprintf(pid, sizeof(pid), "%d", p.pid);
	gotrace_run(&out, NULL, -1, nowhere);
	assert_code(&out, EXIT_SYSTEM);
	assert_says(out.err, "/nonexistent/p");
	assert_int_equal(strlen(out.out), 0);
	gotrace_run(&out, NULL, -1, full);
	assert_code(&out, EXIT_SYSTEM);
	assert_says(out.err, "cannot write the profile");
	program_stop(&p);
}

static bool as_nobody_with_a_limit(void)
{
	struct rlimit r = { NPROC_LIMIT, NPROC_LIMIT };

	return setrlimit(RLIMIT_NPROC, &r) == 0 && e2e_as_nobody();
}

static void test_limits_of_the_runtime_and_of_the_user(void **state)
{
	char *options[] = { "--once", "--json", NULL };
	struct program p;
	const char *said;

	(void)state;
	p = sleeper_start(as_nobody_with_a_limit, NULL);
	said = gotrace_until(p.pid, "growth", options, is_any, NULL);
	assert_says(said, "\"runtime\":{\"limit\":10000,");
	assert_says(said, "\"nproc\":{\"limit\":5003,\"used\":");
	assert_true(json_number(strstr(said, "\"nproc\""), "used") >= 2);
	program_stop(&p);
	/* Root is held to no such limit. */
	p = sleeper_start(NULL, NULL);
	said = gotrace_until(p.pid, "growth", options, is_any, NULL);
	assert_says(said, "\"nproc\":null");
	program_stop(&p);
}

/* C05: what stands behind a lock costs no thread, so that nothing grows. */
static void test_c05_goroutines_behind_a_lock_make_no_thread(void **state)
{
	char *options[] = { "-n", "5", "-i", "30ms", NULL };
	char *json[] = { "-n", "5", "-i", "30ms", "--json", NULL };
	struct program p;
	const char *said;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "full_pipe", "0");
	said = gotrace_until(p.pid, "growth", options, is_any, NULL);
	assert_says(said, "write(pipe:[");
	said = gotrace_until(p.pid, "growth", json, is_any, NULL);
	/* One more at most, that is to look for work. */
	assert_true(json_number(strstr(said, "\"totals\""), "made") <= 1);
	program_stop(&p);
	sick_room_close(&room);
}

static void test_real_output_fits_the_schema(void **state)
{
	char schema[] = "/tmp/growth_schema.XXXXXX", json[] = "/tmp/growth_json.XXXXXX", pid[16];
	char *print[] = { "gotrace", "schema", "growth", NULL };
	char *argv[] = { "gotrace", "growth", "--json", "-n", "5", "-i", "30ms", pid, NULL };
	int schema_fd = mkstemp(schema), json_fd = mkstemp(json);
	struct program p;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "flock", "100");
	snprintf(pid, sizeof(pid), "%d", p.pid);
	gotrace_run(&out, NULL, schema_fd, print);
	assert_code(&out, 0);
	gotrace_run(&out, NULL, json_fd, argv);
	assert_code(&out, 0);
	assert_true(schema_file_holds(schema, json));
	unlink(schema);
	unlink(json);
	close(schema_fd);
	close(json_fd);
	program_stop(&p);
	sick_room_close(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_made_are_counted_and_put_down),
		cmocka_unit_test(test_without_bpf_the_runtimes_count_is_put_down),
		cmocka_unit_test(test_a_prime_number_of_sick_goroutines_is_so_many_blocked),
		cmocka_unit_test(test_the_profile_opens_in_go_tool_pprof),
		cmocka_unit_test(test_a_profile_that_cannot_be_written_is_told_at_once),
		cmocka_unit_test(test_limits_of_the_runtime_and_of_the_user),
		cmocka_unit_test(test_c05_goroutines_behind_a_lock_make_no_thread),
		cmocka_unit_test(test_real_output_fits_the_schema),
	};

	e2e_init();
	if (geteuid() != 0)
		e2e_skip("needs root: probes, and a target of another user");
	if (system("go version >/dev/null 2>&1"))
		e2e_skip("go is not installed");
	if (!schema_can_judge())
		e2e_skip("python3-jsonschema is not installed");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
