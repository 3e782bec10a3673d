/* SPDX-License-Identifier: MIT */
/*
 * A number of a descriptor that is given to another file between two looks. Who is still in a call holds on to
 * the file that it began with, and gotrace, which has seen it begin, says so: on the screens, in growth's
 * ledger, in a recording. A row of netpoll that has waits of both says that, too.
 */
#include "sick.h"

enum { FINE = 0 };

#define TEXT_BYTES (1 << 20)
#define NAME_BYTES 64
#define WAITER "\"waiters\":[{\"fd\":50,"
#define TWO_BLOCKED "\"groups\":[{\"threads\":2,"

static char text[TEXT_BYTES];
static char dir[] = "/tmp/reuse_test.XXXXXX", recording[64];

struct scene {
	struct program target, g;
	int gate;
};

/* gotrace VERB --json PID and up to two more options, twenty looks a second. */
static struct scene scene_start(const char *mode, const char *verb, const char *one,
				const char *two)
{
	struct scene s;
	int fd;
	char pid[16], *argv[] = { (char *)getenv("GOTRACE"),
				  (char *)verb,
				  pid,
				  "--json",
				  "-i",
				  "50ms",
				  (char *)one,
				  (char *)two,
				  NULL };

	s.target = program_at_gate("reuse", mode, &s.gate, &fd);
	snprintf(pid, sizeof(pid), "%d", s.target.pid);
	s.g = program_start(argv, NULL);
	return s;
}

/* What its number is now, as the target has it: "pipe:[7]", "socket:[8]". */
static void name_of(const struct scene *s, char name[NAME_BYTES])
{
	assert_int_equal(sscanf(s->target.line, "%*s %63s", name), 1);
}

static void go_on(struct scene *s, char name[NAME_BYTES])
{
	assert_int_equal(write(s->gate, "x", 1), 1);
	program_expect(&s->target, "next");
	name_of(s, name);
}

/* The next line that gotrace says is in `text`. */
static void line_read(struct scene *s)
{
	size_t n = 0;

	do {
		struct pollfd pfd = { .fd = s->g.out, .events = POLLIN };

		if (n == sizeof(text) - 1 || poll(&pfd, 1, E2E_WAIT_MS) != 1 ||
		    read(s->g.out, text + n, 1) != 1)
			fail_msg("gotrace says no more");
	} while (text[n++] != '\n');
	text[n] = 0;
}

/* Until so many are blocked on each of the two. */
static void await(struct scene *s, const char *first, unsigned int of_first, const char *second,
		  unsigned int of_second)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		line_read(s);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > E2E_WAIT_MS / 1000)
			fail_msg("never %u on %s and %u on %s: %.3000s", of_first, first, of_second,
				 second, text);
	} while (count_of(text, first) != of_first ||
		 (second && count_of(text, second) != of_second));
}

static bool has_line(const struct scene *s)
{
	struct pollfd pfd = { .fd = s->g.out, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

/* A look that began after this was called is over, if each says one line. */
static void await_look(struct scene *s)
{
	while (has_line(s))
		line_read(s);
	line_read(s);
	line_read(s);
}

/* Another gotrace sees it. */
static void await_seen(const struct scene *s, const char *verb, const char *option,
		       const char *want)
{
	gotrace_until(s->target.pid, verb, (char *[]){ "--json", (char *)option, NULL }, has_text,
		      want);
}

static int scene_end(struct scene *s)
{
	int code;

	kill(s->g.pid, SIGINT);
	fcntl(s->g.out, F_SETPIPE_SZ, TEXT_BYTES);
	code = e2e_wait(s->g.pid);
	close(s->g.out);
	program_stop(&s->target);
	close(s->gate);
	return code;
}

/* As JSON has a descriptor. A unix socket is named by both its ends. */
static void as_pipe(char *buf, const char *name)
{
	snprintf(buf, 256,
		 "{\"fd\":50,\"name\":\"%s\",\"kind\":\"pipe\",\"note\":\"pipe in "
		 "blocking mode\"}",
		 name);
}

static void as_socket(char *buf, const char *name)
{
	snprintf(buf, 256, "{\"fd\":50,\"name\":\"unix%s", name + strlen("socket"));
}

static void test_who_began_before_keeps_its_name(void **state)
{
	struct scene s = scene_start("calls", "blocked", "-w", "--fd=50");
	char name[NAME_BYTES], pipe_is[256], socket_is[256], written[NAME_BYTES + 16];

	(void)state;
	name_of(&s, name);
	as_pipe(pipe_is, name);
	snprintf(written, sizeof(written), "read(50<%s>, ", name);
	await(&s, pipe_is, 1, written, 1);

	go_on(&s, name);
	as_socket(socket_is, name);
	await(&s, pipe_is, 1, socket_is, 1);
	assert_int_equal(count_of(text, written), 1); /* in words as well */
	assert_int_equal(count_of(text, "\"note\":\"socket in blocking mode\""),
			 2); /* row, finding */

	go_on(&s, name);
	await(&s, pipe_is, 0, socket_is, 2); /* its next call is on what the number is now */
	assert_int_equal(scene_end(&s), FINE);
}

/* The runtime knows of one call only: what it does in there is told apart by its sleeps. */
static void test_in_c_code_the_next_read_is_on_what_the_number_is(void **state)
{
	struct scene s = scene_start("foreign", "blocked", "-w", NULL);
	char name[NAME_BYTES], want[NAME_BYTES + 64];

	(void)state;
	name_of(&s, name);
	snprintf(want, sizeof(want), "\"foreign read_in_c: read(50<%s>, 1)\"", name);
	await(&s, want, 1, NULL, 0);
	go_on(&s, name);
	snprintf(want, sizeof(want), "\"foreign read_in_c: read(50<unix%s",
		 name + strlen("socket"));
	await(&s, want, 1, NULL, 0);
	assert_int_equal(scene_end(&s), FINE);
}

static void test_growth_tells_the_two_apart(void **state)
{
	struct scene s = scene_start("calls", "growth", NULL, NULL);
	char name[NAME_BYTES], pipe_is[128], socket_is[128];

	(void)state;
	name_of(&s, name);
	snprintf(pipe_is, sizeof(pipe_is), "{\"call\":\"read(%s)\",", name);
	await(&s, pipe_is, 1, NULL, 0);
	go_on(&s, name);
	snprintf(socket_is, sizeof(socket_is), "{\"call\":\"read(unix%s", name + strlen("socket"));
	await(&s, pipe_is, 1, socket_is, 1);
	assert_int_equal(json_number(strstr(text, pipe_is), "now"), 1);
	assert_int_equal(json_number(strstr(text, socket_is), "now"), 1);
	assert_int_equal(scene_end(&s), FINE);
}

static void test_a_recording_tells_them_apart(void **state)
{
	struct scene s = scene_start("calls", "record", "-o", recording);
	static struct outcome o;
	char name[NAME_BYTES], pipe_is[256], socket_is[256];

	(void)state;
	name_of(&s, name);
	as_pipe(pipe_is, name);
	await_seen(&s, "blocked", "--fd=50", pipe_is);
	await_look(&s);
	go_on(&s, name);
	as_socket(socket_is, name);
	await_seen(&s, "blocked", "--fd=50", TWO_BLOCKED);
	await_look(&s);
	assert_int_equal(scene_end(&s), FINE);

	gotrace_run(&o, NULL, -1,
		    (char *[]){ "gotrace", "blocked", recording, "--json", "--fd=50", NULL });
	assert_code(&o, FINE);
	assert_says(o.out, pipe_is);
	assert_says(o.out, socket_is);
}

static void test_a_row_of_netpoll_says_that_it_is_of_both(void **state)
{
	struct scene s = scene_start("waits", "netpoll", "--max-overhead=0%", NULL);
	char first[NAME_BYTES], second[NAME_BYTES], want[128];

	(void)state;
	name_of(&s, first);
	await_seen(&s, "netpoll", "--once", WAITER);
	await_look(&s);
	go_on(&s, second);
	assert_string_not_equal(first, second);
	await_seen(&s, "netpoll", "--once", WAITER);
	await_look(&s);
	kill(s.g.pid, SIGINT);
	await(&s, "{\"type\":\"totals\"", 1, NULL, 0);
	snprintf(want, sizeof(want), "{\"fd\":50,\"name\":\"unix%s", second + strlen("socket"));
	assert_says(text, want);
	assert_says(strstr(text, want), "\"reused\":true,\"waits\":1,");
	assert_int_equal(scene_end(&s), FINE);
}

static int room_make(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(recording, sizeof(recording), "%s/reuse.rec", dir);
	return 0;
}

static int room_remove(void **state)
{
	(void)state;
	unlink(recording);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_began_before_keeps_its_name),
		cmocka_unit_test(test_in_c_code_the_next_read_is_on_what_the_number_is),
		cmocka_unit_test(test_growth_tells_the_two_apart),
		cmocka_unit_test(test_a_recording_tells_them_apart),
		cmocka_unit_test(test_a_row_of_netpoll_says_that_it_is_of_both),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, room_make, room_remove);
}
