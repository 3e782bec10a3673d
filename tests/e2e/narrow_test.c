/* SPDX-License-Identifier: MIT */
/*
 * 10,000 threads on a terminal of 40 columns: every line fits, every thread is counted, and what is left out
 * is said to be.
 */
#define _GNU_SOURCE
#include <pty.h>

#include "sick.h"

#define THREADS "10000"
#define COLUMNS 40
#define SCREEN_BYTES (4 << 20)

static char screen[SCREEN_BYTES];
static struct program many;

/* What gotrace shows on such a terminal; argv[2] is replaced by the target. */
static void show(char *argv[])
{
	struct winsize size = { .ws_col = COLUMNS, .ws_row = 50 };
	int terminal, slave, code;
	size_t n = 0;
	ssize_t some;
	char text[16];
	pid_t pid;

	snprintf(text, sizeof(text), "%d", many.pid);
	argv[2] = text;
	assert_int_equal(openpty(&terminal, &slave, NULL, NULL, &size), 0);
	fcntl(terminal, F_SETFD, FD_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		dup2(slave, 1);
		close(slave);
		e2e_child(NULL);
		fexecve(e2e_gotrace, argv, environ);
		_exit(127);
	}
	close(slave);
	/* A terminal that nobody is at any more gives EIO. */
	while ((some = read(terminal, screen + n, sizeof(screen) - 1 - n)) > 0)
		n += (size_t)some;
	screen[n] = 0;
	close(terminal);
	code = e2e_wait(pid);
	if (code != 0)
		fail_msg("%s ended with %d: %.2000s", argv[1], code, screen);
}

/* The columns that it takes: every character of ours has one. */
static size_t width(const char *line, size_t bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += ((unsigned char)line[i] & 0xc0) != 0x80 && line[i] != '\r';
	return n;
}

static void assert_fits(void)
{
	size_t bytes;

	assert_int_not_equal(screen[0], 0);
	for (const char *line = screen; *line; line += bytes + (line[bytes] == '\n')) {
		bytes = strcspn(line, "\n");
		if (width(line, bytes) > COLUMNS)
			fail_msg("wider than %d columns: \"%.*s\"", COLUMNS, (int)bytes, line);
	}
}

static void test_threads(void **state)
{
	(void)state;
	show((char *[]){ "gotrace", "threads", NULL, "--once", NULL });
	assert_fits();
	assert_says(screen, "10k");
}

static void test_threads_by_m(void **state)
{
	(void)state;
	show((char *[]){ "gotrace", "threads", NULL, "--once", "--by-m", NULL });
	assert_fits();
}

static void test_blocked(void **state)
{
	(void)state;
	show((char *[]){ "gotrace", "blocked", NULL, NULL });
	assert_fits();
	assert_says(screen, "10000 blocked");
}

static void test_blocked_in_groups(void **state)
{
	(void)state;
	show((char *[]){ "gotrace", "blocked", NULL, "--by-stack", NULL });
	assert_fits();
	assert_says(screen, "10000 blocked");
	show((char *[]){ "gotrace", "blocked", NULL, "--by-call", NULL });
	assert_fits();
	assert_says(screen, "10000 blocked");
}

static void test_growth(void **state)
{
	(void)state;
	show((char *[]){ "gotrace", "growth", NULL, "-n", "2", "-i", "100ms", NULL });
	assert_fits();
}

static void test_handoff(void **state)
{
	(void)state;
	show((char *[]){ "gotrace", "handoff", NULL, "-n", "2", "-i", "100ms", NULL });
	assert_fits();
}

static void test_netpoll(void **state)
{
	(void)state;
	show((char *[]){ "gotrace", "netpoll", NULL, "-n", "2", "-i", "100ms", NULL });
	assert_fits();
}

static bool are_all_blocked(const char *json, const void *unused)
{
	(void)unused;
	return json_number(json, "blocked") == atol(THREADS);
}

static int many_begin(void **state)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "many"), THREADS, "read", NULL };
	char *once[] = { "--json", "--once", NULL };

	(void)state;
	many = program_start(argv, NULL);
	program_expect(&many, "ready");
	gotrace_until(many.pid, "threads", once, are_all_blocked, NULL);
	return 0;
}

static int many_end(void **state)
{
	(void)state;
	program_stop(&many);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads), cmocka_unit_test(test_threads_by_m),
		cmocka_unit_test(test_blocked), cmocka_unit_test(test_blocked_in_groups),
		cmocka_unit_test(test_growth),  cmocka_unit_test(test_handoff),
		cmocka_unit_test(test_netpoll),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, many_begin, many_end);
}
