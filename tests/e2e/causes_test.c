/* SPDX-License-Identifier: MIT */
/*
 * causes_test.c - ten programs, each sick in one way, and five healthy ones: `blocked` and
 * `growth` name the guilty call, what it is made on, and its line in the source, first, in ten of
 * ten, and nothing in the healthy.
 */
#include "sick.h"

struct seeded {
	const char *name;
	const char *more; /* goroutines that fall ill one by one */
	long blocked;     /* at least */
	const char *call, *object;
};

/* object: how it ends; for what is known by number only, a part of it */
static const struct seeded seeded[] = {
	{ "slow_read", "200", 3, "pread64", "/slow/f" },
	{ "fifo", "200", 3, "read", "/fifo" },
	{ "slow_fsync", "200", 3, "fsync", "/slow/f" },
	{ "hung_fuse", "200", 3, "openat", "/slow/hung" },
	{ "flock", "200", 3, "flock", "/lock" },
	{ "foreign_sleep", "200", 3, "foreign", "foreign_sleep" },
	{ "socket", "200", 3, "read", "unix" },
	{ "full_pipe", "0", 1, "write", "pipe:[" },
	{ "pidfd", "200", 3, "waitid", "[pidfd]" },
	{ "fifo_open", "0", 20, "openat", "/fifo" },
};
#define SICK_THREADS 5 /* that growth sees made, before it is asked why */
#define SEEDED (sizeof(seeded) / sizeof(seeded[0]))

static struct sick_room room;

/* Is it the guilty call? `text` begins where a cause or a group does. */
static void assert_names(const struct seeded *s, const struct program *p, const char *text)
{
	char call[512], where[256], want[256];

	json_text_of(text, "call", call, sizeof(call));
	if (strncmp(call, s->call, strlen(s->call)))
		fail_msg("%s: not %s is named but %s", s->name, s->call, call);
	/* Many sockets are one group. */
	if (!strstr(call, s->object) && !strstr(call, " sockets"))
		fail_msg("%s: not %s is named but %s", s->name, s->object, call);
	json_text_of(text, "where", where, sizeof(where));
	sick_where(p, want, sizeof(want));
	assert_string_equal(where, want);
}

static const char *after(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	if (!at)
		fail_msg("no %s in:\n%s", word, text);
	return at + strlen(word);
}

static void assert_blocked_names(const struct seeded *s, const struct program *p)
{
	char *options[] = { "--json", NULL };
	const char *said = gotrace_until(p->pid, "blocked", options, are_blocked, &s->blocked);

	assert_names(s, p, after(said, "\"groups\":["));
}

/* Of all causes that are this call: some are too short to be seen in a look, and have no line. */
static long milli_of_call(const char *totals, const char *call)
{
	const char *at = after(totals, "\"causes\":[");
	char want[64];
	long sum = 0;

	snprintf(want, sizeof(want), "{\"call\":\"%s", call);
	for (; (at = strstr(at, want)) != NULL; at++)
		sum += json_number(at, "threads_milli");
	return sum;
}

/* Until enough threads were made while we watched; then what it says at the end. */
static void assert_growth_names(const struct seeded *s, const struct program *p)
{
	char pid[16], *argv[] = {
		(char *)getenv("GOTRACE"), "growth", pid, "--json", "-i", "200ms", NULL
	};
	struct program g;
	long made;

	snprintf(pid, sizeof(pid), "%d", p->pid);
	g = program_start(argv, NULL);
	do
		program_expect(&g, "{\"type\":\"growth\"");
	while (strcmp(s->more, "0") && json_number(g.line, "made") < SICK_THREADS);
	kill(g.pid, SIGINT);
	program_expect(&g, "{\"type\":\"totals\"");
	made = json_number(g.line, "made");
	assert_names(s, p, after(g.line, "\"causes\":["));
	if (strcmp(s->more, "0") && milli_of_call(g.line, s->call) < made * 1000 / 2)
		fail_msg("%s: less than half is put down to it: %s", s->name, g.line);
	program_expect(&g, "{\"type\":\"end\"");
	assert_int_equal(json_number(g.line, "lost"), 0);
	assert_int_equal(e2e_wait(g.pid), 0);
	close(g.out);
}

static void seeded_cause(const char *name)
{
	const struct seeded *s = seeded;
	struct program p;

	while (strcmp(s->name, name))
		s++;
	sick_room_open(&room);
	sick_room_mount(&room);
	p = sick_start(&room, s->name, s->more);
	assert_growth_names(s, &p);
	assert_blocked_names(s, &p);
	program_stop(&p);
	sick_room_close(&room);
}

#define SEEDED_TEST(name)                                \
	static void test_##name##_is_named(void **state) \
	{                                                \
		(void)state;                             \
		seeded_cause(#name);                     \
	}

SEEDED_TEST(slow_read)
SEEDED_TEST(fifo)
SEEDED_TEST(slow_fsync)
SEEDED_TEST(hung_fuse)
SEEDED_TEST(flock)
SEEDED_TEST(foreign_sleep)
SEEDED_TEST(socket)
SEEDED_TEST(full_pipe)
SEEDED_TEST(pidfd)
SEEDED_TEST(fifo_open)

/* A call that is over in no time may be seen in it; one that lasts is what would be named. */
static void healthy(const char *name)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "healthy"), (char *)name, NULL };
	char pid[16], *blocked[] = { "gotrace", "blocked", pid, "--json", "--min", "200ms", NULL };
	char *growth[] = { "gotrace", "growth", pid, "--json", "-i", "50ms", "-n", "6", NULL };
	struct program p = program_start(argv, NULL);
	struct outcome *o = calloc(1, sizeof(*o));
	const char *causes;

	assert_non_null(o);
	program_expect(&p, "ready");
	snprintf(pid, sizeof(pid), "%d", p.pid);
	gotrace_run(o, NULL, -1, blocked);
	assert_code(o, 0);
	assert_says(o->out, "\"hostages\":[],\"findings\":[]");
	/* Who waits for a CPU is said to: no call holds it. */
	assert_int_equal(count_of(o->out, "\"tid\":"), count_of(o->out, "; waits for a CPU\""));
	gotrace_run(o, NULL, -1, growth);
	assert_code(o, 0);
	causes = after(after(o->out, "{\"type\":\"totals\""), "\"causes\":[");
	/*
	 * On a loaded machine a thread may wait for a CPU inside of a short call, and another be
	 * made meanwhile. No call is to blame for as many as a sick one.
	 */
	if (*causes != ']' && !strstr(causes, "nothing was blocked"))
		assert_true(json_number(causes, "threads_milli") < SICK_THREADS * 1000);
	program_stop(&p);
	free(o);
}

static void test_nothing_is_named_in_an_idle_program(void **state)
{
	(void)state;
	healthy("idle");
}

static void test_nothing_is_named_in_a_computing_program(void **state)
{
	(void)state;
	healthy("computing");
}

static void test_nothing_is_named_in_a_server_under_load(void **state)
{
	(void)state;
	healthy("server");
}

static void test_nothing_is_named_in_a_program_with_timers(void **state)
{
	(void)state;
	healthy("timers");
}

static void test_nothing_is_named_where_goroutines_wait_for_mutexes(void **state)
{
	(void)state;
	healthy("mutexes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_read_is_named),
		cmocka_unit_test(test_fifo_is_named),
		cmocka_unit_test(test_slow_fsync_is_named),
		cmocka_unit_test(test_hung_fuse_is_named),
		cmocka_unit_test(test_flock_is_named),
		cmocka_unit_test(test_foreign_sleep_is_named),
		cmocka_unit_test(test_socket_is_named),
		cmocka_unit_test(test_full_pipe_is_named),
		cmocka_unit_test(test_pidfd_is_named),
		cmocka_unit_test(test_fifo_open_is_named),
		cmocka_unit_test(test_nothing_is_named_in_an_idle_program),
		cmocka_unit_test(test_nothing_is_named_in_a_computing_program),
		cmocka_unit_test(test_nothing_is_named_in_a_server_under_load),
		cmocka_unit_test(test_nothing_is_named_in_a_program_with_timers),
		cmocka_unit_test(test_nothing_is_named_where_goroutines_wait_for_mutexes),
	};

	e2e_init();
	if (geteuid() != 0)
		e2e_skip("needs root: a disk is mounted");
	sick_need_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
