/* SPDX-License-Identifier: MIT */
/*
 * What `gotrace threads` says of real programs, beside what they say of themselves and what /proc
 * says. A number is compared when the program has announced that all are in: until equal, within
 * SETTLE_MS, and then for STABLE samples in a row.
 */
#define _GNU_SOURCE
#include "../unit/schema.h"
#include "e2e.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { FINE = 0 };

#define FIFOS 97 /* a prime: no other count in the program comes out like it */
#define BLOCKS 101
#define SETTLE_MS 5000
#define STABLE 10

static struct outcome o;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static long states_sum(const char *tick)
{
	static const char *const state[] = { "foreign", "system",   "blocked", "syscall", "hostage",
					     "running", "spinning", "polling", "idle",    "locked" };
	long sum = 0;

	for (size_t i = 0; i < sizeof(state) / sizeof(state[0]); i++) {
		long n = json_number(tick, state[i]);

		assert_true(n >= 0);
		sum += n;
	}
	return sum;
}

static long tasks(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return stat(path, &st) == 0 ? (long)st.st_nlink - 2 : -1;
}

/* Ticks until the count is as wanted, then so STABLE times. */
static void expect_stable(struct program *g, const char *key, long want)
{
	int64_t until = now_ns() + SETTLE_MS * 1000000ll;
	int stable = 0;

	do {
		program_expect(g, "{\"type\":\"tick\"");
		assert_int_equal(states_sum(g->line), json_number(g->line, "threads"));
		stable = json_number(g->line, key) == want ? stable + 1 : 0;
	} while (stable < STABLE && (stable > 0 || now_ns() < until));
	if (stable < STABLE)
		fail_msg("%s never stayed at %ld: %s", key, want, g->line);
}

static void end_well(struct program *g)
{
	kill(g->pid, SIGINT);
	program_expect(g, "{\"type\":\"end\"");
	if (!strstr(g->line, "\"law_broken\":null") || json_number(g->line, "lost") != 0)
		fail_msg("it ended badly: %s", g->line);
	assert_int_equal(e2e_wait(g->pid), FINE);
	close(g->out);
}

/* Without readers of /dev/urandom, which are blocked now and then, the count is exact. */
static void exactly_97_alone(const char *more)
{
	struct program target = readers_start("97", "0", NULL), g = gotrace_watch(target.pid, more);

	expect_stable(&g, "blocked", FIFOS);
	assert_int_equal(json_number(g.line, "threads"), tasks(target.pid));
	end_well(&g);
	assert_true(program_lives(&target));
	program_stop(&target);
}

static void test_97_readers_are_97_blocked(void **state)
{
	(void)state;
	exactly_97_alone(NULL);
}

static void test_97_readers_are_97_blocked_when_sampled(void **state)
{
	(void)state;
	exactly_97_alone("--sample");
}

/* How many lines of the text hold both words. */
static int lines_with(char *text, const char *a, const char *b)
{
	int n = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		n += strstr(line, a) && strstr(line, b);
	return n;
}

static void run_by_m(pid_t pid, const char *json, const char *sample)
{
	char text[16], *argv[] = { "gotrace", "threads",    text,           "--by-m",
				   "--once",  (char *)json, (char *)sample, NULL };

	snprintf(text, sizeof(text), "%d", pid);
	gotrace_run(&o, NULL, -1, argv);
	assert_code(&o, FINE);
}

/* The columns hold a name in /tmp, and none in the test's own directory. */
static bool in_tmp(void)
{
	return setenv("TMPDIR", "/tmp", 1) == 0;
}

static void test_each_blocked_m_names_its_fifo(void **state)
{
	struct program target = readers_start("97", "0", in_tmp);
	struct program g = gotrace_watch(target.pid, NULL);
	siginfo_t ended;

	(void)state;
	expect_stable(&g, "blocked", FIFOS);
	end_well(&g);

	run_by_m(target.pid, NULL, NULL);
	assert_says(o.out, "CALL");
	assert_int_equal(lines_with(o.out, "blocked", "read("), FIFOS);
	run_by_m(target.pid, NULL, NULL);
	assert_int_equal(lines_with(o.out, "read(", "fifo"), FIFOS);

	/* It takes its files away. */
	kill(target.pid, SIGTERM);
	waitid(P_PID, (id_t)target.pid, &ended, WEXITED | WNOWAIT);
	program_stop(&target);
}

/* Also for threads that were blocked before we came. */
static void test_for_how_long_is_right(void **state)
{
	int64_t began = now_ns(), in, ended;
	struct program target = readers_start("97", "0", NULL), g = gotrace_watch(target.pid, NULL);
	int rows = 0;

	(void)state;
	expect_stable(&g, "blocked", FIFOS);
	in = now_ns(); /* from here on all were blocked, without a break */
	end_well(&g);

	ended = now_ns();
	run_by_m(target.pid, "--json", NULL);
	for (char *at = o.out; (at = strstr(at, "\"state\":\"blocked\"")) != NULL; at++, rows++) {
		int64_t for_ns = json_number(at, "for_ns");

		if (for_ns < ended - in || for_ns > now_ns() - began)
			fail_msg("blocked for %ld us, but it was for %ld at least and %ld at most",
				 (long)(for_ns / 1000), (long)((ended - in) / 1000),
				 (long)((now_ns() - began) / 1000));
	}
	assert_int_equal(rows, FIFOS);
	program_stop(&target);
}

static void test_real_output_fits_the_schema(void **state)
{
	char path[] = "/tmp/threads_test.XXXXXX", schema[] = "/tmp/threads_test.XXXXXX";
	struct program target = readers_start("5", "1", NULL);
	int fd = mkstemp(path), schema_fd = mkstemp(schema);

	(void)state;
	if (!schema_can_judge()) {
		print_message("python3-jsonschema is not installed\n");
		skip();
	}
	assert_true(fd >= 0);
	run_by_m(target.pid, "--json", NULL);
	assert_int_equal(write(fd, o.out, strlen(o.out)), strlen(o.out));
	run_by_m(target.pid, "--json", "--sample");
	assert_int_equal(write(fd, o.out, strlen(o.out)), strlen(o.out));
	gotrace_on(&o, NULL, "schema", "threads");
	assert_code(&o, 0);
	assert_int_equal(write(schema_fd, o.out, strlen(o.out)), strlen(o.out));
	assert_true(schema_file_holds(schema, path));
	close(fd);
	close(schema_fd);
	unlink(path);
	unlink(schema);
	program_stop(&target);
}

static bool has_probes(void)
{
	gotrace_on(&o, NULL, "doctor", NULL);
	return strstr(o.out, "yes  probes by one uprobe_multi link") != NULL;
}

/* Started by gotrace, held until attached: what was seen is all there was. */
static void test_a_prime_number_of_handoffs_is_counted_exactly(void **state)
{
	char *argv[] = { (char *)getenv("GOTRACE"),
			 "threads",
			 "--json",
			 "-i",
			 "50ms",
			 "--",
			 (char *)e2e_path("TRACEE_DIR", "blocks"),
			 "101",
			 NULL };
	struct program g;
	pid_t target;

	(void)state;
	if (!has_probes()) {
		print_message("no uprobe_multi on this kernel\n");
		skip();
	}
	g = program_start(argv, NULL);
	program_expect(&g, "{\"type\":\"begin\"");
	assert_says(g.line, "nothing was missed");
	target = (pid_t)json_number(g.line, "pid");
	program_expect(&g, "blocks: 101");
	expect_stable(&g, "blocked", 0);
	kill(g.pid, SIGINT);
	program_expect(&g, "{\"type\":\"end\"");
	kill(target, SIGKILL);

	assert_int_equal(json_number(g.line, "given_up"), BLOCKS);
	assert_int_equal(json_number(strstr(g.line, "\"seen\""), "handoffs"),
			 json_number(strstr(g.line, "\"since_start\""), "handoffs"));
	assert_true(json_number(strstr(g.line, "\"seen\""), "handoffs") >= BLOCKS);
	assert_int_equal(json_number(g.line, "lost"), 0);
	assert_says(g.line, "\"law_broken\":null");
	assert_int_equal(e2e_wait(g.pid), FINE);
	close(g.out);
}

static void test_counts_add_up_while_threads_come_and_go(void **state)
{
	struct program target = readers_start("11", "3", NULL), g = gotrace_watch(target.pid, NULL);

	(void)state;
	for (int i = 0; i < STABLE; i++) {
		long before = tasks(target.pid), after;

		program_expect(&g, "{\"type\":\"tick\"");
		program_expect(&g, "{\"type\":\"tick\"");
		after = tasks(target.pid);
		assert_int_equal(states_sum(g.line), json_number(g.line, "threads"));
		if (before == after)
			assert_int_equal(json_number(g.line, "threads"), after);
	}
	end_well(&g);
	program_stop(&target);
}

#define CALLERS 7
#define CLIENTS 101

/* A call that ends is in state syscall until its P is taken: never more, and at last all of them. */
static void test_foreign_calls_are_blocked_and_have_a_name(void **state)
{
	char *argv[] = { (char *)e2e_path("EXAMPLES_DIR", "foreign"),
			 "--callers",
			 "7",
			 "--seconds",
			 "100",
			 NULL };
	struct program target = program_start(argv, NULL), g;
	int64_t until = now_ns() + SETTLE_MS * 1000000ll;
	long most = 0, named = 0;

	(void)state;
	program_expect(&target, "ready");
	g = gotrace_watch(target.pid, NULL);
	for (int i = 0; (i < STABLE || most < CALLERS) && now_ns() < until; i++) {
		long blocked;

		program_expect(&g, "{\"type\":\"tick\"");
		blocked = json_number(g.line, "blocked");
		assert_int_equal(states_sum(g.line), json_number(g.line, "threads"));
		/* One that moved while it was read may be seen on two Ms. */
		assert_true(blocked <= CALLERS + json_number(g.line, "rows_torn"));
		most = blocked > most ? blocked : most;
	}
	assert_int_equal(most, CALLERS);
	end_well(&g);

	while (named == 0 && now_ns() < until) {
		run_by_m(target.pid, NULL, NULL);
		named = lines_with(o.out, "blocked", "foreign foreign_nap");
	}
	assert_true(named > 0 && named <= CALLERS);
	assert_true(program_lives(&target));
	program_stop(&target);
}

static int dial(const char *line)
{
	const char *port = strrchr(line, ':');
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_non_null(port);
	addr.sin_port = htons((uint16_t)strtol(port + 1, NULL, 10));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	return fd;
}

/* Connections that wait park goroutines, and block no thread. */
static void test_idle_connections_are_parked_and_block_nobody(void **state)
{
	char *argv[] = { (char *)e2e_path("EXAMPLES_DIR", "http"), "--port", "0", NULL };
	struct program target = program_start(argv, NULL), g;
	int client[CLIENTS];
	long before;

	(void)state;
	program_expect(&target, "listening on");
	g = gotrace_watch(target.pid, NULL);
	program_expect(&g, "{\"type\":\"tick\"");
	program_expect(&g, "{\"type\":\"tick\"");
	before = json_number(g.line, "netpoll_parked");

	for (int i = 0; i < CLIENTS; i++)
		client[i] = dial(target.line);

	expect_stable(&g, "netpoll_parked", before + CLIENTS);
	assert_int_equal(json_number(g.line, "blocked"), 0);
	assert_true(json_number(g.line, "threads") <=
		    json_number(strstr(g.line, "\"procs\""), "all") + 5);

	for (int i = 0; i < CLIENTS; i++)
		close(client[i]);
	expect_stable(&g, "netpoll_parked", before);
	end_well(&g);
	program_stop(&target);
}

/* A program that does its work and ends is watched to its end, and ends as without us. */
static void test_a_program_is_watched_to_its_end(void **state)
{
	char dir[PATH_MAX], *argv[] = { (char *)getenv("GOTRACE"),
					"threads",
					"--json",
					"-i",
					"50ms",
					"--",
					(char *)e2e_path("EXAMPLES_DIR", "files"),
					dir,
					"--rounds",
					"50",
					NULL };
	struct program g;

	(void)state;
	assert_true(tree_find("tests/golden", dir, sizeof(dir)));
	g = program_start(argv, NULL);
	program_expect(&g, "done:");
	program_expect(&g, "{\"type\":\"end\"");
	assert_says(g.line, "\"why\":\"exited\"");
	assert_says(g.line, "\"law_broken\":null");
	assert_int_equal(json_number(g.line, "lost"), 0);
	assert_int_equal(e2e_wait(g.pid), FINE);
	close(g.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_97_readers_are_97_blocked),
		cmocka_unit_test(test_97_readers_are_97_blocked_when_sampled),
		cmocka_unit_test(test_each_blocked_m_names_its_fifo),
		cmocka_unit_test(test_for_how_long_is_right),
		cmocka_unit_test(test_real_output_fits_the_schema),
		cmocka_unit_test(test_a_prime_number_of_handoffs_is_counted_exactly),
		cmocka_unit_test(test_counts_add_up_while_threads_come_and_go),
		cmocka_unit_test(test_foreign_calls_are_blocked_and_have_a_name),
		cmocka_unit_test(test_idle_connections_are_parked_and_block_nobody),
		cmocka_unit_test(test_a_program_is_watched_to_its_end),
	};

	e2e_init();
	if (!getenv("EXAMPLES_DIR"))
		e2e_skip("EXAMPLES_DIR is not set");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
